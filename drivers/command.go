package drivers

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"

	"belay/devices"
)

// commands is one command, or several of which the first understood counts.
type commands []string

// UnmarshalYAML takes a string or a list of strings.
func (c *commands) UnmarshalYAML(unmarshal func(any) error) error {
	var one string
	if unmarshal(&one) == nil {
		*c = commands{one}
		return nil
	}
	var many []string
	if err := unmarshal(&many); err != nil {
		return errors.New("want a command or a list of commands")
	}
	*c = many
	return nil
}

var _ yaml.InterfaceUnmarshaler = (*commands)(nil)

// reading are the commands that may be sent: they show something, or set
// something of this session alone. Whatever is not here does not load.
var reading = devices.Pattern(`^(?:` + strings.Join([]string{
	`show(?: .+)?`, `display .+`, `get .+`,
	`(?:more|dir) (?:system|nvram|flash|bootflash|disk\d+|slot\d+|volatile):[\w./\-]*`, `dir`,
	`terminal (?:length|width|pager|datadump|no|exec prompt no-timestamp)(?: \S+)*`,
	`no (?:page|paging|cli pager session)`,
	`screen-length (?:disable|0 temporary)`,
	`skip-page-display`,
	`changeto (?:system|context [\w.\-]+)`,
	`export config to console`, `set clienv rows 0`, `set cli mode -page OFF`, `switch ns partition [\w.\-]+`, `set virtual-system \w+`,
	`environment (?:no more|more false)`,
	`set cli (?:pager off|screen-length 0|screen-width 0|terminal width \d+|scripting-mode on|config-output-format \S+|complete-on-space off)`,
	`/export(?: (?:show-sensitive|terse|verbose|compact|hide-sensitive))*`,
	// Any word of a menu may be an action: "/system script run print" runs a script.
	`/(?:system (?:routerboard|resource|identity|license|package|health|clock)|ip (?:address|route|service)|interface|user|certificate|file) print(?: (?:without-paging|detail|terse|value-list))*`,
	`tmsh -q (?:show sys (?:version|hardware field-fmt)|list)`, `list`,
	`(?:cat|sort) /tmp/system\.cfg`, `config show json`,
	`(?:/bin/)?cat /(?:cf|conf|config|etc|opt|usr|var)/[\w./\-]+`,
	`vtysh -c '(?:show|list) [^']+'`, `cli -c "show [^"]+"`,
	`uname(?: -[a-z]+)?`, `hostname`, `opnsense-version(?: -[a-zA-Z]+)?`,
	`nv (?:config )?show(?: [\w./\-]+)*`, `net show configuration commands`, `decode-syseeprom`,
	`no cli session paging enable`, `no more`,
	`admin (?:show running-config|display-config(?: index)?|show configuration(?: configure| bof| full-context| flat| units)*)`,
	`uci export`, `ubus call system board`, `sysupgrade -b -`,
	`(?:system shell )?(?:session )?set (?:session )?more off`,
	`disable clipaging session`, `terminal more disable`, // the same without session would be a change that stays
	`readscript`, `sysinfo`, `sys version`, `mca-cli-op info`,
	`configuration show(?: brief)?`, `(?:software|system) show`, `chassis show (?:device-id|capabilities)`,
	`kenv(?: -q)? smbios\.[a-z.]+`, `sysctl -n [a-z.]+`,
}, `|`) + `)$`)

// filing are reading commands that write a file on the device, some always and
// some with an argument: the bundles for a vendor's support.
var filing = devices.Pattern(`(?i)^(?:show +tech|display +diag)|\blocal-file\b`)

// filters are what may stand behind a pipe: they only choose lines.
var filters = devices.Pattern(`^(?:no-more|no-pager|nomore|grep .+|include .+|exclude .+|begin .+|display \w+(?: \w+)?|cat)$`)

// readsOnly tells why a command may not be sent, or nil.
func readsOnly(command string) error {
	switch {
	case command != strings.TrimSpace(command) || command == "":
		return fmt.Errorf("command %q: empty, or with spaces around it", command)
	case strings.ContainsFunc(command, func(r rune) bool { return r < ' ' || r > '~' }):
		// A control key edits the line: Ctrl-U wipes "show" away.
		return fmt.Errorf("command %q could write: it holds what is not printable ASCII", command)
	case strings.ContainsAny(command, ";&<>`\\$!?"):
		return fmt.Errorf("command %q could write: it holds one of ; & < > ` \\ $ ! ?", command)
	case strings.Contains(command, "://"), strings.Contains(command, ".."):
		return fmt.Errorf("command %q holds :// or .. and so reaches out of the device", command)
	}
	parts := strings.Split(command, "|")
	head := strings.TrimSpace(parts[0])
	if !reading().MatchString(head) {
		return fmt.Errorf("command %q is not one of the reading commands", command)
	}
	if filing().MatchString(head) {
		return fmt.Errorf("command %q can write a file on the device", command)
	}
	for _, f := range parts[1:] {
		if !filters().MatchString(strings.TrimSpace(f)) {
			return fmt.Errorf("command %q: %q is not a filter that only chooses lines", command, strings.TrimSpace(f))
		}
	}
	return nil
}

// What else is typed: none of it is a command that does anything.
var (
	keys    = devices.Pattern(`\A(?:[ -~]|[\r\n]{1,2}|(?i:\d{1,2}|[ynaqco]|yes|no|ok|accept|agree|continue|quit)[\r\n]{1,2})\z`)
	enters  = devices.Pattern(`\A(?:|\n|\r|\r\n)\z`)
	leaving = devices.Pattern(`\A(?:exit|quit|logout|logoff|bye|end|close)\z`)
	rising  = devices.Pattern(`\A(?:enable(?: \d+)?|super|cli)\z`)
)

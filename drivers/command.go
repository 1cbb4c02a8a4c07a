package drivers

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml"
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
var reading = regexp.MustCompile(`^(?:` + strings.Join([]string{
	`show(?: .+)?`, `display .+`, `get .+`, `more \S+`, `dir(?: \S+)?`,
	`terminal (?:length|width|pager|datadump|no|exec prompt no-timestamp)(?: \S+)*`,
	`no (?:page|paging|cli pager session)`,
	`screen-length (?:disable|0 temporary)`,
	`skip-page-display`,
	`environment (?:no more|more false)`,
	`set cli (?:pager off|screen-length 0|screen-width 0|terminal width \d+|scripting-mode on|config-output-format \S+|complete-on-space off)`,
	`/export(?: (?:show-sensitive|terse|verbose|compact|hide-sensitive))*`,
	`(?:/\S+ )*(?:/?\S+ )*print(?: (?:without-paging|detail|terse|value-list))*`,
	`/bin/cat \S+`, `cat \S+`,
	`vtysh -c '(?:show|list) [^']+'`, `cli -c "show [^"]+"`,
	`uname(?: -[a-z]+)?`, `hostname`, `opnsense-version(?: -[a-zA-Z]+)?`,
	`kenv(?: -q)? smbios\.[a-z.]+`, `sysctl -n [a-z.]+`,
}, `|`) + `)$`)

// filters are what may stand behind a pipe: they only choose lines.
var filters = regexp.MustCompile(`^(?:no-more|no-pager|nomore|grep .+|include .+|exclude .+|begin .+|display \w+(?: \w+)?|cat)$`)

// readsOnly tells why a command may not be sent, or nil.
func readsOnly(command string) error {
	if command != strings.TrimSpace(command) || command == "" {
		return fmt.Errorf("command %q: empty, or with spaces around it", command)
	}
	if strings.ContainsAny(command, ";&<>`\n\r\\") || strings.Contains(command, "$(") {
		return fmt.Errorf("command %q could write: it holds one of ; & < > ` \\", command)
	}
	parts := strings.Split(command, "|")
	if head := strings.TrimSpace(parts[0]); !reading.MatchString(head) {
		return fmt.Errorf("command %q is not one of the reading commands", command)
	}
	for _, f := range parts[1:] {
		if !filters.MatchString(strings.TrimSpace(f)) {
			return fmt.Errorf("command %q: %q is not a filter that only chooses lines", command, strings.TrimSpace(f))
		}
	}
	return nil
}

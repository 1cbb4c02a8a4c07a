package drivers

import (
	"regexp"
	"strings"

	"belay/configs"
	"belay/configs/redact"
	"belay/devices"
)

// A Driver is what is known of one operating system, ready to read devices.
// It is not changed once loaded and may be used by many at once.
type Driver struct {
	Name    string // of its file: "cisco_ios"
	Title   string
	Aliases []string
	Source  string   // what its claims rest on
	Like    string   // the driver that counts where this one is silent; may be empty
	Signs   Signs    // what a device of this system is known by
	Proven  []string // what it was run against beside its transcripts
	Origin  string   // BuiltIn, or the user's file
	Account string   // the vendor's commands for a least-privilege account
	Rules   configs.Rules
	Changed Changed
	Unknown bool // nobody has published how a text of this system looks: another's passes, too

	Exec      bool // each command on a channel of its own, no terminal
	Port      int
	Auth      []string
	Keepalive bool

	api       *api      // nil: the road is none of https
	transfer  *transfer // nil: the road is none of snmp
	terminal  devices.Terminal
	enter     string
	logout    string
	signIn    *credentials
	prompt    *regexp.Regexp
	above     *regexp.Regexp // a line of the prompt\'s own above it; may be nil
	gates     []question
	questions []question
	more      *question
	enable    *privilege
	steps     []step
	files     bool           // the road is file: commands go over channels of their own
	unsaved   *regexp.Regexp // a prompt or facts answer that says that changes are not saved; may be nil
	fits      *regexp.Regexp // the first facts answer of any device of this system; may be nil
	facts     []string       // their names, in the order of factSearch
	search    *redact.Search // for the facts, together
}

// A question is matched against the end of what a device sent.
type question struct {
	ask    *regexp.Regexp
	answer string
}

// A privilege is how to become one who may read the configuration.
type privilege struct {
	run              string
	when, ask, until *regexp.Regexp
}

// Commands lists every command the driver may send, in order.
func (d *Driver) Commands() []string {
	var all []string
	if d.enable != nil {
		all = append(all, d.enable.run)
	}
	if d.api == nil {
		return append(all, commandsOf(d.steps)...)
	}
	if d.api.signIn != nil {
		all = append(all, d.api.signIn.line)
	}
	if all = append(all, commandsOf(d.steps)...); d.api.signOut != "" {
		all = append(all, d.api.signOut)
	}
	return all
}

func commandsOf(steps []step) []string {
	var all []string
	for _, s := range steps {
		if len(s.run) > 0 {
			all = append(all, strings.Join(s.run, "  or  "))
		}
		all = append(all, commandsOf(s.pull)...)
	}
	return all
}

// HTTPS tells whether the device is read by requests to its API; public: the API
// is a public service's, whose certificate is verified and not pinned, and pace is
// the most requests a second that it bears (0: any).
func (d *Driver) HTTPS() (public bool, pace float64, yes bool) {
	if d.api == nil {
		return false, 0, false
	}
	return d.api.public, d.api.pace, true
}

// Road is how the device is read: "shell", "exec", "https" or "snmp".
func (d *Driver) Road() string {
	if d.transfer != nil {
		return "snmp"
	}
	if d.api != nil {
		return "https"
	}
	if d.files {
		return "file"
	}
	if d.Exec {
		return "exec"
	}
	return "shell"
}

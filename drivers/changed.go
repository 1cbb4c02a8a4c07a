package drivers

import (
	"regexp"

	"belay/devices"
)

// Changed is how devices of a system tell that their configuration changed.
type Changed struct {
	Poll   string   // object that holds when it last did; empty: none is known
	Saved  string   // object that holds when it was last saved
	Traps  []string // what traps of it are called
	syslog []*regexp.Regexp
	ignore []*regexp.Regexp
}

// Says tells whether a message announces a change, and who made it; user is
// empty where the message does not say.
func (c *Changed) Says(text string) (user string, ok bool) {
	for _, re := range c.syslog {
		m := re.FindStringSubmatch(text)
		if m == nil {
			continue
		}
		for _, not := range c.ignore {
			if not.MatchString(text) {
				return "", false
			}
		}
		if i := re.SubexpIndex("user"); i >= 0 {
			user = m[i]
		}
		return user, true
	}
	return "", false
}

// oid is an object identifier as drivers write it: numbers, no dot before them.
var oid = devices.Pattern(`^1(?:\.\d+){5,}$`)

func (c *compiler) changed(s *changedSpec) Changed {
	if s == nil {
		return Changed{}
	}
	number := func(key, text string) {
		if !oid().MatchString(text) {
			c.wrong("%s: %q is no object identifier: write 1.3.6.1.4.1.…", key, text)
		}
	}
	var poll pollSpec
	if s.Poll != nil {
		poll = *s.Poll
		number("changed.poll.oid", poll.OID)
		if poll.Saved != "" {
			number("changed.poll.saved", poll.Saved)
		}
	}
	for _, t := range s.Traps {
		number("changed.traps", t)
	}
	if poll.OID == "" && len(s.Traps)+len(s.Syslog) == 0 {
		c.wrong("changed: says nothing: want poll, traps or syslog")
	}
	return Changed{Poll: poll.OID, Saved: poll.Saved, Traps: s.Traps, syslog: c.patterns("changed.syslog", s.Syslog), ignore: c.patterns("changed.ignore", s.Ignore)}
}

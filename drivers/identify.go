package drivers

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"belay/devices"
)

// Signs are what a device of a system is known by before anybody logs in. Each
// may be missing.
type Signs struct {
	ObjectIDs []string // prefixes of sysObjectID, with a leading dot
	Confirm   string   // an object that only this system's agent has, with a leading dot

	descr, server, banner *regexp.Regexp
}

// Evidence is what an unknown device shows without a login.
type Evidence struct {
	ObjectID    string          // sysObjectID; empty: SNMP was not answered
	Description string          // sysDescr
	Has         map[string]bool // objects that were asked for: is there anything?
	Server      string          // the SSH server's version line
	Banner      string          // what it shows before a login
}

// How sure a guess is.
const (
	Certain  = "certain"  // the system's own object identifier, and nothing speaks against it
	Likely   = "likely"   // the vendor is sure, or the description alone says so
	Possible = "possible" // many systems look so from outside
)

// A Guess is a driver that may be the right one.
type Guess struct {
	Driver    *Driver
	Certainty string
	Why       []string // what speaks for it

	weight int
}

// signs compiles what identify says.
func (c *compiler) signs(s *identifySpec) Signs {
	if s == nil {
		return Signs{}
	}
	signs := Signs{
		Confirm: absolute(s.Confirm),
		descr:   c.pattern("identify.sysDescr", s.Descr), server: c.pattern("identify.ssh", s.SSH), banner: c.pattern("identify.banner", s.Banner),
	}
	for i, p := range s.ObjectID {
		oid := absolute(p)
		if !objectID().MatchString(oid) {
			c.wrong("identify.sysObjectID[%d]: %q is no object identifier", i, p)
		}
		signs.ObjectIDs = append(signs.ObjectIDs, oid)
	}
	if signs.Confirm != "" && !objectID().MatchString(signs.Confirm) {
		c.wrong("identify.confirm: %q is no object identifier", s.Confirm)
	}
	return signs
}

var objectID = devices.Pattern(`^(?:\.\d+){2,}$`)

// absolute is an object identifier with a leading dot; one without is below
// enterprises (1.3.6.1.4.1).
func absolute(oid string) string {
	oid = strings.TrimSuffix(oid, ".")
	switch {
	case oid == "" || strings.HasPrefix(oid, "."):
		return oid
	case strings.HasPrefix(oid, "1.3.6.1."):
		return "." + oid
	}
	return ".1.3.6.1.4.1." + oid
}

// weigh tells how much speaks for a system, and what. Nothing does where its
// object identifier or description is another's.
func (s Signs) weigh(e Evidence) (weight int, why []string) {
	longest := ""
	for _, prefix := range s.ObjectIDs {
		if (e.ObjectID == prefix || strings.HasPrefix(e.ObjectID, prefix+".")) && len(prefix) > len(longest) {
			longest = prefix
		}
	}
	if e.ObjectID != "" && len(s.ObjectIDs) > 0 && longest == "" {
		return 0, nil
	}
	if longest != "" {
		weight += 100 * strings.Count(longest, ".")
		why = append(why, "sysObjectID "+e.ObjectID)
	}
	switch {
	case s.descr == nil || e.Description == "":
	case s.descr.MatchString(e.Description):
		weight += 50
		why = append(why, fmt.Sprintf("sysDescr %q", s.descr.FindString(e.Description)))
	default:
		return 0, nil
	}
	if there, asked := e.Has[s.Confirm]; asked && s.Confirm != "" {
		if !there && longest == "" {
			return 0, nil
		}
		if there {
			weight += 60
			why = append(why, "its agent has "+s.Confirm)
		}
	}
	if s.server != nil && s.server.MatchString(e.Server) {
		weight += 20
		why = append(why, fmt.Sprintf("SSH server %q", e.Server))
	}
	if s.banner != nil && s.banner.MatchString(e.Banner) {
		weight += 20
		why = append(why, "its banner")
	}
	return weight, why
}

// Guess names the drivers that a device may need, the likeliest first. Another
// road to the same system comes behind the system's own driver.
func (c *Catalog) Guess(e Evidence) []Guess {
	var all []Guess
	for _, d := range c.All() {
		if weight, why := d.Signs.weigh(e); weight > 0 {
			all = append(all, Guess{Driver: d, Why: why, weight: weight})
		}
	}
	slices.SortStableFunc(all, func(a, b Guess) int {
		return cmp.Or(cmp.Compare(b.weight, a.weight), cmp.Compare(len(a.Driver.Like), len(b.Driver.Like)), strings.Compare(a.Driver.Name, b.Driver.Name))
	})
	for i, g := range all {
		all[i].Certainty = Possible
		if g.weight >= 50 {
			all[i].Certainty = Likely
		}
		// A vendor's number alone, without a word on the system, is several systems'.
		told := len(g.Why) > 1 || g.Driver.Signs.descr == nil
		if i == 0 && e.ObjectID != "" && g.weight >= 100 && told && !rivals(all, g) {
			all[i].Certainty = Certain
		}
	}
	return all
}

// rivals tells whether another system has as much to say for itself.
func rivals(all []Guess, g Guess) bool {
	return slices.ContainsFunc(all, func(o Guess) bool {
		return o.weight == g.weight && o.Driver.system() != g.Driver.system()
	})
}

// system is the name that all roads to one system have in common.
func (d *Driver) system() string { return cmp.Or(d.Like, d.Name) }

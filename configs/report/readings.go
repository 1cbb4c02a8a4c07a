package report

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"belay/configs"
	"belay/devices"
)

// A finding is what a device's newest reading means this morning.
type finding struct {
	device devices.Device
	read   configs.Checked
	kind   string
	cause  string    // its error without what is the device's own: equal for all that fail alike
	rests  time.Time // until when its site does, since it was last read; zero: it does not
}

// wrongKey tells whether it was not the login that was refused, but the device.
func (f finding) wrongKey() bool {
	return f.kind == Denied && strings.Contains(f.read.Error, "host key")
}

// readings counts the devices, and tells of those that somebody has to look at:
// each alone, or those of one site that fail alike in one line.
func (m *maker) readings() {
	rests := map[string]Rest{}
	for _, r := range m.in.Rests {
		rests[cmp.Or(string(r.Device), r.Site)] = r
	}
	groups := map[string][]finding{}
	for _, d := range m.in.Devices {
		f := m.judge(d)
		if f.kind == "" || f.kind == Stale && m.missed(f) {
			continue
		}
		key := d.SiteKey() + "\x00" + f.kind
		if r := rests[d.SiteKey()]; f.kind == Stale && r.Device == "" && f.read.At.Before(r.Since) {
			f.rests = r.Until
			key += "\x00rests"
		}
		if f.kind == Refused { // what is wrong with a text is wrong with that text alone
			key += "\x00" + d.Name
		}
		if f.wrongKey() {
			key += "\x00key"
		}
		groups[key] = append(groups[key], f)
	}
	for _, key := range slices.Sorted(maps.Keys(groups)) {
		g := groups[key]
		slices.SortFunc(g, func(a, b finding) int { return cmp.Compare(a.device.Name, b.device.Name) })
		m.tell(g, rests)
	}
	// A rest whose device failed otherwise since, or has gone, is told by itself.
	for _, key := range slices.Sorted(maps.Keys(rests)) {
		r := rests[key]
		l := Line{Kind: Denied, Customer: devices.ID(r.Site).Customer(), site: r.Site}
		if _, site, ok := strings.Cut(r.Site, "/"); ok {
			l.Site = site
		}
		if r.Device != "" {
			l = m.of(Denied, r.Device)
		}
		l.What = "rests until " + m.when(r.Until) + " after a refused login at " + m.when(r.Since)
		if r.Error != "" {
			l.What += ": " + r.Error
		}
		m.add(l)
	}
}

// missed tells whether a device is stale because its schedule was missed, which is
// told by itself.
func (m *maker) missed(f finding) bool {
	good := f.read.Result == configs.Kept || f.read.Result == configs.Unchanged
	return good && slices.ContainsFunc(m.in.Missed, func(s Miss) bool { return slices.Contains(s.Of, f.device.ID()) })
}

// judge puts a device where it is counted.
func (m *maker) judge(d devices.Device) finding {
	r, known := m.in.Newest[d.ID()]
	f := finding{device: d, read: r, cause: cause(d, r.Error)}
	age := DefaultMaxAge
	if m.in.MaxAge != nil {
		age = m.in.MaxAge(d)
	}
	c := &m.counts
	c.Devices++
	fresh := func(t time.Time) bool { return young(m.in.Now, t, age) }
	second := m.in.Second == nil || m.in.Second(d)
	switch {
	case known && r.Result == configs.Refused:
		c.Refused++
		f.kind = Refused
	case known && r.Result == configs.Denied:
		c.Denied++
		f.kind = Denied
	case !known, !fresh(r.Good):
		c.Stale++
		f.kind = Stale
	case r.Result == configs.Unreachable:
		c.Unreachable++
		f.kind = Unreachable
	case r.Result == configs.Failed:
		c.Failed++
		f.kind = Failed
	case r.Result != configs.Kept && r.Result != configs.Unchanged:
		c.Failed++
		f.kind = Failed
	case m.in.Doubt != "":
		c.Unproven++ // said once, for all of them
	case r.Verified && fresh(r.Proven):
		c.Verified++
	case !second:
		c.OnePlace++
	default:
		c.Unproven++
		f.kind = Unproven
	}
	return f
}

// tell makes one line of findings that are alike, and takes the rests that it
// speaks of out of rests.
func (m *maker) tell(g []finding, rests map[string]Rest) {
	d := g[0].device
	l := m.of(g[0].kind, d.ID())
	l.Next = "belay capture " + d.String()
	if len(g) > 1 {
		l.Devices = nil
		for _, f := range g {
			l.Devices = append(l.Devices, f.device.String())
		}
		l.Next = fmt.Sprintf("belay capture --customer %s --site %s", d.Customer, word(d.Site))
	}
	l.What = m.state(g) + why(g)
	switch until := g[0].rests; {
	case !until.IsZero(): // to try it now may lock the account
		l.What, l.Next = "not tried, for the site rests until "+m.when(until)+"; "+m.state(g), ""
	case l.Kind == Refused && (m.in.Held == nil || m.in.Held[d.ID()]):
		l.What += "; kept as quarantined"
		if g[0].read.Commit != "" {
			l.What += ", the copy before stands"
		}
		// Only a text that is whole but smaller can be vouched for.
		if strings.HasPrefix(g[0].cause, configs.CheckSize+": ") && !strings.Contains(g[0].cause, "; ") {
			l.What += "; if it has really shrunk, belay accept vouches for it"
		}
	case l.Kind == Denied:
		if g[0].wrongKey() {
			l.What += "; compare the fingerprint on the device itself first"
			l.Next = "belay devices trust " + strings.Join(l.Devices, " ")
			m.keys = append(m.keys, g...)
		}
		said := l.What
		for _, f := range g {
			l.What += m.rested(rests, string(f.device.ID()), len(g) > 1, f.device.Name)
		}
		l.What += m.rested(rests, d.SiteKey(), true, "the site")
		if l.What != said && !g[0].wrongKey() { // only who names a device that rests has it asked
			l.What += "; put the login right first"
			l.Next = "belay capture " + strings.Join(l.Devices, " ")
		}
	}
	m.add(l)
}

// rested speaks of a rest, and takes it out of those to be told.
func (m *maker) rested(rests map[string]Rest, key string, named bool, name string) string {
	r, ok := rests[key]
	if !ok {
		return ""
	}
	delete(rests, key)
	s := "; "
	if named {
		s += name + " "
	}
	return s + "rests until " + m.when(r.Until)
}

// state says how findings stand that are alike.
func (m *maker) state(g []finding) string {
	var never int
	var last time.Time // the newest good reading among them
	tried := g[0].read.At
	for _, f := range g {
		if f.read.Good.IsZero() {
			never++
		}
		if f.read.Good.After(last) {
			last = f.read.Good
		}
		if f.read.At.After(tried) {
			tried = f.read.At
		}
	}
	result := map[configs.Outcome]string{configs.Unreachable: "unreachable", configs.Denied: "login refused", configs.Failed: "failed"}[g[0].read.Result]
	for _, f := range g {
		if f.read.Result != g[0].read.Result {
			result = "not read"
		}
	}
	good := "no good reading since " + m.when(last)
	switch {
	case never == len(g):
		good = "never captured"
	case never > 0:
		good = fmt.Sprintf("%d never captured, none of the others read since %s", never, m.when(last))
	}
	switch g[0].kind {
	case Refused:
		return "refused at " + m.when(tried)
	case Denied:
		if g[0].wrongKey() {
			return "refused at " + m.when(tried)
		}
		return "login refused at " + m.when(tried)
	case Unproven:
		return "kept here, its second place unproven"
	case Stale:
		if result == "" || tried.IsZero() {
			return good
		}
		return result + ", " + good
	}
	return result + " at " + m.when(tried) + ", " + good
}

// dialed is how Go begins to say that there is no connection.
var dialed = regexp.MustCompile(`\b(dial|read|write) (tcp|udp) \S+: `)

// why is what findings that are alike failed of, if they all did of the same;
// else of the first.
func why(g []finding) string {
	kinds := map[string]int{}
	for _, f := range g {
		kinds[f.cause]++
	}
	switch c := g[0].cause; {
	case len(kinds) == 1 && c == "":
		return ""
	case len(kinds) == 1:
		return ": " + c
	}
	most := ""
	for _, c := range slices.Sorted(maps.Keys(kinds)) {
		if kinds[c] > kinds[most] && c != "" {
			most = c
		}
	}
	if kinds[most] == 1 {
		return fmt.Sprintf(": for %d different reasons, one of them %s", len(kinds), most)
	}
	return fmt.Sprintf(": for %d different reasons, most often %s", len(kinds), most)
}

// word is a name as one word of a command.
func word(s string) string {
	if devices.CheckName(s) != nil {
		return strconv.Quote(s)
	}
	return s
}

// cause is an error without what belongs to one device alone: its name and its
// address.
func cause(d devices.Device, text string) string {
	if _, rest, ok := strings.Cut(text, " "+d.String()+": "); ok {
		text = rest
	}
	for _, key := range []string{d.String(), d.SiteKey(), d.Customer} { // what logins are named after
		text = strings.ReplaceAll(text, `login "`+key+`"`, "its login")
	}
	text = strings.ReplaceAll(text, d.String(), "it")
	text = dialed.ReplaceAllString(text, "")
	if d.Address != "" {
		text = strings.ReplaceAll(text, d.Address, "it")
	}
	return oneLine(text)
}

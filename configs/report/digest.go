package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"belay/configs"
	"belay/devices"
)

// A Digest is what a morning has to say. As JSON it is what scripts read.
type Digest struct {
	At       time.Time `json:"at"`
	Since    time.Time `json:"since"`
	Customer string    `json:"customer,omitempty"`
	Subject  string    `json:"subject"`
	Counts   Counts    `json:"counts"`
	Lines    []Line    `json:"lines"` // the exceptions in the order they are told
}

// Counts are the numbers of the first line. Each device is in one of those from
// Verified to Failed.
type Counts struct {
	Devices     int `json:"devices"`
	Verified    int `json:"verified"`
	OnePlace    int `json:"inOnePlace"` // kept, and no second place is set up
	Unproven    int `json:"unproven"`   // kept, and the second place could not be proven; or nothing may be called verified
	Stale       int `json:"stale"`
	Refused     int `json:"refused"`
	Denied      int `json:"denied"`
	Unreachable int `json:"unreachable"`
	Failed      int `json:"failed"`
	Changed     int `json:"changed"`
	NoTicket    int `json:"withoutTicket"`
	New         int `json:"new"` // first versions
	Caught      int `json:"canariesCaught"`
	Canaries    int `json:"canaries"`
}

// A Line is one thing that somebody has to look at.
type Line struct {
	Kind     string   `json:"kind"`               // one of the words below
	Customer string   `json:"customer,omitempty"` // empty: it concerns all
	Site     string   `json:"site,omitempty"`     // without the customer; empty: none
	Devices  []string `json:"devices,omitempty"`  // customer/name
	What     string   `json:"what"`
	Next     string   `json:"next,omitempty"` // the command to type
	Diff     string   `json:"diff,omitempty"` // of redacted texts

	site string // SiteKey, to group by
	rank int
}

// The kinds of lines, in the order in which those of a site are told.
const (
	Doubt       = "doubt"
	Canary      = "canary"
	Damage      = "damage"
	Disk        = "disk"
	Alarm       = "alarm"
	Refused     = "refused"
	Denied      = "denied"
	Stale       = "stale"
	Unreachable = "unreachable"
	Failed      = "failed"
	Unproven    = "unproven"
	RemoteBad   = "remote"
	NoTicket    = "without ticket"
	Unsaved     = "unsaved"
	Missed      = "missed"
	NoSchedule  = "without schedule"
	Waiting     = "waiting"
	ScrubLate   = "scrub"
	Inventory   = "inventory"
)

func order() []string {
	return []string{Doubt, Canary, Damage, Disk, Alarm, Refused, Denied, Stale, Unreachable, Failed, Unproven, RemoteBad, NoTicket,
		Unsaved, Missed, NoSchedule, Waiting, ScrubLate, Inventory}
}

// Make makes the digest of the facts.
func Make(in Input) Digest {
	m := &maker{in: in, names: map[devices.ID]devices.Device{}, rank: map[string]int{}}
	for i, kind := range order() {
		m.rank[kind] = i
	}
	for _, d := range in.Devices {
		m.names[d.ID()] = d
	}
	m.general()
	m.readings()
	m.changes()
	m.others()
	slices.SortStableFunc(m.lines, func(a, b Line) int {
		return cmp.Or(cmp.Compare(a.Customer, b.Customer), cmp.Compare(a.Site, b.Site), cmp.Compare(a.rank, b.rank), cmp.Compare(a.site, b.site), slices.Compare(a.Devices, b.Devices), cmp.Compare(a.What, b.What))
	})
	d := Digest{At: in.Now, Since: in.Since, Customer: in.Customer, Counts: m.counts, Lines: m.lines}
	if d.Lines == nil {
		d.Lines = []Line{} // never null in JSON
	}
	d.Subject = m.subject()
	return d
}

type maker struct {
	in     Input
	names  map[devices.ID]devices.Device
	rank   map[string]int
	counts Counts
	lines  []Line
	keys   []finding // host keys that were told of
}

func (m *maker) add(l Line) {
	l.rank = m.rank[l.Kind]
	l.What, l.Next = oneLine(l.What), oneLine(l.Next)
	m.lines = append(m.lines, l)
}

// name is a device as people say it, also one that is gone.
func (m *maker) name(id devices.ID) string {
	if d, ok := m.names[id]; ok {
		return d.String()
	}
	return string(id)
}

// of begins a line about a device.
func (m *maker) of(kind string, id devices.ID) Line {
	l := Line{Kind: kind, Customer: id.Customer(), Devices: []string{m.name(id)}, site: string(id)}
	if d, ok := m.names[id]; ok {
		l.Site, l.site = d.Site, d.SiteKey()
	}
	return l
}

// general are the lines that concern everybody.
func (m *maker) general() {
	in := m.in
	if in.Doubt != "" {
		m.add(Line{Kind: Doubt, What: "nothing may be called verified: " + in.Doubt, Next: configs.AfterDoubt})
	}
	switch c := in.Canaries; {
	case c == nil:
	case c.All == 0:
		m.add(Line{Kind: Canary, What: "no canary could be tried: nothing shows that the checks see what is wrong", Next: "belay canaries"})
	case !c.At.IsZero() && !young(in.Now, c.At, DefaultMaxAge):
		// What an earlier night has shown says nothing of this one.
		if m.wasRead() {
			m.add(Line{Kind: Canary, What: "no canary was tried since " + m.when(c.At) + ": nothing shows that the checks see what is wrong", Next: "belay canaries"})
		}
	default:
		m.counts.Caught, m.counts.Canaries = c.Caught, c.All
		for _, k := range c.Kept {
			if strings.Contains(in.Doubt, k) {
				continue // said already
			}
			m.add(Line{Kind: Canary, What: "a canary was kept: " + k + "; what else was kept in that run may be as bad", Next: "belay canaries"})
		}
		if missing := c.All - c.Caught - len(c.Kept); missing > 0 {
			m.add(Line{Kind: Canary, What: fmt.Sprintf("%d of %d canaries could not be tried", missing, c.All), Next: "belay canaries"})
		}
	}
	if in.Disk != "" {
		m.add(Line{Kind: Disk, What: in.Disk})
	}
	if o := in.Outbox; o != nil && o.Waiting > 0 && in.Now.Sub(o.Oldest) > late {
		what := fmt.Sprintf("%s waiting for a documentation or ticket system, the oldest since %s", Plural(o.Waiting, "file"), m.when(o.Oldest))
		if o.Why != "" {
			what += ": " + o.Why
		}
		m.add(Line{Kind: Waiting, What: what, Next: "belay docs queue"})
	}
	if s := in.Scrub; s != nil {
		for _, why := range s.Unread {
			m.add(Line{Kind: ScrubLate, What: "what is stored could not be read again: " + why, Next: "belay scrub status"})
		}
	}
	if s := in.Scrub; s != nil && s.Late {
		part := int64(100)
		if s.All > 0 {
			part = 100 * s.Done / s.All
		}
		m.add(Line{Kind: ScrubLate, What: fmt.Sprintf("the pass that reads all that is stored is late: %d %% done, due %s", part, m.when(s.Ends))})
	}
}

// wasRead tells whether any device was read in the last night.
func (m *maker) wasRead() bool {
	for _, d := range m.in.Devices {
		if young(m.in.Now, m.in.Newest[d.ID()].At, DefaultMaxAge) {
			return true
		}
	}
	return false
}

// ahead is how far the clocks of what is compared may be apart.
const ahead = time.Hour

// young tells whether a time is not longer ago than age. One in the future was
// told by a clock that was wrong, and shows nothing.
func young(now, t time.Time, age time.Duration) bool {
	return !t.IsZero() && now.Sub(t) <= age && !t.After(now.Add(ahead))
}

// others are the lines about devices and customers that no reading tells.
func (m *maker) others() {
	in := m.in
	for _, n := range in.Damages {
		m.note(Damage, n)
	}
	for _, n := range in.Unsaved {
		m.note(Unsaved, n)
	}
	for _, a := range in.Alarms {
		if in.Doubt != "" && a.Cause == configs.AlarmCanary || in.Disk != "" && a.Cause == configs.AlarmDisk ||
			a.Cause == configs.AlarmHostKey && slices.ContainsFunc(m.keys, func(f finding) bool { return f.device.ID() == a.Device }) {
			continue // said already
		}
		m.note(Alarm, Note{a.Customer, a.Device, a.Cause + " since " + m.when(a.At) + ": " + a.What, a.Hint})
	}
	for _, r := range in.Remotes {
		what := "the remote does not hold what it should"
		if !r.Since.IsZero() {
			what += " since " + m.when(r.Since)
		}
		if r.Error != "" {
			what += ": " + r.Error
		}
		m.add(Line{Kind: RemoteBad, Customer: r.Customer, What: what, Next: "belay verify --customer " + r.Customer})
	}
	for _, s := range in.Missed {
		next := "belay capture --all"
		if s.Customer != "" {
			next = "belay capture --customer " + s.Customer
		}
		m.add(Line{Kind: Missed, Customer: s.Customer, What: fmt.Sprintf("the schedule of %s, due %s: its window closed before %s", s.Schedule, m.when(s.Due), wereRead(s.Devices)), Next: next})
	}
	m.list(NoSchedule, in.Unscheduled, "no schedule captures it", "no schedule captures them")
	m.list(Inventory, in.Added, "new in the inventory", "new in the inventory")
	gone := map[string][]string{}
	for _, name := range in.Removed {
		c := devices.ID(name).Customer()
		gone[c] = append(gone[c], name)
	}
	for c, names := range gone {
		slices.Sort(names)
		m.add(Line{Kind: Inventory, Customer: c, Devices: names, What: "no longer in the inventory"})
	}
	for _, r := range in.Renamed {
		m.add(Line{Kind: Inventory, Customer: r.ID.Customer(), Devices: []string{r.New}, What: "renamed, it was " + r.Old})
	}
}

func wereRead(n int) string {
	if n == 1 {
		return "1 device was read"
	}
	return fmt.Sprintf("%d devices were read", n)
}

func (m *maker) note(kind string, n Note) {
	l := Line{Kind: kind, Customer: n.Customer}
	if n.Device != "" {
		l = m.of(kind, n.Device)
	}
	l.What, l.Next = n.What, n.Next
	m.add(l)
}

// list tells one thing of many devices, in one line a customer.
func (m *maker) list(kind string, ids []devices.ID, one, many string) {
	by := map[string][]string{}
	for _, id := range ids {
		by[id.Customer()] = append(by[id.Customer()], m.name(id))
	}
	for c, names := range by {
		slices.Sort(names)
		what := one
		if len(names) > 1 {
			what = many
		}
		m.add(Line{Kind: kind, Customer: c, Devices: names, What: what})
	}
}

// subject is the first line: three numbers, then what there is besides.
func (m *maker) subject() string {
	c := m.counts
	parts := []string{Plural(c.Devices, "device"), fmt.Sprintf("%d verified", c.Verified), fmt.Sprintf("%d stale", c.Stale)}
	for _, n := range []struct {
		n    int
		what string
	}{
		{c.OnePlace, "in one place"}, {c.Unproven, "unproven"}, {c.Refused, "refused"}, {c.Denied, "denied"}, {c.Unreachable, "unreachable"}, {c.Failed, "failed"}, {c.New, "new"},
	} {
		if n.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n.n, n.what))
		}
	}
	changed := fmt.Sprintf("%d changed", c.Changed)
	if c.NoTicket > 0 {
		changed += fmt.Sprintf(", %d without ticket", c.NoTicket)
	}
	parts = append(parts, changed)
	if c.Canaries > 0 {
		parts = append(parts, fmt.Sprintf("canaries %d/%d caught", c.Caught, c.Canaries))
	}
	if m.in.Doubt != "" {
		parts = append([]string{"RED"}, parts...)
	}
	s := strings.Join(parts, " · ")
	if m.in.Customer != "" {
		s = m.in.Customer + ": " + s
	}
	return s
}

// when is a time as a reader of this morning wants it.
func (m *maker) when(t time.Time) string {
	t = t.In(m.in.Now.Location())
	if t.Format(time.DateOnly) == m.in.Now.Format(time.DateOnly) {
		return t.Format("15:04")
	}
	if t.Year() == m.in.Now.Year() {
		return t.Format("2 Jan 15:04")
	}
	return t.Format("2 Jan 2006 15:04")
}

// Plural counts things whose name ends in s where they are several: "1 device", "2 devices".
func Plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

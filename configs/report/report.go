// Package report writes the morning's digest: three numbers, and then only what
// somebody has to look at, by customer and site, each with one sentence why and
// the command that tries it again. It is pure: from facts to text, HTML and JSON,
// in one order whatever order the facts come in. It knows no clock and no store,
// and of configurations only text that redact made.
package report

import (
	"time"

	"belay/configs"
	"belay/devices"
)

// An Input is all the facts of one digest. What is left out is not spoken of.
type Input struct {
	Now      time.Time // in the time zone of whoever reads it
	Since    time.Time // the last digest
	Customer string    // the digest is about this one alone; empty: all

	Devices []devices.Device
	Newest  map[devices.ID]configs.Checked     // the newest reading of each device that was ever read
	MaxAge  func(devices.Device) time.Duration // a good reading that is older is stale; nil: 26 hours
	Second  func(devices.Device) bool          // a second place is set up for the device; nil: for all
	Held    map[devices.ID]bool                // what was refused is in quarantine
	Doubt   string                             // why nothing may be called verified
	Changed []Change                           // versions kept since
	Rests   []Rest                             // after refused logins
	Missed  []Miss                             // runs that did not happen
	Unsaved []Note                             // devices whose running configuration is not what they would start with
	Alarms  []configs.Alarm                    // those that stand
	Remotes []Remote                           // that do not hold what they should
	Damages []Note                             // that the scrub found

	Unscheduled []devices.ID // devices that no schedule captures
	Added       []devices.ID
	Removed     []string // as people said them
	Renamed     []Rename

	Canaries *Canaries
	Outbox   *Outbox
	Scrub    *Scrub
	Disk     string // why there is too little room; empty: there is enough
}

// DefaultMaxAge is a night and the time that the next one may begin later.
const DefaultMaxAge = 26 * time.Hour

// A Change is a version that was kept since.
type Change struct {
	Version configs.Version
	First   bool   // the device had no version before
	Before  string // commit of the version before, where it is known
	// Texts are those of the version before and of this one; nil: not shown.
	Texts func() (was, is []configs.Text, err error)
}

// A Rest is a time in which a device, or a whole site, is left alone.
type Rest struct {
	Device       devices.ID // empty: the site
	Site         string     // devices.Device.SiteKey
	Since, Until time.Time
	Error        string
}

// A Miss is a run of a schedule that did not begin within its window.
type Miss struct {
	Schedule string // what it is for, as "customer acme"
	Customer string // empty: of several
	Due      time.Time
	Devices  int
	Of       []devices.ID // these, where they are known
}

// A Note is one sentence about a device or a customer.
type Note struct {
	Customer string
	Device   devices.ID // may be empty
	What     string
	Next     string // the command to type; may be empty
}

// A Remote is a customer's second place that does not hold what it should.
type Remote struct {
	Customer string
	Since    time.Time
	Error    string
}

// A Rename is a device that has another name since.
type Rename struct {
	ID       devices.ID
	Old, New string // customer/name
}

// Canaries are the false devices of the last run. Those that were kept are named.
type Canaries struct {
	At          time.Time // of that run; zero: not told
	Caught, All int
	Kept        []string
}

// Outbox is what waits for documentation and ticket systems.
type Outbox struct {
	Waiting int
	Oldest  time.Time
	Why     string // of the oldest
}

// Scrub is how far the pass is in which all that is stored is read again.
type Scrub struct {
	Done, All int64 // bytes
	Ends      time.Time
	Late      bool
	Unread    []string // what could not be read when it was its turn, and why
}

// late is how long a letter may wait in the outbox before it is spoken of.
const late = 2 * time.Hour

// For is the part of the facts that is one customer's: nothing in it tells of
// another one, nor of what concerns all.
func (in Input) For(customer string) Input {
	mine := func(id devices.ID) bool { return id.Customer() == customer }
	out := Input{Now: in.Now, Since: in.Since, Customer: customer, MaxAge: in.MaxAge, Second: in.Second, Newest: in.Newest, Held: in.Held}
	if in.Doubt != "" {
		out.Doubt = "a canary was kept" // the sentence may name others
	}
	out.Devices = only(in.Devices, func(d devices.Device) bool { return d.Customer == customer })
	out.Changed = only(in.Changed, func(c Change) bool { return mine(c.Version.ID) })
	out.Rests = only(in.Rests, func(r Rest) bool { return mine(r.Device) || r.Device == "" && mine(devices.ID(r.Site)) })
	out.Missed = only(in.Missed, func(m Miss) bool { return m.Customer == customer })
	out.Unsaved = only(in.Unsaved, func(n Note) bool { return n.Customer == customer })
	out.Alarms = only(in.Alarms, func(a configs.Alarm) bool { return a.Customer == customer })
	out.Remotes = only(in.Remotes, func(r Remote) bool { return r.Customer == customer })
	out.Damages = only(in.Damages, func(n Note) bool { return n.Customer == customer })
	out.Unscheduled, out.Added = only(in.Unscheduled, mine), only(in.Added, mine)
	out.Removed = only(in.Removed, func(name string) bool { return mine(devices.ID(name)) })
	out.Renamed = only(in.Renamed, func(r Rename) bool { return mine(r.ID) })
	return out
}

func only[T any](all []T, keep func(T) bool) []T {
	var some []T
	for _, v := range all {
		if keep(v) {
			some = append(some, v)
		}
	}
	return some
}

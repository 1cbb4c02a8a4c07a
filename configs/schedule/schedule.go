// Package schedule tells when which device is to be captured. A rule names
// moments in cron's five fields, by the clock of its zone; it may let captures
// start within a window of the day only, forbid them in black-outs, and spread
// its devices over a jitter. The moment of one device, jitter and window
// included, is its slot. What slot a device was last captured for is remembered
// by others: this package is arithmetic and asks no clock.
//
// Daylight saving: a rule that does not name every hour of the day has each
// time of the clock once: one that the clock skips falls on the moment of the
// skip, one that comes twice counts when it comes first. A rule for every hour
// goes on by elapsed time. Windows and black-outs begin and end when the clock
// first shows their time.
package schedule

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"belay/devices"
)

// A Rule says when some devices are to be captured.
type Rule struct {
	Every string         // cron's five fields, or @hourly, @daily, @weekly, @monthly, @yearly
	Zone  *time.Location // by whose clock; must not be nil

	// What it is for. The most special rules that there are for a device
	// govern it: those that name the device before its site's, its customer's
	// and those for all. A site or device without its customer is none; so is
	// a device at another site than the rule names.
	Customer, Site, Device string

	Window   string        // "01:00-05:00": it may start within only; empty: at any time
	Blackout []string      // "2026-12-24/2026-12-26", "2026-12-24", "Mon-Fri 08:00-18:00", "Sat,Sun", "12:00-13:00"
	Jitter   time.Duration // each device starts later by its own, unchanging part of this; from 0 to a day
}

// An Invalid is a field of a rule that cannot be understood or obeyed.
type Invalid struct {
	Rule  int    // its place in the list, from 0
	Field string // as in settings: "every", "window", …
	Err   error
	Hint  string // what may stand there
}

func (e *Invalid) Error() string { return fmt.Sprintf("%s: %v", e.Field, e.Err) }
func (e *Invalid) Unwrap() error { return e.Err }

// A Plan is all rules together. It may be used by many at once.
type Plan struct {
	rules []*rule

	mu     sync.Mutex
	places map[place]*entry
	groups map[string]*group // by the rules in it
}

// A place is all that rules can tell of a device.
type place struct{ customer, site, name, first string }

// An entry is what the plan knows of a device: constant as long as its place is.
type entry struct {
	*group
	share uint64 // of the jitter, in 2⁻⁶⁴
}

// A group is the rules that govern some devices. A black-out of one of them
// holds for all: nothing automatic starts in it.
type group struct {
	index     []int
	rules     []*rule
	blackouts []span

	asked  time.Time // what dark was last asked about, and said
	within bool
}

// New reads rules. An error is an *Invalid.
func New(rules []Rule) (*Plan, error) {
	p := &Plan{places: map[place]*entry{}, groups: map[string]*group{}}
	for i, r := range rules {
		c, err := compile(r)
		if err == nil {
			err = c.possible()
		}
		if err != nil {
			var bad *Invalid
			if errors.As(err, &bad) {
				bad.Rule = i
			}
			return nil, err
		}
		p.rules = append(p.rules, c)
	}
	return p, nil
}

// of finds what governs a device; p.mu is held.
func (p *Plan) of(d devices.Device) *entry {
	at := place{d.Customer, d.Site, d.Name, d.FirstID}
	if e, ok := p.places[at]; ok {
		return e
	}
	var index []int
	best := 0
	for i, r := range p.rules {
		switch level := r.level(d); {
		case level == 0 || level < best:
		case level > best:
			best, index = level, []int{i}
		default:
			index = append(index, i)
		}
	}
	g := p.groups[fmt.Sprint(index)]
	if g == nil {
		g = &group{index: index}
		for _, i := range index {
			g.rules = append(g.rules, p.rules[i])
			g.blackouts = append(g.blackouts, p.rules[i].blackouts...)
		}
		p.groups[fmt.Sprint(index)] = g
	}
	sum := sha256.Sum256([]byte(d.ID()))
	e := &entry{group: g, share: binary.BigEndian.Uint64(sum[:])}
	p.places[at] = e
	return e
}

// Rules are the places in New's list of the rules that govern a device; none
// where nothing captures it.
func (p *Plan) Rules(d devices.Device) []int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.of(d).index)
}

// Slot is the latest moment up to now at which d was to be captured, jitter
// included, and may still be; where its window has closed over all of them, the
// latest. It is zero where there was none in the last years; ok is false where no
// rule governs d.
func (p *Plan) Slot(d devices.Device, now time.Time) (slot time.Time, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.of(d)
	m, _ := e.slot(now)
	return m.at, len(e.rules) > 0
}

// Open tells whether what is due may start now: the slot's window has not
// closed, and there is no black-out.
func (p *Plan) Open(d devices.Device, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.of(d)
	m, ok := e.slot(now)
	return ok && m.lasts(now) && !e.dark(now)
}

// Closes is when the window of d's latest slot closes; zero: it has none.
func (p *Plan) Closes(d devices.Device, now time.Time) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	m, _ := p.of(d).slot(now)
	return m.until
}

// Due tells whether a device that was last captured for slot done is to be
// captured for slot. One that was never captured has as done the time since
// which it is known, so that it waits for its first slot; with a zero done it is
// due at once. A done of more than an hour hence shows that the clock was set back.
func Due(slot, done, now time.Time) bool {
	return !slot.IsZero() && (done.Before(slot) || done.After(now.Add(time.Hour)))
}

// Due tells whether d is to start now, and for which slot.
func (p *Plan) Due(d devices.Device, done, now time.Time) (slot time.Time, due bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.of(d)
	m, ok := e.slot(now)
	return m.at, ok && m.lasts(now) && Due(m.at, done, now) && !e.dark(now)
}

// Missed tells of a device that was last captured for slot done whether its
// latest slot went by: it was not captured while it might have started, and its
// window has closed. The next slot counts. One that lay in black-outs altogether
// was not missed.
func (p *Plan) Missed(d devices.Device, done, now time.Time) (slot time.Time, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.of(d)
	for _, r := range e.rules {
		m, found := r.slot(e.share, now)
		if !found || m.lasts(now) || !Due(m.at, done, now) || !m.at.After(slot) {
			continue
		}
		if _, could := e.start(m); could {
			slot, ok = m.at, true
		}
	}
	return slot, ok
}

// Next is when d will next start, as far as nothing else holds it up: after now,
// in a window, in no black-out. ok is false where it never will.
func (p *Plan) Next(d devices.Device, now time.Time) (next time.Time, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.of(d)
	for _, r := range e.rules {
		if t, found := e.next(r, now); found && (!ok || t.Before(next)) {
			next, ok = t, true
		}
	}
	return next, ok
}

// slot is the latest slot up to now that lasts, or where none does the latest.
func (e *entry) slot(now time.Time) (best moment, ok bool) {
	for _, r := range e.rules {
		m, found := r.slot(e.share, now)
		if !found {
			continue
		}
		better := m.at.After(best.at)
		if m.lasts(now) != best.lasts(now) {
			better = m.lasts(now)
		}
		if !ok || better {
			best, ok = m, true
		}
	}
	return best, ok
}

// next is the next start by one rule. A slot that waits for a black-out's end is
// still to start; an earlier one that waits as well starts with it.
func (e *entry) next(r *rule, now time.Time) (time.Time, bool) {
	if m, ok := r.slot(e.share, now); ok {
		if t, could := e.start(m); could && t.After(now) {
			return t, true
		}
	}
	m, ok := r.next(e.share, now)
	for limit := now.AddDate(years, 0, 0); ok && m.at.Before(limit); {
		if t, could := e.start(m); could {
			return t, true
		}
		if m.until.IsZero() {
			break
		}
		m, ok = r.next(e.share, m.until.Add(-1)) // all that is left of this window is dark
	}
	return time.Time{}, false
}

// start is the first time in a slot's window that is in no black-out.
func (g *group) start(m moment) (time.Time, bool) {
	t, ok := light(g.blackouts, m.at)
	return t, ok && m.lasts(t)
}

// dark tells whether now is in a black-out. All devices ask about the same now.
func (g *group) dark(now time.Time) bool {
	if !now.Equal(g.asked) {
		g.asked, g.within = now, covered(g.blackouts, now)
	}
	return g.within
}

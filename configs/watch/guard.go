package watch

import (
	"fmt"
	"net/netip"
	"time"

	"belay/configs"
)

// A guard counts the messages of one address. Where they are too many none is
// looked at any more, until it has been calm for a while.
type guard struct {
	began   time.Time // of the minute that is counted
	n       int       // messages in it
	stands  bool
	noisy   time.Time // when there was last one too many
	dropped time.Time // when the last message was not looked at
}

// calm is how long a device must stay below the limit to be listened to again.
const calm = 2 * time.Minute

// Known tells whether a device of the inventory has an address.
func (w *Watch) Known(from netip.Addr) bool { return w.book.known(from) }

// Admit counts a message before anybody has looked at it, and tells whether it
// is worth a look: not from strangers, and not in a flood. It costs next to
// nothing, and whoever floods costs nobody else anything.
func (w *Watch) Admit(from netip.Addr) bool {
	from = plain(from)
	known := w.book.known(from)
	now := w.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !known {
		w.count.Unknown++
		return false
	}
	g := w.guards[from]
	if g == nil {
		g = &guard{}
		w.guards[from] = g
	}
	if age := now.Sub(g.began); age < 0 || age >= time.Minute {
		g.began, g.n = now, 0
	}
	if g.n++; g.n > w.Flood {
		g.noisy = now
		if !g.stands {
			g.stands = true
			w.floods[from] = g
			w.tellFlood(from, true)
			w.stir()
		}
	}
	if g.stands {
		g.dropped = now
		w.count.Dropped++
	}
	return !g.stands
}

// ebb ends the guards of those that have been calm, and tells when the next may.
// Among the messages that nobody looked at one may have announced a change: who
// was not read since is read now.
func (w *Watch) ebb(now time.Time) (next time.Time) {
	for from, g := range w.floods {
		if ends := g.noisy.Add(calm); ends.After(now) {
			next = sooner(next, ends)
			continue
		}
		g.stands = false
		delete(w.floods, from)
		w.tellFlood(from, false)
		d, err := w.book.find(from, "")
		if err == nil && !g.dropped.IsZero() && w.pending[d.ID()] == nil && !w.firedSince(d.ID(), g.dropped) && w.Signals(d) != nil {
			w.touch(d, from, "", "one of many messages that were not looked at may have announced a change")
		}
	}
	return next
}

// tellFlood has an alarm raised or cleared. The mark is for a restart in the
// middle of a flood: or else nobody would ever clear it.
func (w *Watch) tellFlood(from netip.Addr, raise bool) {
	a := configs.Alarm{Cause: configs.AlarmFlood, Key: from.String(), At: w.Now()}
	who := "several devices with the address " + from.String() + ": "
	if d, err := w.book.find(from, ""); err == nil {
		a.Customer, a.Device, who = d.Customer, d.ID(), ""
		a.Hint = "belay capture " + d.String()
	}
	a.What = fmt.Sprintf("%smore than %d messages a minute come from there; none is looked at until it has been calm for %s", who, w.Flood, calm)
	mark := configs.Mark{Key: from.String()}
	if raise {
		mark.Value = []byte("true")
	}
	w.told = append(w.told, telling{kind: markFlood, mark: mark, alarm: &a, raise: raise})
}

// sooner is the earlier of two times; zero is none.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

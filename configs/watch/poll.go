package watch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"belay/configs"
	"belay/devices"
)

// A Reading is what a device answered, with its own time.
type Reading struct {
	UpTime uint32           // hundredths of a second since it started; begins again after 497 days
	Values map[string]Value // by the object as it was asked for; those that it lacks are not in it
}

// A Value is what one object holds.
type Value struct {
	Ticks  bool   // a point in the device's time, as UpTime counts it
	Number uint64 // where it is a number
	Text   string // where it is a text
}

// A seen is what a device last said of its changes.
type seen struct {
	At    time.Time `json:"at"` // by our clock
	Up    uint32    `json:"up"`
	Value Value     `json:"value"` // as it was when it was last another one
}

const (
	jitter  = 200             // hundredths of a second by which some agents compute one and the same time anew
	drift   = 2 * time.Minute // by which two clocks may differ between questions, and a hundredth of the time between
	seldom  = time.Hour       // between questions to who does not answer
	kept    = time.Hour       // between two times that what did not change is written down
	atATime = 500             // questions
)

// news tells what now says that before did not; empty: nothing. here says that
// before was read by this very process: then elapsed is by a clock that nobody
// sets, and tells a restart even where the device has been up for longer since
// than it was before. Otherwise elapsed is worth little, and only a device that
// has been up for less than before has restarted.
func news(before, now seen, here bool) string {
	elapsed := now.At.Sub(before.At)
	passed := ticks(now.Up - before.Up) // by the device's clock, over the turn of its counter too
	slack := drift + elapsed/100
	restarted := here && elapsed-passed > slack
	if now.Up < before.Up {
		// The counter turns after 497 days: then as much time has passed there as here.
		restarted = elapsed-passed > slack || passed-elapsed > slack
	}
	switch {
	case restarted:
		return "SNMP: the device restarted"
	case before.Value.same(now.Value), now.Value.Ticks && now.Value.Number == 0:
		return "" // 0: no change since it, or what counts them, started
	}
	return "SNMP: the device says that its configuration changed"
}

// same tells whether two values are of one change. A change is told apart by the
// device's own time of it, so our clock has no part in it.
func (v Value) same(other Value) bool {
	if !v.Ticks || !other.Ticks {
		return v == other
	}
	apart := int32(uint32(v.Number) - uint32(other.Number)) //nolint:gosec // TimeTicks are 32 bits, and turn
	return apart >= -jitter && apart <= jitter
}

func ticks(n uint32) time.Duration { return time.Duration(n) * 10 * time.Millisecond }

// An asking is one device that is asked when it last changed.
type asking struct {
	device  devices.Device
	signals *Signals

	seen    *seen // nil: it never answered
	here    bool  // by this process
	written time.Time
	next    time.Time
	wait    time.Duration
	unsaved *Lost
}

// poll asks all devices that can be asked, again and again.
func (w *Watch) poll(ctx context.Context) {
	list, err := w.askings(ctx)
	if err != nil {
		w.failed(ctx, err)
	}
	for ctx.Err() == nil {
		w.round(ctx, list)
		select {
		case <-ctx.Done():
		case <-time.After(w.Poll):
		}
	}
}

// askings are the devices to ask, with what is remembered of them. What cannot
// be read is as if it had never been seen.
func (w *Watch) askings(ctx context.Context) ([]*asking, error) {
	var errs []error
	before, lost := map[string]*seen{}, map[string]*Lost{}
	errs = append(errs, load(ctx, w.Marks, markChanged, before), load(ctx, w.Marks, markUnsaved, lost))
	var list []*asking
	for _, d := range w.Devices {
		if s := w.Signals(d); s != nil && s.Poll != "" {
			list = append(list, &asking{device: d, signals: s, seen: before[string(d.ID())], unsaved: lost[string(d.ID())], wait: w.Poll})
		}
	}
	return list, errors.Join(errs...)
}

func load[T any](ctx context.Context, marks configs.Marks, kind string, into map[string]*T) error {
	for m, err := range marks.Marks(ctx, kind) {
		if err != nil {
			return fmt.Errorf("read what devices said before: %w", err)
		}
		v := new(T)
		if json.Unmarshal(m.Value, v) == nil {
			into[m.Key] = v
		}
	}
	return nil
}

// round asks those whose turn it is, many at once, and writes down together what
// they said.
func (w *Watch) round(ctx context.Context, list []*asking) {
	var mu sync.Mutex
	marks := map[string][]configs.Mark{}
	slots := make(chan struct{}, atATime)
	var all sync.WaitGroup
	for _, a := range list {
		if a.next.Sub(w.Now()) > w.Poll/2 || ctx.Err() != nil {
			continue
		}
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			changed, unsaved := w.ask(ctx, a)
			mu.Lock()
			defer mu.Unlock()
			if changed != nil {
				marks[markChanged] = append(marks[markChanged], *changed)
			}
			if unsaved != nil {
				marks[markUnsaved] = append(marks[markUnsaved], *unsaved)
			}
		})
	}
	all.Wait()
	for kind, list := range marks {
		slices.SortFunc(list, func(a, b configs.Mark) int { return strings.Compare(a.Key, b.Key) })
		if err := w.Marks.SetMarks(ctx, kind, list...); err != nil {
			w.failed(ctx, fmt.Errorf("remember what %d devices said: %w", len(list), err))
		}
	}
}

// ask asks one device, and returns what is to be written down.
func (w *Watch) ask(ctx context.Context, a *asking) (changed, unsaved *configs.Mark) {
	oids := []string{a.signals.Poll}
	if a.signals.Saved != "" {
		oids = append(oids, a.signals.Saved)
	}
	r, err := w.Ask(ctx, a.device, oids...)
	now := w.Now()
	value, has := r.Values[a.signals.Poll]
	if err != nil || !has {
		// Many devices do not answer SNMP, and need not: that is no alarm.
		if a.wait = min(2*a.wait, max(seldom, w.Poll)); err == nil {
			a.wait = max(seldom, w.Poll)
		}
		a.next = now.Add(a.wait)
		return nil, nil
	}
	a.wait, a.next = w.Poll, now.Add(w.Poll)
	latest := seen{At: now, Up: r.UpTime, Value: value}
	why := ""
	if a.seen != nil {
		if why = news(*a.seen, latest, a.here); why == "" && value.same(a.seen.Value) {
			latest.Value = a.seen.Value // or it could creep away in small steps
		}
	}
	if why != "" {
		w.mu.Lock()
		w.touch(a.device, netip.Addr{}, "", why)
		w.mu.Unlock()
	}
	if a.seen == nil || why != "" || latest.Value != a.seen.Value || now.Sub(a.written) >= kept {
		if text, err := json.Marshal(latest); err == nil {
			changed = &configs.Mark{Key: string(a.device.ID()), Value: text}
			a.written = now
		}
	}
	a.seen, a.here = &latest, true
	return changed, a.saved(r, now)
}

// Package round captures devices when their schedule says so. A round is what
// the service does between two rests: it begins with the first device that is
// due, takes in those that become due meanwhile, and ends when none is left and
// none will be due soon. Which slot of the schedule a device was last captured
// for is remembered on disk, so a restart neither forgets a device nor captures
// a fleet again.
package round

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"belay/configs"
	"belay/devices"
)

// slots is the kind of the marks that say which slot a device was captured for.
const slots = "slot"

// Left is the act of a device that the inventory names no longer: from then on
// nothing captures it.
const Left = "leave the inventory"

// A Seen is what is remembered of a device.
type Seen struct {
	Slot  time.Time `json:"slot,omitzero"` // of the schedule, that it was last captured for
	First time.Time `json:"first"`         // when the service first saw the device
}

// Rounds runs rounds. Its fields are what it works with; Began and Ended may be
// nil. Tick is called often, by one goroutine at a time.
type Rounds struct {
	Devices func() []devices.Device
	// Due tells whether a device is to be captured now, and for which slot.
	Due func(d devices.Device, s Seen, now time.Time) (slot time.Time, due bool)
	// Next is when some device will next be due; zero: never.
	Next func(now time.Time) time.Time
	// Submit has a device captured and told of the result, once, later and from
	// another goroutine. A result that was interrupted leaves the device due.
	Submit func(ctx context.Context, d devices.Device, told func(configs.Result))
	Marks  configs.Marks
	Ledger configs.Ledger
	By     configs.Person
	Now    func() time.Time
	Began  func(ctx context.Context, at time.Time)
	Ended  func(ctx context.Context, r Round)

	mu      sync.Mutex
	seen    map[devices.ID]Seen // nil: not read yet
	changed map[devices.ID]bool // not on disk yet
	pending map[devices.ID]time.Time
	open    *Round
	unsaid  []configs.Event // not in the ledger yet
}

// A Round is what came of one.
type Round struct {
	Began, Ended time.Time
	Results      []configs.Result // all but those that were unchanged and well
	Unchanged    int              // these
	Verified     int              // of all
}

// Devices is how many were captured.
func (r Round) Devices() int { return len(r.Results) + r.Unchanged }

// A round is over when nothing is due for so long; or, where something always is,
// after so long. One that waits for a device that never answers ends without it.
const (
	quiet   = 10 * time.Minute
	longest = time.Hour
	stuck   = 12 * time.Hour
)

// Tick begins what is due, writes down what was done, and ends the round when it
// is over.
func (r *Rounds) Tick(ctx context.Context) error {
	if err := r.load(ctx); err != nil {
		return err
	}
	now := r.Now()
	began, due := r.due(now)
	err := r.flush(ctx)
	if began && r.Began != nil {
		r.Began(ctx, now)
	}
	for _, d := range due {
		r.Submit(ctx, d, func(res configs.Result) { r.told(d.ID(), res) })
	}
	ended := r.over(now)
	if err == nil { // or else it would be waited for twice
		err = r.say(ctx)
	}
	if ended != nil && r.Ended != nil {
		r.Ended(ctx, *ended)
	}
	return err
}

// Flush writes down what was done since the last Tick, also of the round under
// way: the service ends, and what is still due is another round's.
func (r *Rounds) Flush(ctx context.Context) error {
	r.mu.Lock()
	if r.open != nil && r.open.Devices() > 0 {
		r.end(r.Now())
	}
	r.mu.Unlock()
	return errors.Join(r.flush(ctx), r.say(ctx))
}

// Underway is when the open round began and how many devices it waits for.
func (r *Rounds) Underway() (began time.Time, pending int, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open == nil {
		return time.Time{}, 0, false
	}
	return r.open.Began, len(r.pending), true
}

// load reads the marks at first.
func (r *Rounds) load(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen != nil {
		return nil
	}
	seen, err := AllSeen(ctx, r.Marks)
	if err != nil {
		return err
	}
	r.seen, r.changed, r.pending = seen, map[devices.ID]bool{}, map[devices.ID]time.Time{}
	return nil
}

// AllSeen is what is remembered of every device.
func AllSeen(ctx context.Context, marks configs.Marks) (map[devices.ID]Seen, error) {
	seen := map[devices.ID]Seen{}
	for m, err := range marks.Marks(ctx, slots) {
		if err != nil {
			return nil, &devices.Error{Kind: devices.KindOf(err), Op: "read what was captured", Err: err}
		}
		var s Seen
		if err := json.Unmarshal(m.Value, &s); err != nil {
			return nil, &devices.Error{Kind: devices.Damaged, Op: "read what was captured", Device: m.Key, Err: err}
		}
		seen[devices.ID(m.Key)] = s
	}
	return seen, nil
}

// due chooses what to capture now and opens a round for it. Devices that left
// the inventory are forgotten: one that comes back begins anew.
func (r *Rounds) due(now time.Time) (began bool, list []devices.Device) {
	r.mu.Lock()
	defer r.mu.Unlock()
	there := map[devices.ID]bool{}
	for _, d := range r.Devices() {
		id := d.ID()
		there[id] = true
		s, known := r.seen[id]
		if !known {
			s = Seen{First: now}
			r.seen[id], r.changed[id] = s, true
		}
		if _, waits := r.pending[id]; waits {
			continue
		}
		if slot, due := r.Due(d, s, now); due {
			r.pending[id] = slot
			list = append(list, d)
		}
	}
	var left []devices.ID
	for id := range r.seen {
		if !there[id] {
			delete(r.seen, id)
			r.changed[id] = true
			left = append(left, id)
		}
	}
	slices.Sort(left)
	for _, id := range left {
		r.unsaid = append(r.unsaid, configs.Event{At: now, Customer: id.Customer(), Device: id, By: r.By, Act: Left})
	}
	if len(list) > 0 && r.open == nil {
		r.open, began = &Round{Began: now}, true
	}
	return began, list
}

// told takes a result. One that was cut off by the end of the service leaves the
// device due.
func (r *Rounds) told(id devices.ID, res configs.Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	slot, waits := r.pending[id]
	if !waits {
		return
	}
	delete(r.pending, id)
	if errors.Is(res.Err, context.Canceled) {
		return
	}
	if s, there := r.seen[id]; there {
		s.Slot = slot
		r.seen[id], r.changed[id] = s, true
	}
	if r.open == nil { // it took longer than its round
		r.open = &Round{Began: r.Now()}
	}
	if res.Verified {
		r.open.Verified++
	}
	if res.Result == configs.Unchanged && res.Err == nil {
		r.open.Unchanged++
		return
	}
	r.open.Results = append(r.open.Results, res.Brief())
}

// flush writes the marks that changed.
func (r *Rounds) flush(ctx context.Context) error {
	r.mu.Lock()
	changed := slices.Sorted(maps.Keys(r.changed))
	marks := make([]configs.Mark, 0, len(changed))
	for _, id := range changed {
		m := configs.Mark{Key: string(id)}
		if s, there := r.seen[id]; there {
			v, err := json.Marshal(s)
			if err != nil {
				r.mu.Unlock()
				return fmt.Errorf("write down what was captured: %w", err)
			}
			m.Value = v
		}
		marks = append(marks, m)
	}
	clear(r.changed)
	r.mu.Unlock()
	if len(marks) == 0 {
		return nil
	}
	err := r.Marks.SetMarks(ctx, slots, marks...)
	if err == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range changed { // the next time, as they are then
		r.changed[id] = true
	}
	return &devices.Error{Kind: devices.KindOf(err), Op: "write down what was captured", Err: err}
}

// over takes the round that has ended.
func (r *Rounds) over(now time.Time) *Round {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open == nil {
		return nil
	}
	age := now.Sub(r.open.Began)
	if len(r.pending) > 0 && age < stuck {
		return nil
	}
	if next := r.Next(now); !next.IsZero() && next.Sub(now) < quiet && age < longest {
		return nil
	}
	return r.end(now)
}

// end closes the open round. Its events wait to be said.
func (r *Rounds) end(now time.Time) *Round {
	ended := r.open
	ended.Ended = now
	r.open = nil
	r.unsaid = append(append(r.unsaid, eventsOf("capture", r.By, configs.Order{}, ended.Began, ended.Results)...), r.event(*ended))
	return ended
}

// say appends what waits to be said. What the ledger does not take waits for the
// next time, behind the rest: what a round came to is not lost to a locked ledger.
func (r *Rounds) say(ctx context.Context) error {
	for {
		r.mu.Lock()
		if len(r.unsaid) == 0 {
			r.mu.Unlock()
			return nil
		}
		e := r.unsaid[0]
		r.unsaid = r.unsaid[1:]
		r.mu.Unlock()
		if err := r.Ledger.Append(ctx, e); err != nil {
			r.mu.Lock()
			r.unsaid = append(r.unsaid, e)
			r.mu.Unlock()
			return &devices.Error{Kind: devices.KindOf(err), Op: "record the round", Err: err}
		}
	}
}

// event is the round itself: what concerns no customer alone.
func (r *Rounds) event(ended Round) configs.Event {
	detail := map[string]any{
		"began": ended.Began.UTC().Format(time.RFC3339), "devices": ended.Devices(), "verified": ended.Verified,
		"seconds": ended.Ended.Sub(ended.Began).Round(time.Second).Seconds(),
	}
	if ended.Unchanged > 0 {
		detail[string(configs.Unchanged)] = ended.Unchanged
	}
	for _, res := range ended.Results {
		n, _ := detail[string(res.Result)].(int)
		detail[string(res.Result)] = n + 1
	}
	return configs.Event{At: ended.Ended, By: r.By, Act: "round", Detail: detail}
}

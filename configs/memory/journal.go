package memory

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"sync"

	"belay/configs"
	"belay/devices"
)

// A Ledger remembers events in memory. The zero value is ready.
type Ledger struct {
	Faults

	mu     sync.Mutex
	events []configs.Event
	last   map[string]int64 // of each customer
}

// Append remembers e, numbered within its customer.
func (l *Ledger) Append(ctx context.Context, e configs.Event) error {
	if err := l.check(ctx, "Append"); err != nil {
		return err
	}
	switch {
	case e.At.IsZero() || e.Act == "":
		return errors.New("append to the ledger: an event needs a time and an act")
	case e.Customer == "":
		e.Customer = e.Device.Customer()
	case e.Device != "" && e.Customer != e.Device.Customer():
		return errors.New("append to the ledger: the device is another customer's")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last == nil {
		l.last = map[string]int64{}
	}
	l.last[e.Customer]++
	e.Seq = l.last[e.Customer]
	e.Detail = maps.Clone(e.Detail)
	l.events = append(l.events, e)
	return nil
}

// Events are those that f chooses, in the order they were appended.
func (l *Ledger) Events(ctx context.Context, f configs.Filter) iter.Seq2[configs.Event, error] {
	return func(yield func(configs.Event, error) bool) {
		if err := l.check(ctx, "Events"); err != nil {
			yield(configs.Event{}, err)
			return
		}
		l.mu.Lock()
		events := slices.Clone(l.events) // whoever reads may append meanwhile
		l.mu.Unlock()
		for _, e := range events {
			if f.Customer != "" && e.Customer != f.Customer || f.Device != "" && e.Device != f.Device ||
				f.Act != "" && e.Act != f.Act || e.At.Before(f.Since) {
				continue
			}
			e.Detail = maps.Clone(e.Detail)
			if !yield(e, nil) {
				return
			}
		}
	}
}

// A CheckLog remembers readings in memory. The zero value is ready.
type CheckLog struct {
	Faults

	mu     sync.Mutex
	newest map[devices.ID]configs.Checked
	rows   []configs.Checked
}

// Checked remembers one reading.
func (l *CheckLog) Checked(ctx context.Context, c configs.Checked) error {
	if err := l.check(ctx, "Checked"); err != nil {
		return err
	}
	if err := checkID(c.ID); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rows = append(l.rows, c)
	if last, ok := l.newest[c.ID]; ok && c.At.Before(last.At) {
		return nil
	}
	if l.newest == nil {
		l.newest = map[devices.ID]configs.Checked{}
	}
	l.newest[c.ID] = c
	return nil
}

// LastChecked is a device's newest reading.
func (l *CheckLog) LastChecked(ctx context.Context, id devices.ID) (configs.Checked, bool, error) {
	if err := l.check(ctx, "LastChecked"); err != nil {
		return configs.Checked{}, false, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	c, ok := l.newest[id]
	return c, ok, nil
}

// Rows are all readings, in the order they came.
func (l *CheckLog) Rows() []configs.Checked {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.rows)
}

// A Quarantine holds refusals in memory. The zero value is ready.
type Quarantine struct {
	Faults

	mu   sync.Mutex
	held map[devices.ID]configs.Refusal
}

// Hold puts r in the place of what was held of its device.
func (q *Quarantine) Hold(ctx context.Context, r configs.Refusal) error {
	if err := q.check(ctx, "Hold"); err != nil {
		return err
	}
	if err := checkID(r.ID); err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.held == nil {
		q.held = map[devices.ID]configs.Refusal{}
	}
	r.Originals = cloneSealed(r.Originals)
	q.held[r.ID] = r
	return nil
}

// Held is what is held of a device.
func (q *Quarantine) Held(ctx context.Context, id devices.ID) (configs.Refusal, bool, error) {
	if err := q.check(ctx, "Held"); err != nil {
		return configs.Refusal{}, false, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	r, ok := q.held[id]
	r.Originals = cloneSealed(r.Originals)
	return r, ok, nil
}

// Release lets go of what is held; nothing held is no error.
func (q *Quarantine) Release(ctx context.Context, id devices.ID) error {
	if err := q.check(ctx, "Release"); err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.held, id)
	return nil
}

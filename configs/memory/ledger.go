package memory

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"sync"

	"belay/configs"
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
	return l.appendAll(ctx, []configs.Event{e})
}

// appendAll remembers all of the events or none. It is also how the other ports
// tell what they did.
func (l *Ledger) appendAll(ctx context.Context, events []configs.Event) error {
	if err := l.check(ctx, "Append"); err != nil {
		return err
	}
	events = slices.Clone(events)
	for i, e := range events {
		switch {
		case e.At.IsZero() || e.Act == "":
			return errors.New("append to the ledger: an event needs a time and an act")
		case e.Customer == "":
			events[i].Customer = e.Device.Customer()
		case e.Device != "" && e.Customer != e.Device.Customer():
			return errors.New("append to the ledger: the device is another customer's")
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last == nil {
		l.last = map[string]int64{}
	}
	for _, e := range events {
		l.last[e.Customer]++
		e.Seq = l.last[e.Customer]
		e.Detail = maps.Clone(e.Detail)
		l.events = append(l.events, e)
	}
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
				f.Act != "" && e.Act != f.Act || f.Change != "" && e.Detail["change"] != f.Change || e.At.Before(f.Since) {
				continue
			}
			e.Detail = maps.Clone(e.Detail)
			if !yield(e, nil) {
				return
			}
		}
	}
}

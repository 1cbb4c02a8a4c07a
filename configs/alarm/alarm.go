// Package alarm tells people what cannot wait for the morning: each cause once,
// whoever saw it and however often, until it is over; and then that it is over.
//
// A Bell is the memory of this, kept as marks. Commands and the service raise
// and clear alarms at any time; Deliver sends what is not told yet. What is sent
// through, and to whom, is not known here: see Messenger. An alarm is a sentence
// about a device, never a line of its configuration.
package alarm

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"belay/configs"
	"belay/devices"
)

// The kinds of marks that a Bell keeps: one for each alarm, by its name, and one
// for each channel.
const (
	markAlarm   = "alarm"
	markChannel = "alarm channel"
)

// ErrUnsure says that a channel may have taken a message, or not.
var ErrUnsure = errors.New("whether it arrived is not known")

// A Messenger sends one message to one channel, and returns when the channel has
// taken it. An error that is not ErrUnsure says that it has not.
type Messenger interface {
	Send(ctx context.Context, channel string, m Message) error
}

// A Message is what a channel is told.
type Message struct {
	Subject string // one line
	Text    string
}

// A Bell raises, tells and clears alarms. Several, in several processes, may
// work on the same marks.
type Bell struct {
	Marks     configs.Marks
	Ledger    configs.Ledger // hears of what was told; nil: nobody does
	Messenger Messenger
	To        func(configs.Alarm) []string // the channels that are told of an alarm; nil: none
	By        configs.Person               // who told, for the ledger
	Now       func() time.Time

	Most    int           // messages an hour to one channel, the others wait and go together; 0: 6
	Timeout time.Duration // for one message; 0: 30 s

	rung atomic.Bool
}

var _ configs.Alarms = (*Bell)(nil)

// A Standing alarm is one that was raised, and what became of it.
type Standing struct {
	configs.Alarm
	Raised  time.Time            `json:"raised"`
	Cleared time.Time            `json:"cleared,omitzero"` // it is over, and somebody has still to be told
	Why     string               `json:"why,omitempty"`    // it is over, where that is not because its cause is gone
	Told    map[string]time.Time `json:"told,omitempty"`   // when which channel was told that it stands
	Over    map[string]time.Time `json:"over,omitempty"`   // and when that it is over
}

// ID is a short name for people to type.
func (s Standing) ID() string { return configs.Digest([]byte(s.Name()))[:8] }

// Raise remembers an alarm. One that stands already is left as it is: the first
// to see it has said it. One whose end was not told yet goes on standing, and
// nobody is told anything: a cause that comes and goes within a message's time
// is one.
func (b *Bell) Raise(ctx context.Context, a configs.Alarm) error {
	if a.Cause == "" || a.What == "" {
		return errors.New("an alarm needs a cause and a sentence")
	}
	now := b.Now()
	if a.At.IsZero() {
		a.At = now
	}
	return b.change(ctx, a.Name(), func(s *Standing) *Standing {
		switch {
		case s == nil:
			return &Standing{Alarm: a, Raised: now}
		case s.Cleared.IsZero():
			return s
		}
		again := &Standing{Alarm: a, Raised: now, Told: maps.Clone(s.Told)}
		for channel := range s.Over { // it was told the end, so it is told anew
			delete(again.Told, channel)
		}
		return again
	})
}

// Clear says that a cause is gone. Whoever was told of it is told that it is
// over; one that nobody was told of goes without a word.
func (b *Bell) Clear(ctx context.Context, a configs.Alarm) error { return b.clear(ctx, a, "") }

func (b *Bell) clear(ctx context.Context, a configs.Alarm, why string) error {
	now := b.Now()
	return b.change(ctx, a.Name(), func(s *Standing) *Standing {
		if s == nil || !s.Cleared.IsZero() {
			return s
		}
		if len(b.to(s.Alarm)) == 0 && len(s.Told) == 0 {
			return nil
		}
		over := *s
		over.Cleared, over.Why = now, why
		return &over
	})
}

// ClearAll clears every alarm of a cause about one device, whatever its key.
func (b *Bell) ClearAll(ctx context.Context, cause string, id devices.ID) error {
	all, err := b.Standing(ctx)
	if err != nil {
		return err
	}
	for _, s := range all {
		if s.Cause == cause && s.Device == id {
			if err := b.Clear(ctx, s.Alarm); err != nil {
				return err
			}
		}
	}
	return nil
}

// Standing are the alarms that stand, the oldest first.
func (b *Bell) Standing(ctx context.Context) ([]Standing, error) {
	all, err := b.all(ctx)
	all = slices.DeleteFunc(all, func(s Standing) bool { return !s.Cleared.IsZero() })
	return all, err
}

// Rung tells whether this Bell has raised or cleared anything, so that there may
// be something to deliver.
func (b *Bell) Rung() bool { return b.rung.Load() }

// all are the alarms remembered, also those that are over, the oldest first.
func (b *Bell) all(ctx context.Context) ([]Standing, error) {
	var all []Standing
	for m, err := range b.Marks.Marks(ctx, markAlarm) {
		if err != nil {
			return nil, err
		}
		var s Standing
		if err := json.Unmarshal(m.Value, &s); err != nil {
			return nil, fmt.Errorf("alarm %s: %w", m.Key, err)
		}
		all = append(all, s)
	}
	slices.SortStableFunc(all, func(a, b Standing) int {
		return cmp.Or(a.Raised.Compare(b.Raised), cmp.Compare(a.Name(), b.Name()))
	})
	return all, nil
}

// change brings one alarm from what it is to what do makes of it, nil being none,
// and begins again where another process was faster. do must not alter what it
// is given.
func (b *Bell) change(ctx context.Context, name string, do func(*Standing) *Standing) error {
	for {
		old, err := b.Marks.Mark(ctx, markAlarm, name)
		if err != nil {
			return err
		}
		var s *Standing
		if old != nil {
			if err := json.Unmarshal(old, &s); err != nil {
				return fmt.Errorf("alarm %s: %w", name, err)
			}
		}
		now := do(s)
		if now == s {
			return nil
		}
		var value []byte
		if now != nil {
			if value, err = json.Marshal(now); err != nil {
				return err
			}
		}
		b.rung.Store(true)
		if done, err := b.Marks.SwapMark(ctx, markAlarm, name, old, value); done || err != nil {
			return err
		}
	}
}

func (b *Bell) to(a configs.Alarm) []string {
	if b.To == nil {
		return nil
	}
	return b.To(a)
}

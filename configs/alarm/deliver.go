package alarm

import (
	"bytes"
	"cmp"
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

// A line is what is remembered of one channel. Whoever sends to it holds it: two
// processes never send to one channel at once.
//
// Between the moment a channel has taken a message and the moment this is
// written down, a process may be killed. Nothing can tell then whether the
// message has arrived, and an alarm may be told twice but not lost: so the next
// one sends it again, once what holds the line has ended, and says so. What is
// under way was written down before it was sent, and Tries counts before it is
// sent too: a crash repeats one message a channel, and a message that kills
// whoever sends it is not sent at each start.
type line struct {
	Until  time.Time   `json:"until,omitzero"`  // held, by whoever wrote it
	Sends  []string    `json:"sends,omitempty"` // the names of the alarms in the message under way
	Tries  int         `json:"tries,omitempty"` // that came to nothing, in a row
	Due    time.Time   `json:"due,omitzero"`    // not to be tried before
	Sent   []time.Time `json:"sent,omitempty"`  // within the last hour
	Number int         `json:"number"`          // of messages ever begun: no two states of a line are equal
}

const (
	hour    = time.Hour
	atMost  = 6
	patient = 30 * time.Second
	longest = 10 * time.Minute // between two tries
)

// Deliver tells what is not told yet, each channel in its own time, and returns
// when all that could be sent now was. What could not waits for the next call;
// the error says why. It is cheap where there is nothing to tell.
func (b *Bell) Deliver(ctx context.Context) error {
	all, err := b.all(ctx)
	if err != nil || len(all) == 0 {
		return err
	}
	channels := map[string]bool{}
	for _, s := range all {
		for _, c := range b.to(s.Alarm) {
			channels[c] = true
		}
	}
	names := slices.Sorted(maps.Keys(channels))
	errs := make([]error, len(names))
	var wg sync.WaitGroup
	for i, c := range names { // one that hangs keeps no other waiting
		wg.Go(func() { errs[i] = b.deliver(ctx, c) })
	}
	wg.Wait()
	return errors.Join(append(errs, b.tidy(ctx))...)
}

// A due alarm is to be told to a channel: that it stands, or that it is over.
type due struct {
	Standing
	over  bool
	maybe bool // it may have been told already: whoever sent it was killed
}

// deliver tells one channel what it does not know.
func (b *Bell) deliver(ctx context.Context, channel string) error {
	now := b.Now()
	old, l, err := b.line(ctx, channel)
	if err != nil || !l.free(now, b.hold()) || !l.ready(now, b.most()) {
		return err
	}
	if list, err := b.due(ctx, channel, l); err != nil || len(list) == 0 {
		return err
	}
	held := l
	held.Until, held.Number, held.Tries = now.Add(b.hold()), l.Number+1, l.Tries+1
	held.Due = now.Add(wait(held.Tries))
	if old, err = b.swap(ctx, channel, old, held); old == nil {
		return err
	}
	// Looked at again: somebody else may have told it before the line was ours.
	list, err := b.due(ctx, channel, l)
	if err != nil || len(list) == 0 {
		held.Until, held.Tries, held.Due, held.Sends = time.Time{}, l.Tries, l.Due, nil
		if err != nil {
			held.Sends = l.Sends
		}
		_, bad := b.swap(context.WithoutCancel(ctx), channel, old, held)
		return errors.Join(err, bad)
	}
	held.Sends = names(list)
	if old, err = b.swap(ctx, channel, old, held); old == nil {
		return err
	}
	limit, cancel := context.WithTimeout(ctx, b.timeout())
	err = b.Messenger.Send(limit, channel, message(list))
	cancel()
	ctx = context.WithoutCancel(ctx) // what was sent is written down
	done := held
	done.Until = time.Time{}
	if !errors.Is(err, ErrUnsure) {
		done.Sends = nil
	}
	if err != nil {
		err = fmt.Errorf("tell %s: %w", channel, err)
	} else {
		done.Tries, done.Due, done.Sent = 0, time.Time{}, append(l.recent(now), now)
		err = b.told(ctx, channel, list, now)
	}
	_, bad := b.swap(ctx, channel, old, done)
	return errors.Join(err, bad)
}

// wait is how long after so many failures in a row: 1, 2, 4, … minutes.
func wait(tries int) time.Duration {
	return min(time.Minute<<min(tries-1, 10), longest)
}

// free tells whether nobody holds the line. A time too far ahead is a clock that
// was set back.
func (l line) free(now time.Time, hold time.Duration) bool {
	return !now.Before(l.Until) || l.Until.After(now.Add(hold))
}

// ready tells whether a message may go now.
func (l line) ready(now time.Time, most int) bool {
	if now.Before(l.Due) && !l.Due.After(now.Add(longest)) {
		return false
	}
	return len(l.recent(now)) < most
}

// recent are the messages of the last hour.
func (l line) recent(now time.Time) []time.Time {
	return slices.DeleteFunc(slices.Clone(l.Sent), func(t time.Time) bool { return t.After(now) || now.Sub(t) >= hour })
}

// due are the alarms that a channel does not know as they are.
func (b *Bell) due(ctx context.Context, channel string, l line) ([]due, error) {
	all, err := b.all(ctx)
	var list []due
	for _, s := range all {
		if !slices.Contains(b.to(s.Alarm), channel) {
			continue
		}
		_, told := s.Told[channel]
		_, over := s.Over[channel]
		// What was under way when its sender was killed may have been told.
		maybe := slices.Contains(l.Sends, s.Name())
		switch {
		case s.Cleared.IsZero() && !told:
			list = append(list, due{s, false, maybe})
		case !s.Cleared.IsZero() && (told || maybe) && !over:
			list = append(list, due{s, true, maybe && told})
		}
	}
	return list, err
}

// told writes down what a channel was told: in the ledger first, so that what
// was told twice stands there twice.
func (b *Bell) told(ctx context.Context, channel string, list []due, at time.Time) error {
	var errs []error
	for _, d := range list {
		errs = append(errs, b.record(ctx, channel, d, at), b.change(ctx, d.Name(), func(s *Standing) *Standing {
			if s == nil {
				return nil
			}
			t := *s
			t.Told, t.Over = maps.Clone(s.Told), maps.Clone(s.Over)
			switch {
			case !d.over:
				put(&t.Told, channel, at)
			case s.Raised.Equal(d.Raised):
				put(&t.Over, channel, at)
				if _, known := t.Told[channel]; !known {
					put(&t.Told, channel, at)
				}
			default: // it was raised anew while its end was told
				delete(t.Told, channel)
			}
			return &t
		}))
	}
	return errors.Join(errs...)
}

func put(m *map[string]time.Time, key string, t time.Time) {
	if *m == nil {
		*m = map[string]time.Time{}
	}
	(*m)[key] = t
}

func (b *Bell) record(ctx context.Context, channel string, d due, at time.Time) error {
	if b.Ledger == nil {
		return nil
	}
	what := map[string]any{"cause": d.Cause, "what": d.What, "channel": channel}
	if d.Key != "" {
		what["key"] = d.Key
	}
	if d.over {
		what["over"] = true
	}
	customer := cmp.Or(d.Customer, d.Device.Customer())
	return b.Ledger.Append(ctx, configs.Event{At: at, Customer: customer, Device: deviceOf(d.Alarm, customer), By: b.By, Act: "alarm", Detail: what})
}

// deviceOf is the device of an alarm, where it is the customer's.
func deviceOf(a configs.Alarm, customer string) devices.ID {
	if a.Device.Customer() != customer {
		return ""
	}
	return a.Device
}

// tidy forgets the alarms that are over and of which nobody has still to hear.
// What is under way on a line may have been told: its end is not known yet.
func (b *Bell) tidy(ctx context.Context) error {
	all, err := b.all(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, s := range all {
		if s.Cleared.IsZero() {
			continue
		}
		open := false
		for _, channel := range b.to(s.Alarm) {
			_, told := s.Told[channel]
			_, over := s.Over[channel]
			_, l, err := b.line(ctx, channel)
			errs = append(errs, err)
			open = open || err != nil || told && !over || !told && slices.Contains(l.Sends, s.Name())
		}
		if open {
			continue
		}
		errs = append(errs, b.change(ctx, s.Name(), func(now *Standing) *Standing {
			if now == nil || !same(*now, s) {
				return now
			}
			return nil
		}))
	}
	return errors.Join(errs...)
}

func same(a, b Standing) bool {
	x, _ := json.Marshal(a) // of times and strings
	y, _ := json.Marshal(b)
	return bytes.Equal(x, y)
}

// line reads what is remembered of a channel.
func (b *Bell) line(ctx context.Context, channel string) ([]byte, line, error) {
	var l line
	value, err := b.Marks.Mark(ctx, markChannel, channel)
	if err == nil && value != nil {
		if err = json.Unmarshal(value, &l); err != nil {
			err = fmt.Errorf("channel %s: %w", channel, err)
		}
	}
	return value, l, err
}

// swap writes what is remembered of a channel, and gives it back as it stands
// there now; nil: another process was faster.
func (b *Bell) swap(ctx context.Context, channel string, old []byte, l line) ([]byte, error) {
	value, err := json.Marshal(l)
	if err != nil {
		return nil, err
	}
	if done, err := b.Marks.SwapMark(ctx, markChannel, channel, old, value); !done || err != nil {
		return nil, err
	}
	return value, nil
}

func (b *Bell) most() int              { return cmp.Or(b.Most, atMost) }
func (b *Bell) timeout() time.Duration { return cmp.Or(b.Timeout, patient) }

// hold is how long a line is held at most: longer than a message takes.
func (b *Bell) hold() time.Duration { return 2*b.timeout() + time.Minute }

package watch

import (
	"context"
	"errors"
	"math"
	"sync"
	"testing"
	"time"

	"belay/configs"
	"belay/devices"
)

func at(up uint32, value uint64) seen {
	return seen{Up: up, Value: Value{Ticks: true, Number: value}}
}

func TestAChangeIsToldFromARestartAndFromTheTurnOfTheCounter(t *testing.T) {
	t.Parallel()
	const (
		minute = 6000 // in hundredths of a second
		top    = math.MaxUint32
		reboot = "SNMP: the device restarted"
		change = "SNMP: the device says that its configuration changed"
	)
	for name, c := range map[string]struct {
		before, now seen
		elapsed     time.Duration
		here        bool
		want        string
	}{
		"nothing":                               {at(100*minute, 50*minute), at(105*minute, 50*minute), 5 * time.Minute, true, ""},
		"jitter":                                {at(100*minute, 50*minute), at(105*minute, 50*minute+jitter), 5 * time.Minute, true, ""},
		"jitter backwards":                      {at(100*minute, 50*minute), at(105*minute, 50*minute-jitter), 5 * time.Minute, true, ""},
		"a change":                              {at(100*minute, 50*minute), at(105*minute, 50*minute+jitter+1), 5 * time.Minute, true, change},
		"the first change":                      {at(100*minute, 0), at(105*minute, 104*minute), 5 * time.Minute, true, change},
		"what counts changes started anew":      {at(100*minute, 50*minute), at(105*minute, 0), 5 * time.Minute, true, ""},
		"a restart":                             {at(100*minute, 50*minute), at(3*minute, 1*minute), 5 * time.Minute, true, reboot},
		"a restart, no change since":            {at(100*minute, 50*minute), at(3*minute, 0), 5 * time.Minute, true, reboot},
		"a restart, seen late":                  {at(10*minute, 1*minute), at(50*minute, 1*minute), time.Hour, true, reboot},
		"a restart while the service was down":  {at(100*minute, 50*minute), at(3*minute, 1*minute), 5 * time.Minute, false, reboot},
		"our clock set forward":                 {at(100*minute, 50*minute), at(105*minute, 50*minute), 5 * time.Hour, false, ""},
		"our clock set back":                    {at(100*minute, 50*minute), at(105*minute, 50*minute), -5 * time.Hour, false, ""},
		"our clock set back, and a change":      {at(100*minute, 50*minute), at(105*minute, 103*minute), -5 * time.Hour, false, change},
		"our clock set back, and a restart":     {at(100*minute, 50*minute), at(3*minute, 1*minute), -5 * time.Hour, false, reboot},
		"a suspended machine":                   {at(100*minute, 50*minute), at(700*minute, 50*minute), 5 * time.Minute, true, ""},
		"a slow clock of theirs":                {at(100*minute, 50*minute), at(100*minute+9940*minute, 50*minute), 10_000 * time.Minute, true, ""},
		"the counter turns":                     {at(top-2*minute, 50*minute), at(3*minute, 50*minute), 5 * time.Minute, true, ""},
		"the counter turns, unseen":             {at(top-2*minute, 50*minute), at(58*minute, 50*minute), time.Hour, false, ""},
		"the counter turns, and a change":       {at(top-2*minute, 50*minute), at(3*minute, 2*minute), 5 * time.Minute, true, change},
		"the counter turns, a change before it": {at(top-2*minute, 50*minute), at(3*minute, top-minute), 5 * time.Minute, true, change},
		"a restart just before the turn":        {at(top-2*minute, 50*minute), at(3*minute, 50*minute), 2 * time.Hour, true, reboot},
		"a text":                                {seen{Up: 1, Value: Value{Text: "Mon"}}, seen{Up: 2, Value: Value{Text: "Tue"}}, 0, true, change},
		"the same text":                         {seen{Up: 1, Value: Value{Text: "Mon"}}, seen{Up: 2, Value: Value{Text: "Mon"}}, 0, true, ""},
		"a number":                              {seen{Up: 1, Value: Value{Number: 100}}, seen{Up: 2, Value: Value{Number: 101}}, 0, true, change},
		"a number that falls to 0":              {seen{Up: 1, Value: Value{Number: 1}}, seen{Up: 2}, 0, true, change},
		"another kind of value":                 {seen{Up: 1, Value: Value{Number: 9}}, at(2, 9), 0, true, change},
	} {
		c.now.At = c.before.At.Add(c.elapsed)
		if got := news(c.before, c.now, c.here); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// A box answers questions about itself, by the clock of the test.
type box struct {
	mu             sync.Mutex
	booted         time.Time
	changed, saved uint64
	dead           error
	lacks          bool
	asked          int
}

func (b *box) ask(_ context.Context, d devices.Device, oids ...string) (Reading, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if d.Name != "sw-1" {
		return Reading{}, errors.New("no answer")
	}
	b.asked++
	if b.dead != nil {
		return Reading{}, b.dead
	}
	r := Reading{UpTime: uint32(time.Since(b.booted) / (10 * time.Millisecond)), Values: map[string]Value{}}
	if !b.lacks {
		r.Values[oids[0]], r.Values[oids[1]] = Value{Ticks: true, Number: b.changed}, Value{Ticks: true, Number: b.saved}
	}
	return r, nil
}

func (b *box) set(change func(b *box)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change(b)
}

func (b *box) up() uint64 { return uint64(time.Since(b.booted) / (10 * time.Millisecond)) }

func TestADeviceThatIsAskedIsReadAfterAChangeAndAfterARestart(t *testing.T) {
	t.Parallel()
	b := &box{changed: 100}
	play(t, func(s *Settings) { s.Ask = b.ask; b.booted = time.Now().Add(-time.Hour) }, func(s *scene) {
		s.wait(12 * time.Minute)
		s.triggered() // the first answer triggers nothing
		b.set(func(b *box) { b.changed = b.up() })
		s.wait(time.Hour)
		const changed, restarted = `17m0s acme/sw-1 by "": SNMP: the device says that its configuration changed`, `1h17m0s acme/sw-1 by "": SNMP: the device restarted`
		s.triggered(changed)
		b.set(func(b *box) { b.booted, b.changed = time.Now(), 0 })
		s.wait(2 * time.Hour)
		s.triggered(changed, restarted)
		s.stop()
		b.set(func(b *box) { b.changed = b.up() })
		s.wait(time.Hour)
		s.start(func(s *Settings) { s.Ask = b.ask })
		s.wait(time.Hour)
		s.triggered(changed, restarted, `4h14m0s acme/sw-1 by "": SNMP: the device says that its configuration changed`)
		if len(s.failures) != 0 || len(s.alarms.Raised()) != 0 {
			t.Error(s.failures, s.alarms.Raised())
		}
	})
}

func TestAValueDoesNotCreepAway(t *testing.T) {
	t.Parallel()
	b := &box{changed: 100}
	play(t, func(s *Settings) { s.Ask = b.ask; b.booted = time.Now().Add(-time.Hour) }, func(s *scene) {
		for range 3 {
			s.wait(5 * time.Minute)
			b.set(func(b *box) { b.changed += jitter - 50 })
		}
		s.wait(time.Hour)
		// 150 more is none, 300 is one, 450 is 150 more than that.
		if got := s.captures(); len(got) != 1 {
			t.Error(got)
		}
	})
}

func TestWhoDoesNotAnswerIsAskedLessAndLess(t *testing.T) {
	t.Parallel()
	for name, lacks := range map[string]bool{"no answer": false, "no such object": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := &box{changed: 1, lacks: lacks}
			if !lacks {
				b.dead = errors.New("no answer")
			}
			play(t, func(s *Settings) { s.Ask = b.ask; b.booted = time.Now() }, func(s *scene) {
				s.wait(24 * time.Hour)
				if b.asked < 23 || b.asked > 30 {
					t.Errorf("asked %d times", b.asked)
				}
				b.set(func(b *box) { b.asked, b.dead, b.lacks = 0, nil, false })
				s.wait(24 * time.Hour)
				if b.asked < 270 || len(s.alarms.Raised())+len(s.failures)+len(s.captures()) != 0 {
					t.Errorf("asked %d times; %v %v", b.asked, s.failures, s.captures())
				}
			})
		})
	}
}

func TestChangesThatAreNotSavedAreRememberedUntilTheyAre(t *testing.T) {
	t.Parallel()
	b := &box{changed: 100}
	play(t, func(s *Settings) { s.Ask = b.ask; b.booted = time.Now().Add(-time.Hour) }, func(s *scene) {
		unsaved := func(want time.Duration) {
			t.Helper()
			lost, ok, err := Unsaved(s.t.Context(), s.marks, "acme/sw-1")
			since := lost.Since
			if err != nil || lost.Read || ok != (want != 0) || ok && since.Sub(s.began).Round(time.Second) != want {
				t.Errorf("since %v, %v, %v; want %v", since.Sub(s.began), ok, err, want)
			}
		}
		s.wait(6 * time.Minute)
		unsaved(0) // its own start is no change
		b.set(func(b *box) { b.changed = b.up() })
		s.wait(6 * time.Minute)
		unsaved(6 * time.Minute)
		s.stop()
		s.start(func(s *Settings) { s.Ask = b.ask })
		s.wait(6 * time.Minute)
		unsaved(6 * time.Minute)
		b.set(func(b *box) { b.saved = b.up() })
		s.wait(6 * time.Minute)
		unsaved(0)
		b.set(func(b *box) { b.changed = b.up() })
		s.wait(6 * time.Minute)
		unsaved(24 * time.Minute)
		b.set(func(b *box) { b.booted, b.changed, b.saved = time.Now(), 50, 0 })
		s.wait(6 * time.Minute)
		unsaved(0)
	})
}

func TestWhatDidNotChangeIsWrittenOnceAnHour(t *testing.T) {
	t.Parallel()
	b, written := &box{changed: 100}, 0
	play(t, func(s *Settings) {
		s.Ask = b.ask
		b.booted = time.Now().Add(-time.Hour)
		s.Marks = countingMarks{s.Marks, &written}
	}, func(s *scene) {
		s.wait(24*time.Hour + time.Minute)
		if written < 24 || written > 26 {
			t.Errorf("written %d times", written)
		}
	})
}

type countingMarks struct {
	marks
	n *int
}

type marks = configs.Marks

func (c countingMarks) SetMarks(ctx context.Context, kind string, marks ...configs.Mark) error {
	*c.n++
	return c.marks.SetMarks(ctx, kind, marks...)
}

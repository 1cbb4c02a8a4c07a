package alarm_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"belay/configs"
	"belay/configs/alarm"
)

var errKilled = errors.New("the process is dead")

// The port, under a name that is not its method's.
type port = configs.Marks

// A life is one process: it may do so many things and is killed then, in the
// middle of whatever it does. What it does after that comes to nothing.
type life struct {
	port
	box  *mailbox
	left *atomic.Int64
}

func (l life) dead() error {
	if l.left.Add(-1) < 0 {
		return errKilled
	}
	return nil
}

func (l life) Mark(ctx context.Context, kind, key string) ([]byte, error) {
	if err := l.dead(); err != nil {
		return nil, err
	}
	return l.port.Mark(ctx, kind, key)
}

func (l life) SwapMark(ctx context.Context, kind, key string, old, value []byte) (bool, error) {
	if err := l.dead(); err != nil {
		return false, err
	}
	return l.port.SwapMark(ctx, kind, key, old, value)
}

func (l life) SetMarks(context.Context, string, ...configs.Mark) error {
	return errors.New("two processes: only a swap is safe")
}

func (l life) Send(ctx context.Context, channel string, m alarm.Message) error {
	if err := l.dead(); err != nil {
		return err
	}
	if err := l.box.Send(ctx, channel, m); err != nil {
		return err
	}
	return l.dead() // killed between: it was sent, and nobody knows
}

// TestAKillAtAnyMomentLosesNoAlarmAndRepeatsAtMostOneMessage kills a process at
// each thing it does in turn. The next one starts while what the dead one held
// is still held, and tells the rest.
func TestAKillAtAnyMomentLosesNoAlarmAndRepeatsAtMostOneMessage(t *testing.T) {
	t.Parallel()
	repeated := 0
	for after := range 40 {
		s := start()
		s.must(t, s.Raise(t.Context(), shut(1)))
		s.must(t, s.Raise(t.Context(), shut(2)))
		doomed := s.another()
		l := life{port: s.marks, box: s.box, left: &atomic.Int64{}}
		l.left.Store(int64(after))
		doomed.Marks, doomed.Messenger = l, l
		_ = doomed.Deliver(t.Context())
		for range 10 {
			s.must(t, s.Deliver(t.Context()))
			s.clock = s.clock.Add(time.Minute)
		}
		times := s.told(shut(1))
		if again := s.told(shut(2)); times < 1 || times > 2 || again < 1 || again > 2 || len(s.box.got["noc"]) > 2 {
			t.Fatalf("killed after %d: told %d and %d times, in %q", after, times, again, s.box.subjects("noc"))
		}
		if len(s.box.got["noc"]) == 2 {
			repeated++
			if text := s.box.got["noc"][1].Text; !strings.Contains(text, "may have been told before") {
				t.Errorf("killed after %d: the repeat does not say so:\n%s", after, text)
			}
		}
	}
	if repeated == 0 || repeated > 6 {
		t.Errorf("%d of 40 kills repeated a message: want the few between sending and writing it down", repeated)
	}
}

// told counts the messages that say that an alarm stands.
func (s *setting) told(a configs.Alarm) (n int) {
	s.box.mu.Lock()
	defer s.box.mu.Unlock()
	for _, m := range s.box.got["noc"] {
		if strings.Contains(m.Text, a.What) && !strings.Contains(m.Text, "over: ") {
			n++
		}
	}
	return n
}

// TestStormsOfKillsAndProcesses raises alarms in several processes that deliver
// at once and are killed at random; each alarm is told at least once, and no
// message is repeated but by a kill.
func TestStormsOfKillsAndProcesses(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 1))
			s := start()
			kills := 0
			var all []configs.Alarm
			for round := range 12 {
				a := shut(round)
				a.What = fmt.Sprintf("sentence %02d.", round)
				all = append(all, a)
				var wg sync.WaitGroup
				for range 3 {
					b := s.another()
					l := life{port: s.marks, box: s.box, left: &atomic.Int64{}}
					l.left.Store(1 << 30)
					if r.IntN(3) == 0 {
						l.left.Store(int64(r.IntN(30)))
						kills++
					}
					b.Marks, b.Messenger, b.Most = l, l, 1000
					wg.Go(func() {
						_ = b.Raise(t.Context(), a)
						_ = b.Deliver(t.Context())
					})
				}
				wg.Wait()
				s.must(t, s.Raise(t.Context(), a))
				s.clock = s.clock.Add(time.Duration(r.IntN(5)) * time.Minute)
			}
			s.Most = 1000
			for range 20 {
				s.must(t, s.Deliver(t.Context()))
				s.clock = s.clock.Add(time.Minute)
			}
			messages := 0
			for _, a := range all {
				n := s.told(a)
				if n == 0 {
					t.Errorf("%s was never told", a.What)
				}
				messages = max(messages, n)
			}
			repeats := 0
			seen := map[string]bool{}
			for _, m := range s.box.got["noc"] {
				again := false
				for _, a := range all {
					if strings.Contains(m.Text, a.What) {
						again = again || seen[a.What]
						seen[a.What] = true
					}
				}
				if again {
					repeats++
				}
			}
			if repeats > kills {
				t.Errorf("%d messages were repeated by %d kills", repeats, kills)
			}
		})
	}
}

func TestAMessageThatMayHaveArrivedSaysSoWhenItIsSentAgain(t *testing.T) {
	t.Parallel()
	s := start()
	s.must(t, s.Raise(t.Context(), key))
	s.box.fail = func(string) error { return fmt.Errorf("no answer within 30 s: %w", alarm.ErrUnsure) }
	if s.Deliver(t.Context()) == nil {
		t.Fatal("want an error")
	}
	s.box.fail = nil
	s.clock = s.clock.Add(time.Minute)
	s.must(t, s.Clear(t.Context(), key)) // whoever may have heard of it hears of its end
	s.must(t, s.Deliver(t.Context()))
	s.heard(t, "over: host key changed: acme/sw-1")

	s.must(t, s.Raise(t.Context(), shut(1)))
	s.box.fail = func(string) error { return alarm.ErrUnsure }
	if s.Deliver(t.Context()) == nil {
		t.Fatal("want an error")
	}
	s.box.fail = nil
	s.clock = s.clock.Add(time.Minute)
	s.must(t, s.Deliver(t.Context()))
	if text := s.box.got["noc"][1].Text; !strings.Contains(text, "may have been told before") {
		t.Errorf("the repeat does not say so:\n%s", text)
	}
}

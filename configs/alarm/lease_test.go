package alarm_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"belay/configs"
)

func TestNobodySendsToAChannelWhileAnotherIsAtIt(t *testing.T) {
	t.Parallel()
	s := start()
	other := s.another()
	s.must(t, s.Raise(t.Context(), key))
	began := s.clock
	inside := false
	s.box.fail = func(string) error {
		if inside {
			t.Error("two send at once")
			return nil
		}
		inside = true
		s.clock = began.Add(90 * time.Second) // it takes its time
		s.box.mu.Unlock()
		defer s.box.mu.Lock()
		return other.Deliver(t.Context())
	}
	s.must(t, s.Deliver(t.Context()))
	s.heard(t, "host key changed: acme/sw-1")
}

func TestAKillBeforeTheClockWasSetBackHoldsNothingUp(t *testing.T) {
	t.Parallel()
	s := start()
	s.must(t, s.Raise(t.Context(), key))
	doomed := s.another()
	l := life{port: s.marks, box: s.box, left: &atomic.Int64{}}
	l.left.Store(3) // the line is held, nothing is sent
	doomed.Marks, doomed.Messenger = l, l
	_ = doomed.Deliver(t.Context())
	s.heard(t)
	s.clock = s.clock.Add(-48 * time.Hour)
	s.must(t, s.Deliver(t.Context()))
	s.heard(t, "host key changed: acme/sw-1")
}

func TestWhoRaisesAgainChangesNothing(t *testing.T) {
	t.Parallel()
	s := start()
	s.must(t, s.Raise(t.Context(), key))
	s.clock = s.clock.Add(time.Hour)
	later := s.another()
	s.must(t, later.Raise(t.Context(), key))
	all, err := s.Standing(t.Context())
	s.must(t, err)
	if want := s.clock.Add(-time.Hour); len(all) != 1 || !all[0].Raised.Equal(want) || !all[0].At.Equal(want) || later.Rung() {
		t.Errorf("it stands as %+v; raising it again rang: %v", all, later.Rung())
	}
}

func TestOnlyWhoWasToldTheEndIsToldAnew(t *testing.T) {
	t.Parallel()
	s := start()
	s.To = func(configs.Alarm) []string { return []string{"noc", "oncall"} }
	s.must(t, s.Raise(t.Context(), key))
	s.must(t, s.Deliver(t.Context()))
	s.must(t, s.Clear(t.Context(), key))
	s.box.fail = func(c string) error {
		if c == "oncall" {
			return errors.New("no")
		}
		return nil
	}
	if s.Deliver(t.Context()) == nil {
		t.Fatal("want an error")
	}
	s.box.fail = nil
	s.must(t, s.Raise(t.Context(), key))
	s.clock = s.clock.Add(time.Hour)
	s.must(t, s.Deliver(t.Context()))
	s.heard(t, "host key changed: acme/sw-1", "over: host key changed: acme/sw-1", "host key changed: acme/sw-1")
	if d := cmp.Diff([]string{"host key changed: acme/sw-1"}, s.box.subjects("oncall")); d != "" {
		t.Error(d)
	}
}

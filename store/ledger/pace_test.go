package ledger

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"belay/configs"
)

// pacers opens ledgers on one file, as processes do, that go by the clock of the
// test's bubble: it jumps to the end of a wait when all wait.
func pacers(t *testing.T, n int) []*Ledger {
	dir := t.TempDir()
	var ls []*Ledger
	for range n {
		l := open(t, dir)
		l.Now = time.Now
		ls = append(ls, l)
	}
	return ls
}

// most is the largest number of times within a stretch.
func most(times []time.Time, stretch time.Duration) (n int) {
	slices.SortFunc(times, time.Time.Compare)
	first := 0
	for last := range times {
		for times[last].Sub(times[first]) > stretch {
			first++
		}
		n = max(n, last-first+1)
	}
	return n
}

func TestAnAccountsPaceIsSharedByAllProcesses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const perMinute, burst, workers, each = 90, 7, 4, 140
		ls := pacers(t, 2)
		began := time.Now()
		var mu sync.Mutex
		var sent []time.Time
		var wg sync.WaitGroup
		for worker := range workers {
			wg.Go(func() {
				for i := range each {
					if worker == 0 && i%30 == 15 && i < each/2 {
						time.Sleep(20 * time.Second) // now and then one rests, and another may burst
					}
					if err := ls[worker%2].Pace(t.Context(), "account", perMinute, burst); err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					sent = append(sent, time.Now())
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		if n := most(sent, 5*time.Minute); n > perMinute*5+burst || n < perMinute*5 {
			t.Errorf("%d within five minutes, want at most %d and not much less", n, perMinute*5+burst)
		}
		if n := most(sent, time.Second); n > burst+2 {
			t.Errorf("%d within a second, want at most %d", n, burst+2)
		}
		// Nobody waits for nothing: all are sent about as soon as they may be.
		if took, least := time.Since(began), time.Minute*workers*each/perMinute; took > least+10*time.Second {
			t.Errorf("%d took %s, want about %s", len(sent), took, least)
		}
	})
}

func TestAnAccountThatRestedMaySendABurst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := pacers(t, 1)[0]
		for _, rest := range []time.Duration{0, 5 * time.Second, time.Hour} {
			time.Sleep(rest)
			began := time.Now()
			for i := range 8 {
				if err := l.Pace(t.Context(), "account", 60, 5); err != nil {
					t.Fatal(err)
				}
				if waited := time.Since(began); waited != max(0, time.Duration(i-4)*time.Second) {
					t.Errorf("after a rest of %s: request %d at %s", rest, i+1, waited)
				}
			}
			if err := l.Pace(t.Context(), "another account", 60, 5); err != nil || time.Since(began) != 3*time.Second {
				t.Errorf("another account waited until %s, error %v", time.Since(began), err)
			}
			time.Sleep(5 * time.Second) // as the second round wants it: fully rested
		}
	})
}

func TestAnAccountThatIsHeldSendsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ls := pacers(t, 2)
		began := time.Now()
		for _, d := range []time.Duration{20 * time.Second, time.Second} { // the longer stands
			if err := ls[0].Pause(t.Context(), "account", began.Add(d)); err != nil {
				t.Fatal(err)
			}
		}
		var wg sync.WaitGroup
		var mu sync.Mutex
		var sent []time.Time
		for i := range 20 {
			wg.Go(func() {
				if err := ls[i%2].Pace(t.Context(), "account", 60, 5); err != nil {
					t.Error(err)
				}
				mu.Lock()
				sent = append(sent, time.Now())
				mu.Unlock()
			})
		}
		time.Sleep(15 * time.Second)
		if err := ls[1].Pause(t.Context(), "account", began.Add(45*time.Second)); err != nil { // those who wait wait on
			t.Fatal(err)
		}
		if err := ls[1].Pace(t.Context(), "another account", 60, 5); err != nil || time.Since(began) != 15*time.Second {
			t.Errorf("another account waited until %s, error %v", time.Since(began), err)
		}
		wg.Wait()
		slices.SortFunc(sent, time.Time.Compare)
		if first := sent[0].Sub(began); first != 45*time.Second {
			t.Errorf("the first was sent after %s, want 45s", first)
		}
		if n := most(sent, time.Second-time.Nanosecond); n > 5 {
			t.Errorf("%d were sent at once after the pause, want 5", n)
		}
	})
}

// Nobody waits for a system that wishes to be left alone for long: neither a
// technician nor a night. A Pause from before the clock was put back is none.
func TestALongPauseIsToldAtOnceAndLastsAnHourAtMost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := pacers(t, 1)[0]
		told := func(after time.Duration) {
			t.Helper()
			began := time.Now()
			err := l.Pace(t.Context(), "account", 60, 5)
			if d, ok := errors.AsType[*configs.Declined](err); !ok || d.Why != configs.Busy || d.After != after || time.Since(began) != 0 {
				t.Errorf("after %s: %v, want it to be told that %s are left", time.Since(began), err, after)
			}
		}
		pause := func(d time.Duration) {
			t.Helper()
			if err := l.Pause(t.Context(), "account", l.Now().Add(d)); err != nil {
				t.Fatal(err)
			}
		}
		l.Now = time.Now
		pause(20 * time.Second)
		waits := make(chan error)
		go func() { waits <- l.Pace(t.Context(), "account", 60, 5) }()
		time.Sleep(10 * time.Second)
		pause(5 * time.Minute)
		if d, ok := errors.AsType[*configs.Declined](<-waits); !ok || d.After != 290*time.Second {
			t.Errorf("whoever waited already was told %v", d)
		}
		told(290 * time.Second)
		pause(7 * 24 * time.Hour)
		told(time.Hour)
		time.Sleep(time.Hour - time.Minute)
		told(time.Minute)
		time.Sleep(time.Minute)
		if err := l.Pace(t.Context(), "account", 60, 5); err != nil {
			t.Error(err)
		}

		pause(time.Hour)
		l.Now = func() time.Time { return time.Now().Add(-24 * time.Hour) }
		began := time.Now()
		if err := l.Pace(t.Context(), "account", 60, 5); err != nil || time.Since(began) > time.Second { // its pace is brought near, not its pause
			t.Errorf("the clock was put back: after %s, %v", time.Since(began), err)
		}
		l.Now = time.Now
		pause(time.Hour)
		l.Now = func() time.Time { return time.Now().Add(-24 * time.Hour) }
		pause(time.Minute) // as it wishes by this clock
		told(time.Minute)
	})
}

func TestWhoGivesUpWaitingCostsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := pacers(t, 1)[0]
		if err := l.Pace(t.Context(), "account", 1, 1); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				if err := l.Pace(ctx, "account", 1, 1); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 10*time.Second {
					t.Errorf("after %s: %v", time.Since(began), err)
				}
			})
		}
		wg.Wait()
		if err := l.Pace(t.Context(), "account", 1, 1); err != nil || time.Since(began) != time.Minute {
			t.Errorf("the next was sent after %s, error %v; want 1m0s", time.Since(began), err)
		}
	})
}

func TestAClockThatWasPutBackHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := pacers(t, 1)[0]
		for range 5 {
			if err := l.Pace(t.Context(), "account", 60, 5); err != nil {
				t.Fatal(err)
			}
		}
		l.Now = func() time.Time { return time.Now().Add(-24 * time.Hour) }
		began := time.Now()
		for range 2 {
			if err := l.Pace(t.Context(), "account", 60, 5); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("two requests took %s, want 2s", took)
		}
	})
}

func TestAPaceWithoutLimitOrName(t *testing.T) {
	t.Parallel()
	l := open(t, t.TempDir()) // by the machine's own clock
	for range 50 {
		if err := l.Pace(t.Context(), "account", 0, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Pause(t.Context(), "account", time.Now().Add(20*time.Second)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := l.Pace(ctx, "account", 0, 0); !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) { // the latter from within a transaction
		t.Errorf("while it is held: %v", err)
	}
	if l.Pace(t.Context(), "", 60, 5) == nil || l.Pause(t.Context(), "", time.Now()) == nil {
		t.Error("an account without a name was taken")
	}
}

package configs_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"belay/configs"
	"belay/configs/memory"
	"belay/devices"
)

func TestATextWithAnEndMarkIsKeptAfterOneReading(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	wantGood(t, s.capture(configs.Order{}, says(marked, config(9))), configs.Kept)
	if s.kept() != config(9) {
		t.Errorf("kept %q", s.kept())
	}
	wantGood(t, s.capture(configs.Order{}, says(marked, config(9))), configs.Unchanged)
	wantGood(t, s.capture(configs.Order{}, says(marked, config(8))), configs.Kept)
	if s.versions() != 2 {
		t.Errorf("%d versions, want 2", s.versions())
	}
}

func TestATextWithoutAnEndMarkIsReadTwiceWhereItIsNew(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	a, b := says(unmarked, config(9)), says(unmarked, config(8))
	r := s.capture(configs.Order{}, a, a)
	wantGood(t, r, configs.Kept)
	if last := r.Checks[len(r.Checks)-1]; last.Name != configs.CheckAgree || !last.OK {
		t.Errorf("last check %+v, want that two readings agree", last)
	}
	wantGood(t, s.capture(configs.Order{}, a), configs.Unchanged)
	wantGood(t, s.capture(configs.Order{}, b, b), configs.Kept)
	wantGood(t, s.capture(configs.Order{}, a, b), configs.Unchanged) // the second reading is the text that stands
	wantGood(t, s.capture(configs.Order{}, says(unmarked, "! clock 12:00\n"+config(8))), configs.Unchanged)
}

func TestTheThirdReadingDecidesWhereOneOfTwoIsCut(t *testing.T) {
	t.Parallel()
	whole, short := says(unmarked, config(90)), says(unmarked, cut(config(90)))
	seen := says(unmarked, strings.TrimPrefix(cut(config(90)), "hostname fw-hq\n")) // a check sees that it is cut
	for name, answers := range map[string][]answer{
		"first cut":            {short, whole, whole},
		"second cut":           {whole, short, whole},
		"first seen to be cut": {seen, whole, whole},
		"second seen":          {whole, seen, whole},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			wantGood(t, s.capture(configs.Order{}, answers...), configs.Kept)
			if s.kept() != config(90) {
				t.Error("the cut text was kept")
			}
		})
	}
	for name, c := range map[string]struct {
		answers []answer
		check   string
	}{
		"three that differ":     {[]answer{whole, short, says(unmarked, config(70))}, configs.CheckAgree},
		"seen, and two differ":  {[]answer{seen, whole, short}, configs.CheckAgree},
		"two differ, then seen": {[]answer{whole, short, seen}, configs.CheckSections},
		"two seen":              {[]answer{seen, seen}, configs.CheckSections},
		"a good one between":    {[]answer{seen, whole, seen}, configs.CheckSections},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			r := s.capture(configs.Order{}, c.answers...)
			want(t, r, configs.Refused, devices.Refused)
			wantFailed(t, r.Checks, c.check)
			if s.versions() != 0 || len(s.repository.asked) != 0 {
				t.Error("something was kept")
			}
		})
	}
}

func TestTwiceReadsTwiceAndAlwaysCommits(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	a := says(marked, config(9))
	o := configs.Order{Twice: true, Ticket: "T20391", Change: "C1", Phase: "before"}
	wantGood(t, s.capture(o, a, a), configs.Kept)
	wantGood(t, s.capture(o, a, a), configs.Kept)
	if s.versions() != 2 {
		t.Errorf("%d versions, want 2", s.versions())
	}
	snap := s.repository.asked[1]
	if !snap.Always || snap.Ticket != "T20391" || snap.Change != "C1" || snap.Phase != "before" || snap.By != person {
		t.Errorf("the snapshot does not tell of its change: %+v", snap)
	}
	r := s.capture(o, a, says(marked, config(8)), says(marked, config(7)))
	want(t, r, configs.Refused, devices.Refused)
}

func TestAnUnreachableDeviceIsTriedExactlyOnceMore(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	want(t, s.capture(configs.Order{}, fails(devices.Unreachable), fails(devices.Unreachable)), configs.Unreachable, devices.Unreachable)
	wantGood(t, s.capture(configs.Order{}, fails(devices.Unreachable), says(marked, config(9))), configs.Kept)
	rows := s.log.Rows()
	if len(rows) != 2 || rows[0].Result != configs.Unreachable || rows[0].Commit != "" || rows[1].Result != configs.Kept || rows[1].Commit == "" {
		t.Errorf("the check log has %+v", rows)
	}
}

func TestADeviceThatDeniesTheLoginIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	for _, k := range []devices.Kind{devices.Denied, devices.NotAllowed} {
		s := newScene(t)
		want(t, s.capture(configs.Order{}, fails(k)), configs.Denied, k)
	}
	s := newScene(t)
	want(t, s.capture(configs.Order{}, fails(devices.Usage)), configs.Failed, devices.Usage)
}

func TestThePauseComesBeforeTheSecondTry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.Pause = time.Minute
		began := time.Now()
		s.capture(configs.Order{}, fails(devices.Unreachable), fails(devices.Unreachable))
		if d := time.Since(began); d != time.Minute {
			t.Errorf("waited %v", d)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		s.answers, s.pulls = []answer{fails(devices.Unreachable)}, 0
		want(t, s.Capture(ctx, s.device, configs.Order{}), configs.Unreachable, devices.Unreachable)
	})
}

func TestARefusedReadingIsTakenOnceMore(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	bad := says(marked, cut(config(90)))
	r := s.capture(configs.Order{}, bad, bad)
	want(t, r, configs.Refused, devices.Refused)
	wantFailed(t, r.Checks, configs.CheckEnd)
	wantGood(t, s.capture(configs.Order{}, bad, says(marked, config(90))), configs.Kept)
	if _, ok := s.held(); ok {
		t.Error("still in quarantine after a later capture was kept")
	}
	r = s.capture(configs.Order{}, bad, fails(devices.Denied))
	want(t, r, configs.Denied, devices.Denied)
	if r.Version == "" {
		t.Error("the result does not name the version that stands")
	}
}

func TestTwoCapturesOfOneDeviceAtTheSameTimeAreOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.Puller.(*memory.Puller).Delay = time.Second
		s.answers = []answer{says(marked, config(9))}
		var wg sync.WaitGroup
		results := make([]configs.Result, 5)
		for i := range results {
			wg.Go(func() { results[i] = s.Capture(t.Context(), s.device, configs.Order{}) })
		}
		wg.Wait()
		if s.pulls != 1 || len(s.log.Rows()) != 1 {
			t.Errorf("%d readings, %d rows in the check log, want 1", s.pulls, len(s.log.Rows()))
		}
		for _, r := range results {
			wantGood(t, r, configs.Kept)
			if r.Version != results[0].Version {
				t.Errorf("version %s, another has %s", r.Version, results[0].Version)
			}
		}
	})
}

func TestACaptureForAChangeIsNotReplacedByAPlainOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.Puller.(*memory.Puller).Delay = time.Second
		a := says(marked, config(9))
		s.answers = []answer{a, a, a}
		var wg sync.WaitGroup
		wg.Go(func() { s.Capture(t.Context(), s.device, configs.Order{}) })
		synctest.Wait()
		before := configs.Order{Twice: true, Change: "C1", Phase: "before"}
		wantGood(t, s.Capture(t.Context(), s.device, before), configs.Kept)
		wg.Wait()
		if s.pulls != 3 || s.versions() != 2 || s.repository.asked[1].Change != "C1" {
			t.Errorf("%d readings, %d versions: the capture for the change was not made", s.pulls, s.versions())
		}
	})
}

func TestOneThatWaitsDoesNotEndWithTheOneItWaitsFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.Puller.(*memory.Puller).Delay = time.Second
		s.answers = []answer{says(marked, config(9))}
		first, cancel := context.WithCancel(t.Context())
		gone, leave := context.WithCancel(t.Context())
		var a, b, c configs.Result
		var wg sync.WaitGroup
		wg.Go(func() { a = s.Capture(first, s.device, configs.Order{}) })
		synctest.Wait()
		wg.Go(func() { b = s.Capture(t.Context(), s.device, configs.Order{}) })
		wg.Go(func() { c = s.Capture(gone, s.device, configs.Order{}) })
		synctest.Wait()
		leave()
		synctest.Wait()
		cancel()
		wg.Wait()
		want(t, a, configs.Failed, devices.Broken)
		want(t, c, configs.Failed, devices.Broken)
		if !errors.Is(c.Err, context.Canceled) || c.Checks == nil || !strings.Contains(c.Error, "interrupted") || strings.Contains(c.Error, "context") {
			t.Errorf("the one that left: %+v", c)
		}
		wantGood(t, b, configs.Kept)
	})
}

func TestWhatWasProvenWholeIsKeptWhenTheCaptureIsCanceled(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		order   configs.Order
		at      int // the reading during which it is canceled; 0: before all
		answers []answer
		want    configs.Outcome
	}{
		"before":                   {answers: []answer{says(marked, config(9))}, want: configs.Failed},
		"with a lost connection":   {at: 1, answers: []answer{fails(devices.Unreachable)}, want: configs.Failed},
		"with the last byte":       {at: 1, answers: []answer{says(marked, config(9))}, want: configs.Kept},
		"after the first of two":   {at: 1, answers: []answer{says(unmarked, config(9)), {err: context.Canceled}}, want: configs.Failed},
		"after the second of two":  {at: 2, answers: []answer{says(unmarked, config(9)), says(unmarked, config(9))}, want: configs.Kept},
		"with a refused reading":   {at: 2, answers: []answer{says(marked, "hostname x\n"), says(marked, "hostname x\n")}, want: configs.Refused},
		"while reading of another": {at: 1, answers: []answer{{err: context.Canceled}}, want: configs.Failed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			ctx, cancel := context.WithCancel(t.Context())
			s.answers = c.answers
			n := 0
			s.Puller = &puller{func(_ context.Context, d devices.Device) (configs.Capture, error) {
				if n++; n == c.at {
					cancel()
				}
				return s.answer(d)
			}}
			if c.at == 0 {
				cancel()
			}
			r := s.Capture(ctx, s.device, c.order)
			switch c.want {
			case configs.Kept:
				wantGood(t, r, c.want)
			case configs.Refused:
				want(t, r, c.want, devices.Refused)
				if _, ok := s.held(); !ok {
					t.Error("what was refused is not in quarantine")
				}
			default:
				want(t, r, c.want, devices.Broken)
				if !errors.Is(r.Err, context.Canceled) {
					t.Errorf("error %v, want that it was canceled", r.Err)
				}
			}
			if kept := s.versions() > 0; kept != (c.want == configs.Kept) {
				t.Errorf("kept: %t", kept)
			}
			if len(s.log.Rows()) != 1 {
				t.Errorf("%d rows in the check log, want 1", len(s.log.Rows()))
			}
		})
	}
}

// A puller reads although its context has ended: the last bytes are in.
type puller struct {
	pull func(context.Context, devices.Device) (configs.Capture, error)
}

func (p *puller) Pull(ctx context.Context, d devices.Device) (configs.Capture, error) {
	return p.pull(ctx, d)
}

// Whatever devices say in whatever order: what is kept has passed every check,
// is one of the whole texts, and of the right device.
func TestNothingIsEverKeptWithAFailingCheck(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(20391, 7))
	outcomes := map[configs.Outcome]int{}
	for range 1500 {
		s := newScene(t)
		s.device.Serials = [][]string{nil, {"A1"}, {"A1", "A2"}}[random.IntN(3)]
		system := []configs.Rules{marked, unmarked, salted}[random.IntN(3)]
		whole := map[string]bool{}
		n := 0
		s.Puller = &puller{func(context.Context, devices.Device) (configs.Capture, error) {
			if n++; n > 6 {
				t.Fatalf("reading %d", n)
			}
			return someReading(random, system, whole)
		}}
		for range 4 {
			n = 0
			o := configs.Order{Twice: random.IntN(4) == 0}
			if random.IntN(3) == 0 {
				o.Vouched = "it has shrunk"
			}
			r := s.Capture(t.Context(), s.device, o)
			outcomes[r.Result]++
			good := r.Result == configs.Kept || r.Result == configs.Unchanged
			if good != (r.Err == nil) || good && len(failed(r.Checks)) > 0 || r.Checks == nil {
				t.Fatalf("%s with error %v and checks %+v", r.Result, r.Err, r.Checks)
			}
		}
		for _, snap := range s.repository.asked {
			if bad := failed(snap.Checks); len(bad) > 0 || len(snap.Checks) == 0 {
				t.Fatalf("kept with failing checks %q", bad)
			}
			if !whole[snap.Texts[0].Clean.String()] {
				t.Fatalf("kept what no device has: %q", snap.Texts[0].Clean)
			}
			if len(s.device.Serials) > 0 && len(snap.Identity.Serials) > 0 && snap.Identity.Serials[0] != "A1" {
				t.Fatalf("kept another device's: %q", snap.Identity.Serials)
			}
		}
	}
	for _, o := range []configs.Outcome{configs.Kept, configs.Unchanged, configs.Refused, configs.Unreachable, configs.Denied} {
		if outcomes[o] < 20 {
			t.Errorf("only %d came to %s: the test shows little", outcomes[o], o)
		}
	}
}

// someReading is a whole text or a bad one; two bad ones are hardly ever alike.
func someReading(random *rand.Rand, system configs.Rules, whole map[string]bool) (configs.Capture, error) {
	text := config([]int{10, 11, 60}[random.IntN(3)])
	serials := [][]string{nil, {"A1"}, {"A1"}, {"A1"}, {"B7"}}[random.IntN(5)]
	a := says(system, text, serials...)
	switch random.IntN(14) {
	case 0:
		a = says(system, text[:random.IntN(len(text)-5)], serials...)
		if system.Complete.Agree > 1 { // nothing in it betrays it, but no two are alike
			a = says(system, fmt.Sprintf("hostname fw-hq\ninterface %d", random.Uint64()), serials...)
		}
	case 1:
		a = says(system, "% Invalid input\n"+text, serials...)
	case 2:
		a = says(system, "", serials...)
	case 3:
		a.capture.Faults = []string{"ended with status 1"}
	case 4:
		a = says(system, text[15:], serials...)
	case 5:
		a = fails(devices.Unreachable)
	case 6:
		a = fails(devices.Denied)
	default:
		whole[text] = true
	}
	return a.capture, a.err
}

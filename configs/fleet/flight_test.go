package fleet

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"belay/configs"
	"belay/devices"
)

// slow takes a minute for each reading, and tells which it was as the version.
func (s *scene) slow() *scene {
	n := 0
	s.answer = func(ctx context.Context, j Job) configs.Result {
		s.mu.Lock()
		n++
		v := strings.Repeat("I", n)
		s.mu.Unlock()
		select {
		case <-time.After(time.Minute):
			return configs.Result{Result: configs.Kept, Version: v}
		case <-ctx.Done():
			return configs.Result{Result: configs.Failed, Err: ctx.Err()}
		}
	}
	return s
}

func TestWhoWaitsIsServedByTheReadingThatAPersonAskedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, Limits{All: 1}).slow()
		jobs := jobsOf(Nightly, 3, "acme", "hq")
		jobs[2].Order.Ticket = "T1" // more than a plain reading gives
		go s.Run(t.Context(), jobs, s.told)
		synctest.Wait()
		asked := jobsOf(Asked, 3, "acme", "hq")
		asked[1].Order = configs.Order{Ticket: "T2", By: configs.Person{Name: "Ada"}}
		got := make(chan configs.Result, 2)
		for _, j := range asked[1:] {
			go func() { got <- s.Do(t.Context(), j) }()
		}
		s.wait()
		if a, b := <-got, <-got; a.Version == "" || b.Version == "" || a.Version == b.Version {
			t.Errorf("answers %+v and %+v", a, b)
		}
		read := s.begun()
		count := map[string]int{}
		for _, name := range read {
			count[name]++
		}
		if len(read) != 4 || count["hq-0"] != 1 || count["hq-1"] != 1 || count["hq-2"] != 2 {
			t.Errorf("read %q, want hq-1 once, hq-2 for its ticket again", read)
		}
		if len(s.finals) != 3 {
			t.Errorf("%d results of the run, want 3", len(s.finals))
		}
		for _, f := range s.finals {
			if f.Tries != 1 || f.Version == "" {
				t.Errorf("%s: %+v", f.Job.Device, f)
			}
		}
	})
}

func TestAReadingUnderWayServesWhatItCan(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		first, then Job
		same        bool
	}{
		"a person who asks":             {Job{Why: Nightly}, Job{Why: Asked}, true},
		"by whomever":                   {Job{Why: Nightly}, Job{Why: Asked, Order: configs.Order{By: configs.Person{Name: "Ada"}}}, true},
		"with a ticket":                 {Job{Why: Nightly}, Job{Why: Asked, Order: configs.Order{Ticket: "T1"}}, false},
		"the same ticket":               {Job{Why: Asked, Order: configs.Order{Ticket: "T1"}}, Job{Why: Asked, Order: configs.Order{Ticket: "T1"}}, true},
		"a plain one beside a change":   {Job{Why: Asked, Order: configs.Order{Change: "C1", Twice: true}}, Job{Why: Nightly}, true},
		"what may have changed since":   {Job{Why: Nightly}, Job{Why: Triggered}, false},
		"nor what a person's would not": {Job{Why: Asked}, Job{Why: Triggered}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newScene(t, Limits{All: 5}).slow()
				c.first.Device, c.then.Device = devices.Device{Customer: "acme", Name: "fw"}, devices.Device{Customer: "acme", Name: "firewall", FirstID: "fw"}
				s.Submit(t.Context(), c.first, func(Final) {})
				time.Sleep(time.Second)
				r := s.Do(t.Context(), c.then)
				s.wait()
				if want := map[bool]string{true: "I", false: "II"}[c.same]; r.Version != want || len(s.begun()) != len(want) {
					t.Errorf("got reading %q, want %q", r.Version, want)
				}
			})
		})
	}
}

func TestARiderIsNotInterruptedWithItsHorse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, Limits{All: 5}).slow()
		ctx, cancel := context.WithCancel(t.Context())
		j := job(Nightly, "acme", "hq", 0)
		go s.Run(ctx, []Job{j}, s.told)
		time.Sleep(time.Second)
		s.Submit(t.Context(), j, s.told)
		impatient, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		j.Why = Asked
		if r := s.Do(impatient, j); !errors.Is(r.Err, errLate) {
			t.Errorf("whoever waited no longer was told %+v", r)
		}
		cancel()
		s.wait()
		if len(s.finals) != 2 || s.finals[0].Err == nil || s.finals[1].Version != "II" || s.finals[1].Tries != 1 {
			t.Errorf("told %+v, want that the rider was read for itself", s.finals)
		}
	})
}

func TestAPersonIsAnsweredBeforeARunIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, Limits{All: 1}).slow()
		go s.Run(t.Context(), jobsOf(Nightly, 2, "acme", "hq"), func(f Final) { time.Sleep(time.Hour) })
		synctest.Wait()
		for i := range 2 { // the one under way, the one that waits
			began := time.Now()
			if r := s.Do(t.Context(), job(Asked, "acme", "hq", i)); r.Err != nil || time.Since(began) != time.Minute {
				t.Errorf("%+v after %v", r, time.Since(began))
			}
		}
		s.wait()
	})
}

func TestWhatMayPassIsTriedAgain(t *testing.T) {
	t.Parallel()
	u, b := devices.Unreachable, devices.Broken
	for name, c := range map[string]struct {
		answers []devices.Kind // then it is kept
		result  configs.Outcome
		tries   int
	}{
		"unreachable":        {[]devices.Kind{u, u, u, u}, configs.Unreachable, 4},
		"then reachable":     {[]devices.Kind{u, u}, configs.Kept, 3},
		"broken once":        {[]devices.Kind{b}, configs.Kept, 2},
		"broken twice":       {[]devices.Kind{b, b}, configs.Failed, 2},
		"broken in between":  {[]devices.Kind{u, b, u}, configs.Kept, 4},
		"broken for good":    {[]devices.Kind{b, u, b}, configs.Failed, 3},
		"denied":             {[]devices.Kind{devices.Denied}, configs.Denied, 1},
		"host key":           {[]devices.Kind{devices.NotAllowed}, configs.Denied, 1},
		"denied in the end":  {[]devices.Kind{u, devices.Denied}, configs.Denied, 2},
		"refused":            {[]devices.Kind{devices.Refused}, configs.Refused, 1},
		"wrong settings":     {[]devices.Kind{devices.Usage}, configs.Failed, 1},
		"damaged":            {[]devices.Kind{devices.Damaged}, configs.Failed, 1},
		"kept, unproven":     {[]devices.Kind{devices.Unproven}, configs.Kept, 1},
		"attachment pending": {[]devices.Kind{devices.AttachmentPending}, configs.Unchanged, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newScene(t, Limits{All: 1})
				s.Retry = []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute}
				var at []time.Time
				s.answer = func(context.Context, Job) configs.Result {
					if at = append(at, time.Now()); len(at) > len(c.answers) {
						return kept()
					}
					return failing(c.answers[len(at)-1])
				}
				s.Run(t.Context(), jobsOf(Nightly, 1, "acme", "hq"), s.told)
				if f := s.last(); f.Result.Result != c.result || f.Tries != c.tries || len(at) != c.tries {
					t.Errorf("%s after %d tries and %d readings, want %s after %d", f.Result.Result, f.Tries, len(at), c.result, c.tries)
				}
				for i := 1; i < len(at); i++ {
					if pause := at[i].Sub(at[i-1]); pause < s.Retry[i-1] || pause > s.Retry[i-1]*5/4 {
						t.Errorf("pause %d was %v, want %v and up to a quarter", i, pause, s.Retry[i-1])
					}
				}
			})
		})
	}
}

func TestWhatIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, Limits{})
		s.Retry = []time.Duration{time.Minute, time.Minute}
		s.answer = func(context.Context, Job) configs.Result { return failing(devices.Unreachable) }
		asked := job(Asked, "acme", "hq", 0)
		s.Run(t.Context(), []Job{asked}, s.told)
		if f := s.last(); f.Tries != 1 {
			t.Errorf("a person waited for %d tries", f.Tries)
		}
		once := job(Triggered, "acme", "hq", 0)
		once.Once = true
		s.Run(t.Context(), []Job{once}, s.told)
		if f := s.last(); f.Tries != 1 {
			t.Errorf("%d tries of what is tried once", f.Tries)
		}
		until := job(Triggered, "acme", "hq", 0)
		until.Until = time.Now().Add(2 * time.Minute)
		s.Run(t.Context(), []Job{until}, s.told)
		if f := s.last(); f.Tries != 2 || f.Result.Result != configs.Unreachable {
			t.Errorf("%d tries in a window for two", f.Tries)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		began := time.Now()
		s.Run(ctx, []Job{job(Nightly, "acme", "hq", 0)}, s.told)
		if f := s.last(); f.Tries != 2 || time.Since(began) > 90*time.Second {
			t.Errorf("%d tries in %v before a deadline after two minutes", f.Tries, time.Since(began))
		}
		late, never := context.WithTimeout(t.Context(), time.Hour)
		defer never()
		until.Until = time.Now().Add(2 * time.Minute)
		began = time.Now()
		s.Run(late, []Job{until}, s.told)
		if f := s.last(); f.Tries != 2 || time.Since(began) > 90*time.Second {
			t.Errorf("%d tries in a window that ends before the deadline", f.Tries)
		}
		s.answer = func(context.Context, Job) configs.Result {
			r := failing(devices.Broken)
			r.Err = errors.Join(r.Err, context.Canceled)
			return r
		}
		s.Run(t.Context(), []Job{job(Nightly, "acme", "hq", 0)}, s.told)
		if f := s.last(); f.Tries != 1 {
			t.Errorf("%d tries of what was interrupted", f.Tries)
		}
	})
}

func TestAPauseHoldsNoPlaceAndMayBeCutShort(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, Limits{All: 1, Site: 1})
		s.Retry = []time.Duration{time.Hour}
		down := true
		s.answer = func(_ context.Context, j Job) configs.Result {
			if down && j.Device.Name == "hq-0" {
				return failing(devices.Unreachable)
			}
			return kept()
		}
		began := time.Now()
		go s.Run(t.Context(), jobsOf(Nightly, 3, "acme", "hq"), s.told)
		synctest.Wait()
		if st := s.Stats(); len(s.begun()) != 3 || st.Retrying != 1 || st.UnderWay[Nightly]+st.Waiting[Nightly] > 0 {
			t.Errorf("beside a pause: %+v", st)
		}
		if pause := s.Again().Sub(began); pause < s.Retry[0] || pause > s.Retry[0]*5/4+1 {
			t.Errorf("it is tried again after %v", pause)
		}
		down = false
		if r := s.Do(t.Context(), job(Asked, "acme", "hq", 0)); r.Err != nil {
			t.Error(r.Err)
		}
		s.wait()
		if !s.Again().IsZero() {
			t.Error("nothing pauses any more, and yet something is to be tried again")
		}
		if len(s.finals) != 3 || s.finals[2].Tries != 2 || s.finals[2].Result.Result != configs.Kept || time.Since(began) != 0 {
			t.Errorf("told %+v after %v, want that what a person read ends the pause", s.finals, time.Since(began))
		}
		time.Sleep(2 * time.Hour)
		if read := s.begun(); len(read) != 1 {
			t.Errorf("read %q after that", read)
		}
	})
}

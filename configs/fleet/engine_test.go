package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"belay/configs"
	"belay/devices"
)

func TestTheCustomersTakeTurnsAndThenTheirSites(t *testing.T) {
	t.Parallel()
	s := newScene(t, Limits{All: 1})
	jobs := slices.Concat(jobsOf(Nightly, 3, "acme", "hq"), jobsOf(Nightly, 1, "acme", "depot"), jobsOf(Nightly, 2, "beta", "lab"), jobsOf(Nightly, 1, "coal", "pit"))
	s.Run(t.Context(), jobs, s.told)
	if got, want := strings.Join(s.begun(), " "), "hq-0 lab-0 pit-0 depot-0 lab-1 hq-1 hq-2"; got != want {
		t.Errorf("read in the order %s, want %s", got, want)
	}
	for _, f := range s.finals {
		if f.Tries != 1 || f.Result.Result != configs.Kept || f.Device != f.Job.Device.String() {
			t.Errorf("%s was told %+v", f.Job.Device, f)
		}
	}
}

func TestACustomerWhoseDevicesAllHangComesToItsShareOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, Limits{All: 10})
		dead, most, fine := 0, 0, 0
		s.answer = func(_ context.Context, j Job) configs.Result {
			if j.Device.Customer == "dead" {
				s.mu.Lock()
				dead++
				if fine < 50 {
					most = max(most, dead)
				}
				s.mu.Unlock()
				time.Sleep(time.Hour)
				s.mu.Lock()
				defer s.mu.Unlock()
				dead--
				return failing(devices.Unreachable)
			}
			time.Sleep(time.Second)
			s.mu.Lock()
			defer s.mu.Unlock()
			fine++
			return kept()
		}
		var jobs []Job
		for i := range 200 {
			jobs = append(jobs, job(Nightly, "dead", fmt.Sprint("site", i), 0))
		}
		jobs = append(jobs, jobsOf(Nightly, 55, "fine", "hq")...)
		go s.Run(t.Context(), jobs, s.told)
		time.Sleep(11*time.Second + time.Millisecond)
		s.mu.Lock()
		if most != 5 || fine != 55 {
			t.Errorf("%d of 10 places went to a dead customer, and of the other's devices %d of 55 were read in 11 s; want 5 and all", most, fine)
		}
		s.mu.Unlock()
		s.wait()
	})
}

func TestAFullJumpHostHoldsNobodyElseOfTheSite(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, Limits{All: 9, Site: 3, JumpHost: 1})
		s.answer = func(ctx context.Context, j Job) configs.Result {
			if len(j.Device.Jump) > 0 {
				time.Sleep(time.Hour)
			}
			return kept()
		}
		jobs := jobsOf(Nightly, 6, "acme", "hq")
		for i := range 4 {
			jobs[i].Device.Jump = []string{"a", "bastion", "a"}
		}
		jobs = append(jobs, job(Nightly, "beta", "lab", 0)) // through the same one
		jobs[6].Device.Jump = []string{"bastion"}
		began := time.Now()
		go s.Run(t.Context(), jobs, s.told)
		synctest.Wait()
		if got := strings.Join(slices.Sorted(slices.Values(s.begun())), " "); got != "hq-0 hq-4 hq-5" {
			t.Errorf("read %s beside a full jump host", got)
		}
		s.wait()
		if took := time.Since(began); took != 5*time.Hour {
			t.Errorf("five through one jump host took %v, want one after the other", took)
		}
		if got := s.begun(); got[0] != "lab-0" {
			t.Errorf("read next: %q, want the other customer first", got)
		}
	})
}

func TestWhatAPersonAskedForBeginsAtOnceBesideAFullRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, Limits{All: 200, Site: 2, JumpHost: 1, Asked: 2})
		s.answer = func(_ context.Context, j Job) configs.Result {
			if j.Why == Asked {
				time.Sleep(time.Second)
				return configs.Result{Result: configs.Kept, Version: j.Device.Name}
			}
			time.Sleep(time.Hour)
			return failing(devices.Unreachable)
		}
		go s.Run(t.Context(), jobsOf(Nightly, 500, "acme", "hq", "depot"), s.told)
		for i := range 300 {
			s.Submit(t.Context(), job(Nightly, "beta", fmt.Sprint("lab", i), 0), s.told)
		}
		synctest.Wait()
		if n := s.Stats().UnderWay[Nightly]; n != 200 {
			t.Fatalf("%d under way, want 200", n)
		}
		began := time.Now()
		done := make(chan time.Duration)
		for i := range 4 {
			go func() {
				j := job(Asked, "acme", "hq", 900+i)
				j.Device.Jump = []string{"bastion"}
				if r := s.Do(t.Context(), j); r.Version != j.Device.Name {
					t.Errorf("%s got %+v", j.Device, r)
				}
				done <- time.Since(began)
			}()
		}
		for i, want := range []time.Duration{time.Second, time.Second, 2 * time.Second, 2 * time.Second} { // two at once
			if took := <-done; took != want {
				t.Errorf("answer %d came after %v, want %v", i, took, want)
			}
		}
		s.wait()
	})
}

func TestWhatWasTriggeredGoesFirstWithinTheLimits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, Limits{All: 2, Site: 1})
		s.Retry = []time.Duration{time.Millisecond}
		s.answer = func(_ context.Context, j Job) configs.Result {
			time.Sleep(time.Second)
			if j.Device.Name == "hq-0" {
				return failing(devices.Unreachable)
			}
			return kept()
		}
		go s.Run(t.Context(), jobsOf(Nightly, 3, "acme", "hq"), s.told)
		synctest.Wait()
		for i := 7; i < 9; i++ {
			s.Submit(t.Context(), job(Triggered, "acme", "hq", i), s.told)
		}
		s.wait()
		if got, want := strings.Join(s.begun(), " "), "hq-0 hq-7 hq-8 hq-1 hq-2 hq-0"; got != want {
			t.Errorf("read in the order %s, want %s", got, want)
		}
	})
}

func TestTheLimitsMayChange(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, Limits{All: 2, Site: 1, JumpHost: 1})
		s.answer = func(context.Context, Job) configs.Result {
			time.Sleep(time.Minute)
			return kept()
		}
		jobs := jobsOf(Nightly, 20, "acme", "hq", "depot", "lab")
		for i := range jobs {
			jobs[i].Device.Jump = []string{"bastion"}
		}
		go s.Run(t.Context(), jobs, s.told)
		for _, c := range []struct {
			l    Limits
			want int
		}{
			{Limits{All: 2, Site: 1, JumpHost: 1}, 1},
			{Limits{All: 2, Site: 1, JumpHost: 9}, 2},
			{Limits{All: 9, Site: 1, JumpHost: 9}, 3},
			{Limits{All: 9, Site: 2, JumpHost: 9}, 6},
			{Limits{}, 56}, // all of a minute ago have ended by then
			{Limits{All: 1}, 0},
		} {
			s.SetLimits(c.l)
			time.Sleep(time.Second)
			synctest.Wait()
			if n := s.Stats().UnderWay[Nightly]; c.want > 0 && n < c.want {
				t.Errorf("%+v: %d under way, want %d", c.l, n, c.want)
			} else if c.l.All > 0 && c.want > 0 && n != c.want {
				t.Errorf("%+v: %d under way, want %d", c.l, n, c.want)
			}
		}
		s.wait()
	})
}

func TestAnInterruptedRunTellsEachJob(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, Limits{All: 3})
		s.Retry = []time.Duration{time.Hour}
		s.answer = func(ctx context.Context, j Job) configs.Result {
			switch j.Device.Name {
			case "hq-0":
				return failing(devices.Unreachable)
			case "hq-1":
				time.Sleep(time.Minute)
				return kept()
			}
			<-ctx.Done()
			return failing(devices.Broken)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		s.Run(ctx, jobsOf(Nightly, 7, "acme", "hq"), s.told)
		got := map[string]int{}
		for _, f := range s.finals {
			got[fmt.Sprintf("%s after %d", f.Result.Result, f.Tries)]++
			if f.Tries == 0 && (!errors.Is(f.Err, errLate) || f.Error == "" || f.Checks == nil) {
				t.Errorf("left out: %+v", f)
			}
		}
		if want := (map[string]int{"unreachable after 1": 1, "kept after 1": 1, "failed after 1": 2, "failed after 0": 3}); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("told %v, want %v", got, want)
		}
		ctx, stop := context.WithCancel(t.Context())
		stop()
		s.begun()
		r := s.Do(ctx, job(Asked, "acme", "hq", 1))
		if !errors.Is(r.Err, context.Canceled) || r.Error != "interrupted before it began" || len(s.begun()) > 0 {
			t.Errorf("a job that came after the end: %+v", r)
		}
	})
}

func TestAJobWhoseTimeIsOverDoesNotBegin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, Limits{All: 1})
		s.answer = func(context.Context, Job) configs.Result {
			time.Sleep(time.Minute)
			return kept()
		}
		jobs := jobsOf(Nightly, 4, "acme", "hq")
		for i := range jobs {
			jobs[i].Until = time.Now().Add(90 * time.Second)
		}
		jobs[3].Until = time.Time{}
		s.Run(t.Context(), jobs, s.told)
		if got := strings.Join(s.begun(), " "); got != "hq-0 hq-1 hq-3" {
			t.Errorf("read %s", got)
		}
		i := slices.IndexFunc(s.finals, func(f Final) bool { return f.Tries == 0 })
		if len(s.finals) != 4 || i < 0 || s.finals[i].Device != "acme/hq-2" || !errors.Is(s.finals[i].Err, errLate) || s.finals[i].Hint == "" {
			t.Errorf("told %+v", s.finals)
		}
	})
}

// Do captures one device and returns the job's own result: the last, where it is
// tried again.
func (e *Engine) Do(ctx context.Context, j Job) configs.Result {
	var r configs.Result
	e.Run(ctx, []Job{j}, func(f Final) { r = f.Result })
	return r
}

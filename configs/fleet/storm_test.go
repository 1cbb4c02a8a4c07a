package fleet

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"belay/configs"
	"belay/configs/memory"
	"belay/devices"
)

// TestNoStormBreaksALimitOrLosesAJob throws jobs of every kind at an engine
// whose limits change, whose runs are interrupted and whose devices refuse, hang
// and break. Whenever everything stands still, what waits must have a reason to.
func TestNoStormBreaksALimitOrLosesAJob(t *testing.T) {
	t.Parallel()
	for seed := range uint64(150) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { newStorm(t, seed).blow() })
		})
	}
}

type storm struct {
	*Engine
	t   *testing.T
	rnd *rand.Rand

	lock  sync.Mutex
	limit Limits // the highest that held lately
	now   map[string]int
	tally map[*Job]int
	given int
}

func newStorm(t *testing.T, seed uint64) *storm {
	s := &storm{t: t, rnd: rand.New(rand.NewPCG(seed, 1)), now: map[string]int{}, tally: map[*Job]int{}}
	s.limit = s.limits()
	s.Engine = &Engine{Limits: s.limit, Capture: s.capture, Now: time.Now}
	if s.rnd.IntN(2) == 0 {
		s.Retry = []time.Duration{time.Second, 5 * time.Second}
	}
	if s.rnd.IntN(2) == 0 {
		s.Rests = &Rests{Marks: &memory.Marks{}, Now: time.Now, For: 20 * time.Second}
	}
	return s
}

func (s *storm) limits() Limits {
	return Limits{All: s.rnd.IntN(8), Site: s.rnd.IntN(4), JumpHost: s.rnd.IntN(4), Asked: s.rnd.IntN(4)}
}

func (s *storm) job() Job {
	c, n := s.rnd.IntN(3), s.rnd.IntN(12)
	j := Job{Why: Why(s.rnd.IntN(3)), Device: devices.Device{Customer: fmt.Sprintf("c%d", c), Name: fmt.Sprintf("d%d", n)}}
	if n%4 > 0 {
		j.Device.Site = fmt.Sprintf("s%d", n%4)
	}
	j.Device.Jump = [][]string{nil, {"bastion"}, {"inner", "bastion"}, {"inner", "inner"}, nil}[n%5]
	if s.rnd.IntN(4) == 0 {
		j.Order.Ticket = fmt.Sprint("T", s.rnd.IntN(3))
	}
	if s.rnd.IntN(8) == 0 {
		j.Until = time.Now().Add(time.Duration(s.rnd.IntN(9)) * time.Second)
	}
	return j
}

// counted are the limits that a capture counts for.
func counted(j Job, l Limits) map[string]int {
	if j.Why == Asked {
		return map[string]int{"asked": l.Asked}
	}
	m := map[string]int{"all": l.All, "site " + j.Device.SiteKey(): l.Site}
	for _, hop := range j.Device.Jump {
		m["hop "+hop] = l.JumpHost
	}
	return m
}

func (s *storm) capture(ctx context.Context, j Job) configs.Result {
	s.lock.Lock()
	places := counted(j, s.limit)
	places["device "+j.Device.String()] = 1
	for name, most := range places {
		if s.now[name]++; most > 0 && s.now[name] > most {
			s.t.Errorf("%d captures at once: %s, the limit is %d", s.now[name], name, most)
		}
	}
	long, kind := time.Duration(s.rnd.IntN(3000))*time.Millisecond, s.rnd.IntN(12)
	s.lock.Unlock()
	r := configs.Result{Result: configs.Unchanged}
	select {
	case <-time.After(long):
		if kind < 4 {
			r = failing([]devices.Kind{devices.Broken, devices.Unreachable, devices.Denied, devices.Refused}[kind])
		}
	case <-ctx.Done():
		r = failing(devices.Broken)
		r.Err = ctx.Err()
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	for name := range places {
		s.now[name]--
	}
	r.Device, r.ID = j.Device.String(), j.Device.ID()
	return r
}

func (s *storm) blow() {
	told := func(f Final) {
		s.lock.Lock()
		defer s.lock.Unlock()
		if s.tally[f.Job]++; f.Device != f.Job.Device.String() || f.Tries == 0 && f.Err == nil {
			s.t.Errorf("%+v was told %+v", *f.Job, f)
		}
	}
	var wg sync.WaitGroup
	for range 40 {
		s.lock.Lock()
		ctx, cancel := context.WithCancel(s.t.Context())
		life := time.Duration(s.rnd.IntN(20_000)) * time.Millisecond
		if s.rnd.IntN(3) > 0 {
			life = time.Hour
		}
		act, n, pause := s.rnd.IntN(10), 1+s.rnd.IntN(9), time.Duration(s.rnd.IntN(1500))*time.Millisecond
		jobs := make([]Job, n)
		for i := range jobs {
			jobs[i] = s.job()
		}
		limits := s.limits()
		s.lock.Unlock()
		time.AfterFunc(life, cancel)
		switch {
		case act < 3:
			s.given += n
			wg.Go(func() { s.Run(ctx, jobs, told); cancel() })
		case act < 8:
			s.given += n
			for _, j := range jobs {
				s.Submit(ctx, j, told)
			}
		case act == 8:
			s.given++
			wg.Go(func() {
				if r := s.Do(ctx, jobs[0]); r.Device != jobs[0].Device.String() {
					s.t.Errorf("%s got the result of %s", jobs[0].Device, r.Device)
				}
				told(Final{Job: &jobs[0], Result: configs.Result{Device: jobs[0].Device.String()}, Tries: 1})
			})
		default:
			// What is under way beyond a lower limit may end first.
			s.SetLimits(Limits{All: 1, Site: 1, JumpHost: 1, Asked: 1})
			time.Sleep(4 * time.Second)
			s.lock.Lock()
			s.limit = limits
			s.lock.Unlock()
			s.SetLimits(limits)
		}
		time.Sleep(pause)
		synctest.Wait()
		s.stands()
	}
	wg.Wait()
	if err := s.Wait(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	synctest.Wait()
	s.over()
}

// stands looks for a job that could begin and does not.
func (s *storm) stands() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, chain := range s.known {
		var read *errand
		for x := chain; x != nil; x = x.twin {
			if x.state == reading {
				read = x
			}
		}
		for x := chain; x != nil; x = x.twin {
			switch x.state {
			case waiting:
				room := within(s.busy, s.Engine.Limits.All) && s.full(x.lane) == nil
				if x.job.Why == Asked {
					room = within(s.asked, s.Engine.Limits.Asked)
				}
				if room && read == nil {
					s.t.Errorf("%s waits for nothing: %v", x.id, x.job.Why)
				}
			case held:
				if read == nil && x.ctx.Err() == nil {
					s.t.Errorf("%s is held by nothing", x.id)
				}
			case riding:
				if read == nil || !slices.Contains(read.riders, x) || !read.job.Order.Serves(x.job.Order) {
					s.t.Errorf("%s rides on nothing", x.id)
				}
			case reading:
				if x != read {
					s.t.Errorf("%s is read twice", x.id)
				}
			case pausing:
			default:
				s.t.Errorf("%s is known in state %d", x.id, x.state)
			}
		}
	}
}

// over: every job has one last word, and nothing is left of any.
func (s *storm) over() {
	s.lock.Lock()
	defer s.lock.Unlock()
	for j, n := range s.tally {
		if n != 1 {
			s.t.Errorf("%s was told %d times", j.Device, n)
		}
	}
	if len(s.tally) != s.given {
		s.t.Errorf("%d of %d jobs were told", len(s.tally), s.given)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pick() // lanes in which nothing waits any more go
	left := []int{len(s.lanes), len(s.sites), len(s.hosts), len(s.customers), len(s.known), len(s.circles), s.busy, s.asked, s.open}
	if slices.Max(left) > 0 || slices.Min(left) < 0 || !s.ready.empty() || !s.urgent.empty() {
		s.t.Errorf("left behind: lanes, sites, hosts, customers, devices, circles, busy, asked, open: %v", left)
	}
	for w, c := range s.count {
		if c != [states]int{} {
			s.t.Errorf("%v is counted %v", Why(w), c)
		}
	}
}

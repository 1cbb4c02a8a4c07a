package fleet

import (
	"context"
	"sync"
	"time"

	"belay/configs"
	"belay/devices"
)

// An Engine captures devices for as long as the program runs. Capture is needed,
// and Now where there are Rests, Retry or jobs with an end; all fields are set
// before it is used.
type Engine struct {
	Limits  Limits // at first; see SetLimits
	Capture func(ctx context.Context, j Job) configs.Result
	Rests   *Rests          // nil: nothing rests
	Retry   []time.Duration // pauses before the second, third, … try of what may pass
	Now     func() time.Time

	mu        sync.Mutex
	busy      int // captures under way that were not asked for
	asked     int // and those that were
	open      int // jobs whose last word is not told yet
	idle      chan struct{}
	count     [Asked + 1][states]int
	serial    int64
	ready     turns // lanes that may begin
	urgent    turns // lanes of what a person asked for
	late      []*errand
	lanes     map[laneKey]*lane
	sites     map[string]*place
	hosts     map[string]*place
	customers map[string]*customer
	known     map[devices.ID]*errand
	circles   map[<-chan struct{}]*circle
}

// Run captures jobs and returns when each has its last word, which told was
// given, one call at a time. When ctx ends, what has not begun is told as
// interrupted, what pauses by its last result, and what is under way ends as its
// capture does. told is called while the capture still counts among those under
// way, so that a slow one does not let results pile up: it must not wait for
// another job. The jobs are not to be changed meanwhile.
func (e *Engine) Run(ctx context.Context, jobs []Job, told func(Final)) {
	if len(jobs) == 0 {
		return
	}
	r := &run{left: len(jobs), one: make(chan struct{}, 1), done: make(chan struct{})}
	errands := make([]errand, len(jobs))
	for i := range jobs {
		errands[i] = errand{job: &jobs[i], ctx: ctx, told: told, run: r}
	}
	e.dismiss(e.admit(errands))
	<-r.done
}

// Submit has a device captured and told of the last word, later and from another
// goroutine, under the terms of Run.
func (e *Engine) Submit(ctx context.Context, j Job, told func(Final)) {
	out := e.admit([]errand{{job: &j, ctx: ctx, told: told}})
	if len(out) > 0 {
		go e.dismiss(out)
	}
}

// Wait returns when nothing waits and nothing is under way.
func (e *Engine) Wait(ctx context.Context) error {
	e.mu.Lock()
	if e.open == 0 {
		e.mu.Unlock()
		return nil
	}
	if e.idle == nil {
		e.idle = make(chan struct{})
	}
	idle := e.idle
	e.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// SetLimits changes the limits. What is under way beyond a lower one ends as it
// would.
func (e *Engine) SetLimits(l Limits) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.Limits = l
	for _, p := range e.sites {
		e.call(p)
	}
	for _, p := range e.hosts {
		e.call(p)
	}
	e.pick()
}

// Stats are how many jobs are where.
type Stats struct {
	Waiting  map[Why]int // for a place, or for a reading of their device that is under way
	UnderWay map[Why]int // captures
	Retrying int         // that pause before they are tried again

	RestingDevices, RestingSites int
}

// Stats counts.
func (e *Engine) Stats() Stats {
	s := Stats{Waiting: map[Why]int{}, UnderWay: map[Why]int{}}
	e.mu.Lock()
	for w := Nightly; w <= Asked; w++ {
		c := &e.count[w]
		s.Waiting[w] = c[waiting] + c[held] + c[riding]
		s.UnderWay[w] = c[reading]
		s.Retrying += c[pausing]
	}
	e.mu.Unlock()
	if e.Rests != nil {
		s.RestingDevices, s.RestingSites = e.Rests.count()
	}
	return s
}

// Again is when the next of those that pause is tried again; zero: none pauses.
func (e *Engine) Again() (first time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, x := range e.known {
		for ; x != nil; x = x.twin {
			if x.state == pausing && (first.IsZero() || x.until.Before(first)) {
				first = x.until
			}
		}
	}
	return first
}

// admit lets errands in and begins what may begin. It returns those that are
// over at once, which are to be dismissed: they rest, or nobody waits any more.
func (e *Engine) admit(errands []errand) (out []*errand) {
	wary := map[string]bool{}
	for i := range errands {
		x := &errands[i]
		d := &x.job.Device
		x.id, x.site = d.ID(), d.SiteKey()
		if e.Rests == nil || x.job.Why == Asked || x.ctx.Err() != nil {
			continue
		}
		// What cannot be read is told when its turn has come.
		if found, err := e.Rests.find(x.ctx, d); err == nil {
			x.doubt = found.device != nil
			if found.resting != nil {
				r := found.result(*d)
				x.result = &r
			}
			wary[x.site] = wary[x.site] || found.wary
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.prepare()
	e.open += len(errands)
	for i := range errands {
		x := &errands[i]
		if x.result != nil || x.ctx.Err() != nil {
			x.state = ended
			out = append(out, x)
			continue
		}
		x.twin = e.known[x.id]
		e.known[x.id] = x
		e.join(x)
		e.queue(x, wary[x.site])
	}
	e.pick()
	return out
}

func (e *Engine) prepare() {
	if e.lanes != nil {
		return
	}
	e.lanes, e.customers = map[laneKey]*lane{}, map[string]*customer{}
	e.sites, e.hosts = map[string]*place{}, map[string]*place{}
	e.known, e.circles = map[devices.ID]*errand{}, map[<-chan struct{}]*circle{}
}

// queue sends x to where it waits. A reading that began before something
// triggered x may not show what changed.
func (e *Engine) queue(x *errand, wary bool) {
	if r := e.reader(x.id); r != nil {
		if x.job.Why != Triggered && r.job.Order.Serves(x.job.Order) {
			e.ride(x, r)
		} else {
			e.move(x, held)
		}
		return
	}
	e.move(x, waiting)
	e.enlist(x, wary)
}

// reader is the errand for which the device is being read, nil where it is not.
func (e *Engine) reader(id devices.ID) *errand {
	for x := e.known[id]; x != nil; x = x.twin {
		if x.state == reading {
			return x
		}
	}
	return nil
}

// ride lets the reading for r serve x too.
func (e *Engine) ride(x, r *errand) {
	switch x.state {
	case waiting:
		x.lane.remove(x)
	case pausing:
		x.timer.Stop()
	}
	e.move(x, riding)
	r.riders = append(r.riders, x)
}

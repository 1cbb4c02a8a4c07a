package fleet

import (
	"context"
	"time"

	"belay/configs"
	"belay/devices"
)

// An errand is a job on its way through the engine.
type errand struct {
	job    *Job
	ctx    context.Context
	told   func(Final)
	run    *run // it belongs to; nil: nobody waits for it
	id     devices.ID
	site   string
	state  state
	tries  int
	broke  bool                         // was tried again after something broke
	doubt  bool                         // its login was refused the last time
	result *configs.Result              // of the last try
	timer  *time.Timer                  // of its pause
	until  time.Time                    // its pause lasts
	riders []*errand                    // that the reading under way serves too
	circle *circle                      // whose context ends with its own
	next   *errand                      // in its lane
	prev   *errand                      //
	lane   *lane                        // it waits in
	twin   *errand                      // another one of the same device
	mates  struct{ next, prev *errand } // in its circle
}

// A state is where an errand is.
type state uint8

const (
	fresh   state = iota // not yet let in
	waiting              // in its lane
	held                 // until the reading of its device that is under way, and does not serve it, is over
	riding               // served by the reading under way
	pausing              // until it is tried again
	reading              // under way
	ended                // its last word is told, or about to be
	states
)

// A run is what somebody waits for the end of.
type run struct {
	one  chan struct{} // holds one while a result is told
	left int           // errands that have not ended
	done chan struct{}
}

// A circle is the errands whose contexts end at the same moment: ten thousand of
// them have one watcher.
type circle struct {
	first *errand
	stop  func() bool
}

// join puts x into the circle of its context.
func (e *Engine) join(x *errand) {
	done := x.ctx.Done()
	if done == nil {
		return
	}
	c := e.circles[done]
	if c == nil {
		c = &circle{}
		e.circles[done] = c
		c.stop = context.AfterFunc(x.ctx, func() { e.dissolve(c) })
	}
	x.circle = c
	if x.mates.next = c.first; c.first != nil {
		c.first.mates.prev = x
	}
	c.first = x
}

// part takes x out of its circle. The last one ends it.
func (e *Engine) part(x *errand) {
	c := x.circle
	if c == nil {
		return
	}
	if x.mates.prev != nil {
		x.mates.prev.mates.next = x.mates.next
	} else {
		c.first = x.mates.next
	}
	if x.mates.next != nil {
		x.mates.next.mates.prev = x.mates.prev
	}
	x.circle, x.mates.next, x.mates.prev = nil, nil, nil
	if c.first == nil {
		c.stop()
		if done := x.ctx.Done(); e.circles[done] == c {
			delete(e.circles, done)
		}
	}
}

// dissolve ends the errands of a circle that are not under way.
func (e *Engine) dissolve(c *circle) {
	e.mu.Lock()
	var out []*errand
	for x := c.first; x != nil; {
		next := x.mates.next
		if x.state != reading {
			e.conclude(x)
			out = append(out, x)
		}
		x = next
	}
	e.pick()
	e.mu.Unlock()
	e.dismiss(out)
}

// dismiss tells what became of errands that will not be tried any more: their
// last result, or that they were left out.
func (e *Engine) dismiss(out []*errand) {
	for _, x := range out {
		if x.result == nil {
			why := x.ctx.Err()
			if why == nil {
				why = errLate
			}
			r := leftOut(x.job.Device, why)
			x.result = &r
		}
		e.tell(x)
		e.mu.Lock()
		e.close(x)
		e.mu.Unlock()
	}
}

// tell gives the last word.
func (e *Engine) tell(x *errand) {
	if x.run != nil {
		x.run.one <- struct{}{}
		defer func() { <-x.run.one }()
	}
	x.told(Final{Result: *x.result, Job: x.job, Tries: x.tries})
}

// conclude takes x out of wherever it waits. Nothing but its telling is left.
func (e *Engine) conclude(x *errand) {
	switch x.state {
	case waiting:
		x.lane.remove(x)
	case pausing:
		x.timer.Stop()
	}
	e.move(x, ended)
	e.part(x)
	if first := e.known[x.id]; first == x {
		if x.twin == nil {
			delete(e.known, x.id)
		} else {
			e.known[x.id] = x.twin
		}
	} else {
		for ; first != nil; first = first.twin {
			if first.twin == x {
				first.twin = x.twin
				break
			}
		}
	}
	x.twin = nil
}

// close lets go of whoever waits for x, which was told.
func (e *Engine) close(x *errand) {
	if x.run != nil {
		if x.run.left--; x.run.left == 0 {
			close(x.run.done)
		}
	}
	if e.open--; e.open == 0 && e.idle != nil {
		close(e.idle)
		e.idle = nil
	}
}

// move puts x into another state and keeps count.
func (e *Engine) move(x *errand, to state) {
	if x.state != fresh {
		e.count[x.job.Why][x.state]--
	}
	x.state = to
	if to != ended {
		e.count[x.job.Why][to]++
	}
}

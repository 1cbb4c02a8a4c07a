package fleet

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"belay/configs"
	"belay/devices"
)

// pick begins all that may begin now.
func (e *Engine) pick() {
	for within(e.asked, e.Limits.Asked) {
		x := e.choose(&e.urgent)
		if x == nil {
			break
		}
		e.asked++
		e.begin(x)
	}
	for within(e.busy, e.Limits.All) {
		x := e.choose(&e.ready)
		if x == nil {
			break
		}
		e.busy++
		e.begin(x)
	}
	if len(e.late) > 0 {
		go e.dismiss(e.late)
		e.late = nil
	}
}

func within(n, limit int) bool { return limit <= 0 || n < limit }

// begin reads x's device, for all that wait for it and are content with that.
func (e *Engine) begin(x *errand) {
	e.move(x, reading)
	for y := e.known[x.id]; y != nil; y = y.twin {
		if y != x && (y.state == waiting || y.state == held || y.state == pausing) && x.job.Order.Serves(y.job.Order) {
			e.ride(y, x)
		}
	}
	go e.fly(x)
}

// fly takes x's reading and tells all whom it serves. Its site and its jump hosts
// are free before that, its place among all after.
func (e *Engine) fly(x *errand) {
	l, asked := x.lane, x.job.Why == Asked
	r, read := e.read(x)
	e.mu.Lock()
	told := e.land(x, l, r, read)
	e.mu.Unlock()
	e.dismiss(told)
	e.mu.Lock()
	defer e.mu.Unlock()
	if asked {
		e.asked--
	} else {
		e.busy--
	}
	e.vacate(l)
	e.pick()
}

// read captures x's device, unless it rests.
func (e *Engine) read(x *errand) (r configs.Result, read bool) {
	d := &x.job.Device
	if e.Rests == nil {
		return e.Capture(x.ctx, *x.job), true
	}
	if x.job.Why != Asked {
		found, err := e.Rests.find(x.ctx, d)
		switch {
		case err != nil && x.ctx.Err() != nil && x.result != nil:
			return *x.result, false
		case err != nil && x.ctx.Err() != nil:
			return leftOut(*d, x.ctx.Err()), false
		case err != nil: // who does not know what rests tries no login
			r := configs.Result{Device: d.String(), ID: x.id, Result: configs.Failed, Checks: []configs.Check{}}
			r.Err = &devices.Error{Kind: devices.KindOf(err), Op: "find out whether it rests:", Device: r.Device, Err: err}
			r.Error, r.Hint = r.Err.Error(), devices.HintOf(err)
			return r, false
		case found.resting != nil:
			return found.result(*d), false
		}
	}
	r = e.Capture(x.ctx, *x.job)
	// On disk before the next device of the site is tried.
	var err error
	switch ctx := context.WithoutCancel(x.ctx); {
	case refusedLogin(r):
		err = e.Rests.Refused(ctx, *d, r.Err)
	case loggedIn(r):
		err = e.Rests.Worked(ctx, *d)
	}
	if err != nil {
		r.Warnings = append(r.Warnings[:len(r.Warnings):len(r.Warnings)], err.Error())
	}
	return r, true
}

// land lets go of the device, its site and its jump hosts after a reading, and
// returns those whose last word r is, what a person asked for first.
func (e *Engine) land(x *errand, l *lane, r configs.Result, read bool) (told []*errand) {
	if p := e.sites[x.site]; p != nil && read && e.Rests != nil {
		p.wary = refusedLogin(r) || p.wary && !loggedIn(r)
		e.call(p)
	}
	riders := append(x.riders, x)
	x.riders = nil
	stopped := r.Err != nil && x.ctx.Err() != nil
	var asked, others []*errand
	for _, y := range riders {
		switch {
		case y != x && y.state != riding: // its context has ended
			continue
		case y != x && (stopped || !read):
			e.move(y, held)
			continue
		}
		if read {
			y.tries++
		}
		y.result = &r
		if pause, again := e.again(y, r); again {
			e.pause(y, pause)
			continue
		}
		e.conclude(y)
		if y.job.Why == Asked {
			asked = append(asked, y)
		} else {
			others = append(others, y)
		}
	}
	for y := e.known[x.id]; y != nil; y = y.twin {
		if y.state == held {
			e.queue(y, false)
		}
	}
	e.leave(l)
	e.pick()
	return append(asked, others...)
}

// again tells whether x is tried once more, and after what pause. A refusal of
// whatever kind would be the same the next time; what broke is tried once more.
func (e *Engine) again(x *errand, r configs.Result) (time.Duration, bool) {
	n := x.tries - 1
	if r.Err == nil || x.job.Why == Asked || x.job.Once || n < 0 || n >= len(e.Retry) || x.ctx.Err() != nil ||
		errors.Is(r.Err, context.Canceled) || r.Result == configs.Kept || r.Result == configs.Unchanged {
		return 0, false
	}
	switch devices.KindOf(r.Err) {
	case devices.Unreachable:
	case devices.Broken:
		if x.broke {
			return 0, false
		}
		x.broke = true
	default:
		return 0, false
	}
	// A fleet that lost its line together does not come back in one moment.
	pause := e.Retry[n] + rand.N(e.Retry[n]/4+1)
	end, ok := x.ctx.Deadline()
	if until := x.job.Until; !until.IsZero() && (!ok || until.Before(end)) {
		end, ok = until, true
	}
	return pause, !ok || e.Now().Add(pause).Before(end)
}

// pause has x wait, without a place, until it is tried again.
func (e *Engine) pause(x *errand, d time.Duration) {
	e.move(x, pausing)
	x.until = e.Now().Add(d)
	var t *time.Timer
	t = time.AfterFunc(d, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		if x.state == pausing && x.timer == t {
			e.queue(x, false)
			e.pick()
		}
	})
	x.timer = t
}

// tooLate tells whether x's time is over.
func (e *Engine) tooLate(x *errand) bool {
	return !x.job.Until.IsZero() && e.Now().After(x.job.Until)
}

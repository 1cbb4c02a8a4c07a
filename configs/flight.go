package configs

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"belay/devices"
)

// A flight is a capture under way that others may wait for.
type flight struct {
	order   Order
	done    chan struct{}
	result  Result
	stopped bool // ended because whoever ordered it went away
}

// Serves tells whether a capture by o is what p asks for too. One that belongs
// to a change, or that a person vouches for, is never replaced by a plain one.
func (o Order) Serves(p Order) bool {
	o.By, p.By = Person{}, Person{}
	return reflect.DeepEqual(p, o) || reflect.DeepEqual(p, Order{})
}

// Capture reads one device and keeps what is whole. It does not fail but tells
// in the result what happened.
func (b *Backup) Capture(ctx context.Context, d devices.Device, o Order) Result {
	for {
		f, mine := b.board(d.ID(), o)
		if mine {
			return b.fly(ctx, d, f, func() Result { return b.capture(ctx, d, o) })
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return failure(Result{Device: d.String(), ID: d.ID()}, ctx.Err())
		}
		if f.order.Serves(o) && !f.stopped {
			return f.result
		}
	}
}

// board finds the capture of a device that is under way, or begins one.
func (b *Backup) board(id devices.ID, o Order) (f *flight, mine bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if f, ok := b.flying[id]; ok {
		return f, false
	}
	if b.flying == nil {
		b.flying = map[devices.ID]*flight{}
	}
	f = &flight{order: o, done: make(chan struct{})}
	b.flying[id] = f
	return f, true
}

// fly takes a configuration, records that, and lets go of those who wait.
func (b *Backup) fly(ctx context.Context, d devices.Device, f *flight, take func() Result) Result {
	f.stopped = true // unless it comes to its end
	defer func() {
		b.mu.Lock()
		delete(b.flying, d.ID())
		b.mu.Unlock()
		close(f.done)
	}()
	began := b.Now()
	r := take()
	r.Seconds = b.Now().Sub(began).Round(time.Millisecond).Seconds()
	row := Checked{ID: d.ID(), At: began, Result: r.Result, Commit: r.Version, Error: r.Error, Seconds: r.Seconds, Verified: r.Verified}
	if err := b.CheckLog.Checked(context.WithoutCancel(ctx), row); err != nil {
		r = unrecorded(r, err)
	}
	f.result, f.stopped = r, ctx.Err() != nil && r.Err != nil
	return r
}

// unrecorded is a result that the check log would not take. What else was wrong
// is told besides; a damaged store stays one.
func unrecorded(r Result, err error) Result {
	kind := devices.KindOf(err)
	if r.Err != nil {
		if devices.KindOf(r.Err) == devices.Damaged {
			kind = devices.Damaged
		}
		err = fmt.Errorf("%w; besides: %w", err, r.Err)
	}
	r = failure(r, &devices.Error{Kind: kind, Op: "record the reading of", Device: r.Device, Err: err})
	r.Result = Failed
	return r
}

package outbox

import (
	"context"
	"errors"
	"sync"
	"time"

	"belay/configs"
)

// Drain brings all letters that are due by a time, urgent ones first, so many to
// each system at once. A system that fails several times in a row is left for
// another run. Progress, which may be nil, is told how many have been tried and
// how many are left, one call at a time. What could not be brought is no error
// of Drain: the letters say why, and when they are due again.
func (o *Office) Drain(ctx context.Context, due time.Time, progress func(done, left int)) error {
	waiting := map[string][]int64{}
	left := 0
	for l, err := range o.Outbox.Letters(ctx, configs.LetterFilter{Waiting: true, DueBy: due}) {
		if err != nil {
			return err
		}
		waiting[l.To] = append(waiting[l.To], l.ID)
		left++
	}
	r := &run{office: o, due: due, progress: progress, left: left}
	ctx, r.stop = context.WithCancelCause(ctx)
	defer r.stop(nil)
	var wg sync.WaitGroup
	for name, ids := range waiting {
		queue := make(chan int64, len(ids))
		for _, id := range ids {
			queue <- id
		}
		close(queue)
		for range min(o.parallel(), len(ids)) {
			wg.Go(func() { r.work(ctx, name, queue) })
		}
	}
	wg.Wait()
	return context.Cause(ctx)
}

// A run is one Drain.
type run struct {
	office   *Office
	due      time.Time
	progress func(done, left int)
	stop     context.CancelCauseFunc // the outbox itself has failed

	mu         sync.Mutex
	done, left int
}

func (r *run) work(ctx context.Context, name string, queue <-chan int64) {
	o := r.office
	for id := range queue {
		if ctx.Err() != nil || o.Enough != nil && o.Enough() || o.dock(name).rests(o.Now()) != nil {
			return
		}
		// Somebody else may have tried it since the list was made.
		_, ok, err := o.deliver(ctx, id, func(l configs.Letter) bool { return l.IsDue(r.due) })
		if !ok && err != nil && !errors.Is(err, ctx.Err()) {
			r.stop(err)
			return
		}
		r.count()
	}
}

func (r *run) count() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done++
	r.left--
	if r.progress != nil {
		r.progress(r.done, r.left)
	}
}

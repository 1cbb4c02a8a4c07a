package git

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"belay/configs"
)

// What one flush takes at most: memory is bounded by it.
const (
	flushCommits = 500
	flushBytes   = 64 << 20
)

// lockPatience is how long a flush waits for another process's flush.
const lockPatience = time.Minute

// submit hands req to the repository's flusher and waits. Whoever comes first
// starts it; it writes for all that wait, one pack and one move of the branch at a
// time, and ends when nobody does. A canceled caller gets his error at once, and
// no answer whether it was still written.
func (r *repo) submit(ctx context.Context, req *request) (configs.Version, error) {
	r.mu.Lock()
	r.waiting = append(r.waiting, req)
	if !r.flushing {
		r.flushing = true
		go r.flushAll(context.WithoutCancel(ctx))
	}
	r.mu.Unlock()
	select {
	case a := <-req.answer:
		return a.version, a.err
	case <-ctx.Done():
		r.mu.Lock()
		r.waiting = slices.DeleteFunc(r.waiting, func(q *request) bool { return q == req })
		r.mu.Unlock()
		return configs.Version{}, ctx.Err()
	}
}

func (r *repo) flushAll(ctx context.Context) {
	for {
		batch := r.batch()
		if batch == nil {
			return
		}
		answers, err := r.flush(ctx, batch)
		for i, q := range batch {
			if err != nil {
				q.answer <- answer{err: err}
			} else {
				q.answer <- answers[i]
			}
		}
	}
}

// batch takes the next ones from the queue; nil ends the flusher.
func (r *repo) batch() []*request {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, size := 0, 0
	for n < len(r.waiting) && n < flushCommits && (n == 0 || size < flushBytes) {
		for _, t := range r.waiting[n].snap.Texts {
			size += t.Clean.Len()
		}
		for _, o := range r.waiting[n].snap.Originals {
			size += len(o.Bytes)
		}
		n++
	}
	if n == 0 {
		r.flushing = false
		return nil
	}
	batch := r.waiting[:n:n]
	r.waiting = r.waiting[n:]
	return batch
}

// flush keeps a batch: all of it or, with an error, nothing of it. One request
// may still fail for itself.
func (r *repo) flush(ctx context.Context, batch []*request) (answers []answer, err error) {
	ctx, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	if err := r.create(ctx); err != nil {
		return nil, err
	}
	l, err := r.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err = errors.Join(err, l.unlock()); err != nil {
			r.remember(nil) // what is on disk is looked up anew
		}
	}()
	was, err := r.current(ctx)
	if err != nil {
		return nil, err
	}
	if !was.durable { // another process's work, or an interrupted one's
		if err := r.secure(); err != nil {
			return nil, fmt.Errorf("sync what is there: %w", err)
		}
	}
	st := was.clone()
	st.durable = true
	var items []item
	for _, q := range batch {
		made, v, err := st.add(q, r.now())
		items = append(items, made...)
		answers = append(answers, answer{v, err})
	}
	if len(items) > 0 {
		if err := r.writePack(items); err != nil {
			return nil, err
		}
		if err := r.moveHead(ctx, l, was.head, st.head); err != nil {
			return nil, err
		}
	}
	r.remember(st)
	return answers, nil
}

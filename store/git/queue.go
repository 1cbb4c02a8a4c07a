package git

import (
	"context"
	"slices"
	"sync"
	"time"
)

// A queue lets one goroutine do at once what many wait for: commits share a pack
// and a move of the branch, proofs a push, readings an opening. The goroutine
// lives while somebody waits.
type queue[T comparable] struct {
	gather time.Duration // waited behind a batch of several, for more to come

	mu      sync.Mutex
	waiting []T
	busy    bool
}

// put adds x. Serve is called with the first take(waiting) of those who wait, one
// batch after the other; who comes while a batch is served is in a later one.
func (q *queue[T]) put(x T, take func([]T) int, serve func([]T)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, x)
	if !q.busy {
		q.busy = true
		go q.run(take, serve)
	}
}

func (q *queue[T]) run(take func([]T) int, serve func([]T)) {
	for {
		q.mu.Lock()
		if len(q.waiting) == 0 {
			q.busy = false
			q.mu.Unlock()
			return
		}
		n := take(q.waiting)
		batch := q.waiting[:n:n]
		q.waiting = slices.Clone(q.waiting[n:])
		q.mu.Unlock()
		serve(batch)
		if n > 1 {
			time.Sleep(q.gather)
		}
	}
}

// leave takes x back, if its batch has not begun.
func (q *queue[T]) leave(x T) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = slices.DeleteFunc(q.waiting, func(y T) bool { return x == y })
}

func everyone[T any](waiting []T) int { return len(waiting) }

// wait is the answer, or the context's error as soon as there is one.
func wait[T comparable, A any](ctx context.Context, q *queue[T], x T, answers <-chan A) (A, error) {
	select {
	case a := <-answers:
		return a, nil
	case <-ctx.Done():
		q.leave(x)
		var none A
		return none, ctx.Err()
	}
}

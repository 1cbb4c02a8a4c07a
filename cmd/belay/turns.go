package main

import (
	"context"
	"runtime"
	"sync"
	"time"
)

// courtesy is how long a capture of the night waits, each time its turn comes, while
// a person waits for another one. The night goes on all the same, more slowly, while
// there is always somebody.
const courtesy = time.Second

// turns lets as many captures at once work as there are processors to spare, and
// those that no person waits for only when none does, or after a while.
type turns struct {
	places chan struct{}

	mu     sync.Mutex
	people int           // captures under way that persons wait for
	alone  chan struct{} // closed when the last of them has ended
}

func newTurns() *turns {
	return &turns{places: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)-1))}
}

// wait waits for a turn; done gives it up again.
func (t *turns) wait(ctx context.Context) (done func()) {
	if aPersonWaits(ctx) {
		return func() {}
	}
	t.stepBack(ctx)
	t.places <- struct{}{}
	return func() { <-t.places }
}

// stepBack waits while a person waits, no longer than courtesy asks.
func (t *turns) stepBack(ctx context.Context) {
	t.mu.Lock()
	alone := t.alone
	t.mu.Unlock()
	if alone == nil {
		return
	}
	select {
	case <-alone:
	case <-time.After(courtesy):
	case <-ctx.Done():
	}
}

// aPerson is a capture that a person waits for, until it has ended.
func (t *turns) aPerson(ctx context.Context) (_ context.Context, ended func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.people++; t.people == 1 {
		t.alone = make(chan struct{})
	}
	return context.WithValue(ctx, waited{}, true), func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.people--; t.people == 0 {
			close(t.alone)
			t.alone = nil
		}
	}
}

// waited is the key of what says that a person waits for a capture.
type waited struct{}

// aPersonWaits tells whether ctx belongs to a capture that waits for no other.
func aPersonWaits(ctx context.Context) bool { return ctx.Value(waited{}) != nil }

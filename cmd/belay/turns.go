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

// spacing is how far apart those that have waited go on: two hundred at once would
// take the processors from whoever asks next.
const spacing = 10 * time.Millisecond // of one processor

// turns lets as many captures at once work as there are processors to spare, and
// those that no person waits for only when none does, or after a while.
type turns struct {
	places  chan struct{}
	spacing time.Duration

	mu     sync.Mutex
	people int           // captures under way that persons wait for
	alone  chan struct{} // closed when the last of them has ended
	next   time.Time     // when the next of those that have waited goes on
}

func newTurns() *turns {
	n := runtime.GOMAXPROCS(0)
	return &turns{places: make(chan struct{}, max(1, n-1)), spacing: spacing / time.Duration(n)}
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

// stepBack waits while a person waits, no longer than courtesy asks, and then until
// those that have waited longer have gone on.
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
	t.mu.Lock()
	now := time.Now()
	if t.next.Before(now) {
		t.next = now
	}
	wait := t.next.Sub(now)
	t.next = t.next.Add(t.spacing)
	t.mu.Unlock()
	select {
	case <-time.After(wait):
	case <-ctx.Done():
	}
}

// somebodyWaits tells whether a person waits for a capture now.
func (t *turns) somebodyWaits() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.people > 0
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

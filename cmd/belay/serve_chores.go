package main

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"belay/devices"
)

// A chore is what the service does from time to time beside capturing. One that
// fails is told of and done again at its next time.
type chore struct {
	name  string
	every time.Duration
	do    func(ctx context.Context, w *workspace) error
}

// chores runs chores, each in turn with itself only, and remembers what failed.
type chores struct {
	mu     sync.Mutex
	failed map[string]failedChore
	done   map[string]time.Time // when each last ended, well or not
}

type failedChore struct {
	err  error
	told time.Time
}

// again is how long the same failure of a chore is not told anew.
const again = time.Hour

// run does a chore once.
func (c *chores) run(ctx context.Context, s *server, k chore) {
	err := s.guarded(func() error {
		w, leave := s.live.use()
		defer leave()
		return k.do(ctx, w)
	})
	if ctx.Err() != nil {
		return // the service ends: what was cut off is no failure
	}
	now := s.p.now()
	c.mu.Lock()
	c.done[k.name] = now
	before, failing := c.failed[k.name]
	tells := err != nil && (!failing || before.err.Error() != err.Error() || now.Sub(before.told) >= again)
	switch {
	case err == nil:
		delete(c.failed, k.name)
	case tells:
		c.failed[k.name] = failedChore{err, now}
	}
	c.mu.Unlock()
	switch {
	case tells:
		s.log.Error(k.name, "error", tame(err.Error()), "hint", tame(devices.HintOf(err)))
	case err == nil && failing:
		s.log.Info(k.name + " works again")
	}
}

// last is when a chore last ended.
func (c *chores) last(name string) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.done[name]
}

// failures are the chores whose last try failed.
func (c *chores) failures() map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	said := map[string]string{}
	for name, f := range c.failed {
		said[name] = tame(f.err.Error())
	}
	return said
}

// guarded turns a panic into an error: what a device or a service over there
// sends must not end the captures of all others.
func (s *server) guarded(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			s.log.Error("a fault in Belay itself", "panic", tame(fmt.Sprint(r)), "stack", string(debug.Stack()))
			err = errors.New("a fault in Belay itself; the log has more")
		}
	}()
	return f()
}

// start runs the chores until ctx ends.
func (s *server) start(ctx context.Context, wg *sync.WaitGroup, list []chore) {
	for _, k := range list {
		wg.Go(func() {
			t := time.NewTicker(k.every)
			defer t.Stop()
			for {
				s.chores.run(ctx, s, k)
				select {
				case <-t.C:
				case <-ctx.Done():
					return
				}
			}
		})
	}
}

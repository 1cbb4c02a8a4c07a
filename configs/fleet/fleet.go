// Package fleet captures many devices at once: so many in all, so many at a
// site, the sites in turn, so that a dead site delays nobody else.
package fleet

import (
	"context"
	"sync"

	"belay/configs"
	"belay/devices"
)

// Limits are the most captures under way at once; 0 means no limit.
type Limits struct {
	All  int
	Site int // at one site; a device without a site is a site of its own
}

// Capture is what is done to each device; see configs.Backup.
type Capture func(ctx context.Context, d devices.Device) configs.Result

// A queue hands out devices, the sites in turn.
type queue struct {
	mu    sync.Mutex
	ready *sync.Cond
	limit Limits
	sites []*site // those that still have devices waiting
	next  int
	left  int // devices not handed out
}

type site struct {
	waiting []devices.Device
	busy    int
}

func newQueue(list []devices.Device, limit Limits) *queue {
	q := &queue{limit: limit, left: len(list)}
	q.ready = sync.NewCond(&q.mu)
	byKey := map[string]*site{}
	for _, d := range list {
		s := byKey[d.SiteKey()]
		if s == nil {
			s = &site{}
			byKey[d.SiteKey()] = s
			q.sites = append(q.sites, s)
		}
		s.waiting = append(s.waiting, d)
	}
	return q
}

// take waits for a device whose site has room. ok is false when none is left
// or ctx has ended.
func (q *queue) take(ctx context.Context) (d devices.Device, s *site, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.left > 0 && ctx.Err() == nil {
		for i := range q.sites {
			at := (q.next + i) % len(q.sites)
			s := q.sites[at]
			if q.limit.Site > 0 && s.busy >= q.limit.Site {
				continue
			}
			d, s.waiting = s.waiting[0], s.waiting[1:]
			s.busy++
			q.left--
			q.next = at + 1
			if len(s.waiting) == 0 {
				q.sites = append(q.sites[:at], q.sites[at+1:]...)
				q.next = at
			}
			if len(q.sites) > 0 {
				q.next %= len(q.sites)
			}
			return d, s, true
		}
		q.ready.Wait()
	}
	q.ready.Broadcast()
	return d, nil, false
}

func (q *queue) done(s *site) {
	q.mu.Lock()
	s.busy--
	q.mu.Unlock()
	q.ready.Broadcast()
}

// wake makes those who wait look again. The lock keeps it from falling between
// their look and their wait.
func (q *queue) wake() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ready.Broadcast()
}

// Run captures every device of list and tells each result as it comes, one call
// at a time. When ctx ends, devices not yet begun are left out and those under
// way end as their capture does.
func Run(ctx context.Context, list []devices.Device, limit Limits, capture Capture, told func(configs.Result)) {
	workers := limit.All
	if workers <= 0 || workers > len(list) {
		workers = len(list)
	}
	q := newQueue(list, limit)
	var wg sync.WaitGroup
	var one sync.Mutex
	for range workers {
		wg.Go(func() {
			for {
				d, s, ok := q.take(ctx)
				if !ok {
					return
				}
				r := capture(ctx, d)
				q.done(s)
				one.Lock()
				told(r)
				one.Unlock()
			}
		})
	}
	stop := context.AfterFunc(ctx, q.wake)
	wg.Wait()
	stop()
}

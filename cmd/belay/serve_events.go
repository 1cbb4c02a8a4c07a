package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"belay/configs"
	"belay/configs/fleet"
	"belay/configs/watch"
	"belay/devices"
)

// ears are what hears of changes between the nights (syslog, traps, questions by
// SNMP), and what calls the address outside. They begin anew when the settings change.
type ears struct {
	mu      sync.Mutex
	hearing *hearing
	stop    func()
	before  map[string]float64 // the messages of those that were closed

	why  sync.Mutex
	deaf error // why nothing is heard that should be; see hearAgain

	counting sync.Mutex
	begun    map[string]int // captures of what was heard that have not ended, by what remembers them
}

// hear opens the ears of a workspace's settings and closes those before. What
// cannot be opened is told, and does not hold up the nights. The ears hold the
// workspace for as long as they are open.
func (s *server) hear(ctx context.Context) {
	s.events.close()
	w, leave := s.live.use()
	h, deaf := w.openEvents(ctx, func(t watch.Trigger) { s.triggered(ctx, t) }, w.alarms, func(err error) { s.log.Error("events", "error", tame(err.Error())) })
	if err := s.tellDeaf(ctx, w, deaf); err != nil {
		s.log.Error("alarms", "error", tame(err.Error()))
	}
	// What was triggered goes on when the ears are closed: the service need not end.
	open, cancel := context.WithCancel(ctx)
	var ended sync.WaitGroup
	ended.Go(func() { s.deadManRuns(open, w) })
	if h != nil {
		h.watch.Begun = s.events.hasBegun
		ended.Go(func() {
			if err := s.guarded(func() error { return h.Run(open) }); open.Err() == nil {
				err = errors.Join(errors.New("the hearing ended"), err)
				s.log.Error("changes between the nights are not heard of any more", "error", tame(err.Error()))
				s.events.broke(err)
			}
		})
	}
	s.events.mu.Lock()
	defer s.events.mu.Unlock()
	s.events.hearing = h
	s.events.stop = func() {
		cancel()
		ended.Wait()
		leave()
	}
}

// tellDeaf raises an alarm where changes are not heard of, and ends it where they are.
func (s *server) tellDeaf(ctx context.Context, w *workspace, deaf error) error {
	before := s.events.whyDeaf()
	s.events.broke(deaf)
	a := configs.Alarm{Cause: configs.AlarmService, Key: "events", What: "changes between the nights are not heard of", Hint: "belay doctor", At: s.p.now()}
	if deaf == nil {
		return w.alarms.Clear(ctx, a)
	}
	if before == nil || before.Error() != deaf.Error() {
		s.log.Error("changes between the nights are not heard of", "error", tame(deaf.Error()), "hint", tame(devices.HintOf(deaf)))
	}
	return w.alarms.Raise(ctx, a)
}

// hearAgain opens what could not be opened or has ended: a port that was taken,
// a database that was locked.
func (s *server) hearAgain(ctx context.Context, _ *workspace) error {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	if s.events.whyDeaf() != nil {
		s.hear(ctx)
	}
	return s.events.whyDeaf()
}

// triggered has a device captured that seems to have changed.
func (s *server) triggered(ctx context.Context, t watch.Trigger) {
	by := t.By
	if by.Name == "" {
		w, leave := s.live.use()
		by = w.by
		leave()
	}
	s.log.Info("a device reports a change", "device", t.Device.String(), "by", tame(by.Name), "why", tame(t.Why))
	s.events.begins(t.Mark, 1)
	s.engine.Submit(ctx, fleet.Job{Device: t.Device, Order: configs.Order{By: by}, Why: fleet.Triggered}, func(f fleet.Final) {
		s.log.Info("captured after a change", "device", f.Device, "result", string(f.Result.Result), "error", tame(f.Error))
		s.recordTriggered(context.WithoutCancel(ctx), by, f.Result)
		s.forgetTriggered(ctx, t, f.Result)
		s.nudge()
	})
}

// forgetTriggered ends what remembers a trigger, once its capture has ended. One
// that was cut off by the end of the service, or was to be tried again, is the next
// service's.
func (s *server) forgetTriggered(ctx context.Context, t watch.Trigger, r configs.Result) {
	w, leave := s.live.use()
	defer leave()
	defer s.events.begins(t.Mark, -1)
	if errors.Is(r.Err, context.Canceled) || r.Err != nil && ctx.Err() != nil {
		return
	}
	if err := watch.Ended(context.WithoutCancel(ctx), w.ledger, t.Mark); err != nil {
		s.log.Error("events", "error", tame(err.Error()))
	}
}

// begins counts the captures under way that a mark remembers.
func (e *ears) begins(m configs.Mark, n int) {
	e.counting.Lock()
	defer e.counting.Unlock()
	if e.begun == nil {
		e.begun = map[string]int{}
	}
	key := m.Key + "\x00" + string(m.Value)
	if e.begun[key] += n; e.begun[key] <= 0 {
		delete(e.begun, key)
	}
}

func (e *ears) hasBegun(m configs.Mark) bool {
	e.counting.Lock()
	defer e.counting.Unlock()
	return e.begun[m.Key+"\x00"+string(m.Value)] > 0
}

// broke notes why nothing is heard; nil: all is.
func (e *ears) broke(err error) {
	e.why.Lock()
	defer e.why.Unlock()
	e.deaf = err
}

func (e *ears) whyDeaf() error {
	e.why.Lock()
	defer e.why.Unlock()
	return e.deaf
}

// close stops listening and returns when nothing listens any more.
func (e *ears) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stop == nil {
		return
	}
	e.stop()
	e.before = e.sum()
	e.stop, e.hearing = nil, nil
}

// counts are the messages since the start by what became of them.
func (e *ears) counts() map[string]float64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.sum()
}

func (e *ears) sum() map[string]float64 {
	sum := map[string]float64{}
	for what, n := range e.before {
		sum[what] += n
	}
	if e.hearing != nil {
		for what, n := range e.hearing.counts() {
			sum[what] += n
		}
	}
	return sum
}

// deadManRuns calls the address outside while the service is well.
func (s *server) deadManRuns(ctx context.Context, w *workspace) {
	d := w.deadMan(func(ctx context.Context) error {
		for _, c := range append(s.health(), s.ready()...) {
			if err := c.Ask(ctx); err != nil {
				return fmt.Errorf("%s: %w", c.Name, err)
			}
		}
		return nil
	}, func(line string) { s.log.Warn(tame(line)) })
	if d != nil {
		d.Run(ctx)
	}
}

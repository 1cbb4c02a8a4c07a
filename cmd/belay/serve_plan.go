package main

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"belay/configs"
	"belay/configs/round"
	"belay/configs/schedule"
	"belay/devices"
)

// plans is the plan of the settings that count now.
type plans struct {
	mu    sync.Mutex
	plan  *schedule.Plan
	since time.Time // when the schedules were last edited; zero: not since the first start
	stale bool      // those of the settings could not be read
}

// writtenPlan is what is remembered of the schedules, to see that they were edited.
type writtenPlan struct {
	Digest string    `json:"digest"`
	Since  time.Time `json:"since,omitzero"`
}

// plansDone is the mark of the schedules.
const plansDone = "schedules"

// read takes the schedules of a workspace. Whoever edits one at noon, to an hour
// that is past, does not have a fleet captured at noon: a slot before the edit is
// not due any more.
func (p *plans) read(ctx context.Context, w *workspace) (err error) {
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.stale = err != nil
	}()
	plan, err := w.settings.plan()
	if err != nil {
		return err
	}
	text, err := json.Marshal(w.settings.Schedules)
	if err != nil {
		return err
	}
	was, written, err := configs.ReadMark[writtenPlan](ctx, w.ledger, doneMark, plansDone)
	if err != nil {
		return err
	}
	is := writtenPlan{Digest: configs.Digest(text), Since: was.Since}
	if written && is.Digest != was.Digest {
		is.Since = w.now()
	}
	if is != was {
		if err := configs.WriteMark(ctx, w.ledger, doneMark, plansDone, is); err != nil {
			return err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.plan, p.since = plan, is.Since
	return nil
}

// missing tells whether the plan is older than the settings.
func (p *plans) missing() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stale
}

func (p *plans) now() *schedule.Plan {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.plan
}

// due tells whether a device is to be captured now, and for which slot.
func (p *plans) due(d devices.Device, seen round.Seen, now time.Time) (slot time.Time, due bool) {
	p.mu.Lock()
	plan, since := p.plan, p.since
	p.mu.Unlock()
	done := seen.Slot
	if done.IsZero() {
		done = seen.First // a first start at noon reads nothing before the night
	}
	if done.Before(since) && !since.After(now) {
		done = since
	}
	return plan.Due(d, done, now)
}

// openRounds puts the rounds of the schedule together.
func (s *server) openRounds(w *workspace) {
	s.rounds = &round.Rounds{
		Devices: func() []devices.Device {
			w, leave := s.live.use()
			defer leave()
			return w.inventory.Devices
		},
		Due:    s.plans.due,
		Next:   s.next,
		Submit: s.nightly,
		Marks:  w.ledger, Ledger: w.ledger, By: w.by, Now: s.p.now,
		Began: s.roundBegan,
		Ended: s.roundEnded,
	}
}

// next is when some device is next due; zero: never.
func (s *server) next(now time.Time) (first time.Time) {
	w, leave := s.live.use()
	defer leave()
	plan := s.plans.now()
	for _, d := range w.inventory.Devices {
		if next, ok := plan.Next(d, now); ok && (first.IsZero() || next.Before(first)) {
			first = next
		}
	}
	return first
}

// roundBegan has the canaries captured beside the devices.
func (s *server) roundBegan(ctx context.Context, _ time.Time) {
	_, n, _ := s.rounds.Underway()
	s.log.Info("a round begins", "due", n)
	s.beside.Go(func() {
		_ = s.guarded(func() error { s.canaries(ctx); return nil }) // a fault is in the log
	})
}

// roundEnded tells of a round and has done what follows one.
func (s *server) roundEnded(_ context.Context, r round.Round) {
	n := map[configs.Outcome]int{configs.Unchanged: r.Unchanged}
	for _, res := range r.Results {
		n[res.Result]++
	}
	args := []any{"devices", r.Devices(), "verified", r.Verified, "seconds", int(r.Ended.Sub(r.Began).Seconds())}
	for _, o := range []configs.Outcome{configs.Kept, configs.Unchanged, configs.Refused, configs.Unreachable, configs.Denied, configs.Failed} {
		if n[o] > 0 {
			args = append(args, string(o), n[o])
		}
	}
	s.log.Info("the round ended", args...)
	s.seen.ended(r.Ended)
	s.nudge()
}

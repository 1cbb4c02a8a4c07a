package main

import (
	"context"
	"fmt"
	"time"

	"belay/cmd/belay/web"
	"belay/configs"
	"belay/configs/fleet"
	"belay/configs/round"
	"belay/devices"
)

// retryAfter are the pauses before what did not answer is tried again.
func retryAfter() []time.Duration {
	return []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute}
}

// mostAsked is how many captures that persons wait for may be under way.
const mostAsked = 100

// limitsOf are the engine's limits. A device whose session has ended is still
// being kept and proven: it takes no other's place.
func limitsOf(s *settings) fleet.Limits {
	c := s.Concurrency
	return fleet.Limits{All: c.All + c.All/2, Site: c.Site, JumpHost: c.JumpHost, Asked: mostAsked}
}

// openEngine puts together what captures.
func (s *server) openEngine(w *workspace) {
	s.engine = &fleet.Engine{
		Limits: limitsOf(w.settings), Capture: s.captureOne, Retry: retryAfter(), Now: s.p.now,
		Rests: &fleet.Rests{Marks: w.ledger, Now: s.p.now},
	}
}

// captureOne captures a device with the workspace of the moment, as its inventory
// has the device: it may have changed while the job waited, or was to be tried again.
func (s *server) captureOne(ctx context.Context, j fleet.Job) (r configs.Result) {
	w, leave := s.live.use()
	defer leave()
	d, ok := w.device(j.Device.ID())
	if !ok {
		return undone(j.Device, "it has left the inventory", "belay devices list")
	}
	if j.Why == fleet.Nightly && !s.plans.now().Open(d, s.p.now()) {
		return windowClosed(d)
	}
	if j.Why == fleet.Asked {
		var ended func()
		ctx, ended = w.turns.aPerson(ctx)
		defer ended()
	}
	err := s.guarded(func() error {
		r = w.backup.Capture(ctx, d, j.Order)
		return nil
	})
	if err != nil {
		e := &devices.Error{Op: "capture", Device: d.String(), Err: err}
		r = configs.Result{Device: d.String(), ID: d.ID(), Result: configs.Failed, Checks: []configs.Check{}, Error: e.Error(), Err: e}
	}
	s.metrics.Captured(j.Why.String(), string(r.Result), r.Seconds)
	return r
}

func windowClosed(d devices.Device) configs.Result {
	return undone(d, "its window closed before its turn came", "belay capture "+d.String())
}

// undone is the result of a device that was not read when its turn came. It
// stays due, as one that was interrupted.
func undone(d devices.Device, why, hint string) configs.Result {
	err := &devices.Error{Op: "capture", Device: d.String(), Err: fmt.Errorf("%s: %w", why, context.Canceled), Hint: hint}
	return configs.Result{Device: d.String(), ID: d.ID(), Result: configs.Failed, Checks: []configs.Check{}, Error: err.Error(), Hint: err.Hint, Err: err}
}

// nightly has a device captured for its slot of the schedule. What did not answer is
// not tried again behind its window, and told as it was; what did not begin in it
// stays due.
func (s *server) nightly(ctx context.Context, d devices.Device, told func(configs.Result)) {
	w, leave := s.live.use()
	by := w.by
	leave()
	until := s.plans.now().Closes(d, s.p.now())
	s.engine.Submit(ctx, fleet.Job{Device: d, Order: configs.Order{By: by}, Why: fleet.Nightly, Until: until}, func(f fleet.Final) {
		if f.Tries == 0 && f.Result.Result == configs.Failed && !until.IsZero() && s.p.now().After(until) {
			f.Result = windowClosed(d)
		}
		told(f.Result)
	})
}

// capture has devices captured for a command and returns when each was told.
func (s *server) capture(ctx context.Context, list []devices.Device, q captureRequest, told func(configs.Result)) {
	why := fleet.Triggered
	if q.Waits {
		why = fleet.Asked
	}
	jobs := make([]fleet.Job, len(list))
	for i, d := range list {
		jobs[i] = fleet.Job{Device: d, Order: q.Order, Why: why, Once: true}
	}
	s.engine.Run(ctx, jobs, func(f fleet.Final) { told(hintOfRest(s.engine.Rests, f.Result)) })
	s.nudge()
}

// nudge has what follows captures done soon: packing, sending, the index.
func (s *server) nudge() {
	select {
	case s.wake <- struct{}{}:
	default: // it will be done anyway
	}
}

// engineFigures are the engine's.
func (s *server) engineFigures(_ context.Context, f *web.Figures) {
	stats := s.engine.Stats()
	f.Waiting, f.Underway = map[string]int{}, map[string]int{}
	for why, n := range stats.Waiting {
		f.Waiting[why.String()] = n
	}
	for why, n := range stats.UnderWay {
		f.Underway[why.String()] = n
	}
	f.Retries = stats.Retrying
	f.Resting = map[string]int{"device": stats.RestingDevices, "site": stats.RestingSites}
}

// recordAsked records what came of a request, as the command would, in the
// transaction that what else is to be written waits for.
func (s *server) recordAsked(ctx context.Context, o configs.Order, began time.Time, results []configs.Result) captureAnswer {
	w, leave := s.live.use()
	defer leave()
	a := captureAnswer{Recorded: true}
	if err := round.Record(ctx, w.ledger, actOf(o), o.By, o, began, results); err != nil {
		a.Failed, a.Kind, a.Result.Error, a.Result.Hint = true, devices.KindOf(err), err.Error(), devices.HintOf(err)
	}
	return a
}

// recordTriggered records what came of a capture that nobody asked for.
func (s *server) recordTriggered(ctx context.Context, by configs.Person, r configs.Result) {
	w, leave := s.live.use()
	defer leave()
	if r.Result == configs.Unchanged && r.Err == nil {
		return // the check log has it
	}
	if err := round.Record(ctx, w.ledger, "capture", by, configs.Order{}, s.p.now(), []configs.Result{r}); err != nil {
		s.log.Error("record a capture", "error", tame(err.Error()))
	}
}

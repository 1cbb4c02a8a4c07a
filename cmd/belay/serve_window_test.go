package main

import (
	"context"
	"errors"
	"testing"
	"time"

	"belay/configs"
	"belay/configs/fleet"
	"belay/devices"
)

// The bench's clock begins at noon.
const windowed = "schedules: [{every: '0 11 * * *', zone: UTC, window: '11:00-12:30'}]\n"

func TestWhatDidNotAnswerInItsWindowIsToldSoAndNotTriedBehindIt(t *testing.T) {
	t.Parallel()
	b := setBench(t, windowed, "fw")
	b.engine.Retry = []time.Duration{40 * time.Minute}
	b.engine.Capture = func(_ context.Context, j fleet.Job) configs.Result {
		err := &devices.Error{Kind: devices.Unreachable, Op: "reach", Device: j.Device.String(), Err: errors.New("no answer")}
		return configs.Result{Device: j.Device.String(), ID: j.Device.ID(), Result: configs.Unreachable, Error: err.Error(), Err: err}
	}
	w, leave := b.live.use()
	t.Cleanup(leave)
	d, _ := w.device("acme/fw")
	told := make(chan configs.Result, 1)
	b.nightly(t.Context(), d, func(r configs.Result) { told <- r })
	select {
	case r := <-told:
		if r.Result != configs.Unreachable {
			t.Errorf("it came to %s: %v", r.Result, r.Err)
		}
	case <-time.After(20 * time.Second):
		t.Error("it waits for a try that its window forbids")
	}
}

func TestWhatDidNotBeginInItsWindowStaysDue(t *testing.T) {
	t.Parallel()
	b := setBench(t, windowed, "fw", "sw")
	b.engine.SetLimits(fleet.Limits{All: 1})
	end := make(chan bool)
	b.engine.Capture = func(_ context.Context, j fleet.Job) configs.Result {
		<-end
		return unchanged(j.Device)
	}
	w, leave := b.live.use()
	t.Cleanup(leave)
	first, _ := w.device("acme/fw")
	second, _ := w.device("acme/sw")
	told := make(chan configs.Result, 2)
	b.nightly(t.Context(), first, func(r configs.Result) { told <- r })
	b.nightly(t.Context(), second, func(r configs.Result) { told <- r })
	b.pass(time.Hour)
	close(end)
	for range 2 {
		if r := <-told; (r.ID == second.ID()) != errors.Is(r.Err, context.Canceled) {
			t.Errorf("%s came to %s: %v", r.Device, r.Result, r.Err)
		}
	}
}

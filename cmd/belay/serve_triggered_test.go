package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"belay/configs"
	"belay/configs/fleet"
	"belay/configs/watch"
	"belay/devices"
)

// pendingMarks are the captures of what was heard that are still to be made.
func pendingMarks(t *testing.T, b *bench) (n int) {
	t.Helper()
	w, leave := b.live.use()
	defer leave()
	for _, err := range w.ledger.Marks(t.Context(), "pending") {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

func TestATriggeredCaptureIsRememberedUntilItHasEnded(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err  error
		ends bool // with the service
		left int
	}{
		"well":                                 {},
		"refused":                              {err: &devices.Error{Kind: devices.Refused, Err: errors.New("no")}},
		"cut off by the end of the service":    {err: context.Canceled, ends: true, left: 1},
		"to be tried again as the service end": {err: &devices.Error{Kind: devices.Unreachable, Err: errors.New("no answer")}, ends: true, left: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setBench(t, "", "fw")
			mark := configs.Mark{Key: "acme/fw", Value: []byte(`{"first":"2026-03-02T11:00:00Z","why":["syslog"]}`)}
			w, leave := b.live.use()
			t.Cleanup(leave)
			if err := w.ledger.SetMarks(t.Context(), "pending", mark); err != nil {
				t.Fatal(err)
			}
			under, end := make(chan bool), make(chan bool)
			b.engine.Capture = func(_ context.Context, j fleet.Job) configs.Result {
				close(under)
				<-end
				r := unchanged(j.Device)
				if r.Err = c.err; c.err != nil {
					r.Result, r.Error = configs.Failed, c.err.Error()
				}
				return r
			}
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			d, _ := w.device("acme/fw")
			b.triggered(ctx, watch.Trigger{Device: d, Mark: mark})
			<-under
			if n := pendingMarks(t, b); n != 1 || !b.events.hasBegun(mark) {
				t.Errorf("in the middle %d are remembered, begun %t", n, b.events.hasBegun(mark))
			}
			if c.ends {
				stop()
			}
			close(end)
			if err := b.engine.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			if n := pendingMarks(t, b); n != c.left || b.events.hasBegun(mark) {
				t.Errorf("%d are remembered, want %d; begun %t\n%s", n, c.left, b.events.hasBegun(mark), b.said())
			}
		})
	}
}

func TestReadingTheSettingsAgainCutsNoTriggeredCaptureOff(t *testing.T) {
	t.Parallel()
	b := setBench(t, "events: {syslog: {udp: '127.0.0.1:0'}}\n", "fw")
	t.Cleanup(b.events.close)
	under, end, results := make(chan bool, 1), make(chan bool), make(chan error, 1)
	b.engine.Capture = func(ctx context.Context, j fleet.Job) configs.Result {
		under <- true
		<-end
		results <- ctx.Err()
		return unchanged(j.Device)
	}
	b.hear(t.Context())
	w, leave := b.live.use()
	d, _ := w.device("acme/fw")
	leave()
	b.events.hearing.watch.Trigger(watch.Trigger{Device: d, Mark: configs.Mark{Key: "acme/fw", Value: []byte("{}")}})
	<-under
	b.hear(t.Context())
	close(end)
	select {
	case err := <-results:
		if err != nil {
			t.Errorf("it was cut off: %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it never ended")
	}
	if err := b.engine.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.said(), "canceled") {
		t.Error(b.said())
	}
}

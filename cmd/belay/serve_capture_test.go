package main

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"belay/cmd/belay/web"
	"belay/configs"
	"belay/configs/fleet"
	"belay/configs/memory"
	"belay/devices"
)

// deadEnd is a network in which nobody answers; it remembers who was called.
type deadEnd struct{ called []string }

func (e *deadEnd) Pull(_ context.Context, d devices.Device) (configs.Capture, error) {
	e.called = append(e.called, d.Address)
	return configs.Capture{}, &devices.Error{Kind: devices.Unreachable, Op: "reach", Device: d.String(), Err: errors.New("no answer")}
}

func TestWhatWaitedIsCapturedAsTheInventoryHasItNow(t *testing.T) {
	t.Parallel()
	net := &deadEnd{}
	with := func(list ...devices.Device) *workspace {
		w := &workspace{inventory: &devices.Inventory{Devices: list}, byID: map[devices.ID]int{}}
		for i, d := range list {
			w.byID[d.ID()] = i
		}
		w.backup = &configs.Backup{Puller: net, Repository: &memory.Repository{}, CheckLog: &memory.CheckLog{}, Quarantine: &memory.Quarantine{}, Now: time.Now}
		return w
	}
	box := devices.Device{Customer: "acme", Name: "sw", Address: "192.0.2.1"}
	job := fleet.Job{Device: box, Why: fleet.Triggered}
	moved := box
	moved.Address = "192.0.2.9"
	s := &server{live: &live{now: &shared{workspace: with(moved), users: 1}}, metrics: web.NewMetrics(nil)}
	if r := s.captureOne(t.Context(), job); r.Result != configs.Unreachable {
		t.Errorf("it came to %s: %v", r.Result, r.Err)
	}
	for _, at := range net.called {
		if at != moved.Address {
			t.Errorf("%s was called, which is another box by now", at)
		}
	}
	if len(net.called) == 0 {
		t.Error("nobody was called")
	}

	// What has left the inventory is not called at all, and stays without a result
	// that anybody would count.
	net.called = nil
	s.live.now = &shared{workspace: with(), users: 1}
	if r := s.captureOne(t.Context(), job); !errors.Is(r.Err, context.Canceled) || r.ID != box.ID() || len(net.called) > 0 {
		t.Errorf("it came to %+v, called %q", r, net.called)
	}
}

func TestPackingWaitsForTimeToSpareAndNotForEver(t *testing.T) {
	t.Parallel()
	b := setBench(t, "", "fw")
	w, leave := b.live.use()
	defer leave()
	done := func() bool {
		t.Helper()
		b.nudge()
		if err := b.afterCaptures(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		return len(b.wake) == 0
	}
	if !done() {
		t.Error("nobody waited, and nothing was packed")
	}
	_, ended := w.turns.aPerson(t.Context())
	if done() {
		t.Error("it was packed while a person waited for a capture")
	}
	b.pass(leisure)
	if !done() {
		t.Error("it was put off for more than its time")
	}
	ended()
	if !done() {
		t.Error("nobody waited any more, and nothing was packed")
	}
}

func TestTheServiceRecordsWhatItWasAskedForHoweverTheAskerGoesAway(t *testing.T) {
	t.Parallel()
	for _, goes := range []bool{false, true} {
		b := setBench(t, "", "fw")
		begun, end := make(chan struct{}), make(chan struct{})
		b.engine.Capture = func(_ context.Context, j fleet.Job) configs.Result {
			close(begun)
			<-end
			return unchanged(j.Device)
		}
		b.work(t)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var recorded bool
		var err error
		asked := make(chan struct{})
		go func() {
			defer close(asked)
			q := captureRequest{Devices: []devices.ID{"acme/fw"}, Order: configs.Order{Ticket: "T1"}, Waits: true, By: configs.Person{Name: "Ada"}, Record: true}
			recorded, err = askService(ctx, filepath.Join(b.dir, "belay-data"), q, func(configs.Result) {})
		}()
		<-begun
		if goes {
			cancel()
			<-asked
		}
		close(end)
		<-asked
		if recorded == goes || err == nil == goes {
			t.Errorf("an asker that goes away (%t) was told that it is recorded: %t, %v", goes, recorded, err)
		}
		w, leave := b.live.use()
		defer leave()
		var told []configs.Event
		b.until(t, func() bool {
			told = nil
			for e, err := range w.ledger.Events(t.Context(), configs.Filter{Act: "capture"}) {
				if err != nil {
					t.Fatal(err)
				}
				told = append(told, e)
			}
			return len(told) > 0
		})
		if len(told) != 1 || told[0].By.Name != "Ada" || told[0].Detail["ticket"] != "T1" {
			t.Errorf("asker goes away: %t: the ledger tells of %+v", goes, told)
		}
	}
}

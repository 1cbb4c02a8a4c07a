package main

import (
	"testing"
	"time"

	"belay/configs/round"
	"belay/devices"
	"belay/store/ledger"
)

// TestASlotBeforeTheScheduleWasEditedIsNotDue has somebody move the night from
// one to two o'clock at noon, and a service that is restarted over it.
func TestASlotBeforeTheScheduleWasEditedIsNotDue(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, err := ledger.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	at := func(d, h int) time.Time { return time.Date(2026, 3, d, h, 30, 0, 0, time.UTC) }
	d := devices.Device{Customer: "acme", Name: "fw"}
	seen := round.Seen{First: at(1, 12)}
	for _, step := range []struct {
		why   string
		every string
		now   time.Time
		want  bool
	}{
		{"the first start, before the first slot", "0 1 * * *", at(1, 12), false},
		{"the slot", "0 1 * * *", at(2, 1), true},
		{"caught up after a restart with the same schedule", "0 1 * * *", at(4, 15), true},
		{"edited to an hour that is past", "0 2 * * *", at(4, 16), false},
		{"restarted with the edited one", "0 2 * * *", at(4, 17), false},
		{"the next slot of the edited one", "0 2 * * *", at(5, 2), true},
		{"the clock set back behind the edit", "0 2 * * *", at(3, 2), true},
	} {
		w := &workspace{settings: &settings{Schedules: []scheduleSetting{{Every: step.every, Zone: "UTC"}}}, ledger: l, now: func() time.Time { return step.now }}
		var p plans
		if err := p.read(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		if _, due := p.due(d, seen, step.now); due != step.want {
			t.Errorf("%s: due %t, want %t", step.why, due, step.want)
		}
	}
}

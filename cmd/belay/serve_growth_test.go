package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"belay/configs"
	"belay/devices"
)

// A stillFleet is devices whose configurations never change, read at once.
type stillFleet struct {
	rules configs.Rules
	now   func() time.Time
}

func (f stillFleet) Pull(_ context.Context, d devices.Device) (configs.Capture, error) {
	text := fmt.Appendf(nil, "hostname %s\ninterface lan\n description uplink\nend\n", d.Name)
	return configs.Capture{Device: d, Driver: "cisco_ios", Identity: devices.Identity{Hostname: d.Name, Serials: []string{"S" + d.Name}},
		Files: []configs.File{{Name: configs.MainFile, Raw: text, Text: text}}, Rules: f.rules, Began: f.now(), Took: time.Second}, nil
}

// TestAnUnchangedNightIsOneEventNoCommitAndAFewBytesADevice measures what nights
// in which nothing changed add to what is kept.
func TestAnUnchangedNightIsOneEventNoCommitAndAFewBytesADevice(t *testing.T) {
	t.Parallel()
	fleet, nights := 500, 4
	if raced || testing.Short() {
		fleet = 200
	}
	var names []string
	for i := range fleet {
		names = append(names, fmt.Sprintf("sw-%04d", i))
	}
	b := setBench(t, "schedules: [{every: '0 1 * * *', zone: UTC}]\n", names...)
	w, leave := b.live.use()
	t.Cleanup(leave)
	w.backup.Puller, b.rounds.Began = stillFleet{now: b.now}, nil
	db, err := sql.Open("sqlite", filepath.Join(b.dir, "belay-data", "belay.db")+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	tick := func() {
		t.Helper()
		if err := b.tick(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		if err := b.engine.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	night := func() (events int, size int64, head string) {
		t.Helper()
		b.pass(24 * time.Hour)
		for range 3 {
			tick()
		}
		if err := b.afterCaptures(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		execute(t, db, "PRAGMA wal_checkpoint(TRUNCATE)")
		for _, err := range w.ledger.Events(t.Context(), configs.Filter{}) {
			if err != nil {
				t.Fatal(err)
			}
			events++
		}
		fi, err := os.Stat(filepath.Join(b.dir, "belay-data", "belay.db"))
		if err != nil {
			t.Fatal(err)
		}
		if head, err = w.store.Head(t.Context(), "acme"); err != nil || head == "" {
			t.Fatalf("the history stands at %q: %v", head, err)
		}
		return events, fi.Size(), head
	}
	tick() // at noon: nothing is due
	night()
	events, size, head := night()
	for range nights {
		e, _, h := night()
		if e != events+1 || h != head {
			t.Errorf("an unchanged night made %d events and moved the history from %.8s to %.8s", e-events, head, h)
		}
		events = e
	}
	_, grown, _ := night()
	a := float64(grown-size) / float64(fleet*(nights+1))
	t.Logf("%.1f bytes a device and night", a)
	if a >= 100 || a <= 0 {
		t.Errorf("an unchanged night takes %.1f bytes a device, want less than 100", a)
	}
	var marks int
	if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM marks WHERE kind = 'slot'").Scan(&marks); err != nil || marks != fleet {
		t.Errorf("%d marks of slots, %v", marks, err)
	}
}

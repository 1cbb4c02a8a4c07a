package ledger

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"belay/configs"
	"belay/devices"
)

const commit = "3f2a6c1b9d0e4f5a8b7c6d5e4f3a2b1c0d9e8f7a"

func day(n, hour int) time.Time { return time.Date(2026, 3, n, hour, 0, 0, 0, time.UTC) }

func checked(t *testing.T, l *Ledger, id devices.ID, at time.Time, result configs.Outcome, verified bool) {
	t.Helper()
	c := configs.Checked{ID: id, At: at, Result: result, Verified: verified, Seconds: 1}
	if result == configs.Kept || result == configs.Unchanged {
		c.Commit = commit
	}
	if err := l.Checked(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

// readings are a device's rows: day, hour and result.
func readings(t *testing.T, l *Ledger, id devices.ID) string {
	t.Helper()
	rows, err := collect(t.Context(), l.read, func(rows *sql.Rows) (string, error) {
		var at, result int64
		err := rows.Scan(&at, &result)
		return fmt.Sprintf("%s:%d", time.UnixMilli(at).UTC().Format("2.15"), result), err
	}, "SELECT at, result FROM readings JOIN names ON number = readings.device WHERE names.device = ? ORDER BY at", string(id))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(rows, " ")
}

func TestOldReadingsAreThinnedToWhatADaySays(t *testing.T) {
	t.Parallel()
	l := open(t, t.TempDir())
	const id = "acme/fw-hq"
	checked(t, l, id, day(1, 1), configs.Kept, false)      // made a version: stays
	checked(t, l, id, day(1, 2), configs.Unchanged, true)  // the last proven one: stays
	checked(t, l, id, day(1, 3), configs.Unchanged, false) // a later one is good too
	checked(t, l, id, day(1, 4), configs.Unchanged, false) // the last good one: stays
	checked(t, l, id, day(1, 5), configs.Failed, false)
	checked(t, l, id, day(1, 23), configs.Unreachable, false) // the last: stays
	checked(t, l, id, day(2, 0), configs.Denied, false)       // another day, and a later one is good
	checked(t, l, id, day(2, 5), configs.Unchanged, true)
	checked(t, l, id, day(3, 1), configs.Unchanged, true) // old enough, but the one that says as much is not
	checked(t, l, id, day(3, 2), configs.Unchanged, true)
	newest := must(l.LastChecked(t.Context(), id))
	for range 500 { // several transactions
		checked(t, l, devices.ID(fmt.Sprintf("acme/sw-%d", l.count(t, "names"))), day(1, 1), configs.Unchanged, false)
	}
	const last = "acme/sw-501"
	checked(t, l, last, day(1, 2), configs.Unchanged, false)
	checked(t, l, last, day(1, 3), configs.Unchanged, false)

	if n, err := l.ThinReadings(t.Context(), day(3, 2)); n != 5 || err != nil {
		t.Errorf("%d went, error %v; want 5", n, err)
	}
	if got, want := readings(t, l, id), "1.01:1 1.02:2 1.04:2 1.23:4 2.05:2 3.02:2"; got != want {
		t.Errorf("left: %s; want %s", got, want)
	}
	if got := readings(t, l, last); got != "1.03:2" {
		t.Errorf("left of the last device: %s", got)
	}
	if diff := cmp.Diff(newest, must(l.LastChecked(t.Context(), id))); diff != "" {
		t.Errorf("the newest reading changed (-want +got):\n%s", diff)
	}
	// Again: what came since, and the day it had come to, is looked at.
	checked(t, l, id, day(3, 3), configs.Unchanged, true)
	checked(t, l, id, day(4, 1), configs.Unchanged, true)
	if n, err := l.ThinReadings(t.Context(), day(5, 0)); n != 1 || err != nil {
		t.Errorf("the next time %d went, error %v; want 1", n, err)
	}
	if got, want := readings(t, l, id), "1.01:1 1.02:2 1.04:2 1.23:4 2.05:2 3.03:2 4.01:2"; got != want {
		t.Errorf("left: %s; want %s", got, want)
	}
}

func (l *Ledger) count(t *testing.T, table string) (n int) {
	t.Helper()
	if err := l.read.QueryRowContext(t.Context(), "SELECT count(*) FROM "+table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func must[T any](v T, ok bool, err error) T {
	if err != nil || !ok {
		panic(fmt.Sprint("not there, or ", err))
	}
	return v
}

func TestAClockSetAheadDoesNotEndTheThinning(t *testing.T) {
	t.Parallel()
	l := open(t, t.TempDir())
	if _, err := l.ThinReadings(t.Context(), day(1, 0).AddDate(3, 0, 0)); err != nil {
		t.Fatal(err)
	}
	checked(t, l, "acme/fw-hq", day(1, 1), configs.Unchanged, false)
	checked(t, l, "acme/fw-hq", day(1, 2), configs.Unchanged, false)
	if n, err := l.ThinReadings(t.Context(), day(2, 0)); n != 1 || err != nil {
		t.Errorf("%d went, error %v; want 1", n, err)
	}
	if _, err := l.ThinReadings(t.Context(), time.Time{}); err == nil {
		t.Error("it was thinned before no time")
	}
}

func TestTheNewestReadingsOfAllAreReadByAnIndex(t *testing.T) {
	t.Parallel()
	l := open(t, t.TempDir())
	if got := plan(t, l, newestColumns+"ORDER BY names.device"); strings.Contains(got, "TEMP B-TREE") || !strings.Contains(got, "newest_check USING INTEGER PRIMARY KEY") {
		t.Errorf("got %s", got)
	}
}

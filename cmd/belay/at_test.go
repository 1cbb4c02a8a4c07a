package main

import (
	"testing"
	"time"
)

func TestATimeIsReadAsPeopleWriteIt(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 14, 0, 0, 0, time.Local)
	day := func(month time.Month, day, hour, minute, second int) time.Time {
		return time.Date(2026, month, day, hour, minute, second, 0, time.Local)
	}
	for s, want := range map[string]time.Time{
		"2026-11-20":                day(11, 20, 0, 0, 0),
		" 2026-11-20 13:05 ":        day(11, 20, 13, 5, 0),
		"2026-11-20 13:05:09":       day(11, 20, 13, 5, 9),
		"2026-11-20T13:05":          day(11, 20, 13, 5, 0),
		"2026-11-20T13:05:00Z":      time.Date(2026, 11, 20, 13, 5, 0, 0, time.UTC),
		"2026-11-20T13:05:00+05:30": time.Date(2026, 11, 20, 7, 35, 0, 0, time.UTC),
		"36h":                       day(11, 20, 2, 0, 0),
		"1h30m":                     day(11, 21, 12, 30, 0),
		"3 days ago":                day(11, 18, 14, 0, 0),
		"1 day":                     day(11, 20, 14, 0, 0),
		"2 weeks ago":               day(11, 7, 14, 0, 0),
		"1 month ago":               day(10, 21, 14, 0, 0),
		"10 minutes ago":            day(11, 21, 13, 50, 0),
		"5 hours":                   day(11, 21, 9, 0, 0),
	} {
		if got, ok := timeOf(s, now, false); !ok || !got.Equal(want) {
			t.Errorf("%q: got %s, %t; want %s", s, got, ok, want)
		}
	}
	if got, ok := timeOf("1 year ago", now, false); !ok || got.Year() != 2025 || got.YearDay() != now.YearDay() {
		t.Errorf("a year ago: %s", got)
	}
	if got, _ := timeOf("2026-11-20", now, true); !got.Equal(day(11, 21, 0, 0, 0).Add(-1)) {
		t.Errorf("at the end of a day: %s", got)
	}
	// What may be a version is none.
	for _, s := range []string{"", "~1", "3d", "3f2a6c1b9d", "20261121", "2026", "12", "-3h", "0s", "days ago", "3 fortnights ago", "2026-13-01", "2026-11-31"} {
		if got, ok := timeOf(s, now, true); ok {
			t.Errorf("%q was read as %s", s, got)
		}
	}
}

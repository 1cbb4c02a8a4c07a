package main

import (
	"testing"
	"time"
)

func TestATimeOfAClockThatWasWrongIsNoYoungAge(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	for t0, want := range map[time.Time]time.Duration{
		{}:                            -1,
		now.Add(-8 * time.Hour):       8 * time.Hour,
		now.Add(time.Minute):          -time.Minute, // of another machine's clock
		now.Add(400 * 24 * time.Hour): -1,
	} {
		if age, ok := aged(now, t0); ok != (want != -1) || ok && age != want {
			t.Errorf("%v: %v %t", t0, age, ok)
		}
	}
}

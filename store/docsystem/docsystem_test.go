package docsystem

import (
	"testing"
	"time"
)

// TestEachSystemLeavesAFifthOfItsLimitToOthers counts the burst: an account that
// has rested sends it on top, and it falls into the system's own window.
func TestEachSystemLeavesAFifthOfItsLimitToOthers(t *testing.T) {
	t.Parallel()
	limits := map[string]struct {
		requests int
		within   time.Duration
	}{"itglue": {3000, 5 * time.Minute}, "hudu": {300, time.Minute}, "folder": {}}
	for _, s := range All() {
		limit, known := limits[s.Kind]
		if !known {
			t.Errorf("%s: what is its limit?", s.Kind)
		}
		if limit.requests == 0 {
			continue
		}
		most := s.PerMinute*int(limit.within.Minutes()) + s.Burst
		if s.PerMinute <= 0 || s.Burst <= 0 || most > limit.requests*4/5 {
			t.Errorf("%s: up to %d requests within %v, want at most four fifths of %d", s.Kind, most, limit.within, limit.requests)
		}
		// A day's backlog: each file is sent and looked for, and its item looked at.
		if takes := time.Minute * 3 * 10_000 / time.Duration(s.PerMinute); takes > 3*time.Hour {
			t.Errorf("%s: 10,000 files take %v", s.Kind, takes)
		}
	}
}

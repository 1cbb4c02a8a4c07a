package main

import (
	"strings"
	"testing"
	"time"
)

func TestTheStatusSaysWhatARoundWaitsFor(t *testing.T) {
	t.Parallel()
	at := func(h, m int) time.Time { return time.Date(2026, 3, 2, h, m, 0, 0, time.Local) }
	for want, st := range map[string]serviceStatus{
		"a round began at 11:32:00, 2 devices to go\n": {Round: &roundStatus{at(11, 32), 2}, Busy: 1, Retries: 1, Again: at(11, 40)},
		"a round began at 11:32:00, 1 device to go\n":  {Round: &roundStatus{at(11, 32), 1}, Waiting: 1},
		"a round began at 11:32:00; all its devices were asked, and what failed is tried again, next at 11:40 (2 devices)\n": {Round: &roundStatus{at(11, 32), 2}, Retries: 2, Again: at(11, 40)},
		"a round began at 11:32:00; all its devices were asked, and it goes on with those that are due at 11:41\n":           {Round: &roundStatus{at(11, 32), 0}, Next: at(11, 41)},
		"a round began at 11:32:00; all its devices were asked\n":                                                            {Round: &roundStatus{at(11, 32), 0}},
	} {
		if got := st.String(); !strings.Contains(got, want) {
			t.Errorf("want %q in\n%s", want, got)
		}
	}
}

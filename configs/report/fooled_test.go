package report_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"belay/configs/report"
)

// told tells whether a digest has a line of a kind that says so.
func told(d report.Digest, kind, what string) bool {
	return slices.ContainsFunc(d.Lines, func(l report.Line) bool { return l.Kind == kind && strings.Contains(l.What, what) })
}

func TestWhatCanariesOfAnEarlierNightHaveShownIsNotSaidOfThisOne(t *testing.T) {
	t.Parallel()
	n := fleet(8)
	n.Canaries = &report.Canaries{At: morning.Add(-32 * time.Hour), Caught: 16, All: 16}
	d := report.Make(n.Input)
	if strings.Contains(d.Subject, "caught") || !told(d, report.Canary, "no canary was tried since 21 Nov 01:00") {
		t.Errorf("%s\n%+v", d.Subject, d.Lines)
	}
	n.Canaries.At = morning.Add(1000 * time.Hour) // by a clock that was set back since
	if d = report.Make(n.Input); strings.Contains(d.Subject, "caught") {
		t.Error(d.Subject)
	}
	n.Canaries.At = morning.Add(-8 * time.Hour)
	if d = report.Make(n.Input); !strings.Contains(d.Subject, "canaries 16/16 caught") || len(d.Lines) != 0 {
		t.Errorf("%s\n%+v", d.Subject, d.Lines)
	}
	n.Canaries.At = morning.Add(-32 * time.Hour)
	clear(n.Newest) // nobody was read either, which is told of each
	if d = report.Make(n.Input); strings.Contains(d.Subject, "caught") || told(d, report.Canary, "") {
		t.Errorf("%s\n%+v", d.Subject, d.Lines)
	}
}

func TestANightInWhichNoCanaryCouldBeTriedSaysSo(t *testing.T) {
	t.Parallel()
	n := fleet(8)
	n.Canaries = &report.Canaries{At: morning.Add(-8 * time.Hour)}
	if d := report.Make(n.Input); strings.Contains(d.Subject, "caught") || !told(d, report.Canary, "no canary could be tried") {
		t.Errorf("%s\n%+v", d.Subject, d.Lines)
	}
}

func TestAReadingFromTheFutureIsNoFreshOne(t *testing.T) {
	t.Parallel()
	n := fleet(8)
	id := n.Devices[0].ID()
	r := n.Newest[id]
	r.At, r.Good, r.Proven = morning.Add(5000*time.Hour), morning.Add(5000*time.Hour), morning.Add(5000*time.Hour)
	n.Newest[id] = r
	if d := report.Make(n.Input); d.Counts.Verified != 7 || d.Counts.Stale != 1 {
		t.Errorf("%+v", d.Counts)
	}
}

func TestWhatCannotBeReadAgainIsTold(t *testing.T) {
	t.Parallel()
	n := fleet(8)
	n.Scrub = &report.Scrub{Done: 100, All: 100, Unread: []string{"acme/versions: open the key of acme: no master identity"}}
	if d := report.Make(n.Input); !told(d, report.ScrubLate, "acme/versions: open the key of acme") {
		t.Errorf("%+v", d.Lines)
	}
}

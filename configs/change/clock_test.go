package change_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"belay/configs/change"
)

// The clock was a year ahead at the before, and was set back: what came first is told
// by the order of the ledger.
const year = 365 * 24 * time.Hour

func TestAChangeOfAClockThatWasSetBackCloses(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.pass(year)
	c, _, a := s.before()
	wantOpen(t, a, "verified")
	early := receiptMade(t, s, c)
	s.post(c, "early", "store")
	s.pass(-year)
	c, _ = s.after()
	c = s.get(c)
	if tells, err := c.Tells(early, "early"); tells || err != nil {
		t.Errorf("a receipt that knows nothing of the new box is given out: %v", err)
	}
	if err := s.close(c, "early"); err == nil || !strings.Contains(err.Error(), "receipt is not posted") {
		t.Errorf("closed with a receipt that knows nothing of the new box: %v", err)
	}
	late := receiptMade(t, s, c)
	if slices.ContainsFunc(late.Missing, func(m string) bool { return strings.Contains(m, "never opened") }) {
		t.Errorf("the gate did open: %q", late.Missing)
	}
	for range 2 { // close is tried again: it is the same one
		s.pass(time.Hour)
		if tells, err := s.get(c).Tells(late, "late"); !tells || err != nil {
			t.Errorf("another receipt is wanted: %v", err)
		}
	}
	s.post(c, "late", "store")
	if err := s.close(c, "late"); err != nil {
		t.Error(err)
	}
}

func TestAGateThatOpenedAfterTheNewBoxWasSeenIsTold(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.stands(fwOld, func(b *box) { b.text = cut(b.text) })
	s.pass(year)
	c, _, _ := s.before()
	s.after()
	s.pass(-year)
	s.deliver(c, "gate", map[string]any{"open": true})
	if got := receiptMade(t, s, c).Missing; !slices.ContainsFunc(got, func(m string) bool { return strings.Contains(m, "never opened") }) {
		t.Errorf("missing %q", got)
	}
}

func TestAWordOfAClockThatWasAheadHolds(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.policy.Attest = true
	s.stands(fwOld, func(b *box) { b.text = cut(b.text) })
	s.pass(year)
	c, _, _ := s.before()
	s.attest(c, time.Time{})
	s.pass(-year)
	if a := s.gate(c); !a.Open || !a.Attested {
		t.Errorf("%+v", a)
	}
}

func receiptMade(t *testing.T, s *scene, c change.Change) change.Receipt {
	t.Helper()
	r, err := change.MakeReceipt(s.get(c), s.policy, s.clock())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

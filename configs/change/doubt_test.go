package change_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"belay/configs"
	"belay/configs/change"
)

func TestTheGateIsShutWhileThereIsADoubt(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	why := ""
	doubt := func(context.Context) (string, error) { return why, nil }
	s.Doubt, s.backup.Doubt = doubt, doubt
	c, _, a := s.before()
	wantOpen(t, a, "verified")

	why = "a canary was kept: half a configuration"
	reads := s.reads
	a = s.gate(c)
	wantShut(t, a, "somebody has found out why: a canary was kept")
	if a.Next != configs.AfterDoubt || a.Verified || s.reads != reads {
		t.Errorf("next %q, verified %t, %d readings more", a.Next, a.Verified, s.reads-reads)
	}
	if g := s.get(c).Gates; g[len(g)-1].Open || !strings.Contains(strings.Join(g[len(g)-1].Why, " "), "canary") {
		t.Errorf("on record: %+v", g[len(g)-1])
	}
	s.policy.OnePlace = true // the settings are content with less, but not with this
	wantShut(t, s.gate(c), "a canary was kept")

	why = ""
	wantOpen(t, s.gate(c), "verified")
}

func TestABeforeThatIsTakenInDoubtOpensNothing(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	why := "a canary was kept"
	doubt := func(context.Context) (string, error) { return why, nil }
	s.Doubt, s.backup.Doubt = doubt, doubt
	c, r, a := s.before()
	if r.Verified || r.Result != configs.Kept {
		t.Errorf("%s, verified %t", r.Result, r.Verified)
	}
	wantShut(t, a, "a canary was kept")
	wantState(t, s, c, change.Open)
	why = ""
	wantShut(t, s.gate(c)) // what was not called verified then is taken again
	_, _, a = s.before()
	wantOpen(t, a, "verified")
}

func TestADoubtThatCannotBeAskedAboutShutsTheGate(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	c, _, _ := s.before()
	s.Doubt = func(context.Context) (string, error) { return "", errors.New("the marks are locked") }
	a, err := s.Gate(t.Context(), c, fwOld, ada)
	if err == nil || !strings.Contains(err.Error(), "the marks are locked") {
		t.Errorf("%v", err)
	}
	wantShut(t, a, "the marks are locked")
}

func TestAWaiverTrustsInNoBackup(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	c, _, _ := s.before()
	s.waive(c, s.waiver())
	s.Doubt = func(context.Context) (string, error) { return "a canary was kept", nil }
	a := s.gate(c)
	if !a.Open || !a.Waived || a.Verified {
		t.Errorf("%+v", a)
	}
	if !strings.Contains(strings.Join(a.Why, " "), "a canary was kept") {
		t.Errorf("it does not say why: %q", a.Why)
	}
}

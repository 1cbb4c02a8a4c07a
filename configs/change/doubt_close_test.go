package change_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"belay/configs"
	"belay/configs/change"
	"belay/devices"
)

// in sets the doubt of a scene, for whatever takes and whatever judges.
func (s *scene) in(doubt *string) {
	s.Doubt = func(context.Context) (string, error) { return *doubt, nil }
	s.backup.Doubt = s.Doubt
}

func TestAnAttachmentThatArrivesLaterDoesNotVerifyWhatWasTakenInDoubt(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	why := "a canary was kept"
	s.in(&why)
	c, r, _ := s.before()
	s.attach(c, r.Version, "itglue", true)
	if s.get(c).Verified(r.Version) {
		t.Error("what blind checks let through is verified by its attachment")
	}
	why = ""
	if s.get(c).Verified(r.Version) {
		t.Error("it is verified when the doubt has ended, though nobody has looked at it again")
	}
	wantShut(t, s.gate(c), "canary was kept")
	s.policy.OnePlace = true
	wantShut(t, s.gate(c), "canary was kept")
	_, _, a := s.before()
	wantOpen(t, a, "verified")
}

func TestNothingIsClosedAsVerifiedWhileThereIsADoubt(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	why := ""
	s.in(&why)
	s.before()
	c, _ := s.after()
	s.post(c, "aa", "store")
	why = "a canary was kept: half a configuration"
	_, err := s.Close(t.Context(), c, ada, "aa")
	wantKind(t, err, devices.GateShut, "a canary was kept")
	if devices.HintOf(err) != configs.AfterDoubt {
		t.Errorf("hint %q", devices.HintOf(err))
	}
	s.Doubt = func(context.Context) (string, error) { return "", context.DeadlineExceeded }
	if _, err := s.Close(t.Context(), c, ada, "aa"); err == nil {
		t.Error("it is closed where the doubt cannot be asked about")
	}
	why = ""
	s.in(&why)
	if err := s.close(c, "aa"); err != nil {
		t.Error(err)
	}
}

func TestAReceiptThatIsMadeInDoubtSaysVerifiedOfNothing(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.before()
	c, _ := s.after()
	s.policy.Doubt = "a canary was kept: half a configuration"
	r, err := change.MakeReceipt(s.get(c), s.policy, s.clock())
	if err != nil {
		t.Fatal(err)
	}
	if r.Old.Standing != change.WordDoubted || r.New.Standing != change.WordDoubted || r.State != change.Swapped {
		t.Errorf("the old one is %q, the new one %q, the change %s", r.Old.Standing, r.New.Standing, r.State)
	}
	if !slices.ContainsFunc(r.Missing, func(m string) bool { return strings.Contains(m, "half a configuration") }) {
		t.Errorf("missing: %q", r.Missing)
	}
	lacks := s.get(c).Lacks(s.clock(), s.policy, "")
	if len(lacks) < 2 || lacks[0].Next != configs.AfterDoubt || lacks[0].Receipt {
		t.Errorf("lacks %+v", lacks)
	}
}

func TestAWaiverIsClosedInDoubtWhereNothingElseRestsOnTheChecks(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.policy.Doubt = "a canary was kept"
	c, _, _ := s.before()
	s.waive(c, s.waiver())
	if word := s.get(c).Standing(change.Before, s.clock(), s.policy); word != change.WordWaived {
		t.Errorf("the old one is %q", word)
	}
	if state := s.get(c).State(s.clock(), s.policy); state != change.Waived {
		t.Errorf("state %s", state)
	}
}

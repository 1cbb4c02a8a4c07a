package configs_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"belay/configs"
	"belay/configs/memory"
	"belay/devices"
)

// doubts is a Doubt that says what it is told to.
func doubts(why string, err error) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return why, err }
}

func TestNothingIsVerifiedWhileThereIsADoubt(t *testing.T) {
	t.Parallel()
	good := says(marked, config(9), "A1")
	for name, c := range map[string]struct {
		doubt   func(context.Context) (string, error)
		provers []configs.Prover
		kind    devices.Kind
		result  configs.Outcome
		says    string
		warns   string
		hint    string
	}{
		"a canary was kept":             {doubts("half a configuration was kept", nil), []configs.Prover{second(true)}, devices.Unproven, configs.Kept, "half a configuration was kept", "", "belay canaries understood --reason"},
		"in one place besides":          {doubts("half a configuration was kept", nil), nil, devices.Unproven, configs.Kept, "half a configuration", "", "belay canaries understood"},
		"the second place is gone":      {doubts("half a configuration was kept", nil), []configs.Prover{second(false)}, devices.Unproven, configs.Kept, "half a configuration", "what it said", "belay canaries understood"},
		"it cannot be told":             {doubts("", errors.New("the mark is gone")), []configs.Prover{second(true)}, devices.Unproven, configs.Kept, "the mark is gone", "", ""},
		"the store of marks is damaged": {doubts("", &devices.Error{Kind: devices.Damaged, Op: "read a mark", Err: errors.New("bits"), Hint: "belay verify"}), []configs.Prover{second(true)}, devices.Damaged, configs.Failed, "bits", "", "belay verify"},
		"the copy is damaged as well": {doubts("half a configuration was kept", nil), []configs.Prover{&memory.Prover{Faults: on("Prove", &devices.Error{Kind: devices.Damaged, Op: "read", Err: errors.New("bits")})}},
			devices.Damaged, configs.Failed, "bits", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			s.Doubt, s.Provers = c.doubt, c.provers
			r := s.capture(configs.Order{}, good)
			want(t, r, c.result, c.kind)
			if !strings.Contains(r.Error, c.says) || !strings.Contains(r.Hint, c.hint) || s.versions() != 1 {
				t.Errorf("error %q, hint %q, %d versions", r.Error, r.Hint, s.versions())
			}
			if warned := slices.ContainsFunc(r.Warnings, func(w string) bool { return strings.Contains(w, c.warns) }); c.warns != "" && !warned {
				t.Errorf("warnings %q", r.Warnings)
			}
			row, _, err := s.log.LastChecked(t.Context(), s.device.ID())
			if err != nil || row.Verified {
				t.Errorf("the check log has %+v: %v", row, err)
			}
		})
	}
}

func TestWhenADoubtHasEndedTheSameTextIsVerified(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.Provers = []configs.Prover{second(true)}
	why := "half a configuration was kept"
	s.Doubt = func(context.Context) (string, error) { return why, nil }
	good := says(marked, config(9), "A1")
	if r := s.capture(configs.Order{}, good); r.Verified || len(r.Proofs) != 2 {
		t.Errorf("verified %t by %+v: it is proven all the same, but not called so", r.Verified, r.Proofs)
	}
	want(t, s.capture(configs.Order{}, good), configs.Unchanged, devices.Unproven)
	why = ""
	r := s.capture(configs.Order{}, good)
	if wantGood(t, r, configs.Unchanged); !r.Verified {
		t.Error("it is not verified when the doubt has ended")
	}
}

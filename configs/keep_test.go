package configs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"belay/configs"
	"belay/configs/memory"
	"belay/devices"
)

func TestASnapshotTellsWhatWasRead(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	a := says(marked, "password kanarienvogel\n"+config(9)[:len(config(9))-4]+"username x password zeisig77\nend\n", "A1")
	a.capture.Warnings = []string{"no answer"}
	a.capture.Missing = []string{"VLANs"}
	a.capture.Reached = devices.Reached{Address: "192.0.2.1:22"}
	r := s.capture(configs.Order{Ticket: "T1"}, a)
	wantGood(t, r, configs.Kept)
	if r.Grade != configs.Partial || !slices.Equal(r.Missing, []string{"VLANs"}) || r.Identity.Serials[0] != "A1" || r.Reached.Address == "" {
		t.Errorf("result %+v", r)
	}
	if len(r.Warnings) != 2 || !strings.HasPrefix(r.Warnings[1], "secrets were hidden that driver test does not know of: 1 (") {
		t.Errorf("warnings %q, want one of the device and one of the gap", r.Warnings)
	}
	snap := s.repository.asked[0]
	if snap.Grade.Level != configs.Partial || snap.Driver != "test" || snap.Gaps != 1 || snap.Ticket != "T1" || snap.Salted || snap.Always || snap.Reason != "" || !snap.Taken.Equal(noon) || len(snap.Warnings) != 1 {
		t.Errorf("snapshot %+v", snap)
	}
	for _, secret := range []string{"kanarienvogel", "zeisig77"} {
		if strings.Contains(snap.Texts[0].Clean.String(), secret) {
			t.Errorf("%s is in the clean text", secret)
		}
	}
	plain, err := s.Sealer.Open(t.Context(), "acme", snap.Originals[0].Bytes)
	if err != nil || !bytes.Equal(plain, a.capture.Files[0].Raw) {
		t.Errorf("the original opens as %q (%v), not byte for byte as it was sent", plain, err)
	}
}

func TestTheSameTextWithAnotherOriginalIsHandedOverWhereSecretsAreSalted(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.capture(configs.Order{}, says(salted, "password one\n"+config(9)))
	again := says(salted, "password two\n"+config(9))
	wantGood(t, s.capture(configs.Order{}, again), configs.Unchanged)
	snap := s.repository.asked[1]
	if !snap.Salted || len(snap.Originals) != 1 || s.versions() != 1 {
		t.Fatalf("the newest original was not handed over: %+v", snap)
	}
	plain, err := s.Sealer.Open(t.Context(), "acme", snap.Originals[0].Bytes)
	if err != nil || !bytes.Equal(plain, again.capture.Files[0].Raw) {
		t.Errorf("handed over: %q (%v)", plain, err)
	}
}

func TestNothingIsSealedWhereNothingChanged(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	wantGood(t, s.capture(configs.Order{}, says(marked, config(9))), configs.Kept)
	s.Sealer = &memory.Sealer{Faults: on("Seal", errors.New("asked to seal"))}
	wantGood(t, s.capture(configs.Order{}, says(marked, config(9))), configs.Unchanged)
	if n := len(s.repository.asked); n != 1 {
		t.Errorf("%d commits were asked for, want 1", n)
	}
	want(t, s.capture(configs.Order{Twice: true}, says(marked, config(9)), says(marked, config(9))), configs.Failed, devices.Broken)
}

// overtaken has another process keep another text while the device is read.
type overtaken struct {
	configs.Repository
	other configs.Snapshot
}

func (o *overtaken) Unchanged(ctx context.Context, s configs.Snapshot) (configs.Version, bool, error) {
	if _, err := o.Commit(ctx, o.other); err != nil {
		return configs.Version{}, false, err
	}
	return o.Repository.Unchanged(ctx, s)
}

func TestWhatAnotherProcessKeptMeanwhileIsNotTakenForWhatWasRead(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	wantGood(t, s.capture(configs.Order{}, says(marked, config(8))), configs.Kept)
	other := s.repository.asked[0]
	wantGood(t, s.capture(configs.Order{}, says(marked, config(9))), configs.Kept)
	s.Repository = &overtaken{s.repository, other}
	wantGood(t, s.capture(configs.Order{}, says(marked, config(9))), configs.Kept)
	if got, read := s.kept(), says(marked, config(9)); got != string(read.capture.Files[0].Text) || s.versions() != 4 {
		t.Errorf("%d versions, the newest is %q", s.versions(), got)
	}
	if o := s.repository.asked[len(s.repository.asked)-1].Originals; len(o) != 1 || len(o[0].Bytes) == 0 {
		t.Error("the version has no original")
	}
}

func TestSeveralFilesAgreeInWhateverOrderTheyComeBack(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.Repository = &backwards{s.repository}
	a := says(marked, config(9))
	a.capture.Files = append(a.capture.Files, configs.File{Name: "vlan.conf", Raw: []byte("vlan 1"), Text: []byte("vlan 1")})
	wantGood(t, s.capture(configs.Order{}, a), configs.Kept)
	wantGood(t, s.capture(configs.Order{}, a), configs.Unchanged)
}

type backwards struct{ configs.Repository }

func (b *backwards) Texts(ctx context.Context, v configs.Version) ([]configs.Text, error) {
	texts, err := b.Repository.Texts(ctx, v)
	slices.Reverse(texts)
	return texts, err
}

func (b *backwards) Standing(ctx context.Context, id devices.ID) (configs.Version, []configs.Text, bool, error) {
	v, texts, ok, err := b.Repository.Standing(ctx, id)
	slices.Reverse(texts)
	return v, texts, ok, err
}

func TestVerifiedMeansProvenInASecondPlace(t *testing.T) {
	t.Parallel()
	here := &memory.Prover{Proof: configs.Proof{Name: "remote", Done: true, OK: true}}
	lying := second(true)
	lying.Faults = on("Prove", errors.New("connection lost"))
	damaged := &memory.Prover{Faults: on("Prove", &devices.Error{Kind: devices.Damaged, Err: errors.New("pack cannot be read")})}
	for name, c := range map[string]struct {
		provers  []configs.Prover
		verified bool
		kind     devices.Kind // where it is unproven
		proofs   int
	}{
		"nowhere":                      {proofs: 1},
		"not set up":                   {provers: []configs.Prover{&memory.Prover{}}, proofs: 1},
		"in a second place":            {provers: []configs.Prover{second(true)}, verified: true, proofs: 2},
		"in the same place":            {provers: []configs.Prover{here}, proofs: 2},
		"the second place has it not":  {provers: []configs.Prover{second(false)}, kind: devices.Unproven, proofs: 2},
		"the second place is away":     {provers: []configs.Prover{lying}, kind: devices.Unproven, proofs: 2},
		"one of two second places":     {provers: []configs.Prover{second(false), second(true)}, verified: true, proofs: 3},
		"the same in the other order":  {provers: []configs.Prover{second(true), second(false)}, verified: true, proofs: 3},
		"the store itself is damaged":  {provers: []configs.Prover{damaged}, kind: devices.Damaged, proofs: 2},
		"and proven by another prover": {provers: []configs.Prover{second(true), damaged}, kind: devices.Damaged, proofs: 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, o := range []configs.Outcome{configs.Kept, configs.Unchanged} {
				s := newScene(t)
				if o == configs.Unchanged {
					s.capture(configs.Order{}, says(marked, config(9)))
				}
				s.Provers = c.provers
				r := s.capture(configs.Order{}, says(marked, config(9)))
				switch c.kind {
				case devices.Broken:
					wantGood(t, r, o)
				case devices.Damaged:
					want(t, r, configs.Failed, devices.Damaged)
				default:
					want(t, r, o, c.kind)
				}
				if r.Verified != c.verified || len(r.Proofs) != c.proofs || r.Version == "" {
					t.Errorf("verified %t, version %q, proofs %+v", r.Verified, r.Version, r.Proofs)
				}
				if failing := slices.ContainsFunc(r.Proofs, func(p configs.Proof) bool { return !p.OK }); c.verified && failing != (len(r.Warnings) > 0) {
					t.Errorf("warnings %q", r.Warnings)
				}
			}
		})
	}
}

func TestAPartThatFailsIsToldAndNothingIsVerified(t *testing.T) {
	t.Parallel()
	broken := errors.New("disk full")
	damaged := &devices.Error{Kind: devices.Damaged, Op: "read", Err: errors.New("digest differs"), Hint: "restore it"}
	for name, c := range map[string]struct {
		breaks  func(*scene)
		kind    devices.Kind
		changed bool // the text is another one than stands
		kept    bool
		bad     bool // what is read is refused
	}{
		"newest":               {breaks: func(s *scene) { s.repository.Faults = on("Newest", broken) }},
		"the text that stands": {breaks: func(s *scene) { s.repository.Faults = on("Texts", damaged) }, kind: devices.Damaged},
		"commit":               {breaks: func(s *scene) { s.repository.Faults = on("Commit", broken) }, changed: true},
		"seal":                 {breaks: func(s *scene) { s.Sealer = &memory.Sealer{Faults: on("Seal", broken)} }, changed: true},
		"fingerprint key":      {breaks: func(s *scene) { s.Sealer = &memory.Sealer{Faults: on("FingerprintKey", broken)} }},
		"read back originals":  {breaks: func(s *scene) { s.repository.Faults = on("Originals", broken) }, changed: true, kept: true},
		"read back, damaged":   {breaks: func(s *scene) { s.repository.Faults = on("Originals", damaged) }, changed: true, kept: true, kind: devices.Damaged},
		"open":                 {breaks: func(s *scene) { s.Sealer = &memory.Sealer{Faults: on("Open", damaged)} }, changed: true, kept: true, kind: devices.Damaged},
		"another text":         {breaks: func(s *scene) { s.Repository = &forgetful{Repository: s.repository, text: true} }, changed: true, kept: true, kind: devices.Damaged},
		"no original":          {breaks: func(s *scene) { s.Repository = &forgetful{Repository: s.repository} }, changed: true, kept: true, kind: devices.Damaged},
		"an older original":    {breaks: func(s *scene) { s.Repository = &stale{s.repository} }, changed: true, kept: true, kind: devices.Damaged},
		"release":              {breaks: func(s *scene) { s.quarantine.Faults = on("Release", broken) }, changed: true, kept: true},
		"check log":            {breaks: func(s *scene) { s.log.Faults = on("Checked", broken) }, changed: true, kept: true},
		"check log, unchanged": {breaks: func(s *scene) { s.log.Faults = on("Checked", broken) }},
		"hold":                 {breaks: func(s *scene) { s.quarantine.Faults = on("Hold", broken) }, bad: true},
		"seal what is refused": {breaks: func(s *scene) { s.Sealer = &memory.Sealer{Faults: on("Seal", broken)} }, bad: true},
		"log what is refused":  {breaks: func(s *scene) { s.log.Faults = on("Checked", broken) }, bad: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			s.Provers = []configs.Prover{second(true)}
			first := s.capture(configs.Order{}, says(marked, config(9)))
			c.breaks(s)
			s.answers, s.pulls = []answer{says(marked, config(9)), {}}, 0
			if c.changed {
				s.answers[0] = says(marked, config(10))
			}
			if c.bad {
				s.answers = []answer{says(marked, "hostname fw-hq\n"), says(marked, "hostname fw-hq\n")}
			}
			r := s.Capture(t.Context(), s.device, configs.Order{})
			want(t, r, configs.Failed, c.kind)
			s.repository.Faults = memory.Faults{}
			if kept := s.versions() == 2; kept != c.kept {
				t.Errorf("%d versions", s.versions())
			}
			if name != "newest" && (r.Version == "" || r.Version == first.Version) == c.kept {
				t.Errorf("the result names version %q, before it was %q", r.Version, first.Version)
			}
		})
	}
}

func TestAFailingCheckLogDoesNotHideWhatElseWasWrong(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.log.Faults = on("Checked", errors.New("disk full"))
	r := s.capture(configs.Order{}, fails(devices.Denied))
	want(t, r, configs.Failed, devices.Broken)
	if !strings.Contains(r.Error, "disk full") || !strings.Contains(r.Error, "no luck") {
		t.Errorf("error %q", r.Error)
	}
	s.log.Faults = on("Checked", &devices.Error{Kind: devices.NotAllowed, Err: errors.New("read only")})
	want(t, s.capture(configs.Order{}, says(marked, config(9))), configs.Failed, devices.NotAllowed) // it was not the device that denied
	s.repository.Faults = on("Newest", &devices.Error{Kind: devices.Damaged, Op: "read", Err: errors.New("no such object")})
	want(t, s.capture(configs.Order{}), configs.Failed, devices.Damaged)
}

// A forgetful repository does not read back what it was given.
type forgetful struct {
	configs.Repository
	text bool
}

func (f *forgetful) Texts(ctx context.Context, v configs.Version) ([]configs.Text, error) {
	texts, err := f.Repository.Texts(ctx, v)
	if f.text {
		texts = texts[:0]
	}
	return texts, err
}

func (f *forgetful) Originals(ctx context.Context, v configs.Version) ([]configs.Sealed, error) {
	if !f.text {
		return nil, nil
	}
	return f.Repository.Originals(ctx, v)
}

// A stale repository returns the first version's originals for all.
type stale struct{ configs.Repository }

func (s *stale) Originals(ctx context.Context, v configs.Version) ([]configs.Sealed, error) {
	for old, err := range s.History(ctx, v.ID) {
		if err != nil {
			return nil, err
		}
		v = old
	}
	return s.Repository.Originals(ctx, v)
}

func TestAResultIsInJSONWhatScriptsRead(t *testing.T) {
	t.Parallel()
	fields := []string{"checks", "device", "error", "grade", "hint", "result", "seconds", "verified", "version"}
	s := newScene(t)
	s.Provers = []configs.Prover{second(true)}
	a := says(marked, config(9), "A1")
	a.capture.Warnings, a.capture.Missing = []string{"w"}, []string{"m"}
	a.capture.Reached = devices.Reached{Address: "192.0.2.1:22"}
	bad := says(marked, "hostname fw-hq\n")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, r := range map[string]configs.Result{
		"kept":        s.capture(configs.Order{}, a),
		"refused":     s.capture(configs.Order{}, bad, bad),
		"unreachable": s.capture(configs.Order{}, fails(devices.Unreachable), fails(devices.Unreachable)),
		"failed":      s.Capture(ended, s.device, configs.Order{}),
	} {
		out, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := json.Unmarshal(out, &got); err != nil {
			t.Fatal(err)
		}
		more := map[string][]string{"kept": {"identity", "missing", "proofs", "session", "warnings"}, "refused": {"identity"}}[name]
		want := slices.Sorted(slices.Values(slices.Concat(fields, more)))
		if diff := cmp.Diff(want, slices.Sorted(maps.Keys(got))); diff != "" {
			t.Errorf("%s (-contract +now):\n%s", name, diff)
		}
		checks, ok := got["checks"].([]any)
		if !ok || (len(checks) > 0) != (name == "kept" || name == "refused") {
			t.Errorf("%s: checks are %v", name, got["checks"])
		}
		if got["device"] != "acme/fw-hq" || got["result"] != name || got["verified"] != (name == "kept") || (got["grade"] != "") != (name == "kept") {
			t.Errorf("%s: %s", name, out)
		}
		if (got["error"] == "") != (name == "kept") {
			t.Errorf("%s: error %v", name, got["error"])
		}
	}
}

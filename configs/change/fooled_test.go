package change_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"belay/configs"
	"belay/configs/change"
	"belay/devices"
)

// Every way in which a gate could be fooled, by the numbers of the policy, and
// what shows that it is not. Tests without a folder are of this one; scripts are
// in cmd/belay/testdata/script, played with real git, SQLite and SSH.
//
//	0.1  nothing taken, cut short, changed since, too old, another change's, a
//	     closed one's, a nightly one's, no answer      TestTheGateIsNotFooled; fooled, next_day, wrong_box
//	     a waiver alone opens it, and says so          TestAWaiverOpensTheGateAndSaysThatNothingIsBackedUp; waiver
//	     asked about the box that comes                TestTheGateIsAskedForTheOldDeviceOfAnOpenChange; fooled
//	     a shrink that was accepted first              TestAShrinkThatWasAcceptedIsToldOf; fooled
//	0.2  verified without one of its checks or proofs  TestNothingIsVerifiedWithoutEachOfItsChecks; TestTheGateIsNotFooled
//	0.3  second place down, not set up, not elsewhere  TestTheGateIsNotFooled; fooled, docs_down
//	0.4  ordinary contact, authority that has ended    TestAWaiverIsHeldToWhatIsKnown, TestAMailIsRefusedWithEachReason; waiver
//	0.5  a clause that is missing, quoted or hidden    TestAWaiverIsHeldToWhatIsKnown, TestClausesThatNoMailProgramShowsAreNotAgreedTo; waiver
//	0.6  wrong sender, message used before             TestAMailIsRefusedWithEachReason, TestAMessageWaivesOneChangeOnly; waiver
//	0.7  initials after the removal, no scan           TestAFormIsRefusedWithEachReason, TestPermissionComesBeforeTheRemoval; waiver
//	0.8  another serial number than the device's       TestTheGateIsNotFooled, TestAWaiverIsHeldToWhatIsKnown; wrong_box, waiver
//	0.9  a customer who is not told of a slow backup   TestASlowBeforeIsAnnouncedOnce
//	0.10 closed with the old one alone; a swap that
//	     is called an installation                     TestEachKindNeedsItsOwn, TestANameUnderWhichABoxStandsTakesNoOtherWithoutABefore; fooled
//	0.11 ambiguous item                                configs/outbox TestOnlyAnItemBeyondDoubtIsTaken; fooled
//	     a file that arrived short                     configs/outbox TestWhatArrivedSpoiledIsTakenDownAndSentAgain; fooled
//	     exactly one attachment                        configs/outbox TestAThousandSnapshotsHangOnceEachThroughStormsAndRestarts
//	0.12 waits for accounts
//	0.13 somebody's word, or a file of any age         TestTheGateIsNotFooled, TestAnExportSaysThatItsDateIsNotKnown; by_hand
//	0.14 a device in a vendor's cloud, without driver  fooled
//	0.15 a word that has ended                         TestTheGateIsNotFooled; fooled
//	0.16 notices are on the receipt                    TestAReceiptTellsAllThatIsKnown
//	0.17 a closed change is edited, nobody is named    TestNothingIsAddedToAClosedChange, TestAnOpeningIsHeldToItsKind; fooled
//	0.18 no ticket; ticket system down for a day       TestAnOpeningIsHeldToItsKind; fooled

func TestNothingIsVerifiedWithoutEachOfItsChecks(t *testing.T) { // 0.2
	t.Parallel()
	needs := []string{configs.CheckAnswered, configs.CheckFailure, configs.CheckSections, configs.CheckDevice, configs.CheckAgree, "read back", "remote", "said to be"}
	// Each of them is there and good, bad, or missing.
	tries, verified := 1, 0
	for range needs {
		tries *= 3
	}
	for n := range tries {
		k := change.Capture{Version: "v", Phase: change.Before, Verified: true}
		all := true
		for i, left := 0, n; i < len(needs); i, left = i+1, left/3 {
			ok, there := left%3 == 0, left%3 != 2
			all = all && ok
			switch {
			case needs[i] == "said to be":
				k.Verified = ok
			case !there:
			case i < 5:
				k.Checks = append(k.Checks, configs.Check{Name: needs[i], OK: ok})
			default:
				k.Proofs = append(k.Proofs, configs.Proof{Name: needs[i], Done: true, OK: ok, Second: needs[i] == "remote"})
			}
		}
		got := change.Change{Captures: []change.Capture{k}}.Verified("v")
		if got != all {
			t.Fatalf("verified %t of %+v", got, k)
		}
		if got {
			verified++
		}
	}
	if verified != 1 {
		t.Errorf("%d of %d are verified", verified, tries)
	}
}

func TestAShrinkThatWasAcceptedIsToldOf(t *testing.T) {
	t.Parallel()
	for when, told := range map[time.Duration]bool{time.Minute: true, 20 * 24 * time.Hour: true, 60 * 24 * time.Hour: false} {
		s := newScene(t)
		accepted := map[string]any{"reason": "stack reduced", "kept": 1, "devices": map[string]any{fwOld.String(): map[string]any{"result": configs.Kept}}}
		if err := s.ledger.Append(t.Context(), configs.Event{At: noon, Customer: "acme", By: ben, Act: "accept", Detail: accepted}); err != nil {
			t.Fatal(err)
		}
		s.pass(when)
		c, _, a := s.before()
		wantOpen(t, a, "verified")
		r, err := change.MakeReceipt(s.get(c), s.policy, s.clock())
		if err != nil {
			t.Fatal(err)
		}
		says := func(text string) bool {
			text = strings.Join(strings.Fields(text), " ")
			return strings.Contains(text, "Ben Example vouched 2026-03-04 12:00:00 UTC that it has shrunk: stack reduced")
		}
		if says(strings.Join(a.Why, "\n")) != told || says(r.Text()) != told {
			t.Errorf("%v later: told %t, want %t: %q", when, says(r.Text()), told, a.Why)
		}
	}
}

func TestAnExportSaysThatItsDateIsNotKnown(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.stands(fwOld, func(b *box) { b.err = nil })
	c := s.open("T20391", fwOld)
	given := exported(box{text: config("old", 20)}, s.clock())
	c, _, a, err := s.Import(t.Context(), c, fwOld, change.Exported{Phase: change.Before, Capture: given, Attester: "Ada Example", By: ada})
	if err != nil {
		t.Fatal(err)
	}
	wantOpen(t, a, change.WordImported)
	if !strings.Contains(a.Why[0], "exported at a time that is not known") {
		t.Errorf("it says %q", a.Why)
	}
	r, err := change.MakeReceipt(c, s.policy, s.clock())
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(r.Text()), " ")
	if !strings.Contains(text, "when it was exported is not known") || strings.Contains(text, "taken 2026") {
		t.Errorf("the receipt dates an export:\n%s", r.Text())
	}
	if k := c.Captures[0]; !slices.ContainsFunc(k.Checks, func(c configs.Check) bool {
		return c.Name == configs.CheckDevice && strings.Contains(c.Detail, "Ada Example attests") && !strings.Contains(c.Detail, "host key")
	}) {
		t.Errorf("a file without a serial number is told from others by %+v", k.Checks)
	}
}

func TestAReceiptSaysWhereNobodyHeardTheGateOpen(t *testing.T) {
	t.Parallel()
	const never = "The gate never opened before the new box was seen."
	for _, asked := range []bool{false, true} {
		s := newScene(t)
		if asked {
			s.before()
		} else {
			o := opening()
			o.Old = fwOld
			if _, _, err := s.Book.Open(t.Context(), o); err != nil {
				t.Fatal(err)
			}
		}
		s.pass(time.Minute)
		c, _ := s.after()
		r, err := change.MakeReceipt(c, s.policy, s.clock())
		if err != nil || slices.Contains(r.Missing, never) == asked {
			t.Errorf("asked %t: %v %q", asked, err, r.Missing)
		}
	}
}

func TestALongerAgeThanUsualIsOnRecord(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.policy.MaxAge = 1000 * time.Hour
	c, _, _ := s.before()
	s.pass(900 * time.Hour)
	a := s.gate(c)
	wantOpen(t, a, "verified")
	if g := s.get(c).Gates; !slices.Contains(g[len(g)-1].Why, "the settings let a before be 1000h0m0s old") {
		t.Errorf("on record: %q", g[len(g)-1].Why)
	}
}

// Two tickets are about one device: what one of them has swapped the other does
// not take for the old box.
func TestAnotherTicketsSwapShutsTheGate(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	ctx := t.Context()
	first := s.open("T1", fwOld)
	second, _, a, err := s.Before(ctx, fwOld, change.Opening{Ticket: "T2", Old: fwOld, By: ada})
	if err != nil {
		t.Fatal(err)
	}
	wantOpen(t, a, "verified")
	s.stands(fwOld, func(b *box) { b.serials, b.key = []string{"N1"}, "SHA256:new" }) // with the old one's configuration
	if _, r, err := s.After(ctx, fwOld, change.Successor{Ticket: "T1", Change: first.ID, By: ben}); err != nil || r.Err != nil {
		t.Fatal(err, r.Err)
	}
	wantShut(t, s.gate(second), configs.CheckDevice)
	_, r, a, err := s.Before(ctx, fwOld, change.Opening{Ticket: "T1", Old: fwOld, By: ada})
	wantKind(t, err, devices.Usage, "has taken its place already")
	if r.Version != "" || a.Open {
		t.Errorf("%+v", a)
	}
}

package change_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"belay/configs"
	"belay/configs/change"
	"belay/configs/memory"
	"belay/devices"
)

func (s *scene) close(c change.Change, receipt string) error {
	s.t.Helper()
	_, err := s.Close(s.t.Context(), c, ada, receipt)
	return err
}

// versions is how many versions of a device are kept.
func (s *scene) versions(d devices.Device) (n int) {
	for _, err := range s.repository.History(s.t.Context(), d.ID()) {
		if err != nil {
			s.t.Fatal(err)
		}
		n++
	}
	return n
}

func TestAReplacementFromBeforeToClose(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.policy.Systems, s.policy.TicketTo = []string{"itglue"}, "psa"
	c, before, _ := s.before()
	wantKind(t, s.close(c, ""), devices.GateShut, "the new configuration is not verified", "attached in itglue", "receipt is not posted") // 0.10
	wantOpen(t, s.gate(c), "verified")
	s.pass(20 * time.Minute)

	s.prover.Proof.OK = false
	c, r := s.after()
	if r.Verified || len(s.pins) != 1 || s.pins[0] != "Ada Example fw-hq-new SHA256:new" {
		t.Errorf("verified %t, pinned %q", r.Verified, s.pins)
	}
	if c.Succession == nil || c.Succession.By != ada || !slices.Equal(c.Succession.Serials, []string{"N1"}) || c.Succession.HostKey != "SHA256:new" {
		t.Errorf("succession %+v", c.Succession)
	}
	wantState(t, s, c, change.Swapped)
	wantKind(t, s.close(c, ""), devices.GateShut, "the new configuration is not verified")

	s.prover.Proof.OK = true
	c, after := s.after()
	wantState(t, s, c, change.Proven)
	wantKind(t, s.close(c, ""), devices.AttachmentPending, "the before, is not proven", "the after, is not proven", "receipt is not posted")
	s.post(c, "aa", "psa")
	s.pass(time.Minute)
	s.attach(c, before.Version, "itglue", true)
	s.attach(c, after.Version, "hudu", true)
	wantKind(t, s.close(c, ""), devices.AttachmentPending, "the after, is not proven", "receipt is not posted")
	s.attach(c, after.Version, "itglue", true)
	err := s.close(c, "")
	wantKind(t, err, devices.AttachmentPending, "receipt is not posted") // the one that was tells too little by now
	if strings.Contains(err.Error(), "attached") {
		t.Errorf("attached, and yet %v", err)
	}
	s.post(c, "bb", "store")
	wantKind(t, s.close(c, ""), devices.AttachmentPending, "receipt is not posted")
	s.post(c, "bb", "psa")
	wantKind(t, s.close(c, "cc"), devices.AttachmentPending, "receipt is not posted")
	if err := s.close(c, "bb"); err != nil {
		t.Fatal(err)
	}
	wantState(t, s, c, change.Closed)
	if k := s.get(c).Closing; k.By != ada || k.Digest != "bb" || len(s.told) != 0 {
		t.Errorf("closing %+v, told %q", k, s.told)
	}
	s.noSecrets("tulip")
}

// noSecrets looks for a secret in all that was recorded.
func (s *scene) noSecrets(secret string) {
	s.t.Helper()
	for e, err := range s.ledger.Events(s.t.Context(), configs.Filter{}) {
		text, failed := json.Marshal(e)
		if err != nil || failed != nil || strings.Contains(string(text), secret) {
			s.t.Errorf("%v %v: %s", err, failed, text)
		}
	}
}

func TestEachKindNeedsItsOwn(t *testing.T) { // 0.10
	t.Parallel()
	s := newScene(t)
	c, _, err := s.Book.Open(t.Context(), change.Opening{Kind: change.Remove, Ticket: "T1", Old: fwOld, By: ada})
	if err != nil {
		t.Fatal(err)
	}
	wantKind(t, s.close(c, ""), devices.GateShut, "the old configuration of acme/fw-hq is neither verified nor waived")
	if _, _, _, err := s.Before(t.Context(), fwOld, change.Opening{Ticket: "T1", By: ben}); err != nil {
		t.Fatal(err)
	}
	wantState(t, s, c, change.Proven)
	_, _, err = s.After(t.Context(), fwNew, change.Successor{Ticket: "T1", By: ada})
	wantKind(t, err, devices.Usage, "does not come in T1-fw-hq")
	s.post(c, "aa", "folder")
	if err := s.close(c, ""); err != nil {
		t.Error(err)
	}

	c, r, err := s.After(t.Context(), fwNew, change.Successor{Ticket: "T2", Install: true, By: ada})
	if err != nil || !r.Verified {
		t.Fatal(err, r.Err)
	}
	if c.ID != "T2-fw-hq-new" || c.Kind != change.Install {
		t.Errorf("%+v", c)
	}
	wantState(t, s, c, change.Proven)
	_, err = s.Gate(t.Context(), c, fwNew, ada)
	wantKind(t, err, devices.Usage)
	s.post(c, "aa", "folder")
	if err := s.close(c, ""); err != nil {
		t.Error(err)
	}
}

func TestAWaivedChangeIsClosedAsWaived(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.stands(fwOld, func(b *box) { b.err = errors.New("silence") })
	c, _, _ := s.before()
	s.waive(c, s.waiver())
	wantOpen(t, s.gate(c), "WAIVED, not backed up")
	s.pass(time.Hour)
	c, _ = s.after()
	wantState(t, s, c, change.Proven)
	if word := c.Standing(change.Before, s.clock(), s.policy); word != "WAIVED, not backed up" {
		t.Errorf("the old configuration is called %s", word)
	}
	s.post(c, "aa", "store")
	if err := s.close(c, "aa"); err != nil {
		t.Error(err)
	}
	if len(s.told) != 1 || !strings.HasPrefix(s.told[0], "WAIVED, not backed up: Olga Owner") {
		t.Errorf("told %q", s.told)
	}
}

func TestPermissionComesBeforeTheRemoval(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.stands(fwOld, func(b *box) { b.err = errors.New("silence") })
	s.before()
	c, _ := s.after()
	s.pass(time.Hour)
	wantKind(t, s.Book.RecordWaiver(t.Context(), c, s.waiver()), devices.GateShut, "after the device was taken away")
	wantKind(t, s.close(c, ""), devices.GateShut, "neither verified nor waived")
}

func TestAWaivedRemovalProvesNothing(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	c, _, err := s.Book.Open(t.Context(), change.Opening{Kind: change.Remove, Ticket: "T1", Old: fwOld, By: ada})
	if err != nil {
		t.Fatal(err)
	}
	s.waive(c, s.waiver())
	wantState(t, s, c, change.Waived)
	s.post(c, "aa", "store")
	if err := s.close(c, ""); err != nil {
		t.Error(err)
	}
}

func TestOnePlaceIsClosedWithoutTheWordVerified(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.policy.OnePlace = true
	s.prover.Proof = configs.Proof{}
	s.before()
	c, _ := s.after()
	for _, phase := range []string{change.Before, change.After} {
		if word := c.Standing(phase, s.clock(), s.policy); word != "in one place, not verified" {
			t.Errorf("%s: %s", phase, word)
		}
	}
	s.post(c, "aa", "store")
	if err := s.close(c, ""); err != nil {
		t.Error(err)
	}
	if len(s.told) != 1 || !strings.Contains(s.told[0], "in one place") {
		t.Errorf("told %q", s.told)
	}
}

func TestAnAttestCountsIfItStoodWhenTheDeviceWasTakenAway(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.policy.Attest = true
	s.stands(fwOld, func(b *box) { b.err = errors.New("silence") })
	c, _, _ := s.before()
	s.attest(c, noon.Add(time.Hour))
	s.pass(30 * time.Minute)
	c, _ = s.after()
	s.pass(24 * time.Hour)
	s.post(c, "aa", "store")
	s.policy.Attest = false
	wantKind(t, s.close(c, ""), devices.GateShut)
	s.policy.Attest = true
	if err := s.close(c, ""); err != nil || !slices.Contains(s.told, "the old configuration is attested, not verified") {
		t.Errorf("%v, told %q", err, s.told)
	}
}

func TestAChangeIsGivenUpOnlyBeforeTheNewBoxIsSeen(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	c, _, _ := s.before()
	_, err := s.Abandon(t.Context(), c, ada, " ")
	wantKind(t, err, devices.Usage)
	s.after()
	_, err = s.Abandon(t.Context(), c, ada, "never mind")
	wantKind(t, err, devices.NotAllowed, "the new box was seen")
	other := s.open("T2", fwOld)
	if other, err = s.Abandon(t.Context(), other, ben, "the customer called it off"); err != nil || other.Closing.Reason != "the customer called it off" || other.Closing.By != ben {
		t.Errorf("%v %+v", err, other.Closing)
	}
}

func TestTwoTechniciansOnOneChangeAreOneCapture(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.backup.Puller.(*memory.Puller).Delay = time.Second
		both := func(act func(by configs.Person)) {
			var group sync.WaitGroup
			group.Go(func() { act(ada) })
			synctest.Wait()
			group.Go(func() { act(ben) })
			group.Wait()
		}
		both(func(by configs.Person) {
			o := opening()
			o.By = by
			c, r, a, err := s.Before(t.Context(), fwOld, o)
			if err != nil || r.Err != nil || c.ID != "T20391-fw-hq" {
				t.Errorf("%s: %v %v", c.ID, err, r.Err)
			}
			wantOpen(t, a, "verified")
		})
		both(func(by configs.Person) {
			_, r, err := s.After(t.Context(), fwNew, change.Successor{Ticket: "T20391", By: by})
			if err != nil || r.Err != nil {
				t.Error(err, r.Err)
			}
		})
		c := s.get(change.Change{Customer: "acme", ID: "T20391-fw-hq"})
		if s.versions(fwOld) != 1 || s.versions(fwNew) != 1 || s.reads != 4 || len(c.Captures) != 4 || c.Succession.By != ada && c.Succession.By != ben {
			t.Errorf("%d and %d versions, %d readings: %+v", s.versions(fwOld), s.versions(fwNew), s.reads, c)
		}
		s.post(c, "aa", "store")
		var mu sync.Mutex
		var errs []error
		both(func(by configs.Person) {
			_, err := s.Close(t.Context(), c, by, "aa")
			mu.Lock()
			defer mu.Unlock()
			errs = append(errs, err)
		})
		if (errs[0] == nil) == (errs[1] == nil) || devices.KindOf(errors.Join(errs...)) != devices.NotAllowed {
			t.Errorf("closing twice: %v", errs)
		}
	})
}

func TestAChangeLeftHalfWayIsTakenUpTheNextDayBySomeoneElse(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	c, first, _ := s.before()
	s.pass(22 * time.Hour)
	found, err := s.Book.Find(t.Context(), change.Query{Word: "T20391"})
	if err != nil || found.ID != c.ID || found.By != ada {
		t.Fatal(found, err)
	}
	a, err := s.Gate(t.Context(), found, fwOld, ben)
	if err != nil || a.Next != "belay before acme/fw-hq --ticket T20391" {
		t.Errorf("next %q, %v", a.Next, err)
	}
	wantShut(t, a, "22h0m0s ago")
	s.stands(fwOld, func(b *box) { b.text = config("old", 22) })
	c, r, a, err := s.Before(t.Context(), fwOld, change.Opening{Ticket: "T20391", By: ben})
	if err != nil || r.Version == first.Version || c.New != fwNew.ID() {
		t.Fatal(err, r)
	}
	wantOpen(t, a, "verified")
	c, _, err = s.After(t.Context(), fwNew, change.Successor{Ticket: "T20391", By: ben})
	if err != nil || c.Succession.By != ben || c.By != ada {
		t.Errorf("%v %+v", err, c)
	}
	if k, _ := c.Counts(change.Before, s.policy); k.Version != r.Version || k.By != ben {
		t.Errorf("it rests on %+v", k)
	}
}

func TestAnExportByHandCountsAtALowerGrade(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.stands(fwOld, func(b *box) { b.err = errors.New("no shell") })
	c, _, _ := s.before()
	given := exported(box{text: config("old", 20), serials: []string{"A1"}}, noon)
	_, _, _, err := s.Import(t.Context(), c, fwOld, change.Exported{Phase: change.Before, Capture: given, By: ada})
	wantKind(t, err, devices.Usage, "nobody is named who attests")
	_, _, _, err = s.Import(t.Context(), c, fwNew, change.Exported{Phase: change.Before, Capture: given, Attester: "Ada Example", By: ada})
	wantKind(t, err, devices.Usage, "it has no before")

	short := exported(box{text: cut(config("old", 20)), serials: []string{"A1"}}, noon)
	c, r, a, err := s.Import(t.Context(), c, fwOld, change.Exported{Phase: change.Before, Capture: short, Attester: "Ada Example", By: ada})
	if err != nil {
		t.Fatal(err)
	}
	wantKind(t, r.Err, devices.Refused, "end mark")
	wantShut(t, a, "end mark")

	c, r, a, err = s.Import(t.Context(), c, fwOld, change.Exported{Phase: change.Before, Capture: given, Attester: "Ada Example", By: ada})
	if err != nil || r.Err != nil || r.Grade != configs.Partial {
		t.Fatal(err, r)
	}
	wantOpen(t, a, change.WordImported)
	reads := s.reads
	a = s.gate(c)
	wantOpen(t, a, change.WordImported)
	if s.reads != reads || !slices.ContainsFunc(a.Why, func(w string) bool {
		return strings.Contains(w, "cannot be read again") && strings.Contains(w, "Ada Example attests")
	}) {
		t.Errorf("%d readings: %q", s.reads-reads, a.Why)
	}
	wrong := exported(box{text: config("new", 21), serials: []string{"A1"}}, noon)
	_, r, _, err = s.Import(t.Context(), c, fwNew, change.Exported{Phase: change.After, Capture: wrong, Attester: "Ada Example", By: ada})
	if err != nil {
		t.Fatal(err)
	}
	wantKind(t, r.Err, devices.Refused, "still answers")
	right := exported(box{text: config("new", 21), serials: []string{"N1"}}, noon)
	c, r, _, err = s.Import(t.Context(), c, fwNew, change.Exported{Phase: change.After, Capture: right, Attester: "Ada Example", By: ada})
	if err != nil || r.Err != nil || r.Verified || !slices.Equal(c.Succession.Serials, []string{"N1"}) {
		t.Fatal(err, r.Err)
	}
	wantState(t, s, c, change.Proven)
	if k, _ := c.Counts(change.Before, s.policy); !strings.Contains(k.Attested, "Ada Example") || k.Grade.Level != configs.Partial {
		t.Errorf("%+v", k)
	}
	if word := c.Standing(change.After, s.clock(), s.policy); word != change.WordImported {
		t.Errorf("the export is %q", word)
	}
	s.pass(4*time.Hour + 1)
	wantShut(t, s.gate(c), "4h0m0s are allowed")
}

func TestWhatDiffersIsShownWhereItCanBeCompared(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	c := s.open("T20391", fwOld)
	notes := func(want string) {
		t.Helper()
		x, err := s.Differences(t.Context(), s.get(c))
		if err != nil || !strings.Contains(x.Note, want) || x.Unified != "" {
			t.Errorf("%v %+v, want %q", err, x, want)
		}
	}
	notes("neither")
	s.before()
	notes("not kept yet")
	c, _ = s.after()
	x, err := s.Differences(t.Context(), c)
	if err != nil || x.Note != "" || x.Added != 3 || x.Removed != 2 {
		t.Errorf("%v %+v", err, x)
	}
	for _, line := range []string{"--- before/running.conf\n+++ after/running.conf\n", "\n-hostname old\n", "\n+hostname new\n", "\n+interface port20\n"} {
		if !strings.Contains(x.Unified, line) {
			t.Errorf("no %q in %s", line, x.Unified)
		}
	}
	if strings.Contains(x.Unified, "tulip") {
		t.Error("a secret is in the difference")
	}
	s.stands(fwNew, func(b *box) { b.driver = "fortinet_fortios" })
	c, _ = s.after()
	notes("the old device runs test, the new one fortinet_fortios")
}

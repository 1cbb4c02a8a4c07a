package change_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"belay/configs/change"
	"belay/devices"
)

func (s *scene) attest(c change.Change, until time.Time) {
	s.t.Helper()
	if err := s.Book.RecordAttest(s.t.Context(), c, change.Attest{By: ada, Device: fwOld.ID(), Where: "the vendor's cloud", Who: "Olga Owner", Until: until}); err != nil {
		s.t.Fatal(err)
	}
}

func TestAWaiverOpensTheGateAndSaysThatNothingIsBackedUp(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.stands(fwOld, func(b *box) { b.text = cut(b.text) })
	c, _, _ := s.before()
	s.waive(c, s.waiver())
	a := s.gate(c)
	wantOpen(t, a, "WAIVED, not backed up: Olga Owner agreed")
	if !a.Waived || a.Verified || a.State != change.Waived {
		t.Errorf("%+v", a)
	}
	if g := s.get(c).Gates; !g[len(g)-1].Waived {
		t.Errorf("gates on record: %+v", g)
	}
	text, err := json.Marshal(a)
	if err != nil || strings.Contains(strings.ReplaceAll(string(text), `"verified":false`, ""), "erified") {
		t.Errorf("%v: a waived answer speaks of verified: %s", err, text)
	}
	// One that can be had all the same is better than the waiver.
	s.stands(fwOld, func(b *box) { b.text = config("old", 20) })
	_, _, a = s.before()
	wantOpen(t, a, "verified")
	if a.Waived {
		t.Error("waived, though it is backed up")
	}
}

func TestAWaiverIsHeldToWhatIsKnown(t *testing.T) {
	t.Parallel()
	for name, alter := range map[string]func(s *scene, w *change.Waiver){
		"0.4 an ordinary contact":      func(_ *scene, w *change.Waiver) { w.Contact.Authorised = false },
		"0.4 authority that has ended": func(_ *scene, w *change.Waiver) { w.Contact.To = w.Given.Add(-1) },
		"0.4 authority that comes":     func(_ *scene, w *change.Waiver) { w.Contact.From = w.Given.Add(1) },
		"0.5 one clause":               func(_ *scene, w *change.Waiver) { w.Wording.Clauses = w.Wording.Clauses[:1] },
		"0.5 no text":                  func(_ *scene, w *change.Waiver) { w.Digest = "" },
		"0.6 no message":               func(_ *scene, w *change.Waiver) { w.MessageID = "" },
		"0.6 a date that comes":        func(s *scene, w *change.Waiver) { w.Given = s.clock().Add(time.Hour) },
		"0.7 no form":                  func(_ *scene, w *change.Waiver) { w.Kind = change.ByForm },
		"0.8 no serial":                func(_ *scene, w *change.Waiver) { w.Serials = nil },
		"0.8 another serial":           func(_ *scene, w *change.Waiver) { w.Serials = []string{"Z9"} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			s.stands(fwOld, func(b *box) { b.text = cut(b.text) })
			c, _, _ := s.before()
			w := s.waiver()
			alter(s, &w)
			wantKind(t, s.Book.RecordWaiver(t.Context(), c, w), devices.GateShut)
			// Nor where it came to stand in the ledger by another way.
			var m map[string]any
			b, err := json.Marshal(w)
			if err == nil {
				err = json.Unmarshal(b, &m)
			}
			if err != nil {
				t.Fatal(err)
			}
			s.deliver(c, "waive", m)
			wantShut(t, s.gate(c), "waiver")
			wantState(t, s, c, change.Open)
		})
	}
}

func TestAMessageWaivesOneChangeOnly(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	var list []change.Change
	for _, ticket := range []string{"T20391", "T4711"} {
		c, _, err := s.Book.Open(t.Context(), change.Opening{Ticket: ticket, Old: fwOld, By: ada})
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, c)
	}
	for _, c := range list {
		s.waive(c, s.waiver())
	}
	wantOpen(t, s.gate(list[0]), "WAIVED")
	wantShut(t, s.gate(list[1]), "served for another change before: T20391-fw-hq")
	if _, err := s.Close(t.Context(), list[1], ada, ""); devices.KindOf(err) != devices.GateShut {
		t.Errorf("closing: %v", err)
	}
	used, err := s.Book.Used(t.Context())
	if other, ok := used("<1@acme.example>"); err != nil || !ok || other != list[0].ID {
		t.Errorf("used for %q, %t, %v", other, ok, err)
	}
}

func TestAnAttestOpensTheGateWhereThePolicyAllowsIt(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.policy.Attest = true
	s.stands(fwOld, func(b *box) { b.err = errors.New("silence") })
	c, _, _ := s.before()
	wantKind(t, s.Book.RecordAttest(t.Context(), c, change.Attest{By: ada, Device: fwOld.ID(), Where: "in the cloud"}), devices.Usage)
	wantKind(t, s.Book.RecordAttest(t.Context(), c, change.Attest{By: ada, Device: fwOld.ID(), Who: "Olga"}), devices.Usage)
	wantKind(t, s.Book.RecordAttest(t.Context(), c, change.Attest{By: ada, Device: fwNew.ID(), Who: "Olga", Where: "in the cloud"}), devices.Usage)
	s.attest(c, time.Time{})
	a := s.gate(c)
	wantOpen(t, a, "attested, not verified: Olga Owner says")
	if !a.Attested || a.Waived || a.Verified {
		t.Errorf("%+v", a)
	}
}

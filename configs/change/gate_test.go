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

func TestAGoodBeforeOpensTheGate(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	c, r, a := s.before()
	if r.Err != nil || r.Result != configs.Kept || s.reads != 2 {
		t.Fatalf("%s after %d readings: %v", r.Result, s.reads, r.Err)
	}
	wantOpen(t, a, "verified")
	if c.ID != "T20391-fw-hq" || c.New != "acme/fw-hq-new" || a.Change != c.ID || a.Version != r.Version || !a.Until.Equal(noon.Add(4*time.Hour)) {
		t.Errorf("change %+v, answer %+v", c, a)
	}
	k := c.Captures[0]
	if len(c.Captures) != 1 || k.Driver != "test" || k.HostKey != "SHA256:old" || len(k.Files) != 1 || k.By != ada || !k.At.Equal(noon) || !k.Taken.Equal(noon) {
		t.Errorf("recorded %+v", c.Captures)
	}
	wantState(t, s, c, change.Safe)
	wantOpen(t, s.gate(c), "verified")
	if s.reads != 3 {
		t.Errorf("%d readings: the gate must read once more", s.reads)
	}
	if g := s.get(c).Gates; len(g) != 2 || !g[0].Open || !g[1].Open || g[1].By != ada || g[1].Version != r.Version {
		t.Errorf("gates on record: %+v", g)
	}
}

// The ways in which a gate could be fooled; the numbers are the policy's.
func TestTheGateIsNotFooled(t *testing.T) {
	t.Parallel()
	whole := func(s *scene) change.Change { c, _, _ := s.before(); return c }
	for name, f := range map[string]func(t *testing.T, s *scene) (change.Answer, []string){
		"0.1 nothing was taken": func(t *testing.T, s *scene) (change.Answer, []string) {
			o := opening()
			o.Old = old
			c, _, err := s.Book.Open(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			return s.gate(c), []string{"no before was taken within this change"}
		},
		"0.1 it was cut short": func(t *testing.T, s *scene) (change.Answer, []string) {
			s.stands(old, func(b *box) { b.text = cut(b.text) })
			c, r, a := s.before()
			if devices.KindOf(r.Err) != devices.Refused || c.Captures[0].Version != "" {
				t.Errorf("%v, recorded %+v", r.Err, c.Captures[0])
			}
			if len(a.FailingChecks) != 1 || a.FailingChecks[0].Name != configs.CheckEnd {
				t.Errorf("failing checks %+v", a.FailingChecks)
			}
			wantShut(t, a, "end mark")
			return s.gate(c), []string{"end mark"}
		},
		"0.1 a later before was cut short": func(t *testing.T, s *scene) (change.Answer, []string) {
			whole(s)
			s.stands(old, func(b *box) { b.text = cut(b.text) })
			_, _, a := s.before()
			return a, []string{"end mark"}
		},
		"0.1 the device has changed since": func(t *testing.T, s *scene) (change.Answer, []string) {
			c := whole(s)
			s.stands(old, func(b *box) { b.text = config("old", 19) })
			return s.gate(c), []string{configs.CheckSince}
		},
		"0.1 only a password has changed since": func(t *testing.T, s *scene) (change.Answer, []string) {
			c := whole(s)
			s.stands(old, func(b *box) { b.text = strings.Replace(b.text, "tulip", "daffodil", 1) })
			return s.gate(c), []string{configs.CheckSince}
		},
		"0.1 it is a moment too old": func(t *testing.T, s *scene) (change.Answer, []string) {
			c := whole(s)
			s.pass(4*time.Hour + 1)
			return s.gate(c), []string{"4h0m0s are allowed"}
		},
		"0.1 it grows too old while it is read again": func(t *testing.T, s *scene) (change.Answer, []string) {
			c := whole(s)
			s.pass(4*time.Hour - time.Second)
			s.stands(old, func(b *box) { b.takes = 2 * time.Second })
			return s.gate(c), []string{"4h0m0s are allowed"}
		},
		"0.1 a clock was set": func(t *testing.T, s *scene) (change.Answer, []string) {
			c := whole(s)
			s.pass(-time.Hour)
			return s.gate(c), []string{"a clock was set"}
		},
		"0.1 it was the before of another ticket": func(t *testing.T, s *scene) (change.Answer, []string) {
			whole(s)
			c, _, err := s.Book.Open(t.Context(), change.Opening{Ticket: "T4711", Old: old, By: ada})
			if err != nil {
				t.Fatal(err)
			}
			return s.gate(c), []string{"no before was taken within this change"}
		},
		"0.1 another change's version is written into this one": func(t *testing.T, s *scene) (change.Answer, []string) {
			k := whole(s).Captures[0]
			c, _, err := s.Book.Open(t.Context(), change.Opening{Ticket: "T4711", Old: old, By: ada})
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Book.RecordCapture(t.Context(), c, k); err != nil {
				t.Fatal(err)
			}
			return s.gate(c), []string{"was not kept as the before of this change"}
		},
		"0.1 it was the before of a change that is closed": func(t *testing.T, s *scene) (change.Answer, []string) {
			if _, err := s.Abandon(t.Context(), whole(s), ada, "the window was moved"); err != nil {
				t.Fatal(err)
			}
			c, _, err := s.Book.Open(t.Context(), change.Opening{Ticket: "T20391", Old: old, By: ada})
			if err != nil {
				t.Fatal(err)
			}
			if c.ID != "T20391-fw-hq-2" || c.Follows != "T20391-fw-hq" {
				t.Errorf("the next change is %s after %q", c.ID, c.Follows)
			}
			return s.gate(c), []string{"no before was taken within this change"}
		},
		"0.1 it was a nightly capture": func(t *testing.T, s *scene) (change.Answer, []string) {
			if r := s.backup.Capture(t.Context(), old, configs.Order{By: ada}); !r.Verified {
				t.Fatal(r.Err)
			}
			c, _, err := s.Book.Open(t.Context(), change.Opening{Ticket: "T20391", Old: old, By: ada})
			if err != nil {
				t.Fatal(err)
			}
			return s.gate(c), []string{"no before was taken within this change"}
		},
		"0.1 the device does not answer any more": func(t *testing.T, s *scene) (change.Answer, []string) {
			c := whole(s)
			s.stands(old, func(b *box) { b.err = errors.New("silence") })
			return s.gate(c), []string{"could not be read again", "no answer"}
		},
		"0.1 it did not answer at all": func(t *testing.T, s *scene) (change.Answer, []string) {
			s.stands(old, func(b *box) { b.err = errors.New("silence") })
			c, r, a := s.before()
			wantKind(t, r.Err, devices.Unreachable)
			wantShut(t, a, "no answer")
			return s.gate(c), []string{"no answer"}
		},
		"0.2 a check that failed is recorded as verified": func(t *testing.T, s *scene) (change.Answer, []string) {
			c := whole(s)
			k := c.Captures[0]
			k.Checks[2].OK, k.Version, k.Verified = false, "ffff", true
			s.pass(5 * time.Hour)
			k.Taken = s.clock()
			if err := s.Book.RecordCapture(t.Context(), c, k); err != nil {
				t.Fatal(err)
			}
			return s.gate(c), []string{k.Checks[2].Name}
		},
		"0.3 the second place is down": func(t *testing.T, s *scene) (change.Answer, []string) {
			s.prover.Proof.OK = false
			c, r, a := s.before()
			if r.Verified || len(a.FailingProofs) != 1 || a.FailingProofs[0].Name != "remote" {
				t.Errorf("verified %t, failing proofs %+v", r.Verified, a.FailingProofs)
			}
			wantShut(t, a, "remote: it has it")
			return s.gate(c), []string{"remote: it has it"}
		},
		"0.3 there is no second place": func(t *testing.T, s *scene) (change.Answer, []string) {
			s.prover.Proof = configs.Proof{}
			c, _, a := s.before()
			wantShut(t, a, "one place only")
			return s.gate(c), []string{"one place only"}
		},
		"0.3 the second place is on the same machine": func(t *testing.T, s *scene) (change.Answer, []string) {
			s.prover.Proof.Second = false
			_, _, a := s.before()
			return a, []string{"one place only"}
		},
		"0.11 an attachment that is none of its files": func(t *testing.T, s *scene) (change.Answer, []string) {
			s.prover.Proof = configs.Proof{}
			c, r, _ := s.before()
			s.deliver(c, "attach", map[string]any{"system": "itglue", "version": r.Version, "file": configs.MainFile, "form": configs.Receipt, "second": true})
			s.attach(c, "0000", "itglue", true)
			s.attach(c, r.Version, "folder", false)
			return s.gate(c), []string{"one place only"}
		},
		"0.8 another box answers": func(t *testing.T, s *scene) (change.Answer, []string) {
			c := whole(s)
			s.stands(old, func(b *box) { b.serials = []string{"Z9"} })
			return s.gate(c), []string{configs.CheckDevice, "serial A1", "serial Z9"}
		},
		"0.8 a waiver names another serial": func(t *testing.T, s *scene) (change.Answer, []string) {
			s.stands(old, func(b *box) { b.text = cut(b.text) })
			c, _, _ := s.before()
			w := s.waiver()
			w.Serials = []string{"A1"}
			s.waive(c, w)
			s.stands(old, func(b *box) { b.serials = []string{"A2"} })
			_, _, a := s.before()
			return a, []string{"the waiver names serial A1, the device showed A2", "end mark"}
		},
		"0.10 the new box has taken its address": func(t *testing.T, s *scene) (change.Answer, []string) {
			c := whole(s)
			both := old
			both.Serials = []string{"A1", "N1"}
			s.after()
			s.stands(old, func(b *box) { b.serials = []string{"N1"} })
			a, err := s.Gate(t.Context(), c, both, ada)
			if err != nil {
				t.Fatal(err)
			}
			return a, []string{"the new box answers"}
		},
		"0.13 an attest where the policy does not allow it": func(t *testing.T, s *scene) (change.Answer, []string) {
			s.stands(old, func(b *box) { b.err = errors.New("silence") })
			c, _, _ := s.before()
			s.attest(c, time.Time{})
			return s.gate(c), []string{"no answer"}
		},
		"0.15 an attest that has ended": func(t *testing.T, s *scene) (change.Answer, []string) {
			s.policy.Attest = true
			s.stands(old, func(b *box) { b.err = errors.New("silence") })
			c, _, _ := s.before()
			s.attest(c, noon.Add(time.Hour))
			wantOpen(t, s.gate(c), change.WordAttested)
			s.pass(time.Hour + 1)
			return s.gate(c), []string{"no answer"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			a, why := f(t, s)
			wantShut(t, a, why...)
			if c := s.get(change.Change{Customer: "acme", ID: a.Change}); len(c.Gates) == 0 || c.Gates[len(c.Gates)-1].Open {
				t.Errorf("the answer is not on record: %+v", c.Gates)
			}
		})
	}
}

func (s *scene) attest(c change.Change, until time.Time) {
	s.t.Helper()
	if err := s.Book.RecordAttest(s.t.Context(), c, change.Attest{By: ada, Device: old.ID(), Where: "the vendor's cloud", Who: "Olga Owner", Until: until}); err != nil {
		s.t.Fatal(err)
	}
}

func TestABeforeIsGoodToTheLastMomentOfItsAge(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	c, _, _ := s.before()
	s.pass(4 * time.Hour)
	wantOpen(t, s.gate(c), "verified")
	wantState(t, s, c, change.Safe)
	s.pass(1)
	wantShut(t, s.gate(c))
	wantState(t, s, c, change.Open)
	s.policy.MaxAge = 0
	s.pass(-1)
	wantOpen(t, s.gate(c), "verified")
}

func TestAGoodBeforeStandsWhereALaterOneFailed(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	c, first, _ := s.before()
	s.prover.Proof.OK = false
	_, _, a := s.before()
	wantShut(t, a, "remote")
	a = s.gate(c)
	wantOpen(t, a, "verified")
	if a.Version != first.Version {
		t.Errorf("it opened for %s, which is not verified", a.Version)
	}
}

func TestAnAttachmentThatArrivesLaterVerifies(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.prover.Proof.OK = false
	c, r, _ := s.before()
	if s.get(c).Verified(r.Version) {
		t.Error("verified without a second place")
	}
	s.attach(c, r.Version, "itglue", true)
	if !s.get(c).Verified(r.Version) {
		t.Error("not verified by an attachment of all of its files")
	}
	wantOpen(t, s.gate(c), "verified")
}

func TestOnePlaceOpensTheGateAndIsNeverCalledVerified(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.policy.OnePlace = true
	s.prover.Proof = configs.Proof{}
	c, r, a := s.before()
	wantOpen(t, a, "in one place, not verified")
	if !a.OnePlace || s.get(c).Verified(r.Version) {
		t.Errorf("%+v", a)
	}
	s.stands(old, func(b *box) { b.text = config("old", 19) })
	wantShut(t, s.gate(c), configs.CheckSince)
}

func TestAWaiverOpensTheGateAndSaysThatNothingIsBackedUp(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.stands(old, func(b *box) { b.text = cut(b.text) })
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
	s.stands(old, func(b *box) { b.text = config("old", 20) })
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
			s.stands(old, func(b *box) { b.text = cut(b.text) })
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
		c, _, err := s.Book.Open(t.Context(), change.Opening{Ticket: ticket, Old: old, By: ada})
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
	s.stands(old, func(b *box) { b.err = errors.New("silence") })
	c, _, _ := s.before()
	wantKind(t, s.Book.RecordAttest(t.Context(), c, change.Attest{By: ada, Device: old.ID(), Where: "in the cloud"}), devices.Usage)
	wantKind(t, s.Book.RecordAttest(t.Context(), c, change.Attest{By: ada, Device: old.ID(), Who: "Olga"}), devices.Usage)
	wantKind(t, s.Book.RecordAttest(t.Context(), c, change.Attest{By: ada, Device: new.ID(), Who: "Olga", Where: "in the cloud"}), devices.Usage)
	s.attest(c, time.Time{})
	a := s.gate(c)
	wantOpen(t, a, "attested, not verified: Olga Owner says")
	if !a.Attested || a.Waived || a.Verified {
		t.Errorf("%+v", a)
	}
}

func TestThePartnerOfAPairMayAnswerTheGate(t *testing.T) {
	t.Parallel()
	pair := old
	pair.Serials = []string{"A1", "B2"}
	for name, same := range map[string]bool{"with the same text": true, "not with the same text": false} {
		s := newScene(t)
		c, _, _, err := s.Before(t.Context(), pair, opening())
		if err != nil {
			t.Fatal(err)
		}
		s.stands(old, func(b *box) {
			b.serials, b.key = []string{"B2"}, "SHA256:partner"
			if !same {
				b.text = config("old", 19)
			}
		})
		a, err := s.Gate(t.Context(), c, pair, ada)
		if err != nil {
			t.Fatal(err)
		}
		if same {
			wantOpen(t, a, "verified")
		} else {
			wantShut(t, a, configs.CheckSince)
		}
		if !slices.ContainsFunc(a.Why, func(w string) bool { return strings.Contains(w, "B2") && strings.Contains(w, name) }) {
			t.Errorf("the partner is not named: %q", a.Why)
		}
	}
}

func TestAnAnswerThatIsNotOnRecordDoesNotOpen(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	c, _, _ := s.before()
	s.ledger.Faults = memory.Faults{Fail: func(op string) error {
		if op == "Append" {
			return errors.New("disk full")
		}
		return nil
	}}
	a, err := s.Gate(t.Context(), c, old, ada)
	wantKind(t, err, devices.Broken, "disk full")
	wantShut(t, a, "disk full")
	_, _, a, err = s.Before(t.Context(), old, opening())
	wantKind(t, err, devices.Broken, "disk full")
	if a.Open {
		t.Error("a before that is not on record opened the gate")
	}
}

func TestAGateOnADamagedStoreIsShut(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"History", "Texts"} {
		s := newScene(t)
		c, _, _ := s.before()
		s.repository.Faults = memory.Faults{Fail: func(o string) error {
			if o == op {
				return &devices.Error{Kind: devices.Damaged, Op: "read", Err: errors.New("a bit has flipped")}
			}
			return nil
		}}
		a, err := s.Gate(t.Context(), c, old, ada)
		wantKind(t, err, devices.Damaged, "a bit has flipped")
		wantShut(t, a, "a bit has flipped")
	}
}

func TestTheGateIsAskedForTheOldDeviceOfAnOpenChange(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	c, _, _ := s.before()
	_, err := s.Gate(t.Context(), c, new, ada)
	wantKind(t, err, devices.Usage, "is not what goes")
	if _, err := s.Abandon(t.Context(), c, ada, "another day"); err != nil {
		t.Fatal(err)
	}
	a, err := s.Gate(t.Context(), c, old, ada)
	wantKind(t, err, devices.NotAllowed, "it was closed")
	if a.Open {
		t.Error("open")
	}
}

func TestASlowBeforeIsAnnouncedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.policy.NoticeAfter = time.Minute
		s.backup.Puller.(*memory.Puller).Delay = 2 * time.Minute
		var group sync.WaitGroup
		for _, by := range []configs.Person{ada, ben} {
			group.Go(func() {
				o := opening()
				o.By = by
				if _, _, a, err := s.Before(t.Context(), old, o); err != nil || !a.Open {
					t.Errorf("%v, %+v", err, a)
				}
			})
			synctest.Wait()
		}
		group.Wait()
		c, _, _ := s.before()
		if len(s.told) != 1 || !strings.Contains(s.told[0], "takes longer than 1m0s") || len(c.Notices) != 1 || c.Notices[0].Text != s.told[0] {
			t.Errorf("told %q, on record %+v", s.told, c.Notices)
		}
		s.backup.Puller.(*memory.Puller).Delay = time.Second
		quick := newScene(t)
		quick.policy.NoticeAfter = time.Minute
		if c, _, _ := quick.before(); len(c.Notices) != 0 || len(quick.told) != 0 {
			t.Errorf("a quick one was announced: %q", quick.told)
		}
	})
}

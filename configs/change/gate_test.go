package change_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
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

func TestWhatNothingProvedIsRecordedSo(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.stands(fwOld, func(b *box) { b.key, b.unproven = "", "read by telnet" })
	c, r, _ := s.before()
	if r.Reached.Unproven != "read by telnet" || c.Captures[0].Unproven != "read by telnet" {
		t.Errorf("%+v, recorded %+v", r.Reached, c.Captures)
	}
}

// The ways in which a gate could be fooled; the numbers are the policy's.
func TestTheGateIsNotFooled(t *testing.T) {
	t.Parallel()
	whole := func(s *scene) change.Change { c, _, _ := s.before(); return c }
	for name, f := range map[string]func(t *testing.T, s *scene) (change.Answer, []string){
		"0.1 nothing was taken": func(t *testing.T, s *scene) (change.Answer, []string) {
			o := opening()
			o.Old = fwOld
			c, _, err := s.Book.Open(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			return s.gate(c), []string{"no before was taken within this change"}
		},
		"0.1 it was cut short": func(t *testing.T, s *scene) (change.Answer, []string) {
			s.stands(fwOld, func(b *box) { b.text = cut(b.text) })
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
			s.stands(fwOld, func(b *box) { b.text = cut(b.text) })
			_, _, a := s.before()
			return a, []string{"end mark"}
		},
		"0.1 the device has changed since": func(t *testing.T, s *scene) (change.Answer, []string) {
			c := whole(s)
			s.stands(fwOld, func(b *box) { b.text = config("old", 19) })
			return s.gate(c), []string{configs.CheckSince}
		},
		"0.1 only a password has changed since": func(t *testing.T, s *scene) (change.Answer, []string) {
			c := whole(s)
			s.stands(fwOld, func(b *box) { b.text = strings.Replace(b.text, "tulip", "daffodil", 1) })
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
			s.stands(fwOld, func(b *box) { b.takes = 2 * time.Second })
			return s.gate(c), []string{"4h0m0s are allowed"}
		},
		"0.1 a clock was set": func(t *testing.T, s *scene) (change.Answer, []string) {
			c := whole(s)
			s.pass(-time.Hour)
			return s.gate(c), []string{"a clock was set"}
		},
		"0.1 it was the before of another ticket": func(t *testing.T, s *scene) (change.Answer, []string) {
			whole(s)
			c, _, err := s.Book.Open(t.Context(), change.Opening{Ticket: "T4711", Old: fwOld, By: ada})
			if err != nil {
				t.Fatal(err)
			}
			return s.gate(c), []string{"no before was taken within this change"}
		},
		"0.1 another change's version is written into this one": func(t *testing.T, s *scene) (change.Answer, []string) {
			k := whole(s).Captures[0]
			c, _, err := s.Book.Open(t.Context(), change.Opening{Ticket: "T4711", Old: fwOld, By: ada})
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
			c, _, err := s.Book.Open(t.Context(), change.Opening{Ticket: "T20391", Old: fwOld, By: ada})
			if err != nil {
				t.Fatal(err)
			}
			if c.ID != "T20391-fw-hq-2" || c.Follows != "T20391-fw-hq" {
				t.Errorf("the next change is %s after %q", c.ID, c.Follows)
			}
			return s.gate(c), []string{"no before was taken within this change"}
		},
		"0.1 it was a nightly capture": func(t *testing.T, s *scene) (change.Answer, []string) {
			if r := s.backup.Capture(t.Context(), fwOld, configs.Order{By: ada}); !r.Verified {
				t.Fatal(r.Err)
			}
			c, _, err := s.Book.Open(t.Context(), change.Opening{Ticket: "T20391", Old: fwOld, By: ada})
			if err != nil {
				t.Fatal(err)
			}
			return s.gate(c), []string{"no before was taken within this change"}
		},
		"0.1 the device does not answer any more": func(t *testing.T, s *scene) (change.Answer, []string) {
			c := whole(s)
			s.stands(fwOld, func(b *box) { b.err = errors.New("silence") })
			return s.gate(c), []string{"could not be read again", "no answer"}
		},
		"0.1 it did not answer at all": func(t *testing.T, s *scene) (change.Answer, []string) {
			s.stands(fwOld, func(b *box) { b.err = errors.New("silence") })
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
			return s.gate(c), []string{"one place only", "belay init --print"}
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
			s.stands(fwOld, func(b *box) { b.serials = []string{"Z9"} })
			return s.gate(c), []string{configs.CheckDevice, "serial A1", "serial Z9"}
		},
		"0.8 a waiver names another serial": func(t *testing.T, s *scene) (change.Answer, []string) {
			s.stands(fwOld, func(b *box) { b.text = cut(b.text) })
			c, _, _ := s.before()
			w := s.waiver()
			w.Serials = []string{"A1"}
			s.waive(c, w)
			s.stands(fwOld, func(b *box) { b.serials = []string{"A2"} })
			_, _, a := s.before()
			return a, []string{"the waiver names serial A1, the device showed A2", "end mark"}
		},
		"0.10 the new box has taken its address": func(t *testing.T, s *scene) (change.Answer, []string) {
			c := whole(s)
			both := fwOld
			both.Serials = []string{"A1", "N1"}
			s.after()
			s.stands(fwOld, func(b *box) { b.serials = []string{"N1"} })
			a, err := s.Gate(t.Context(), c, both, ada)
			if err != nil {
				t.Fatal(err)
			}
			return a, []string{"the new box answers"}
		},
		"0.13 an attest where the policy does not allow it": func(t *testing.T, s *scene) (change.Answer, []string) {
			s.stands(fwOld, func(b *box) { b.err = errors.New("silence") })
			c, _, _ := s.before()
			s.attest(c, time.Time{})
			return s.gate(c), []string{"no answer"}
		},
		"0.15 an attest that has ended": func(t *testing.T, s *scene) (change.Answer, []string) {
			s.policy.Attest = true
			s.stands(fwOld, func(b *box) { b.err = errors.New("silence") })
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
	s.stands(fwOld, func(b *box) { b.text = config("old", 19) })
	wantShut(t, s.gate(c), configs.CheckSince)
}

func TestThePartnerOfAPairMayAnswerTheGate(t *testing.T) {
	t.Parallel()
	pair := fwOld
	pair.Serials = []string{"A1", "B2"}
	for name, same := range map[string]bool{"with the same text": true, "not with the same text": false} {
		s := newScene(t)
		c, _, _, err := s.Before(t.Context(), pair, opening())
		if err != nil {
			t.Fatal(err)
		}
		s.stands(fwOld, func(b *box) {
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
	a, err := s.Gate(t.Context(), c, fwOld, ada)
	wantKind(t, err, devices.Broken, "disk full")
	wantShut(t, a, "disk full")
	_, _, a, err = s.Before(t.Context(), fwOld, opening())
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
		given := exported(s.boxes[fwOld.Address], noon)
		byHand, _, _, err := s.Import(t.Context(), s.open("T2", fwOld), fwOld, change.Exported{Phase: change.Before, Capture: given, Attester: "Ada", By: ada})
		if err != nil {
			t.Fatal(err)
		}
		s.repository.Faults = memory.Faults{Fail: func(o string) error {
			if o == op {
				return &devices.Error{Kind: devices.Damaged, Op: "read", Err: errors.New("a bit has flipped")}
			}
			return nil
		}}
		for _, c := range []change.Change{c, byHand} {
			a, err := s.Gate(t.Context(), c, fwOld, ada)
			wantKind(t, err, devices.Damaged, "a bit has flipped")
			wantShut(t, a, "a bit has flipped")
		}
	}
}

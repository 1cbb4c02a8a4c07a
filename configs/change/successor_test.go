package change_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"belay/configs/change"
	"belay/devices"
)

func TestTheWrongBoxIsNotKeptAsTheNewOne(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		alter func(*scene)
		says  string
		err   bool // refused before it is read
	}{
		"the old box": {func(s *scene) {
			s.stands(fwNew, func(b *box) { *b = s.boxes[fwOld.Address] })
		}, "still answers", false},
		"the old box with a new host key": {func(s *scene) {
			s.stands(fwNew, func(b *box) { b.serials = []string{"a1"} })
		}, "still answers", false},
		"another known device": {func(s *scene) {
			s.known["B7"] = "acme/fw-branch"
			s.stands(fwNew, func(b *box) { b.serials = []string{"b7"} })
		}, "wrong box: serial B7 is acme/fw-branch", false},
		"another customer's device": {func(s *scene) {
			s.known["B7"] = "beta/fw"
			s.stands(fwNew, func(b *box) { b.serials = []string{"B7"} })
		}, "wrong box: serial B7 is beta/fw", false},
		"another device's host key": {func(s *scene) { s.known["SHA256:new"] = "beta/fw" }, "wrong box: SHA256:new is the key of beta/fw", true},
		"another than the inventory says": {func(s *scene) {
			s.stands(fwNew, func(b *box) { b.serials = []string{"N2"} })
		}, "another device: serial N2", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			s.before()
			c.alter(s)
			d := fwNew
			d.Serials = []string{"N1"}
			if c.says != "another device: serial N2" {
				d.Serials = nil
			}
			got, r, err := s.After(t.Context(), d, change.Successor{Ticket: "T20391", By: ada})
			if !c.err {
				if err != nil {
					t.Fatal(err)
				}
				wantKind(t, r.Err, devices.Refused, c.says)
				if k := got.Captures[len(got.Captures)-1]; k.Phase != change.After || k.Version != "" || k.Error == "" {
					t.Errorf("recorded %+v", k)
				}
			} else {
				wantKind(t, err, devices.NotAllowed, c.says)
				if len(s.pins) != 0 || s.reads != 2 {
					t.Errorf("pinned %q, %d readings", s.pins, s.reads)
				}
			}
			if s.versions(fwNew) != 0 || got.Succession != nil || r.Verified {
				t.Errorf("%d versions, succession %+v", s.versions(fwNew), got.Succession)
			}
			wantState(t, s, got, change.Safe)
		})
	}
}

func TestTheGateIsAskedForTheOldDeviceOfAnOpenChange(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	c, _, _ := s.before()
	_, err := s.Gate(t.Context(), c, fwNew, ada)
	wantKind(t, err, devices.Usage, "is not what goes")
	if _, err := s.Abandon(t.Context(), c, ada, "another day"); err != nil {
		t.Fatal(err)
	}
	a, err := s.Gate(t.Context(), c, fwOld, ada)
	wantKind(t, err, devices.NotAllowed, "it was closed")
	if a.Open {
		t.Error("open")
	}
}

func TestABoxWithoutASerialNumberIsToldByItsHostKeyOrByAPerson(t *testing.T) {
	t.Parallel()
	nameless := func(known bool) *scene {
		s := newScene(t)
		if !known {
			s.stands(fwOld, func(b *box) { b.serials = nil })
		}
		s.before()
		s.stands(fwNew, func(b *box) { b.serials = nil })
		return s
	}
	for _, known := range []bool{true, false} {
		s := nameless(known)
		if c, r := s.after(); !r.Verified || c.Succession == nil {
			t.Errorf("another host key tells enough: %v", r.Err)
		}
		s = nameless(known)
		s.stands(fwNew, func(b *box) { b.key = "SHA256:old" })
		c, r, err := s.After(t.Context(), fwNew, change.Successor{Ticket: "T20391", By: ada})
		if err == nil {
			err = r.Err
		}
		wantKind(t, err, devices.Refused, "nothing tells it from the old box")
		if !known && (s.versions(fwNew) > 0 || len(s.pins) > 0) {
			t.Errorf("neither has a serial number, and yet %d versions and pins %q", s.versions(fwNew), s.pins)
		}
		c = s.get(c)
		if _, counts := c.Counts(change.After, s.policy); counts || c.Succession != nil || r.Verified || !strings.Contains(devices.HintOf(err), "--reason") {
			t.Errorf("%+v", c)
		}
		c, r, err = s.After(t.Context(), fwNew, change.Successor{Ticket: "T20391", By: ada, Reason: "I carried the old one out"})
		if err != nil || !r.Verified || c.Succession.Reason != "I carried the old one out" {
			t.Errorf("%v %+v", err, c.Succession)
		}
		wantState(t, s, c, change.Proven)
	}
}

func TestABoxMayTakeAnothersPlaceAndName(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	d := fwOld
	d.Serials = []string{"A1"} // the inventory goes on to speak of the old box
	ctx := t.Context()
	c, before, _, err := s.Before(ctx, d, change.Opening{Ticket: "T20391", By: ada})
	if err != nil {
		t.Fatal(err)
	}
	_, r, err := s.After(ctx, d, change.Successor{Ticket: "T20391", By: ada})
	if err != nil {
		t.Fatal(err)
	}
	wantKind(t, r.Err, devices.Refused, "still answers")
	s.stands(d, func(b *box) { *b = box{text: config("new", 3), serials: []string{"N1"}, key: "SHA256:new"} })
	c, r, err = s.After(ctx, d, change.Successor{Ticket: "T20391", By: ada})
	if err != nil || !r.Verified || c.New != d.ID() || c.Old != d.ID() || r.Version == before.Version {
		t.Fatal(err, r.Err, c)
	}
	wantState(t, s, c, change.Proven)
	reads := s.reads
	_, _, _, err = s.Before(ctx, d, change.Opening{Ticket: "T20391", By: ada})
	wantKind(t, err, devices.Usage, "has taken its place already")
	if s.reads != reads {
		t.Error("the new box was read as if it were the old one")
	}
	// Nor does a before count that somebody had under way.
	k := c.Captures[len(c.Captures)-1]
	k.Phase = change.Before
	if err := s.Book.RecordCapture(ctx, c, k); err != nil {
		t.Fatal(err)
	}
	if k, ok := s.get(c).Counts(change.Before, s.policy); !ok || k.Version != before.Version {
		t.Errorf("it rests on %+v", k)
	}
	x, err := s.Differences(ctx, c)
	if err != nil || x.Before != before.Version || x.After != r.Version || x.Removed < 17 {
		t.Errorf("%v %+v", err, x)
	}
}

func TestAPairOfWhichOneMemberStays(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	d := fwOld
	d.Serials = []string{"A1", "B2"}
	if _, _, _, err := s.Before(t.Context(), d, change.Opening{Ticket: "T20391", By: ada}); err != nil {
		t.Fatal(err)
	}
	s.stands(d, func(b *box) { b.serials = []string{"B2"} })
	_, r, err := s.After(t.Context(), d, change.Successor{Ticket: "T20391", By: ada})
	if err != nil {
		t.Fatal(err)
	}
	wantKind(t, r.Err, devices.Refused, "still answers")
	_, r, err = s.After(t.Context(), d, change.Successor{Ticket: "T20391", By: ada, Serials: []string{"B2", "N1"}})
	if err != nil || !r.Verified {
		t.Fatal(err, r.Err)
	}
	s.stands(d, func(b *box) { b.serials, b.key = []string{"N1"}, "SHA256:new" })
	c, r, err := s.After(t.Context(), d, change.Successor{Ticket: "T20391", By: ada, Serials: []string{"B2", "N1"}})
	if err != nil || !r.Verified {
		t.Error(err, r.Err)
	}
	wantState(t, s, c, change.Proven)
}

func TestTheAfterOfABoxThatWasReplacedInTurnDoesNotCount(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.before()
	c, _ := s.after()
	wantState(t, s, c, change.Proven)
	s.pass(time.Hour)
	first := c.Succession.At
	c, _ = s.after() // the same box, corrected
	if !c.Succession.At.Equal(first) {
		t.Error("seen again, it is taken for another box")
	}
	for _, serials := range [][]string{{"N1", "N5"}, nil} { // somebody else saw it too
		if err := s.Book.RecordSuccession(t.Context(), c, change.Succession{By: ben, Device: fwNew.ID(), Serials: serials, HostKey: "SHA256:new"}); err != nil {
			t.Fatal(err)
		}
	}
	if c = s.get(c); !c.Succession.At.Equal(first) || c.Succession.By != ada {
		t.Errorf("seen by two, it is taken for another box: %+v", c.Succession)
	}
	s.stands(fwNew, func(b *box) { b.serials, b.key, b.text = []string{"N2"}, "SHA256:newer", cut(b.text) })
	c, _ = s.after()
	if !slices.Equal(c.Succession.Serials, []string{"N2"}) {
		t.Errorf("succession %+v", c.Succession)
	}
	wantState(t, s, c, change.Swapped)
}

func TestTheNewDeviceNeedsItsChange(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	after := func(d devices.Device, o change.Successor) (change.Change, error) {
		o.By = ada
		c, _, err := s.After(t.Context(), d, o)
		return c, err
	}
	_, err := after(fwNew, change.Successor{Ticket: "T20391"})
	wantKind(t, err, devices.Usage, "T20391")
	_, err = after(fwNew, change.Successor{})
	wantKind(t, err, devices.Usage, "needs a ticket")
	s.open("T1", fwOld)
	s.open("T1", devices.Device{Customer: "acme", Name: "fw-2"})
	_, err = after(fwNew, change.Successor{Ticket: "T1"})
	wantKind(t, err, devices.Usage, "T1-fw-hq", "T1-fw-2")
	c, err := after(fwNew, change.Successor{Ticket: "T1", Change: "T1-fw-2"})
	if err != nil || c.ID != "T1-fw-2" || c.New != fwNew.ID() {
		t.Errorf("%v %+v", err, c)
	}
	if c, err = after(fwNew, change.Successor{Ticket: "T1"}); err != nil || c.ID != "T1-fw-2" {
		t.Errorf("where it has come it stays: %v %s", err, c.ID)
	}
	c = s.open("T3", fwOld)
	if _, err := s.Abandon(t.Context(), c, ada, "no"); err != nil {
		t.Fatal(err)
	}
	_, err = after(fwNew, change.Successor{Ticket: "T3"})
	wantKind(t, err, devices.NotAllowed, "it was closed")
	if s.reads != 4 {
		t.Errorf("%d readings", s.reads)
	}
}

func TestANameUnderWhichABoxStandsTakesNoOtherWithoutABefore(t *testing.T) {
	t.Parallel()
	for name, mark := range map[string]string{"a serial number": "N0", "a host key": "SHA256:other"} {
		for _, install := range []bool{true, false} {
			s := newScene(t)
			if !install {
				s.before()
			}
			s.known[mark] = fwNew.ID()
			c, r, err := s.After(t.Context(), fwNew, change.Successor{Ticket: "T20391", Install: install, By: ada})
			if errors.Join(err, r.Err) == nil || r.Version != "" || c.Succession != nil {
				t.Errorf("%s, install %t: taken for the one that comes: %+v", name, install, c.Succession)
			}
			delete(s.known, mark)
			s.known["N1"], s.known["SHA256:new"] = fwNew.ID(), fwNew.ID()
			if _, r, err = s.After(t.Context(), fwNew, change.Successor{Ticket: "T20391", Install: install, By: ada}); err != nil || !r.Verified {
				t.Errorf("%s, install %t: the box itself is refused: %v, %v", name, install, err, r.Err)
			}
		}
	}
}

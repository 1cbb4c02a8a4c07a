package scrub_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"belay/configs"
	"belay/configs/scrub"
	"belay/devices"
)

func TestDamageIsAnAlarmThatSaysWhereACopyIsAndStandsUntilItIsWhole(t *testing.T) {
	t.Parallel()
	s := newScene(t, map[string]int{"acme": 20, "globex": 20})
	s.finders = []scrub.Finder{
		func(_ context.Context, d scrub.Damage) ([]string, error) {
			return []string{"in the remote, " + d.Key}, nil
		},
		func(context.Context, scrub.Damage) ([]string, error) { return nil, errors.New("the shelf is down") },
	}
	bad := "acme-versions-0007"
	s.shelves[1].damaged[bad] = "it does not inflate"
	for week := range 2 {
		var found []scrub.Damage
		for range 7 {
			r := s.step()
			found = append(found, r.Found...)
			s.now = s.now.Add(night)
		}
		if len(found) != 1-week {
			t.Errorf("week %d: %d found: %+v", week, len(found), found)
		}
		raised := s.alarms.Raised()
		if len(raised) != 1 {
			t.Fatalf("alarms: %+v", raised)
		}
		a := raised[0]
		if a.Cause != configs.AlarmDamage || a.Customer != "acme" || a.Device != "acme/fw" || a.Key != bad || a.What != "piece 7: it does not inflate" ||
			a.Hint != "a good copy is in the remote, "+bad+" (not all could be asked: the shelf is down)" || a.At.IsZero() {
			t.Errorf("alarm %+v", a)
		}
	}
	p := s.progress()
	if len(p.Damages) != 1 || p.Damages[0].Shelf != "versions" || p.Damages[0].Seen.Sub(p.Damages[0].Since) != 7*night {
		t.Errorf("standing: %+v", p.Damages)
	}
	if e := s.events("damage"); len(e) != 1 || e[0].Device != "acme/fw" || e[0].Detail["key"] != bad || e[0].Detail["copies"] != p.Damages[0].Hint {
		t.Errorf("events: %+v", e)
	}
	delete(s.shelves[1].damaged, bad)
	cleared := 0
	for range 7 {
		cleared += s.step().Cleared
		s.now = s.now.Add(night)
	}
	if e := s.events("damage cleared"); cleared != 1 || len(e) != 1 || e[0].Detail["why"] != "it was read again and is whole" {
		t.Errorf("%d cleared, events %+v", cleared, e)
	}
	if len(s.alarms.Raised()) != 0 || len(s.progress().Damages) != 0 {
		t.Errorf("still %+v, %+v", s.alarms.Raised(), s.progress().Damages)
	}
}

func TestWithoutACopyItSaysSo(t *testing.T) {
	t.Parallel()
	s := newScene(t, map[string]int{"acme": 3})
	s.shelves[0].damaged["acme-packs-0001"] = "torn"
	r, err := s.scrub().All(t.Context())
	if err != nil || len(r.Found) != 1 || r.Found[0].Hint != "no other copy is known" || r.Standing != 1 || r.Away != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

// A damaged pack is packed anew: it is not met again, and the damage is over. What
// was lost in a second place and waits to be sent again is not.
func TestDamageOfWhatIsGoneIsOverUnlessItsShelfKnowsBetter(t *testing.T) {
	t.Parallel()
	for _, stands := range []bool{false, true} {
		s := newScene(t, map[string]int{"acme": 3})
		s.shelves[0].damaged["acme-packs-0001"] = "torn"
		if _, err := s.scrub().All(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.shelves[0].stands = stands
		s.shelves[0].items["acme"] = []string{"acme-packs-0000", "acme-packs-new"}
		r, err := s.scrub().All(t.Context())
		if err != nil || r.Cleared == 1 == stands || r.Standing == 0 == stands {
			t.Errorf("stands %t: %+v, %v", stands, r, err)
		}
	}
}

// A shelf that ends before its time has not shown that the rest is gone.
func TestAShelfThatCouldNotBeReadClearsNothing(t *testing.T) {
	t.Parallel()
	for kind, want := range map[devices.Kind]int{devices.Unreachable: 1, devices.Damaged: 3} {
		s := newScene(t, map[string]int{"acme": 3})
		s.shelves[0].damaged["acme-packs-0001"] = "torn"
		if _, err := s.scrub().All(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.shelves[0].fails = &devices.Error{Kind: kind, Op: "read", Err: errors.New("input/output error")}
		r, err := s.scrub().All(t.Context())
		if err != nil || r.Standing == 0 || r.Cleared != 0 {
			t.Errorf("%v: %+v, %v", kind, r, err)
		}
		// The shelf itself is damaged for each customer, and for what is nobody's.
		if n := len(s.alarms.Raised()); n != want {
			t.Errorf("%v: %d alarms: %+v", kind, n, s.alarms.Raised())
		}
		s.shelves[0].fails = nil
		delete(s.shelves[0].damaged, "acme-packs-0001")
		if r, err = s.scrub().All(t.Context()); err != nil || r.Standing != 0 || len(s.alarms.Raised()) != 0 {
			t.Errorf("%v, all whole again: %+v, %v", kind, r, err)
		}
	}
}

// A disk dies: not a hundred thousand alarms, but each damage is listed.
func TestMuchDamageIsToldInFewAlarms(t *testing.T) {
	t.Parallel()
	s := newScene(t, map[string]int{"acme": 100, "globex": 100})
	for _, it := range s.shelves[0].items["acme"] {
		s.shelves[0].damaged[it] = "torn"
	}
	s.shelves[0].damaged["globex-packs-0000"] = "torn"
	asked := 0
	s.finders = []scrub.Finder{func(context.Context, scrub.Damage) ([]string, error) { asked++; return nil, nil }}
	if _, err := s.scrub().All(t.Context()); err != nil {
		t.Fatal(err)
	}
	raised := s.alarms.Raised()
	if len(raised) != 22 || !strings.Contains(raised[20].What, "more is damaged") || raised[21].Customer != "globex" || asked != 21 {
		t.Errorf("%d alarms, %d looks for copies: %+v", len(raised), asked, raised)
	}
	if n := len(s.progress().Damages); n != 101 {
		t.Errorf("%d of 101 are listed", n)
	}
	clear(s.shelves[0].damaged)
	s.shelves[0].damaged["acme-packs-0099"] = "torn"
	if _, err := s.scrub().All(t.Context()); err != nil {
		t.Fatal(err)
	}
	if raised := s.alarms.Raised(); len(raised) != 1 || raised[0].Key != "acme-packs-0099" {
		t.Errorf("one is left, and these alarms: %+v", raised)
	}
}

// Killed between finding and telling: the next process finds and tells it.
func TestDamageThatWasFoundIsToldWhoeverIsKilled(t *testing.T) {
	t.Parallel()
	for writes := range 6 {
		s := newScene(t, map[string]int{"acme": 5})
		s.shelves[0].damaged["acme-packs-0002"] = "torn"
		left := writes
		die := func(op string) error {
			if op == "Mark" || op == "Marks" || op == "Events" {
				return nil
			}
			if left--; left < 0 {
				return errors.New("killed")
			}
			return nil
		}
		s.marks.Fail, s.alarms.Fail, s.ledger.Fail = die, die, die
		_, _ = s.scrub().All(t.Context())
		s.marks.Fail, s.alarms.Fail, s.ledger.Fail = nil, nil, nil
		for range 8 {
			s.step()
			s.now = s.now.Add(night)
		}
		if raised := s.alarms.Raised(); len(raised) != 1 || len(s.progress().Damages) != 1 {
			t.Errorf("killed after %d writes: alarms %+v", writes, raised)
		}
	}
}

package scrub_test

import (
	"slices"
	"strings"
	"testing"

	"belay/configs/scrub"
)

// A version that is damaged and the pack it lies in are one cause.
func TestDamageThatComesOfAnotherIsListedAndNotToldTwice(t *testing.T) {
	t.Parallel()
	s := newScene(t, map[string]int{"acme": 40, "globex": 3})
	above, beneath := s.shelves[0], s.shelves[1]
	beneath.follows = above.name
	bad := map[*board]string{above: "acme-packs-0002", beneath: "acme-versions-0001"}
	for b, key := range bad {
		b.damaged[key] = "torn"
	}
	beneath.damaged["globex-versions-0000"] = "torn" // nothing of that customer is damaged above
	told := func(want ...string) {
		t.Helper()
		r, err := s.scrub().All(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var keys []string
		for _, a := range s.alarms.Raised() {
			keys = append(keys, a.Key)
		}
		slices.Sort(keys)
		if !slices.Equal(keys, want) || r.Standing != len(s.progress().Damages) {
			t.Errorf("told of %q, want %q; %d standing, %+v", keys, want, r.Standing, s.progress().Damages)
		}
	}
	told(bad[above], "globex-versions-0000")
	all := s.progress().Damages
	i := slices.IndexFunc(all, func(d scrub.Damage) bool { return d.Key == bad[beneath] })
	if len(all) != 3 || i < 0 || all[i].Told || all[i].Hint != "it goes with the damage of piece 2" {
		t.Errorf("listed: %+v", all)
	}

	// What is above is one of too many to be told by itself.
	for _, it := range above.items["acme"][3:] {
		above.damaged[it] = "torn"
	}
	if _, err := s.scrub().All(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, a := range s.alarms.Raised() {
		if a.Customer == "acme" && strings.Contains(a.Key, "versions") {
			t.Errorf("told of %+v", a)
		}
	}
	for _, it := range above.items["acme"][3:] {
		delete(above.damaged, it)
	}
	told(bad[above], "globex-versions-0000")

	// Its cause is mended, and it is not: it has another of its own.
	delete(above.damaged, bad[above])
	told(bad[beneath], "globex-versions-0000")
	clear(beneath.damaged)
	told()
}

// An upgrade moves a shelf in front of the place of the pass.
func TestNothingIsSkippedWhereShelvesWereMoved(t *testing.T) {
	t.Parallel()
	s := newScene(t, map[string]int{"acme": 60, "globex": 2})
	for range 3 {
		s.step()
		s.now = s.now.Add(night)
	}
	if s.shelves[0].reads["acme-packs-0010"] != 1 || s.shelves[1].reads["acme-versions-0010"] != 0 {
		t.Fatalf("the pass is not among the packs: %v", s.shelves[0].reads)
	}
	slices.Reverse(s.shelves)
	for range 4 {
		s.step()
		s.now = s.now.Add(night)
	}
	if p := s.progress(); p.Completed.IsZero() {
		t.Errorf("the pass has not ended: %+v", p)
	}
	s.wantReads(1, 2)
}

package history_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"belay/configs"
	"belay/configs/history"
	"belay/devices"
)

// A walker counts how often a history is walked through, and fails on demand.
type walker struct {
	history.Walker
	walks int
	fail  func(nth int) error
}

func (w *walker) Along(ctx context.Context, customer, from, to string) iter.Seq2[configs.Indexed, error] {
	w.walks++
	return func(yield func(configs.Indexed, error) bool) {
		n := 0
		for v, err := range w.Walker.Along(ctx, customer, from, to) {
			if n++; err == nil && w.fail != nil {
				err = w.fail(n)
			}
			if !yield(v, err) || err != nil {
				return
			}
		}
	}
}

func TestTheIndexFollowsWhateverHappensToDevices(t *testing.T) {
	t.Parallel()
	s := set(t)
	s.keep("fw", 1, "a\n")
	s.agree("acme/fw")
	s.keep("fw", 2, "b\n")
	s.keep("sw", 3, "one\n")
	s.agree("acme/fw", "acme/sw")
	s.keepAs("acme/fw", "fw-old", 4, "b\n")             // renamed
	s.keepAs("acme/fw-2", "fw", 5, "another\n", "7\n")  // another one has its name, and two files
	s.keepAs("acme/sw-2", "sw", 6, "takes the place\n") // the one that was there makes room
	s.keepAs("bolt/sw", "sw", 7, "elsewhere\n")
	ids := []devices.ID{"acme/fw", "acme/fw-2", "acme/sw", "acme/sw-2", "bolt/sw"}
	s.agree(ids...)
	s.keepAs("acme/sw", "sw-1", 8, "back\n") // and is captured again, under a new name
	s.keepAs("acme/fw", "fw-old", 9, "c\n")
	s.agree(ids...)
	if err := s.Rebuild(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	s.agree(ids...)
	for pattern, want := range map[string]string{"one": "", "back": "acme/sw sw-1 8", "another": "acme/fw-2 fw 5", "7": "acme/fw-2 fw 5", "takes": "acme/sw-2 sw 6", "^c": "acme/fw fw-old 9"} {
		var got []string
		for f, err := range s.Search(t.Context(), configs.Query{Customer: "acme", Pattern: regexp.MustCompile(pattern)}) {
			if err != nil {
				t.Fatal(err)
			}
			v, ok, err := s.At(t.Context(), f.ID, at(59))
			if !ok || err != nil || v.Commit != f.Commit {
				t.Errorf("%s was found in %s, and %s stands (%v)", f.ID, f.Commit, v.Commit, err)
			}
			got = append(got, fmt.Sprint(f.ID, " ", f.Name, " ", v.Taken.Minute()))
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%s: found %q, want %q", pattern, got, want)
		}
	}
}

// What made room and was not captured since is searched too.
func TestADeviceThatMadeRoomIsStillFound(t *testing.T) {
	t.Parallel()
	for _, anew := range []bool{false, true} {
		s := set(t)
		s.keep("sw", 1, "first\n")
		s.keep("sw", 2, "the old one\n")
		if !anew {
			if err := s.RefreshAll(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		s.keepAs("acme/sw-2", "sw", 3, "the new one\n")
		s.keepAs("acme/sw-2", "sw", 4, "the new one again\n")
		n := 0
		for _, err := range s.Search(t.Context(), configs.Query{Pattern: regexp.MustCompile("^the (old|new) one")}) {
			if n++; err != nil {
				t.Fatal(err)
			}
		}
		if n != 2 {
			t.Errorf("%d found, want both (index from the beginning: %t)", n, anew)
		}
		s.agree("acme/sw", "acme/sw-2")
	}
}

func TestNothingIsWalkedThroughWhereNothingMoved(t *testing.T) {
	t.Parallel()
	s := set(t)
	w := &walker{Walker: s.store}
	s.Walk = w
	want := func(walks int, what string) {
		t.Helper()
		for range s.Versions(t.Context(), "acme/sw") { //nolint:errcheck // it is only to be asked
			break
		}
		if err := s.RefreshAll(t.Context()); err != nil {
			t.Fatal(err)
		}
		if w.walks != walks {
			t.Errorf("%s: %d walks, want %d", what, w.walks, walks)
		}
	}
	want(0, "of nothing")
	s.keep("sw", 1, "a\n")
	want(1, "the first time")
	want(1, "again")
	s.keep("sw", 1, "a\n") // stands
	want(1, "after an unchanged night")
	s.keepAs("bolt/sw", "sw", 1, "a\n")
	want(2, "of another customer")
	s.git("pack-refs", "--all")
	want(2, "after packing the references")
	s.keep("sw", 2, "b\n")
	want(3, "after a change")
	s.agree("acme/sw", "bolt/sw")
}

func TestAnIndexThatHistoryDoesNotLeadToIsMadeAnew(t *testing.T) {
	t.Parallel()
	s := set(t)
	first := s.keep("sw", 1, "a\n")
	s.keep("sw", 2, "b\n")
	s.keep("fw", 3, "c\n")
	s.agree("acme/sw", "acme/fw")
	s.git("update-ref", "refs/heads/main", first.Commit)
	s.agree("acme/sw")
	for v, err := range s.Versions(t.Context(), "acme/fw") {
		t.Errorf("the branch was put back, and fw still has %s, %v", v.Commit, err)
	}
	if err := os.RemoveAll(filepath.Join(s.store.Dir, "customers", "acme")); err != nil {
		t.Fatal(err)
	}
	if err := s.RefreshAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if standing, err := s.ledger.Standing(t.Context()); len(standing) != 0 || err != nil {
		t.Errorf("of a history that is gone the index still has %v, %v", standing, err)
	}
}

func TestManyRefreshAtOnce(t *testing.T) {
	t.Parallel()
	s := set(t)
	var ids []devices.ID
	var wg sync.WaitGroup
	for d := range 4 {
		ids = append(ids, devices.ID(fmt.Sprint("acme/sw-", d)))
		wg.Go(func() {
			for n := range 10 {
				s.keep(fmt.Sprint("sw-", d), n, fmt.Sprint("text ", n, "\n"))
			}
		})
	}
	for range 3 {
		h := s.another() // another process
		for range 2 {
			wg.Go(func() {
				for n := range 15 {
					err := h.RefreshAll(t.Context())
					if n%5 == 4 {
						err = errors.Join(err, h.Rebuild(t.Context(), "acme"))
					}
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	wg.Wait()
	s.agree(ids...)
}

func TestWhoIsKilledWhileIndexingHarmsNothing(t *testing.T) {
	t.Parallel()
	s := set(t)
	var ids []devices.ID
	for n := range 6 { // more than goes into one transaction
		s.keep(fmt.Sprint("sw-", n), n, strings.Repeat(fmt.Sprint("line ", n, strings.Repeat(" of a long banner", 60), "\n"), 1100))
		ids = append(ids, devices.ID(fmt.Sprint("acme/sw-", n)))
	}
	killed := errors.New("killed")
	for _, nth := range []int{1, 4, 6} {
		s.Walk = &walker{Walker: s.store, fail: func(n int) error {
			if n == nth {
				return killed
			}
			return nil
		}}
		if err := s.Rebuild(t.Context(), "acme"); !errors.Is(err, killed) {
			t.Fatalf("killed at version %d: %v", nth, err)
		}
		head, err := s.ledger.Head(t.Context(), "acme")
		if err != nil || nth == 6 && (head == "" || head == strings.TrimSpace(s.git("rev-parse", "main"))) {
			t.Errorf("killed at version %d it stands at %q, %v", nth, head, err)
		}
		s.Walk = s.store
		s.agree(ids...)
	}
}

func TestOfADamagedHistoryIsToldWhatCanBeRead(t *testing.T) {
	t.Parallel()
	s := set(t)
	want := s.keep("sw", 1, "a\n")
	s.keepAs("bolt/sw", "sw", 1, "a\n")
	damaged := &devices.Error{Kind: devices.Damaged, Op: "read object", Err: errors.New("it is torn")}
	s.Walk = &walker{Walker: s.store, fail: func(int) error { return damaged }}
	n := 0
	for v, err := range s.Versions(t.Context(), "acme/sw") {
		if n++; err != nil || v.Commit != want.Commit {
			t.Errorf("got %s, %v", v.Commit, err)
		}
	}
	v, ok, err := s.At(t.Context(), "acme/sw", at(1))
	if n != 1 || !ok || err != nil || v.Commit != want.Commit {
		t.Errorf("%d versions; at that time %s, %t, %v", n, v.Commit, ok, err)
	}
	if _, ok, err := s.At(t.Context(), "acme/sw", at(0)); ok || err != nil {
		t.Errorf("before it: %t, %v", ok, err)
	}
	// A search that cannot look at all of them says so, and tells what it found.
	s.Walk = s.store
	if err := s.Refresh(t.Context(), "bolt"); err != nil {
		t.Fatal(err)
	}
	s.Walk = &walker{Walker: s.store, fail: func(int) error { return damaged }}
	var found []string
	var last error
	for f, err := range s.Search(t.Context(), configs.Query{Pattern: regexp.MustCompile("a")}) {
		if last = err; err == nil {
			found = append(found, string(f.ID))
		}
	}
	if !errors.Is(last, damaged) || fmt.Sprint(found) != "[bolt/sw]" {
		t.Errorf("found %v, and then %v", found, last)
	}
	broken := errors.New("the disk is gone")
	s.Walk = &walker{Walker: s.store, fail: func(int) error { return broken }}
	for _, err := range s.Versions(t.Context(), "acme/sw") {
		if !errors.Is(err, broken) {
			t.Errorf("got %v", err)
		}
	}
	if _, _, err := s.At(t.Context(), "acme/sw", at(1)); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

func TestACheckFindsWhereTheIndexDiffers(t *testing.T) {
	t.Parallel()
	s := set(t)
	s.keep("sw", 1, "a\n")
	v := s.keep("sw", 2, "b\n")
	s.keep("fw", 3, "c\n")
	head := strings.TrimSpace(s.git("rev-parse", "main"))
	var whole []configs.Indexed
	for v, err := range s.store.Along(t.Context(), "acme", "", head) {
		if err != nil {
			t.Fatal(err)
		}
		whole = append(whole, v)
	}
	other := whole[1]
	other.Version.Subject = "another"
	silent := whole[2]
	silent.Texts = nil
	for name, c := range map[string]struct {
		versions []configs.Indexed
		want     string
	}{
		"whole":      {whole, ""},
		"missing":    {whole[:2], "acme/fw: version .* is missing; 2 versions, and 3 in history; acme/fw: running.conf cannot be searched"},
		"the middle": {[]configs.Indexed{whole[0], whole[2]}, "version " + v.Commit + " is missing"},
		"twice":      {append(whole[:3:3], whole[2]), "4 versions, and 3 in history"},
		"order":      {[]configs.Indexed{whole[1], whole[0], whole[2]}, "is not as in history"},
		"altered":    {[]configs.Indexed{whole[0], other, whole[2]}, "acme/sw: version " + v.Commit + " is not as in history"},
		"no text":    {[]configs.Indexed{whole[0], whole[1], silent}, "acme/fw: running.conf cannot be searched"},
	} {
		if err := s.ledger.Extend(t.Context(), "acme", "", head, c.versions); err != nil {
			t.Fatal(err)
		}
		reports, err := s.Check(t.Context(), "", 10)
		if err != nil || len(reports) != 1 {
			t.Fatalf("%s: %v, %v", name, reports, err)
		}
		got := strings.Join(reports[0].Wrong, "; ")
		if !regexp.MustCompile(c.want).MatchString(got) || (c.want == "") != (got == "") {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
		if reports[0].Versions != 3 || name == "whole" && (reports[0].Devices != 2 || reports[0].Sampled != 2) {
			t.Errorf("%s: %+v", name, reports[0])
		}
	}
}

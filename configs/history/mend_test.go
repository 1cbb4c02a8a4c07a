package history_test

import (
	"context"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"belay/configs"
	"belay/configs/history"
	"belay/devices"
)

// loses takes a file of a version out of acme's history, and returns how to put it
// back, as from a backup.
func (s *scene) loses(v configs.Version, file string) (putBack func()) {
	s.t.Helper()
	dir := filepath.Join(s.store.Dir, "customers", "acme", "history.git", "objects")
	packs, err := filepath.Glob(filepath.Join(dir, "pack", "*.pack"))
	must := func(err error) {
		s.t.Helper()
		if err != nil {
			s.t.Fatal(err)
		}
	}
	must(err)
	aside := s.t.TempDir()
	for _, pack := range packs {
		to := filepath.Join(aside, filepath.Base(pack))
		must(os.Rename(pack, to))
		must(os.Remove(strings.TrimSuffix(pack, ".pack") + ".idx"))
		s.gitReads(to, "unpack-objects", "-q")
	}
	sum := strings.TrimSpace(s.git("rev-parse", v.Commit+":"+v.Name+"/"+file))
	object, lost := filepath.Join(dir, sum[:2], sum[2:]), filepath.Join(aside, sum)
	must(os.Rename(object, lost))
	return func() {
		s.t.Helper()
		must(os.Rename(lost, object))
	}
}

// found are the lines of acme that a search finds, with their device.
func (s *scene) found(pattern string) string {
	s.t.Helper()
	var all []string
	for f, err := range s.Search(s.t.Context(), configs.Query{Customer: "acme", Pattern: regexp.MustCompile(pattern)}) {
		if err != nil && devices.KindOf(err) != devices.Damaged {
			s.t.Fatal(err)
		}
		if err == nil {
			all = append(all, fmt.Sprint(f.ID, ": ", f.Text))
		}
	}
	return strings.Join(all, ", ")
}

func TestWhatWasPutBackIsIndexedByWhoeverAsksNext(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"snapshot.json", configs.MainFile} {
		for ask, do := range map[string]func(*scene) error{
			"a question": func(s *scene) error { s.found("x"); return nil },
			"a round":    func(s *scene) error { return s.RefreshAll(t.Context()) },
			"a rebuild":  func(s *scene) error { return s.Rebuild(t.Context(), "acme") },
		} {
			t.Run(ask+" after the loss of "+file, func(t *testing.T) {
				t.Parallel()
				s := set(t)
				s.keep("sw", 1, "one\n")
				if err := s.RefreshAll(t.Context()); err != nil {
					t.Fatal(err)
				}
				s.keepAs("bolt/fw", "fw", 2, "other\n")
				v := s.keep("sw", 2, "two\n")
				putBack := s.loses(v, file)
				if err := s.RefreshAll(t.Context()); devices.KindOf(err) != devices.Damaged {
					t.Fatalf("the loss was not met: %v", err)
				}
				if got := s.found("one|two"); got != "acme/sw: one" {
					t.Errorf("before: %s", got)
				}
				if err := s.Rebuild(t.Context(), "acme"); devices.KindOf(err) != devices.Damaged {
					t.Errorf("made anew with the loss: %v", err)
				}
				putBack()
				w := &walker{Walker: s.store}
				s.History = s.another() // another process
				s.Walk = w
				if err := do(s); err != nil {
					t.Error(err)
				}
				walks := w.walks
				if got := s.found("one|two"); got != "acme/sw: two" {
					t.Errorf("afterwards: %s", got)
				}
				if w.walks != walks {
					t.Error("it is looked for again and again")
				}
				s.agree("acme/sw", "bolt/fw")
			})
		}
	}
}

func TestOfSeveralLostOnesTheRestIsStillLookedFor(t *testing.T) {
	t.Parallel()
	s := set(t)
	var putBack []func()
	var versions []configs.Version
	for n := range 3 {
		versions = append(versions, s.keep(fmt.Sprint("sw-", n), n, fmt.Sprintln("text", n)))
	}
	for _, v := range versions {
		putBack = append(putBack, s.loses(v, "snapshot.json"))
	}
	if err := s.RefreshAll(t.Context()); devices.KindOf(err) != devices.Damaged {
		t.Fatal(err)
	}
	for i, want := range []string{"acme/sw-1: text 1", "acme/sw-0: text 0, acme/sw-1: text 1", "acme/sw-0: text 0, acme/sw-1: text 1, acme/sw-2: text 2"} {
		putBack[[]int{1, 0, 2}[i]]()
		if err := s.RefreshAll(t.Context()); (devices.KindOf(err) == devices.Damaged) != (i < 2) {
			t.Errorf("%d: %v", i, err)
		}
		if got := s.found("text"); got != want {
			t.Errorf("%d: found %q, want %q", i, got, want)
		}
	}
	s.agree("acme/sw-0", "acme/sw-1", "acme/sw-2")
}

// What the index holds is not given up for a history that cannot be walked through.
func TestAnIndexIsKeptWhereAnotherDamageIsInTheWay(t *testing.T) {
	t.Parallel()
	s := set(t)
	first := s.keep("sw", 1, "one\n")
	v := s.keep("sw", 2, "two\n")
	putBack := s.loses(v, "snapshot.json")
	if err := s.RefreshAll(t.Context()); devices.KindOf(err) != devices.Damaged {
		t.Fatal(err)
	}
	putBack()
	broken := true
	s.Walk = broke{s.store, func() bool { return broken }}
	for range 2 {
		if err := s.RefreshAll(t.Context()); err != nil {
			t.Error(err)
		}
		if got, ok, err := s.At(t.Context(), "acme/sw", at(1)); !ok || err != nil || got.Commit != first.Commit {
			t.Errorf("%+v, %t, %v", got, ok, err)
		}
	}
	broken = false
	if got := s.found("one|two"); got != "acme/sw: two" {
		t.Errorf("afterwards: %s", got)
	}
}

// A broke walker reaches no history's beginning while it is.
type broke struct {
	history.Walker
	is func() bool
}

func (b broke) Along(ctx context.Context, customer, from, to string) iter.Seq2[configs.Indexed, error] {
	if from == "" && b.is() {
		return func(yield func(configs.Indexed, error) bool) {
			yield(configs.Indexed{}, &devices.Error{Kind: devices.Damaged, Op: "read commit"})
		}
	}
	return b.Walker.Along(ctx, customer, from, to)
}

func TestWhoAsksDoesNotWaitForAllThatADiskHasLost(t *testing.T) {
	t.Parallel()
	s := set(t)
	s.keep("sw", 0, "text\n")
	var versions []configs.Version
	for n := range 10 {
		versions = append(versions, s.keep("sw", n+1, fmt.Sprintln("text", n)))
	}
	for _, v := range versions {
		s.loses(v, "snapshot.json")
	}
	if err := s.RefreshAll(t.Context()); devices.KindOf(err) != devices.Damaged {
		t.Fatal(err)
	}
	w := &walker{Walker: broke{s.store, func() bool { t.Error("it is walked from the beginning"); return false }}}
	s.Walk = w
	if s.found("text"); w.walks != 8 {
		t.Errorf("%d were looked at for one question, want 8", w.walks)
	}
	w.walks = 0
	if err := s.RefreshAll(t.Context()); err != nil || w.walks != 10 {
		t.Errorf("%d were looked at in a round, want all; %v", w.walks, err)
	}
}

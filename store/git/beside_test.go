package git

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"belay/configs"
)

// A git gc by hand lists the packs' folder, takes an index without pack in it for
// garbage, and removes it a little later. A pack without .keep it may take away.
func TestAGitGCThatLooksAroundFindsNothingToTakeAway(t *testing.T) {
	t.Parallel()
	needGit(t)
	s := open(t, t.TempDir())
	commit(t, s, snapshot(t, "acme", "sw-0", "first\n", 1))
	dir := filepath.Join(gitDir(s, "acme"), "objects", "pack")
	stop := make(chan struct{})
	var gc sync.WaitGroup
	gc.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			names, err := listing(dir)
			if err != nil {
				t.Error(err)
				return
			}
			for _, n := range names {
				if stem, pack := strings.CutSuffix(n, ".pack"); pack && missing(dir, stem+".keep") && !missing(dir, n) {
					t.Errorf("%s had no .keep", n)
				}
				stem, index := strings.CutSuffix(n, ".idx")
				if !index {
					continue
				}
				if _, err := os.Stat(filepath.Join(dir, stem+".pack")); err != nil { // still none, after the listing
					_ = os.Remove(filepath.Join(dir, n)) // maintenance may have been quicker
				}
			}
		}
	})
	var all []configs.Version
	for i := range 60 {
		all = append(all, commit(t, s, snapshot(t, "acme", "sw-1", fmt.Sprint(i, "\n"), i)))
		if i%20 == 19 {
			if _, err := s.Maintain(t.Context(), "acme"); err != nil {
				t.Fatal(err)
			}
		}
	}
	close(stop)
	gc.Wait()
	again := open(t, s.Dir)
	for i, v := range all {
		if texts, err := again.Texts(t.Context(), v); err != nil || texts[0].Clean.String() != fmt.Sprint(i, "\n") {
			t.Fatalf("version %d of %d: %v", i, len(all), err)
		}
	}
}

func missing(dir, name string) bool {
	_, err := os.Stat(filepath.Join(dir, name))
	return errors.Is(err, os.ErrNotExist)
}

func TestAnIndexOfSeveralPacksThatNamesWhatIsGoneIsTakenAway(t *testing.T) {
	t.Parallel()
	needGit(t)
	s := open(t, t.TempDir())
	for i := range 3 {
		commit(t, s, snapshot(t, "acme", "sw-1", fmt.Sprint(i, "\n"), i))
	}
	dir := gitDir(s, "acme")
	git(t, "--git-dir", dir, "multi-pack-index", "write")
	many := filepath.Join(dir, "objects", "pack", "multi-pack-index")
	was, err := os.ReadFile(many)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Maintenance(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(many); err != nil {
		t.Errorf("one that is right: %v", err)
	}
	if _, err := s.Maintain(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(many, was, 0o600); err != nil { // as by a git that was at it meanwhile
		t.Fatal(err)
	}
	if out, err := runGit(t, "-c", "core.multiPackIndex=true", "--git-dir", dir, "fsck"); err == nil {
		t.Fatalf("git does not mind: %s", out)
	}
	if _, err := s.Maintenance(t.Context()); err != nil {
		t.Fatal(err)
	}
	git(t, "-c", "core.multiPackIndex=true", "--git-dir", dir, "fsck")
}

// While new and old packs are both there another git may note that all objects are in
// the old ones. It must not take the new pack away once those are gone.
func TestAGitMaintenanceBesideOursDoesNotTakeTheOnlyPackAway(t *testing.T) {
	t.Parallel()
	needGit(t)
	s := open(t, t.TempDir())
	var all []configs.Version
	for i := range 3 {
		all = append(all, commit(t, s, snapshot(t, "acme", "sw-1", fmt.Sprint(i, "\n"), i)))
	}
	dir := gitDir(s, "acme")
	packs := filepath.Join(dir, "objects", "pack")
	before, err := listing(packs)
	if err != nil {
		t.Fatal(err)
	}
	aside := t.TempDir()
	for _, n := range before {
		data, err := os.ReadFile(filepath.Join(packs, n))
		if err == nil {
			err = os.WriteFile(filepath.Join(aside, n), data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if rep, err := s.Maintain(t.Context(), "acme"); err != nil || rep.Left != 1 {
		t.Fatalf("%+v, %v", rep, err)
	}
	later := time.Now().Add(time.Hour)
	for _, n := range before { // as they were for an instant
		data, err := os.ReadFile(filepath.Join(aside, n))
		if err == nil {
			err = os.WriteFile(filepath.Join(packs, n), data, 0o600)
		}
		if err == nil {
			err = os.Chtimes(filepath.Join(packs, n), later, later)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	git(t, "--git-dir", dir, "multi-pack-index", "write")
	for _, n := range before {
		if err := os.Remove(filepath.Join(packs, n)); err != nil {
			t.Fatal(err)
		}
	}
	git(t, "--git-dir", dir, "multi-pack-index", "expire")
	again := open(t, s.Dir)
	for _, v := range all {
		if _, err := again.Texts(t.Context(), v); err != nil {
			t.Error(err)
		}
	}
	if _, err := s.Maintenance(t.Context()); err != nil {
		t.Error(err)
	}
	commit(t, s, snapshot(t, "acme", "sw-1", "later\n", 9))
	if rep, err := s.Maintain(t.Context(), "acme"); err != nil || rep.Left != 1 {
		t.Errorf("the pack that is kept from other gits is not ours any more: %+v, %v", rep, err)
	}
	left, err := listing(packs)
	if err != nil || len(left) != 3 {
		t.Errorf("left are %v, %v", left, err)
	}
}

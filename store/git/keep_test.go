package git

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
)

// fourPacks is a repository with so many packs, the folder of those, and what keeps them.
func fourPacks(t *testing.T) (r *repo, packs string, kept []string) {
	t.Helper()
	needGit(t)
	s := open(t, t.TempDir())
	for i := range 4 {
		commit(t, s, snapshot(t, "acme", "sw-1", fmt.Sprint(i, "\n"), i))
	}
	r, err := s.repo("acme")
	if err != nil {
		t.Fatal(err)
	}
	packs = filepath.Join(r.dir, "objects", "pack")
	if kept, err = filepath.Glob(filepath.Join(packs, "*.keep")); err != nil || len(kept) != 4 {
		t.Fatal(kept, err)
	}
	return r, packs, kept
}

// A .keep must not come to a pack that other gits have seen without one. Where a
// person's git packs just what we pack, its pack is another.
func TestWhatWePackIsNoPackOfAnotherGit(t *testing.T) {
	t.Parallel()
	for name, stay := range map[string]int{"everything": 0, "some": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, packs, kept := fourPacks(t)
			for _, k := range kept[stay:] {
				if err := os.Remove(k); err != nil {
					t.Fatal(err)
				}
			}
			beside := t.TempDir()
			if err := os.CopyFS(beside, os.DirFS(r.dir)); err != nil {
				t.Fatal(err)
			}
			git(t, "--git-dir", beside, "repack", "-ad", "--quiet")
			theirs, err := filepath.Glob(filepath.Join(beside, "objects", "pack", "*.pack"))
			if err != nil || len(theirs) != 1+stay {
				t.Fatal(theirs, err)
			}
			rep, err := r.maintain(t.Context(), "git", func(packs map[string]os.FileInfo) []string {
				return slices.Sorted(maps.Keys(packs))[stay:]
			})
			if err != nil || rep.Skipped != "" || rep.Left != 1+stay {
				t.Fatal(rep, err)
			}
			mine, other := newest(t, packs, kept[0]), newest(t, filepath.Dir(theirs[0]), kept[0])
			if mine.PackfileChecksum == other.PackfileChecksum {
				t.Error("our pack has the name of theirs")
			}
			n, err := mine.Count()
			if m, otherErr := other.Count(); err != nil || otherErr != nil || n != m+1 {
				t.Errorf("ours has %d objects, theirs %d: what makes it another is missing", n, m)
			}
			ours, err := filepath.Glob(filepath.Join(packs, "*.keep"))
			if err != nil || len(ours) != 1+stay || !keptByUs(ours[0]) || !keptByUs(ours[stay]) {
				t.Error(ours, err)
			}
			git(t, "--git-dir", r.dir, "fsck", "--strict")
		})
	}
}

// newest is the index of the one pack besides the one that is kept.
func newest(t *testing.T, dir, kept string) *idxfile.MemoryIndex {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.pack"))
	for _, n := range names {
		if stem := strings.TrimSuffix(filepath.Base(n), ".pack"); len(names) == 1 || stem != strings.TrimSuffix(filepath.Base(kept), ".keep") {
			idx, err := readIndex(dir, stem)
			if err != nil {
				t.Fatal(err)
			}
			return idx
		}
	}
	t.Fatalf("%v, %v", names, err)
	return nil
}

func TestAKeepComesBeforeItsPackOrNotAtAll(t *testing.T) {
	t.Parallel()
	r, packs, kept := fourPacks(t)
	stem := strings.TrimSuffix(filepath.Base(kept[0]), ".keep")
	if err := r.keepOurs(stem); err != nil {
		t.Errorf("one that is kept already: %v", err)
	}
	if err := os.Remove(kept[0]); err != nil {
		t.Fatal(err)
	}
	if err := r.keepOurs(stem); err == nil || !missing(packs, stem+".keep") {
		t.Errorf("one that others may have seen: %v", err)
	}
	if err := os.Remove(filepath.Join(r.dir, "belay-keep")); err != nil {
		t.Fatal(err)
	}
	if err := r.keepOurs("pack-1"); err != nil || !keptByUs(filepath.Join(packs, "pack-1.keep")) {
		t.Errorf("the first one: %v", err)
	}
	if err := os.Remove(filepath.Join(r.dir, "belay-keep")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(r.dir, "belay-keep"), 0o700); err != nil { // which has no second name
		t.Fatal(err)
	}
	if err := r.keepOurs("pack-2"); err != nil || !keptByUs(filepath.Join(packs, "pack-2.keep")) {
		t.Errorf("without second names: %v", err)
	}
}

package git

import (
	"errors"
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
			s := open(t, t.TempDir())
			twin, err := s.repo("acme") // another Belay's, of the same history
			if err != nil {
				t.Fatal(err)
			}
			if err := os.CopyFS(twin.dir, os.DirFS(r.dir)); err != nil {
				t.Fatal(err)
			}
			git(t, "--git-dir", beside, "repack", "-ad", "--quiet")
			theirs, err := filepath.Glob(filepath.Join(beside, "objects", "pack", "*.pack"))
			if err != nil || len(theirs) != 1+stay {
				t.Fatal(theirs, err)
			}
			for _, r := range []*repo{r, twin} {
				rep, err := r.maintain(t.Context(), "git", func(packs map[string]os.FileInfo) []string {
					return slices.Sorted(maps.Keys(packs))[stay:]
				})
				if err != nil || rep.Skipped != "" || rep.Left != 1+stay {
					t.Fatal(rep, err)
				}
			}
			if a, b := newest(t, packs, kept[0]), newest(t, filepath.Join(twin.dir, "objects", "pack"), kept[0]); a.PackfileChecksum == b.PackfileChecksum {
				t.Error("what tells our pack from others is the same each time")
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
	if err := r.keepOurs(stem); !errors.Is(err, errSeen) || !missing(packs, stem+".keep") {
		t.Errorf("one that others may have seen: %v", err)
	}
	if err := r.keepOurs("pack-1"); err != nil || !keptByUs(filepath.Join(packs, "pack-1.keep")) {
		t.Errorf("one that is to come: %v", err)
	}
	if left, err := r.leftovers(); err != nil || !left {
		t.Errorf("one whose pack never came: %v, %v", left, err)
	}
}

// A person writes into a .keep of ours: that pack is his, and no other.
func TestAPersonKeepsOnePack(t *testing.T) {
	t.Parallel()
	r, packs, kept := fourPacks(t)
	if err := os.WriteFile(kept[1], []byte("of the audit\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for round := range 2 {
		rep, err := r.maintain(t.Context(), "git", everything)
		if err != nil || rep.Left != 2 || (rep.Skipped == "") != (round == 0) {
			t.Errorf("round %d: %+v, %v", round, rep, err)
		}
	}
	if missing(packs, strings.TrimSuffix(filepath.Base(kept[1]), ".keep")+".pack") {
		t.Error("it was taken away")
	}
}

// In a repository with a big pack that nothing keeps, a device goes back to a text of
// that pack, so that a small one of ours has it as well. A person's git leaves it out of
// its own pack, as ours is kept, and takes the big one away: ours must hold it then,
// whatever was packed together meanwhile.
func TestATextThatCameBackSurvivesThePackThatHadItFirst(t *testing.T) {
	t.Parallel()
	needGit(t)
	s := open(t, t.TempDir())
	all := bulk(t, s)
	text := strings.Repeat("a text of then\n", 50)
	all = append(all, commit(t, s, snapshot(t, "acme", "sw-x", text, 1)))
	r, err := s.repo("acme")
	if err != nil {
		t.Fatal(err)
	}
	packs := filepath.Join(r.dir, "objects", "pack")
	kept, err := filepath.Glob(filepath.Join(packs, "*.keep"))
	if err != nil || len(kept) < 2 {
		t.Fatal(kept, err)
	}
	for _, k := range kept {
		if err := os.Remove(k); err != nil {
			t.Fatal(err)
		}
	}
	git(t, "--git-dir", r.dir, "repack", "-ad", "--quiet")
	big, err := r.packs()
	if err != nil || len(big) != 1 {
		t.Fatal(big, err)
	}
	all = append(all, commit(t, s, snapshot(t, "acme", "sw-x", "another\n", 2)), commit(t, s, snapshot(t, "acme", "sw-x", text, 3)))
	// What a git repack that begins now has done when it comes to take the big one away.
	theirs := filepath.Join(t.TempDir(), "theirs.git")
	if err := os.CopyFS(theirs, os.DirFS(r.dir)); err != nil {
		t.Fatal(err)
	}
	git(t, "--git-dir", theirs, "repack", "-ad", "--quiet")
	all = append(all, fill(t, s, "acme", "fw-hq", 4, 32)...)
	if round, err := s.Maintenance(t.Context()); err != nil || round.Packed != 1 {
		t.Fatalf("%+v, %v", round, err)
	}
	for stem := range big {
		if missing(packs, stem+".pack") {
			t.Fatal("the big one was packed too")
		}
		for _, ext := range []string{".pack", ".idx", ".bitmap"} {
			if err := removeIfThere(filepath.Join(packs, stem+ext)); err != nil {
				t.Fatal(err)
			}
		}
	}
	made, err := filepath.Glob(filepath.Join(theirs, "objects", "pack", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range made {
		if !missing(filepath.Dir(path), strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))+".keep") {
			continue // of ours, which theirs does not touch
		}
		data, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(filepath.Join(packs, filepath.Base(path)), data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	again := open(t, s.Dir)
	for _, v := range all {
		if _, err := again.Texts(t.Context(), v); err != nil {
			t.Error(err)
		}
	}
}

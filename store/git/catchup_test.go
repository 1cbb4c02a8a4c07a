package git

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"belay/devices"
)

func TestARestoredHistoryCatchesUpOverSSH(t *testing.T) {
	t.Parallel()
	srv := startSSHD(t)
	dir, repo := bareRemote(t)
	remotes := map[string]Remote{"default": srv.remote(t, dir+"/{customer}.git")}
	s := open(t, t.TempDir())
	s.Remotes = remotes
	commit(t, s, snapshot(t, "acme", "sw", "one\n", 1))
	at, err := s.Cut(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	old := copied(t, s, at)
	old.Remotes = remotes
	before := commit(t, s, within(t, "T1", "before", "sw", "two\n", 2))
	last := commit(t, s, snapshot(t, "acme", "sw", "three\n", 3))
	if p, err := s.Prove(t.Context(), last); err != nil || !p.OK {
		t.Fatal(p, err)
	}
	if at, _, err := old.Reach(t.Context(), "acme"); err != nil || !at.Ahead || !at.Second {
		t.Errorf("%+v, %v", at, err)
	}
	if n, err := old.CatchUp(t.Context(), "acme", Look{}); n != 2 || err != nil {
		t.Fatalf("%d came, %v", n, err)
	}
	fsck(t, gitDir(old, "acme"))
	packs := filepath.Join(gitDir(old, "acme"), "objects", "pack")
	names, err := filepath.Glob(filepath.Join(packs, "*.pack"))
	if err != nil || len(names) != 2 {
		t.Error(names, err)
	}
	for _, n := range names {
		if !keptByUs(strings.TrimSuffix(n, ".pack") + ".keep") {
			t.Errorf("%s is not kept from other gits", n)
		}
	}
	if v, _, err := old.Newest(t.Context(), last.ID); err != nil || v.Commit != last.Commit {
		t.Errorf("%v, %v", v, err)
	}
	tags, err := old.Tags(t.Context(), "acme", "T1")
	if err != nil || len(tags) != 1 || tags[0].Version != before.Commit {
		t.Errorf("%v, %v", tags, err)
	}
	// And goes on from there, fast-forward.
	next := commit(t, old, snapshot(t, "acme", "sw", "four\n", 4))
	if p, err := old.Prove(t.Context(), next); err != nil || !p.OK {
		t.Error(p, err)
	}
	if n, err := old.CatchUp(t.Context(), "acme", Look{}); n != 0 || err != nil {
		t.Errorf("%d came, %v", n, err)
	}
	fsck(t, repo)
}

func TestHistoriesThatDivergedAreLeftAlone(t *testing.T) {
	t.Parallel()
	needGit(t)
	dir, _ := bareRemote(t)
	s := open(t, t.TempDir())
	s.Remotes = map[string]Remote{"default": {URL: filepath.Join(dir, "{customer}.git"), Elsewhere: true}}
	commit(t, s, snapshot(t, "acme", "sw", "one\n", 1))
	at, err := s.Cut(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	old := copied(t, s, at)
	old.Remotes = s.Remotes
	if p, err := s.Prove(t.Context(), commit(t, s, snapshot(t, "acme", "sw", "two\n", 2))); err != nil || !p.OK {
		t.Fatal(p, err)
	}
	mine := commit(t, old, snapshot(t, "acme", "sw", "another\n", 3))
	n, err := old.CatchUp(t.Context(), "acme", Look{})
	if n != 0 || devices.KindOf(err) != devices.Unproven || devices.HintOf(err) == "" {
		t.Errorf("%d came, %v", n, err)
	}
	if v, _, err := old.Newest(t.Context(), mine.ID); err != nil || v.Commit != mine.Commit {
		t.Errorf("%v, %v", v, err)
	}
	if names, err := filepath.Glob(filepath.Join(gitDir(old, "acme"), "belay-pack-*")); err != nil || len(names) > 0 {
		t.Errorf("left over: %q, %v", names, err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "acme.git")); err != nil {
		t.Fatal(err)
	}
	if _, err := old.CatchUp(t.Context(), "acme", Look{}); devices.KindOf(err) != devices.Unproven {
		t.Error(err)
	}
}

// A person fetched from the remote by hand: the pack that came is what CatchUp gets, and
// a git repack of his may take it away at any moment. What is adopted is another.
func TestWhatAPersonFetchedTooIsAdoptedAsAPackOfOurs(t *testing.T) {
	t.Parallel()
	needGit(t)
	srv := startSSHD(t)
	dir, repo := bareRemote(t)
	s := open(t, t.TempDir())
	s.Remotes = map[string]Remote{"default": srv.remote(t, dir+"/{customer}.git")}
	commit(t, s, snapshot(t, "acme", "sw", "one\n", 1))
	last := commit(t, s, snapshot(t, "acme", "sw", "two\n", 2))
	if p, err := s.Prove(t.Context(), last); err != nil || !p.OK {
		t.Fatal(p, err)
	}
	fresh := open(t, t.TempDir())
	fresh.Remotes = s.Remotes
	r, err := fresh.repo("acme")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.create(t.Context()); err != nil {
		t.Fatal(err)
	}
	git(t, "--git-dir", r.dir, "-c", "fetch.unpackLimit=1", "fetch", "-q", repo, "main")
	theirs, err := r.packs()
	if err != nil || len(theirs) != 1 {
		t.Fatal(theirs, err)
	}
	if n, err := fresh.CatchUp(t.Context(), "acme", Look{}); err != nil || n != 2 {
		t.Fatalf("%d versions, %v", n, err)
	}
	ours, err := r.packs()
	if err != nil || len(ours) != 2 {
		t.Fatal(ours, err)
	}
	for stem := range ours {
		kept := keptByUs(filepath.Join(r.dir, "objects", "pack", stem+".keep"))
		if _, his := theirs[stem]; his == kept {
			t.Errorf("%s has a .keep of ours: %t", stem, kept)
		}
		if _, his := theirs[stem]; his {
			for _, ext := range []string{".pack", ".idx"} {
				if err := os.Remove(filepath.Join(r.dir, "objects", "pack", stem+ext)); err != nil {
					t.Error(err)
				}
			}
		}
	}
	if vs := history(t, open(t, fresh.Dir), "acme/sw"); len(vs) != 2 || vs[0].Commit != last.Commit {
		t.Errorf("%+v", vs)
	}
	git(t, "--git-dir", r.dir, "fsck")
}

// Here the disk is full, and far more than a pipe or a window of ssh holds is still to come.
func TestCatchingUpEndsWhenWhatComesCannotBeKept(t *testing.T) {
	t.Parallel()
	srv := startSSHD(t)
	dir, repo := bareRemote(t)
	s := open(t, t.TempDir())
	s.Remotes = map[string]Remote{"default": {URL: repo}}
	random := rand.New(rand.NewPCG(5, 6))
	lines := make([]string, 800_000)
	for i := range lines {
		lines[i] = fmt.Sprintf("%x\n", random.Uint64())
	}
	last := commit(t, s, snapshot(t, "acme", "sw", strings.Join(lines, ""), 1))
	if p, err := s.Prove(t.Context(), last); err != nil || !p.OK {
		t.Fatal(p, err)
	}
	full := program(t, `case "$*" in *index-pack*) echo "fatal: write error: No space left on device" >&2; exit 128;; esac; exec `+needGit(t)+` "$@"`)
	for name, remote := range map[string]Remote{"a path": {URL: repo}, "ssh": srv.remote(t, dir+"/{customer}.git")} {
		fresh := open(t, t.TempDir())
		fresh.Git, fresh.Remotes = full, map[string]Remote{"default": remote}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		n, err := fresh.CatchUp(ctx, "acme", Look{})
		if n != 0 || err == nil || !strings.Contains(err.Error(), "No space left") || ctx.Err() != nil {
			t.Errorf("%s: %d came, %v", name, n, err)
		}
		cancel()
	}
}

package git

import (
	"os"
	"path/filepath"
	"testing"

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

package git

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// copied makes a repository of what Copy shows.
func copied(t *testing.T, s *Store, at Cut) *Store {
	t.Helper()
	to := &Store{Dir: t.TempDir(), Now: s.Now}
	root := gitDir(to, "acme")
	err := s.Copy(t.Context(), "acme", at, func(f CopyOf) error {
		path := filepath.Join(root, filepath.FromSlash(f.Name))
		if strings.HasSuffix(f.Name, "/") {
			return os.MkdirAll(path, 0o700)
		}
		data := f.Text
		if f.From != "" {
			var err error
			if data, err = os.ReadFile(f.From); err != nil {
				return err
			}
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		return os.WriteFile(path, data, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	return to
}

func TestACopyIsTheHistoryOfItsCut(t *testing.T) {
	t.Parallel()
	needGit(t)
	s := open(t, t.TempDir())
	commit(t, s, snapshot(t, "acme", "sw", "one\n", 1))
	v := commit(t, s, within(t, "T1", "before", "sw", "two\n", 2))
	at, err := s.Cut(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	if at.Main() != v.Commit || len(at) != 2 {
		t.Errorf("the cut is %v", at)
	}
	// What comes after the cut is no part of the copy, though its packs may be.
	commit(t, s, within(t, "T2", "before", "sw", "three\n", 3))
	if _, err := s.Maintain(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	// Nor is what interrupted writers leave, nor notes that name a later commit.
	for _, name := range []string{"objects/pack/tmp_belay_pack_1", "refs/heads/main.lock", "belay-tags.json", "objects/pack/pack-0000000000000000000000000000000000000000.idx"} {
		if err := os.WriteFile(filepath.Join(gitDir(s, "acme"), name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := copied(t, s, at)
	fsck(t, gitDir(c, "acme"))
	now, ok, err := c.Newest(t.Context(), v.ID)
	if err != nil || !ok || now.Commit != v.Commit {
		t.Errorf("the newest is %v, %v", now, err)
	}
	tags, err := c.Tags(t.Context(), "acme", "T1")
	if err != nil || len(tags) != 1 {
		t.Errorf("%v, %v", tags, err)
	}
	if tags, err := c.Tags(t.Context(), "acme", "T2"); err != nil || len(tags) != 0 {
		t.Errorf("a tag of later is in it: %v, %v", tags, err)
	}
	for v, err := range c.Verify(t.Context(), "acme", 1, 0, nil) {
		if err != nil || len(v.Problems) > 0 {
			t.Error(v.Problems, err)
		}
	}
	for _, name := range []string{"belay-newest.json", "belay-tags.json", "belay-maintain.lock", "objects/pack/tmp_belay_pack_1", "objects/pack/pack-0000000000000000000000000000000000000000.idx"} {
		if _, err := os.Stat(filepath.Join(gitDir(c, "acme"), name)); err == nil && name != "belay-maintain.lock" {
			t.Errorf("%s is in the copy", name)
		}
	}
	if n, err := c.Commits(t.Context(), "acme", at.Main()); n != 2 || err != nil {
		t.Errorf("%d commits, %v", n, err)
	}
	// History goes on from it.
	commit(t, c, snapshot(t, "acme", "sw", "four\n", 4))
	fsck(t, gitDir(c, "acme"))
}

func TestMaintenanceWaitsForACopy(t *testing.T) {
	t.Parallel()
	needGit(t)
	s := open(t, t.TempDir())
	commit(t, s, snapshot(t, "acme", "sw", "one\n", 1))
	commit(t, s, snapshot(t, "acme", "sw", "two\n", 2))
	at, err := s.Cut(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	tried := false
	err = s.Copy(t.Context(), "acme", at, func(f CopyOf) error {
		if !tried {
			tried = true
			rep, err := (&Store{Dir: s.Dir, Now: s.Now}).Maintain(t.Context(), "acme")
			if err != nil || rep.Skipped == "" {
				t.Errorf("%+v, %v", rep, err)
			}
		}
		if f.From != "" {
			if _, err := os.Stat(f.From); err != nil {
				t.Error(err)
			}
		}
		return nil
	})
	if err != nil || !tried {
		t.Error(err)
	}
}

func TestACopyOfNothingIsNothing(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	at, err := s.Cut(t.Context(), "acme")
	if err != nil || at.Main() != "" {
		t.Error(at, err)
	}
	err = s.Copy(t.Context(), "acme", at, func(f CopyOf) error { t.Errorf("%s is shown", f.Name); return nil })
	if err != nil {
		t.Error(err)
	}
}

func TestARemoteIsReachedWithoutSendingAnything(t *testing.T) {
	t.Parallel()
	needGit(t)
	dir, repo := bareRemote(t)
	s := open(t, t.TempDir())
	if _, ok, err := s.Reach(t.Context(), "acme"); ok || err != nil {
		t.Errorf("without a remote: %v, %v", ok, err)
	}
	s.Remotes = map[string]Remote{"default": {URL: filepath.Join(dir, "{customer}.git"), Elsewhere: true}}
	v := commit(t, s, snapshot(t, "acme", "sw", "one\n", 1))
	at, ok, err := s.Reach(t.Context(), "acme")
	if err != nil || !ok || !at.Second || !at.Behind || at.Ahead || at.Main != "" {
		t.Errorf("%+v, %v, %v", at, ok, err)
	}
	if out, err := runGit(t, "-C", repo, "rev-parse", "--verify", "-q", "main"); err == nil {
		t.Errorf("something was sent: %s", out)
	}
	if p, err := s.Prove(t.Context(), v); err != nil || !p.OK {
		t.Fatal(p, err)
	}
	if at, _, err = s.Reach(t.Context(), "acme"); err != nil || at.Behind || at.Ahead || at.Main != v.Commit {
		t.Errorf("%+v, %v", at, err)
	}
	fresh := open(t, t.TempDir()) // as a folder that was restored from before
	fresh.Remotes = s.Remotes
	if at, _, err = fresh.Reach(t.Context(), "acme"); err != nil || !at.Ahead {
		t.Errorf("%+v, %v", at, err)
	}
	if n, err := fresh.CatchUp(t.Context(), "acme", Look{}); n != 1 || err != nil {
		t.Errorf("%d came, %v", n, err)
	}
	got, _, err := fresh.Newest(t.Context(), v.ID)
	if err != nil || got.Commit != v.Commit {
		t.Errorf("%v, %v", got, err)
	}
	packs, err := filepath.Glob(filepath.Join(gitDir(fresh, "acme"), "belay-pack-*"))
	if err != nil || slices.Contains(packs, "") || len(packs) > 0 {
		t.Errorf("left over: %q, %v", packs, err)
	}
}

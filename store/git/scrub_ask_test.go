package git

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"belay/devices"
)

func TestARemoteIsAskedForWhatItLacks(t *testing.T) {
	t.Parallel()
	remote := filepath.Join(t.TempDir(), "acme.git")
	git(t, "init", "-q", "--bare", "-b", "main", remote)
	s := &Store{Dir: t.TempDir(), Now: func() time.Time { return at(0) }, Remotes: map[string]Remote{"acme": {URL: remote}}}
	settled := at(1)
	ask := func() []string {
		t.Helper()
		said, ok, err := s.Ask(t.Context(), "acme", settled)
		if err != nil || !ok || said.Place != remote || said.Second {
			t.Fatalf("%+v, %t, %v", said, ok, err)
		}
		return said.Missing
	}
	if _, ok, err := s.Ask(t.Context(), "globex", settled); ok || err != nil {
		t.Errorf("of a customer without: %t, %v", ok, err)
	}
	first := commit(t, s, snapshot(t, "acme", "fw-hq", "one\n", 1))
	if got := ask(); !slices.Equal(got, []string{"it has no main"}) {
		t.Errorf("an empty one: %q", got)
	}
	snap := snapshot(t, "acme", "fw-hq", "two\n", 2)
	snap.Change, snap.Phase = "T1", "before"
	second := commit(t, s, snap)
	if p, err := s.Prove(t.Context(), second); err != nil || !p.OK {
		t.Fatal(p, err)
	}
	if got := ask(); len(got) > 0 {
		t.Errorf("it has all: %q", got)
	}
	said, _, _ := s.Ask(t.Context(), "acme", settled)
	for c, want := range map[string]bool{first.Commit: true, second.Commit: true, strings.Repeat("1", 40): false} {
		if leads, err := s.Led(t.Context(), "acme", said.Main, c); leads != want || err != nil {
			t.Errorf("leads to %s: %t, %v", c, leads, err)
		}
	}
	git(t, "--git-dir", remote, "update-ref", "-d", "refs/tags/change/T1/before")
	if got := ask(); !slices.Equal(got, []string{"it does not have the tag change/T1/before"}) {
		t.Errorf("a lost tag: %q", got)
	}
	git(t, "--git-dir", remote, "update-ref", "refs/tags/change/T1/before", first.Commit)
	if got := ask(); !slices.Equal(got, []string{"its tag change/T1/before is at another commit"}) {
		t.Errorf("a moved tag: %q", got)
	}
	git(t, "--git-dir", remote, "update-ref", "-d", "refs/tags/change/T1/before")
	settled = at(-1) // what was committed a moment ago need not be there yet
	commit(t, s, snapshot(t, "acme", "fw-hq", "three\n", 3))
	if got := ask(); len(got) > 0 {
		t.Errorf("a push is under way: %q", got)
	}
	settled = at(1)
	if got := ask(); len(got) != 2 || got[1] != fmt.Sprintf("its main is at %.12s; versions it lacks: 1", second.Commit) {
		t.Errorf("nobody pushed: %q", got)
	}
	if at := strings.TrimSpace(git(t, "--git-dir", remote, "rev-parse", "main")); at != second.Commit {
		t.Errorf("asking moved the remote's main to %s", at)
	}
	tree := strings.TrimSpace(git(t, "--git-dir", remote, "rev-parse", "main^{tree}"))
	eve := strings.TrimSpace(git(t, "--git-dir", remote, "-c", "user.name=Eve", "-c", "user.email=eve@example.net", "commit-tree", "-m", "mine", tree))
	git(t, "--git-dir", remote, "update-ref", mainRef, eve)
	if got := ask(); len(got) != 2 || !strings.Contains(got[1], "which is not in this history") {
		t.Errorf("another's main: %q", got)
	}
	s.Remotes["acme"] = Remote{URL: filepath.Join(t.TempDir(), "none.git")}
	if _, _, err := s.Ask(t.Context(), "acme", settled); devices.KindOf(err) != devices.Unproven {
		t.Errorf("one that is not there: %v", err)
	}
}

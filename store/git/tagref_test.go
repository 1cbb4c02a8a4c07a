package git

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"belay/devices"
)

// A writer killed at any step between its pack and its last tag: whoever comes
// next finds either no version, or one with its tag.
func TestATagThatADeadWriterOwesIsSet(t *testing.T) {
	t.Parallel()
	needGit(t)
	for _, next := range []string{"commit", "tags", "verify", "push", "maintain"} {
		t.Run(next, func(t *testing.T) {
			t.Parallel()
			s := open(t, t.TempDir())
			first := commit(t, s, within(t, "c-1", "before", "fw-hq", "one\n", 1))
			second := commit(t, s, within(t, "c-1", "after", "fw-hq", "two\n", 2))
			dir := gitDir(s, "acme")
			tag := filepath.Join(dir, "refs/tags/change/c-1/after")
			at, err := os.ReadFile(tag)
			if err != nil {
				t.Fatal(err)
			}
			// As it is between the move of main and the rename of the tag.
			note, err := json.Marshal(tagNote{first.Commit, second.Commit, []dueTag{{"c-1", "after", trimmed(string(at))}}})
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, "belay-tags.json"), note, 0o600)
			}
			if err == nil {
				err = os.Rename(tag, tag+".lock")
			}
			if err != nil {
				t.Fatal(err)
			}
			_, repo := bareRemote(t)
			s = open(t, s.Dir)
			s.Remotes = map[string]Remote{"acme": {URL: repo}}
			switch next {
			case "commit":
				commit(t, s, snapshot(t, "acme", "sw-1", "x\n", 3))
			case "tags":
				if got := tagNames(t, s, "c-1"); len(got) != 2 {
					t.Errorf("tags: %v", got)
				}
			case "verify":
				for v, err := range s.Verify(t.Context(), "acme", 1, 0, nil) {
					if err != nil || len(v.Problems) > 0 {
						t.Errorf("%+v, %v", v, err)
					}
				}
			case "push":
				if p, err := s.Prove(t.Context(), second); !p.OK || !strings.Contains(p.Detail, "change/c-1/after") {
					t.Errorf("%+v, %v", p, err)
				}
			case "maintain":
				if rep, err := s.Maintain(t.Context(), "acme"); err != nil || rep.Left != 1 {
					t.Errorf("%+v, %v", rep, err)
				}
			}
			if got, err := os.ReadFile(tag); err != nil || string(got) != string(at) {
				t.Errorf("the tag is %q, %v; want %q", got, err, at)
			}
			for _, left := range []string{tag + ".lock", filepath.Join(dir, "belay-tags.json")} {
				if _, err := os.Stat(left); !os.IsNotExist(err) {
					t.Errorf("left behind: %s, %v", left, err)
				}
			}
		})
	}
}

func TestATagWhoseVersionNeverCameIsDropped(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	first := commit(t, s, snapshot(t, "acme", "fw-hq", "one\n", 1))
	second := commit(t, s, snapshot(t, "acme", "fw-hq", "two\n", 2))
	lost := strings.Repeat("ab", 20)
	for _, note := range []string{
		fmt.Sprintf(`{"from":%q,"to":%q,"tags":[{"change":"c-1","phase":"before","commit":%q}]}`, second.Commit, lost, lost),
		fmt.Sprintf(`{"from":%q,"to":%q,"tags":[{"change":"c-1","phase":"before","commit":%q}]}`, first.Commit, lost, lost),
		"no JSON",
	} {
		if err := os.WriteFile(filepath.Join(gitDir(s, "acme"), "belay-tags.json"), []byte(note), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := tagNames(t, open(t, s.Dir), "c-1"); got != nil {
			t.Errorf("%s: %v", note, got)
		}
		if _, err := os.Stat(filepath.Join(gitDir(s, "acme"), "belay-tags.json")); !os.IsNotExist(err) {
			t.Errorf("%s: it is still there, %v", note, err)
		}
	}
	// One that another git built upon is still owed.
	v := commit(t, s, within(t, "c-2", "before", "fw-hq", "three\n", 3))
	tag := filepath.Join(gitDir(s, "acme"), "refs/tags/change/c-2/before")
	at, err := os.ReadFile(tag)
	if err != nil {
		t.Fatal(err)
	}
	commit(t, s, snapshot(t, "acme", "fw-hq", "four\n", 4))
	note := fmt.Sprintf(`{"from":%q,"to":%q,"tags":[{"change":"c-2","phase":"before","commit":%q}]}`, second.Commit, v.Commit, trimmed(string(at)))
	if err := os.WriteFile(filepath.Join(gitDir(s, "acme"), "belay-tags.json"), []byte(note), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(tag); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"change/c-2/before " + v.Commit}, tagNames(t, s, "c-2")); diff != "" {
		t.Error(diff)
	}
}

func TestVerifyMissesATagAndFindsOneTooMany(t *testing.T) {
	t.Parallel()
	needGit(t)
	s := open(t, t.TempDir())
	first := commit(t, s, within(t, "c-1", "before", "fw-hq", "one\n", 1))
	other := commit(t, s, within(t, "c-2", "before", "fw-hq", "two\n", 2))
	git(t, "--git-dir", gitDir(s, "acme"), "tag", "change/c-1/mine", "main") // a person's own is nobody's business
	problems := func() string {
		t.Helper()
		var all []string
		for v, err := range s.Verify(t.Context(), "acme", 1, 0, nil) {
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range v.Problems {
				all = append(all, v.Version.Name+" "+v.Version.Commit+": "+p)
			}
		}
		return strings.Join(all, "\n")
	}
	if got := problems(); got != "" {
		t.Errorf("before anything happened: %s", got)
	}
	at := trimmed(git(t, "--git-dir", gitDir(s, "acme"), "rev-parse", "change/c-2/before"))
	// Gone, and another change's in its place.
	git(t, "--git-dir", gitDir(s, "acme"), "tag", "-d", "change/c-1/before")
	if got, want := problems(), "fw-hq "+first.Commit+": no tag names it"; !strings.HasPrefix(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	git(t, "--git-dir", gitDir(s, "acme"), "tag", "change/c-1/before", at)
	if got, want := problems(), "fw-hq "+first.Commit+": no tag names it"; !strings.HasPrefix(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	// A tag whose files are another's, and one of a version that is not in main.
	dir := gitDir(s, "acme")
	forge := func(version, tree string) string {
		return trimmed(git(t, "--git-dir", dir, "-c", "user.name=E", "-c", "user.email=e@example.net", "commit-tree", "-p", "main", "-m", "x\n\nVersion: "+version, tree))
	}
	git(t, "--git-dir", dir, "update-ref", "refs/tags/change/c-2/before", forge(other.Commit, first.Commit+"^{tree}"))
	if got, want := problems(), "fw-hq "+other.Commit+": the tag change/c-2/before holds other files"; !strings.Contains(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	forged := forge(at, "main^{tree}")
	git(t, "--git-dir", dir, "tag", "change/c-3/after", forged)
	if got, want := problems(), "change/c-3/after "+forged+": it is a tag of version "+at+", which is not in main"; !strings.Contains(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A tag that another git left empty when it was interrupted, say.
func TestABrokenTagDoesNotHideTheVersions(t *testing.T) {
	t.Parallel()
	s := &Store{Dir: t.TempDir(), Now: func() time.Time { return at(0) }}
	commit(t, s, within(t, "c-1", "before", "fw-hq", "one\n", 1))
	commit(t, s, snapshot(t, "acme", "sw-1", "two\n", 2))
	if err := os.WriteFile(filepath.Join(gitDir(s, "acme"), "refs/tags/change/c-1/before"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var problems []string
	n := 0
	for v, err := range s.Verify(t.Context(), "acme", 1, 0, nil) {
		if err != nil {
			t.Fatal(err)
		}
		n++
		problems = append(problems, v.Problems...)
	}
	if n != 3 || len(problems) != 2 || !strings.Contains(problems[0], "no tag names it") || !strings.Contains(problems[1], "no object id") {
		t.Errorf("%d, %q", n, problems)
	}
	if _, err := s.Tags(t.Context(), "acme", "c-1"); devices.KindOf(err) != devices.Damaged {
		t.Error(err)
	}
	// It keeps nobody else's configuration from being kept.
	commit(t, s, within(t, "c-2", "before", "fw-hq", "three\n", 3))
}

package git

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"belay/configs"
	"belay/devices"
)

// A person packs references, or another program of ours commits: we go on from there.
func TestABranchThatAnotherGitPackedIsFollowed(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	commit(t, s, snapshot(t, "acme", "fw-hq", "one\n", 1))
	git(t, "--git-dir", gitDir(s, "acme"), "pack-refs", "--all")
	second := commit(t, s, snapshot(t, "acme", "fw-hq", "two\n", 2))
	third := commit(t, open(t, s.Dir), snapshot(t, "acme", "fw-hq", "three\n", 3))
	v, ok, err := s.Newest(t.Context(), "acme/fw-hq")
	if err != nil || !ok || v.Commit != third.Commit {
		t.Errorf("newest is %s, %t, %v; want %s", v.Commit, ok, err, third.Commit)
	}
	if versions := history(t, s, "acme/fw-hq"); len(versions) != 3 || versions[1].Commit != second.Commit {
		t.Errorf("history is %v", versions)
	}
}

func history(t testing.TB, s *Store, id devices.ID) (vs []configs.Version) {
	t.Helper()
	for v, err := range s.History(t.Context(), id) {
		if err != nil {
			t.Fatal(err)
		}
		vs = append(vs, v)
	}
	return vs
}

// A person puts main back with update-ref, with push --force, or deletes it: what
// was acknowledged is no longer in it, so nothing is built upon it, in this
// process or the next, until he has put it right or said that he meant it.
func TestABranchThatWasPutBackIsNotBuiltUpon(t *testing.T) {
	t.Parallel()
	for name, put := range map[string]func(t *testing.T, dir string, first configs.Version){
		"update-ref": func(t *testing.T, dir string, first configs.Version) {
			git(t, "--git-dir", dir, "update-ref", mainRef, first.Commit)
		},
		"a commit of his own": func(t *testing.T, dir string, first configs.Version) {
			tree := strings.TrimSpace(git(t, "--git-dir", dir, "rev-parse", first.Commit+"^{tree}"))
			other := git(t, "--git-dir", dir, "-c", "user.name=Eve", "-c", "user.email=eve@example.net", "commit-tree", "-m", "mine", tree)
			git(t, "--git-dir", dir, "update-ref", mainRef, strings.TrimSpace(other))
		},
		"update-ref -d": func(t *testing.T, dir string, _ configs.Version) {
			git(t, "--git-dir", dir, "update-ref", "-d", mainRef)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, t.TempDir())
			dir := gitDir(s, "acme")
			first := commit(t, s, snapshot(t, "acme", "fw-hq", "one\n", 1))
			second := commit(t, s, snapshot(t, "acme", "fw-hq", "two\n", 2))
			if _, err := s.Maintenance(t.Context()); err != nil { // notes where main is, for the next process
				t.Fatal(err)
			}
			put(t, dir, first)
			refused := func(who string, s *Store) {
				t.Helper()
				for _, text := range []string{"one\n", "two\n", "three\n"} {
					_, err := s.Commit(t.Context(), snapshot(t, "acme", "fw-hq", text, 3))
					if devices.KindOf(err) != devices.Damaged || !strings.Contains(devices.HintOf(err), second.Commit) {
						t.Errorf("%s: %q upon the branch that was put back: %v, hint %q", who, text, err, devices.HintOf(err))
					}
				}
				if _, err := s.Maintenance(t.Context()); devices.KindOf(err) != devices.Damaged {
					t.Errorf("%s: looked after: %v", who, err)
				}
				if _, err := s.Maintain(t.Context(), "acme"); devices.KindOf(err) != devices.Damaged {
					t.Errorf("%s: packed: %v", who, err)
				}
			}
			refused("the same process", s)
			refused("the next", open(t, s.Dir))
			// He does what the hint says.
			git(t, "--git-dir", dir, "update-ref", mainRef, second.Commit)
			for _, s := range []*Store{s, open(t, s.Dir)} {
				if v := commit(t, s, snapshot(t, "acme", "fw-hq", "two\n", 3)); v.New || v.Commit != second.Commit {
					t.Errorf("after it was put right: %+v", v)
				}
			}
			// And now he means it.
			git(t, "--git-dir", dir, "update-ref", mainRef, first.Commit)
			refused("the same process, again", s)
			if err := os.Remove(filepath.Join(dir, "belay-newest.json")); err != nil {
				t.Fatal(err)
			}
			v := commit(t, s, snapshot(t, "acme", "fw-hq", "two\n", 4))
			if vs := history(t, s, "acme/fw-hq"); !v.New || len(vs) != 2 || vs[1].Commit != first.Commit {
				t.Errorf("history is %v", vs)
			}
			if !(&repo{dir: dir}).hinted() {
				t.Error("the branch is watched no longer")
			}
		})
	}
}

// The note is of the first commit still: this process remembers more than it.
func TestWhatThisProcessKeptIsNotGivenUp(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	first := commit(t, s, snapshot(t, "acme", "fw-hq", "one\n", 1))
	second := commit(t, s, snapshot(t, "acme", "fw-hq", "two\n", 2))
	git(t, "--git-dir", gitDir(s, "acme"), "update-ref", mainRef, first.Commit)
	for range 2 {
		_, err := s.Commit(t.Context(), snapshot(t, "acme", "fw-hq", "three\n", 3))
		if devices.KindOf(err) != devices.Damaged || !strings.Contains(devices.HintOf(err), second.Commit) {
			t.Errorf("got %v, hint %q", err, devices.HintOf(err))
		}
	}
	if _, err := s.Maintenance(t.Context()); devices.KindOf(err) != devices.Damaged {
		t.Errorf("maintenance: %v", err)
	}
	// He can still look at what is there.
	if v, ok, err := s.Newest(t.Context(), "acme/fw-hq"); err != nil || !ok || v.Commit != first.Commit {
		t.Errorf("newest is %+v, %v", v, err)
	}
	git(t, "--git-dir", gitDir(s, "acme"), "update-ref", mainRef, second.Commit)
	if v := commit(t, s, snapshot(t, "acme", "fw-hq", "three\n", 3)); !v.New {
		t.Errorf("%+v", v)
	}
	// He looks, and then says that he means it: the next capture is kept.
	git(t, "--git-dir", gitDir(s, "acme"), "update-ref", mainRef, second.Commit)
	if _, _, err := s.Newest(t.Context(), "acme/fw-hq"); err != nil {
		t.Error(err)
	}
	if err := os.Remove(filepath.Join(gitDir(s, "acme"), "belay-newest.json")); err != nil {
		t.Fatal(err)
	}
	if v := commit(t, s, snapshot(t, "acme", "fw-hq", "four\n", 4)); !v.New {
		t.Errorf("%+v", v)
	}
}

func TestAPushByForceIsRefused(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	first := commit(t, s, snapshot(t, "acme", "fw-hq", "one\n", 1))
	second := commit(t, s, snapshot(t, "acme", "fw-hq", "two\n", 2))
	clone := t.TempDir()
	git(t, "clone", "--quiet", gitDir(s, "acme"), clone)
	for _, args := range [][]string{{first.Commit + ":main"}, {"--delete", "main"}} {
		if out, err := runGit(t, append([]string{"-C", clone, "push", "--force", "origin"}, args...)...); err == nil {
			t.Errorf("git push --force %v: %s", args, out)
		}
	}
	if v, _, err := s.Newest(t.Context(), "acme/fw-hq"); err != nil || v.Commit != second.Commit {
		t.Errorf("newest is %+v, %v", v, err)
	}
}

// The clock goes back a year between two commits, and then before 1970: the
// line of commits tells what is newer, not their dates.
func TestTheClockIsSetBack(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	now := at(0)
	s.Now = func() time.Time { return now }
	var want []string
	for i, when := range []time.Time{at(0), at(0).AddDate(-1, 0, 0), time.Unix(-100, 0), at(1), at(0).AddDate(-20, 0, 0)} {
		now = when
		snap := snapshot(t, "acme", "fw-hq", fmt.Sprint(i, "\n"), 0)
		snap.Taken = when
		want = append([]string{commit(t, s, snap).Commit}, want...)
		commit(t, s, snapshot(t, "acme", "beside", fmt.Sprint(i, "\n"), i))
	}
	check := func(who string, s *Store) {
		t.Helper()
		var got []string
		for _, v := range history(t, s, "acme/fw-hq") {
			got = append(got, v.Commit)
		}
		v, ok, err := s.Newest(t.Context(), "acme/fw-hq")
		if diff := cmp.Diff(want, got); diff != "" || err != nil || !ok || v.Commit != want[0] {
			t.Errorf("%s: newest %s, %v; history (-want +got)\n%s", who, v.Commit, err, diff)
		}
		texts, err := s.Texts(t.Context(), v)
		if err != nil || string(texts[0].Clean.Bytes()) != "4\n" {
			t.Errorf("%s: newest text %v, %v", who, texts, err)
		}
	}
	check("the same process", s)
	check("the next", open(t, s.Dir))
	for range 2 { // and packed
		if _, err := s.Maintain(t.Context(), "acme"); err != nil {
			t.Fatal(err)
		}
		check("packed", open(t, s.Dir))
	}
}

// A person puts a file of his own beside the folders, and an executable into one:
// it stays, though the note has no words for it.
func TestWhatAPersonCommittedStays(t *testing.T) {
	t.Parallel()
	for name, mode := range map[string]os.FileMode{"README": 0o600, "sw-1/look.sh": 0o700} {
		t.Run(name, func(t *testing.T) { t.Parallel(); whatAPersonCommittedStays(t, name, mode) })
	}
}

func whatAPersonCommittedStays(t *testing.T, name string, mode os.FileMode) {
	s := open(t, t.TempDir())
	for i := range 4 {
		commit(t, s, snapshot(t, "acme", fmt.Sprint("sw-", i), "one\n", 1))
	}
	clone := t.TempDir()
	git(t, "clone", "--quiet", gitDir(s, "acme"), clone)
	if err := os.WriteFile(filepath.Join(clone, name), []byte("mine\n"), mode); err != nil {
		t.Fatal(err)
	}
	git(t, "-C", clone, "add", ".")
	git(t, "-C", clone, "-c", "user.name=Ada", "-c", "user.email=ada@example.net", "commit", "--quiet", "-m", "My notes")
	git(t, "-C", clone, "push", "--quiet", "origin", "main")
	for round := range 3 {
		if _, err := s.Maintenance(t.Context()); err != nil {
			t.Fatal(err)
		}
		s = open(t, s.Dir)
		if v, ok, err := s.Newest(t.Context(), "acme/sw-1"); err != nil || !ok || (v.Subject == "My notes") != (mode == 0o700) {
			t.Errorf("newest of sw-1: %+v, %v", v, err)
		}
		commit(t, s, snapshot(t, "acme", "sw-2", fmt.Sprint(round, "\n"), 2))
		files := git(t, "--git-dir", gitDir(s, "acme"), "ls-tree", "-r", "main")
		if !strings.Contains(files, "\t"+name+"\n") || strings.Contains(files, "100755 blob") != (mode == 0o700) {
			t.Errorf("round %d: %s", round, files)
		}
	}
}

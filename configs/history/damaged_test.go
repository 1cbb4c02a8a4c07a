package history_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"belay/configs"
	"belay/devices"
)

// spoil puts a commit on acme's history in which the snapshot.json of a device is
// no JSON, as a disk may make of it.
func (s *scene) spoil(name string) (commit string) {
	s.t.Helper()
	file := filepath.Join(s.t.TempDir(), "snapshot.json")
	if err := os.WriteFile(file, []byte("{ torn"), 0o600); err != nil {
		s.t.Fatal(err)
	}
	index := func(args ...string) string { return strings.TrimSpace(s.git(args...)) }
	blob := index("hash-object", "-w", file)
	index("read-tree", "main")
	index("update-index", "--add", "--cacheinfo", "100644,"+blob+","+name+"/snapshot.json")
	commit = index("-c", "user.name=Ada Example", "-c", "user.email=ada@example.net", "commit-tree", "-p", "main", "-m", "torn", index("write-tree"))
	index("update-ref", "refs/heads/main", commit)
	return commit
}

func TestADamagedVersionKeepsNoOtherFromTheIndex(t *testing.T) {
	t.Parallel()
	for name, anew := range map[string]bool{"as it comes": false, "from the first commit on": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := set(t)
			first := s.keepAs("acme/box", "sw", 1, "one\n") // its id is of an earlier name
			if !anew {
				if err := s.RefreshAll(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			torn := s.spoil("sw")
			err := s.RefreshAll(t.Context())
			if devices.KindOf(err) != devices.Damaged || !strings.Contains(err.Error(), torn) || !strings.Contains(err.Error(), "acme/box") {
				t.Errorf("nobody is told which version of which device: %v", err)
			}
			if err := s.RefreshAll(t.Context()); err != nil {
				t.Errorf("it is told again and again: %v", err)
			}
			s.keep("fw", 3, "two\n")
			var got []string
			for v, err := range s.Versions(t.Context(), "acme/box") {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, v.Commit+" "+v.Subject)
			}
			if len(got) != 2 || !strings.Contains(got[0], torn+" torn (damaged") || !strings.Contains(got[1], first.Commit) {
				t.Errorf("versions: %q", got)
			}
			// What stood then is not answered with an older version.
			v, ok, err := s.At(t.Context(), "acme/box", at(1).AddDate(10, 0, 0))
			if !ok || err != nil || v.Commit != torn {
				t.Errorf("%s, %t, %v", v.Commit, ok, err)
			}
			if _, err := s.Repository.Texts(t.Context(), v); devices.KindOf(err) != devices.Damaged {
				t.Errorf("its text is %v", err)
			}
			found := ""
			for f, err := range s.Search(t.Context(), configs.Query{Pattern: regexp.MustCompile("one|two")}) {
				if err != nil {
					t.Fatal(err)
				}
				found += fmt.Sprint(f.ID, " ")
			}
			if !strings.Contains(found, "acme/fw") || !anew && !strings.Contains(found, "acme/box") {
				t.Errorf("found %q", found)
			}
			reports, err := s.Check(t.Context(), "acme", 10)
			if err != nil || len(reports) != 1 || !strings.Contains(strings.Join(reports[0].Wrong, "; "), torn+" is damaged") {
				t.Errorf("%+v, %v", reports, err)
			}
		})
	}
}

// Whoever is the first to meet the damage is answered all the same.
func TestWhoMeetsADamagedVersionIsAnswered(t *testing.T) {
	t.Parallel()
	for _, asked := range []bool{false, true} { // for a time, or for all versions
		s := set(t)
		first := s.keep("sw", 1, "one\n")
		torn := s.spoil("sw")
		if asked {
			v, ok, err := s.At(t.Context(), "acme/sw", at(1))
			if !ok || err != nil || v.Commit != first.Commit {
				t.Errorf("%s, %t, %v", v.Commit, ok, err)
			}
			continue
		}
		var got []string
		for v, err := range s.Versions(t.Context(), "acme/sw") {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, v.Commit)
		}
		if fmt.Sprint(got) != fmt.Sprint([]string{torn, first.Commit}) {
			t.Errorf("versions: %q", got)
		}
	}
}

package git

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"belay/configs"
)

// withArtifact is a snapshot with a binary artifact beside its text.
func withArtifact(t testing.TB, text, artifact string, minute int) configs.Snapshot {
	snap := snapshot(t, "acme", "rt-1", text, minute)
	o := sealed("router.backup", "original of "+artifact)
	o.Alone = true
	snap.Originals = append(snap.Originals, o)
	return snap
}

func TestTheNewestArtifactIsKeptWhereTheTextStands(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	latest := func(text, artifact string) {
		t.Helper()
		got, err := open(t, dir).Latest(t.Context(), "acme/rt-1")
		if err != nil || len(got) != 2 {
			t.Fatalf("latest: %+v, %v", got, err)
		}
		for i, w := range []configs.Sealed{sealed(configs.MainFile, text), sealed("router.backup", "original of "+artifact)} {
			if g := got[i]; g.Name != w.Name || !bytes.Equal(g.Bytes, w.Bytes) || g.Digest != w.Digest || g.Size != w.Size || g.Alone != (i == 1) {
				t.Errorf("latest: %+v; want %+v", g, w)
			}
		}
		if p := scrubbed(t.Context(), dir); len(p) > 0 {
			t.Errorf("the scrub found %q", p)
		}
	}
	beside := filepath.Join(dir, "customers", "acme", "latest", "rt-1")
	first := commit(t, s, withArtifact(t, "one\n", "artifact 1", 1))
	latest("original of one\n", "artifact 1")
	if _, err := os.Stat(beside); !os.IsNotExist(err) {
		t.Errorf("latest/ is there beside a version that holds it: %v", err)
	}
	clock := withArtifact(t, "one\n", "artifact 2", 2)
	clock.Originals[0] = sealed(configs.MainFile, "original of one, only its clock is another one")
	if v := commit(t, s, clock); v.New || v.Commit != first.Commit {
		t.Error("an artifact made a version")
	}
	latest("original of one\n", "artifact 2")
	if files, err := os.ReadDir(beside); err != nil || len(files) != 2 {
		t.Errorf("latest/ holds %v, %v; want the artifact and its note", files, err)
	}
	commit(t, s, snapshot(t, "acme", "rt-1", "one\n", 3)) // a night without one
	latest("original of one\n", "artifact 2")
	if v := commit(t, s, withArtifact(t, "two\n", "artifact 4", 4)); !v.New {
		t.Error("another text made no version")
	}
	latest("original of two\n", "artifact 4")
	if got, err := s.Originals(t.Context(), first); err != nil || len(got) != 2 || string(got[1].Bytes) != "sealed\x00original of artifact 1" {
		t.Errorf("the first version's originals are now %+v, %v", got, err)
	}
}

// Salted secrets and an artifact: a night without the artifact loses none of them.
func TestASaltedTextAndAnArtifactAreBothTheNewest(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	for i, step := range []struct{ salt, artifact string }{{"salt 1", "a1"}, {"salt 2", "a2"}, {"salt 3", ""}} {
		snap := withArtifact(t, "one\n", step.artifact, i)
		snap.Salted, snap.Originals[0] = true, sealed(configs.MainFile, "original of "+step.salt)
		if step.artifact == "" {
			snap.Originals = snap.Originals[:1]
		}
		commit(t, s, snap)
	}
	got, err := s.Latest(t.Context(), "acme/rt-1")
	if err != nil || len(got) != 2 || string(got[0].Bytes) != "sealed\x00original of salt 3" || string(got[1].Bytes) != "sealed\x00original of a2" || got[0].Digest == "" || got[1].Digest == "" {
		t.Errorf("latest: %+v, %v; want salt 3 and a2", got, err)
	}
	if p := scrubbed(t.Context(), dir); len(p) > 0 {
		t.Errorf("the scrub found %q", p)
	}
}

func TestABitThatFlipsInAnArtifactIsFound(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	commit(t, s, withArtifact(t, "one\n", "artifact 1", 1))
	commit(t, s, withArtifact(t, "one\n", "artifact 2", 2))
	problems := func() (found []string) {
		for v, err := range open(t, dir).Verify(t.Context(), "acme", 1, 0, func(b []byte) ([]byte, error) { return []byte(strings.TrimPrefix(string(b), "sealed\x00")), nil }) {
			found = append(found, v.Problems...)
			if err != nil {
				found = append(found, err.Error())
			}
		}
		return found
	}
	if p := append(problems(), scrubbed(t.Context(), dir)...); len(p) > 0 {
		t.Fatalf("before any damage: %q", p)
	}
	flip := func(pattern, word string) (restore func()) {
		paths, err := filepath.Glob(filepath.Join(gitDir(s, "acme"), pattern))
		if err != nil || len(paths) != 1 {
			t.Fatal(paths, err)
		}
		good, err := os.ReadFile(paths[0])
		if err != nil {
			t.Fatal(err)
		}
		at := bytes.Index(good, []byte(word))
		if at < 0 {
			t.Fatalf("%s does not stand in %s", word, pattern)
		}
		bad := bytes.Clone(good)
		bad[at+len(word)-1] ^= 1
		if err := os.WriteFile(paths[0], bad, 0o600); err != nil {
			t.Fatal(err)
		}
		return func() {
			if err := os.WriteFile(paths[0], good, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	undo := flip("objects/pack/*.pack", "artifact 1")
	if p := problems(); len(p) != 1 || !strings.Contains(p[0], "router.backup.original.age") {
		t.Errorf("a bit of the version's artifact flipped, and verify found %q", p)
	}
	undo()
	undo = flip("../latest/rt-1/router.backup.age", "sealed\x00original") // what age would not open
	if p := scrubbed(t.Context(), dir); len(p) == 0 {
		t.Error("a bit of the newest artifact flipped, and the scrub found nothing")
	}
	undo()
	if p := append(problems(), scrubbed(t.Context(), dir)...); len(p) > 0 {
		t.Errorf("all is whole again: %q", p)
	}
}

func TestACommitTellsOfAnArtifactThatIsNew(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	for i, step := range []struct{ text, artifact, subject string }{
		{"one\n", "", "rt-1: first capture"}, {"one\n", "a", "rt-1: router.backup kept beside"},
		{"two\n", "b", "rt-1: running configuration changed"}, {"three\n", "", "rt-1: running configuration changed"},
	} {
		snap := withArtifact(t, step.text, step.artifact, i)
		if step.artifact == "" {
			snap.Originals = snap.Originals[:1]
		}
		if v := commit(t, s, snap); v.Subject != step.subject {
			t.Errorf("step %d: %q, want %q", i, v.Subject, step.subject)
		}
	}
}

func TestAnArtifactHasItsOwnNameAmongTheFiles(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	for _, name := range []string{configs.MainFile, "original.age", "snapshot.json", "../x", ""} {
		snap := withArtifact(t, "one\n", "a", 1)
		snap.Originals[1].Name = name
		if v, err := s.Commit(t.Context(), snap); err == nil {
			t.Errorf("an artifact was kept as %q: %+v", name, v.Files)
		}
	}
	snap := withArtifact(t, "one\n", "a", 1)
	snap.Originals[1].Alone = false
	if _, err := s.Commit(t.Context(), snap); err == nil {
		t.Error("an original without its text was kept")
	}
}

func TestAnIndexTakesTheTextsAndNoArtifact(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	snap := withArtifact(t, "one\n", "a", 1)
	snap.Unsaved = true
	v := commit(t, s, snap)
	var seen []string
	for x, err := range s.Along(t.Context(), "acme", "", v.Commit) {
		if err != nil {
			t.Fatal(err)
		}
		if !x.Version.Unsaved {
			t.Error("that changes were unsaved is lost")
		}
		for _, text := range x.Texts {
			seen = append(seen, fmt.Sprintf("%s %s", text.Name, text.Clean))
		}
	}
	if len(seen) != 1 || seen[0] != "running.conf one\n" {
		t.Errorf("indexed %q", seen)
	}
}

package git

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"belay/configs"
	"belay/devices"
)

// unsealed opens what sealed has sealed.
func unsealed(b []byte) ([]byte, error) {
	plain, ok := strings.CutPrefix(string(b), "sealed\x00")
	if !ok || plain != "another salt" && !strings.HasPrefix(plain, "original of ") { // age would tell of any other
		return nil, errors.New("it is not sealed")
	}
	return []byte(plain), nil
}

func TestRereadTakesVersionsFromTheOldestOnAndNewOnesInTheirTurn(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	var want []string
	for i := range 6 {
		want = append(want, commit(t, s, snapshot(t, "acme", "fw-hq", fmt.Sprint("line ", i, "\n"), i)).Commit)
	}
	var got []string
	after := ""
	for len(got) < 9 {
		n := 0
		for v, err := range s.Reread(t.Context(), "acme", after, unsealed) {
			if err != nil || len(v.Problems) > 0 || v.Bytes == 0 || v.At != v.Version.Commit || v.Version.ID != "acme/fw-hq" {
				t.Fatalf("%+v, %v", v, err)
			}
			if n++; n > 2 {
				break
			}
			got, after = append(got, v.Version.Commit), v.At
			if part := float64(len(got)) / float64(len(want)); v.Through != part {
				t.Errorf("through %f, want %f", v.Through, part)
			}
		}
		if len(want) < 9 { // each time another one is kept
			want = append(want, commit(t, s, snapshot(t, "acme", "fw-hq", fmt.Sprint("line ", len(want), "\n"), len(want))).Commit)
		} else if n == 0 {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("read %v, want %v", got, want)
	}
	for _, unknown := range []string{strings.Repeat("1", 40), "nonsense"} { // the history was put back: it begins anew
		n := 0
		for _, err := range s.Reread(t.Context(), "acme", unknown, unsealed) {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		if n != 9 {
			t.Errorf("from %s on %d were read", unknown, n)
		}
	}
}

// Whoever asked is stopped in the middle of the first thing that is told, and goes.
func TestWhoHasGoneIsToldNothingMore(t *testing.T) {
	t.Parallel()
	for name, listen := range map[string]func(ctx context.Context, s *Store, gone func()){
		"versions": func(ctx context.Context, s *Store, gone func()) { leave(s.Reread(ctx, "acme", "", unsealed), gone) },
		"packs":    func(ctx context.Context, s *Store, gone func()) { leave(s.RereadPacks(ctx, "acme", ""), gone) },
		"remote":   func(ctx context.Context, s *Store, gone func()) { leave(s.RereadRemote(ctx, "acme"), gone) },
		"verify":   func(ctx context.Context, s *Store, gone func()) { leave(s.Verify(ctx, "acme", 1, 0, unsealed), gone) },
		"along":    func(ctx context.Context, s *Store, gone func()) { leave(s.Along(ctx, "acme", "", ""), gone) },
		"history":  func(ctx context.Context, s *Store, gone func()) { leave(s.History(ctx, "acme/sw-0"), gone) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := mirrored(t, true)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			told := false
			listen(ctx, s, func() { told = true; cancel() })
			if !told {
				t.Error("nothing was told")
			}
		})
	}
}

// leave listens to one thing.
func leave[T any](seq iter.Seq2[T, error], gone func()) {
	for range seq {
		gone()
		return
	}
}

// found are the problems of whatever was read, by what has them.
func found[T any](seq iter.Seq2[T, error], of func(T) (string, []string)) (problems []string) {
	for v, err := range seq {
		if err != nil {
			return append(problems, "error: "+err.Error())
		}
		name, ps := of(v)
		for _, p := range ps {
			problems = append(problems, name+": "+p)
		}
	}
	return problems
}

func scrubbed(ctx context.Context, dir string) []string {
	s := &Store{Dir: dir, Now: func() time.Time { return at(30) }}
	part := func(p Part) (string, []string) { return p.Name, p.Problems }
	return slices.Concat(found(s.RereadPacks(ctx, "acme", ""), part),
		found(s.Reread(ctx, "acme", "", unsealed), func(v Verified) (string, []string) { return v.Version.Commit, v.Problems }),
		found(s.RereadLatest(ctx, "acme", "", unsealed), part))
}

// A byte flips anywhere in what a customer has on disk: some reading tells.
func TestAByteThatFlipsAnywhereIsFound(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	for i := range 3 {
		commit(t, s, snapshot(t, "acme", "fw-hq", fmt.Sprint("line ", i, "\n"), i))
	}
	salted := snapshot(t, "acme", "sw", "one\n", 1)
	salted.Salted = true
	commit(t, s, salted)
	salted = snapshot(t, "acme", "sw", "one\n", 2)
	salted.Salted, salted.Originals = true, []configs.Sealed{sealed(configs.MainFile, "another salt")}
	commit(t, s, salted)
	changed := snapshot(t, "acme", "fw-hq", "line 2\n", 4)
	changed.Change, changed.Phase, changed.Always = "T1", "before", true
	commit(t, s, changed)
	if p := scrubbed(t.Context(), dir); len(p) > 0 {
		t.Fatalf("before any damage: %q", p)
	}
	repo := gitDir(s, "acme")
	files := map[string][]string{}
	for name, pattern := range map[string]string{
		"packs": "objects/pack/*.pack", "indexes": "objects/pack/*.idx", "HEAD": "HEAD", "main": mainRef, "tag": "refs/tags/change/T1/before",
		"latest": "../latest/sw/running.conf.age",
	} {
		paths, err := filepath.Glob(filepath.Join(repo, pattern))
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: %v %v", name, paths, err)
		}
		files[name] = paths
	}
	for name, paths := range files {
		for _, path := range paths {
			good, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for i := 0; i < len(good); i += 1 + len(good)/10 {
				bad := slices.Clone(good)
				bad[i] ^= 1
				if err := os.WriteFile(path, bad, 0o600); err != nil {
					t.Fatal(err)
				}
				if p := scrubbed(t.Context(), dir); len(p) == 0 {
					t.Errorf("%s: byte %d of %d flipped, and nothing was found", name, i, len(good))
				}
			}
			if err := os.WriteFile(path, good, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	note := filepath.Join(repo, "..", "latest", "sw", "latest.json")
	good, err := os.ReadFile(note)
	if err != nil {
		t.Fatal(err)
	}
	for what, of := range map[string]func(string) string{
		"commit": func(s string) string { return flipAfter(s, `"commit": "`) }, "digest": func(s string) string { return flipAfter(s, `"digest": "`) },
		"sealed": func(s string) string { return flipAfter(s, `"sealed": "`) }, "name": func(s string) string { return flipAfter(s, `"name": "`) },
		"end": func(s string) string { return s[:len(s)/2] },
	} {
		if err := os.WriteFile(note, []byte(of(string(good))), 0o600); err != nil {
			t.Fatal(err)
		}
		if p := scrubbed(t.Context(), dir); len(p) == 0 {
			t.Errorf("the %s in latest.json was altered, and nothing was found", what)
		}
	}
	if err := os.WriteFile(note, good, 0o600); err != nil {
		t.Fatal(err)
	}
	if p := scrubbed(t.Context(), dir); len(p) > 0 {
		t.Errorf("all is whole again: %q", p)
	}
}

// flipAfter alters the first letter after a mark.
func flipAfter(s, mark string) string {
	i := strings.Index(s, mark) + len(mark)
	letter := "0"
	if s[i] == '0' {
		letter = "1"
	}
	return s[:i] + letter + s[i+1:]
}

// Of a history that is torn, what can be read is read, and the tear is told.
func TestOfATornHistoryTheRestIsRead(t *testing.T) {
	t.Parallel()
	s := &Store{Dir: t.TempDir(), Now: func() time.Time { return at(0) }}
	var all []configs.Version
	for i := range 5 {
		all = append(all, commit(t, s, snapshot(t, "acme", "fw-hq", fmt.Sprint("line ", i, "\n"), i)))
	}
	index, err := filepath.Glob(filepath.Join(gitDir(s, "acme"), "objects", "pack", "*.idx"))
	if err != nil {
		t.Fatal(err)
	}
	for _, idx := range index { // the pack that holds the second commit is gone
		if strings.Contains(git(t, "verify-pack", "-v", idx), all[1].Commit) {
			for _, path := range []string{idx, strings.TrimSuffix(idx, ".idx") + ".pack"} {
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	var read []string
	var torn error
	for v, err := range (&Store{Dir: s.Dir, Now: s.Now}).Reread(t.Context(), "acme", "", unsealed) {
		if err != nil {
			torn = err
			continue
		}
		read = append(read, v.Version.Commit)
	}
	if devices.KindOf(torn) != devices.Damaged || !slices.Equal(read, []string{all[3].Commit, all[4].Commit}) {
		t.Errorf("read %v of %v, and then %v", read, all, torn)
	}
}

func TestMaintenanceMeanwhileIsNoDamage(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	for i := range 8 {
		commit(t, s, snapshot(t, "acme", "fw-hq", fmt.Sprint("line ", i, "\n"), i))
	}
	n := 0
	for p, err := range s.RereadPacks(t.Context(), "acme", "") {
		if err != nil || len(p.Problems) > 0 {
			t.Errorf("%+v, %v", p, err)
		}
		if n++; n == 3 {
			if _, err := s.Maintain(t.Context(), "acme"); err != nil {
				t.Fatal(err)
			}
		}
	}
	n = 0
	for v, err := range s.Reread(t.Context(), "acme", "", unsealed) {
		if err != nil || len(v.Problems) > 0 {
			t.Errorf("%+v, %v", v, err)
		}
		if n++; n == 3 {
			commit(t, s, snapshot(t, "acme", "fw-hq", "line 9\n", 9))
			if _, err := s.Maintain(t.Context(), "acme"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n != 8 {
		t.Errorf("%d versions were read", n)
	}
}

func TestLooseObjectsOfAnotherGitAreReadToo(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	commit(t, s, snapshot(t, "acme", "fw-hq", "line\n", 1))
	c := filepath.Join(t.TempDir(), "note")
	if err := os.WriteFile(c, []byte("a person's note"), 0o600); err != nil {
		t.Fatal(err)
	}
	name := strings.TrimSpace(git(t, "--git-dir", gitDir(s, "acme"), "hash-object", "-w", c))
	if p := scrubbed(t.Context(), s.Dir); len(p) > 0 {
		t.Errorf("%q", p)
	}
	path := filepath.Join(gitDir(s, "acme"), "objects", name[:2], name[2:])
	other := strings.TrimSpace(git(t, "--git-dir", gitDir(s, "acme"), "hash-object", "-w", os.DevNull))
	data, err := os.ReadFile(filepath.Join(gitDir(s, "acme"), "objects", other[:2], other[2:]))
	if err != nil || os.Remove(path) != nil || os.WriteFile(path, data, 0o600) != nil {
		t.Fatal(err)
	}
	if p := scrubbed(t.Context(), s.Dir); len(p) != 1 || !strings.Contains(p[0], name+": it holds what is named "+other) {
		t.Errorf("%q", p)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

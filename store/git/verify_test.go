package git

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"belay/configs"
	"belay/devices"
)

func TestDamageIsSaid(t *testing.T) {
	t.Parallel()
	s := &Store{Dir: t.TempDir(), Now: func() time.Time { return at(0) }}
	var all []configs.Version
	for i := range 4 {
		all = append(all, commit(t, s, snapshot(t, "acme", "fw-hq", strings.Repeat(fmt.Sprintf("line %d\n", i), 500), i)))
	}
	packs, err := filepath.Glob(filepath.Join(gitDir(s, "acme"), "objects", "pack", "*.pack"))
	if err != nil || len(packs) != 4 {
		t.Fatal(packs, err)
	}
	bad := func(s *Store) (n int) {
		for v, err := range s.Verify(t.Context(), "acme", 1, 0, func(b []byte) ([]byte, error) { return []byte(strings.TrimPrefix(string(b), "sealed\x00")), nil }) {
			if err != nil || len(v.Problems) > 0 {
				n++
			}
		}
		return n
	}
	if n := bad(s); n != 0 {
		t.Errorf("%d problems before the damage", n)
	}
	for _, p := range packs { // the sealed original is stored plainly: a bit of it turns
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		i := strings.Index(string(b), "original of line 2")
		if i < 0 {
			continue
		}
		b[i+20] ^= 1
		if err := os.WriteFile(p, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for i, v := range all {
		_, err := s.Originals(t.Context(), v)
		if (err != nil) != (i == 2) || i == 2 && devices.KindOf(err) != devices.Damaged {
			t.Errorf("originals of version %d: %v", i, err)
		}
		if _, err := s.Texts(t.Context(), v); err != nil {
			t.Errorf("texts of version %d: %v", i, err)
		}
	}
	if n := bad(s); n != 1 {
		t.Errorf("%d problems found, want 1", n)
	}
	wrong := all[1]
	wrong.Files = []configs.VersionFile{{Name: configs.MainFile, Digest: strings.Repeat("0", 64)}}
	if _, err := s.Texts(t.Context(), wrong); devices.KindOf(err) != devices.Damaged {
		t.Errorf("another text than was kept: %v", err)
	}
	if err := os.Truncate(packs[0], 40); err != nil {
		t.Fatal(err)
	}
	if n := bad(&Store{Dir: s.Dir, Now: s.Now}); n == 0 {
		t.Error("a pack without an end was not noticed")
	}
}

func TestSharesOfVerifyTakeEverythingInTurn(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	for i := range 30 {
		commit(t, s, snapshot(t, "acme", "fw-hq", fmt.Sprint(i, "\n"), i))
	}
	seen := map[string]int{}
	for part := range 4 {
		n := 0
		for v, err := range s.Verify(t.Context(), "acme", 0.25, 0.25*float64(part), nil) {
			if err != nil {
				t.Fatal(err)
			}
			seen[v.Version.Commit]++
			n++
		}
		if n == 30 {
			t.Error("a quarter was all of it")
		}
	}
	if len(seen) != 30 {
		t.Errorf("%d of 30 versions verified", len(seen))
	}
	for c, n := range seen {
		if n != 1 {
			t.Errorf("%s verified %d times", c, n)
		}
	}
}

// A branch that is gone must not look like a customer who is new: the next
// maintenance would throw the old history away.
func TestALostBranchIsNotBuiltUpon(t *testing.T) {
	t.Parallel()
	s := &Store{Dir: t.TempDir(), Now: time.Now}
	first := commit(t, s, snapshot(t, "acme", "fw-hq", "one\n", 1))
	second := commit(t, s, snapshot(t, "acme", "fw-hq", "two\n", 2))
	ref := filepath.Join(gitDir(s, "acme"), mainRef)
	if err := os.Remove(ref); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*Store{s, {Dir: s.Dir, Now: s.Now}} {
		if _, err := s.Commit(t.Context(), snapshot(t, "acme", "fw-hq", "three\n", 3)); devices.KindOf(err) != devices.Damaged || !strings.Contains(devices.HintOf(err), first.Commit) {
			t.Errorf("commit: %v, hint %q", err, devices.HintOf(err))
		}
		if _, _, err := s.Newest(t.Context(), "acme/fw-hq"); devices.KindOf(err) != devices.Damaged {
			t.Errorf("newest: %v", err)
		}
		if _, err := s.Maintain(t.Context(), "acme"); devices.KindOf(err) != devices.Damaged {
			t.Errorf("maintain: %v", err)
		}
	}
	if err := os.WriteFile(ref, []byte(second.Commit+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	commit(t, s, snapshot(t, "acme", "fw-hq", "three\n", 3))
	fsck(t, s.Dir)
}

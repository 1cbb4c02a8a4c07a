package git

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"belay/configs"
)

func TestAPackThatHasLostItsIndexGetsOneAgain(t *testing.T) {
	t.Parallel()
	needGit(t)
	for name, heal := range map[string]func(*testing.T, *Store){
		"by the next one who writes": func(t *testing.T, s *Store) {
			commit(t, s, snapshot(t, "acme", "sw-2", "beside\n", 9))
		},
		"by maintenance, of a store that has written before": func(t *testing.T, s *Store) {
			r, err := s.repo("acme")
			if err != nil {
				t.Fatal(err)
			}
			r.swept = true
			if _, err := s.Maintenance(t.Context()); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first := open(t, t.TempDir())
			kept := []configs.Version{
				commit(t, first, snapshot(t, "acme", "sw-1", strings.Repeat("one\n", 300), 1)),
				commit(t, first, snapshot(t, "acme", "sw-1", strings.Repeat("two\n", 300), 2)),
				commit(t, first, snapshot(t, "acme", "sw-1", strings.Repeat("three\n", 300), 3)),
			}
			dir := filepath.Join(gitDir(first, "acme"), "objects", "pack")
			packs, err := filepath.Glob(filepath.Join(dir, "*.pack"))
			if err != nil || len(packs) != 3 {
				t.Fatalf("%d packs, %v", len(packs), err)
			}
			old := time.Now().Add(-time.Hour)
			for _, p := range packs {
				if err := os.Chtimes(p, old, old); err != nil {
					t.Fatal(err)
				}
			}
			gone := ""
			for _, p := range packs { // not that of the branch's newest commit: history begins to miss what lies behind
				idx := strings.TrimSuffix(p, ".pack") + ".idx"
				if strings.Contains(git(t, "verify-pack", "-v", idx), kept[1].Commit) {
					gone = idx
				}
			}
			if err := os.Remove(gone); err != nil {
				t.Fatal(err)
			}
			s := open(t, first.Dir)
			if _, err := s.Texts(t.Context(), kept[1]); err == nil {
				t.Fatal("a version was read from a pack without index")
			}
			r, err := s.repo("acme")
			if err != nil {
				t.Fatal(err)
			}
			stopped, stop := context.WithCancel(t.Context())
			stop()
			stem := strings.TrimSuffix(filepath.Base(gone), ".idx")
			if err := r.reindex(stopped, stem); !errors.Is(err, context.Canceled) { // else it would count as swept
				t.Errorf("stopped: %v", err)
			}
			heal(t, s)
			for _, v := range kept {
				if _, err := s.Texts(t.Context(), v); err != nil {
					t.Error(err)
				}
			}
			git(t, "verify-pack", gone)
		})
	}
}

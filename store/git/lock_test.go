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
	"belay/devices"
)

// As a process does that was stopped while it had a lock.
func TestNobodyWaitsForEverForALockThatIsNotLetGoOf(t *testing.T) {
	t.Parallel()
	next := snapshot(t, "acme", "sw", "two\n", 2)
	for name, c := range map[string]struct {
		lock, left string // what is held, and what a dead writer left
		act        func(context.Context, *Store) error
	}{
		"commit": {"belay.lock", "", func(ctx context.Context, s *Store) error {
			_, err := s.Commit(ctx, next)
			return err
		}},
		"cut": {"belay.lock", "", func(ctx context.Context, s *Store) error {
			_, err := s.Cut(ctx, "acme")
			return err
		}},
		"tags": {"belay.lock", "belay-tags.json", func(ctx context.Context, s *Store) error {
			_, err := s.Tags(ctx, "acme", "c-1")
			return err
		}},
		"maintenance": {"belay.lock", "tmp_belay_1", func(ctx context.Context, s *Store) error {
			_, err := s.Maintenance(ctx)
			return err
		}},
		"copy": {"belay-maintain.lock", "", func(ctx context.Context, s *Store) error {
			return s.Copy(ctx, "acme", nil, func(CopyOf) error { return nil })
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, t.TempDir())
			v := commit(t, s, snapshot(t, "acme", "fw-hq", "one\n", 1))
			r, err := s.repo("acme")
			if err != nil {
				t.Fatal(err)
			}
			r.patience = 50 * time.Millisecond
			held, err := tryLock(filepath.Join(r.dir, c.lock))
			if err != nil {
				t.Fatal(err)
			}
			if c.left != "" {
				if err := os.WriteFile(filepath.Join(r.dir, c.left), []byte("{}"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			err = c.act(ctx, s)
			if ctx.Err() != nil || !errors.Is(err, errHeld) || !strings.Contains(err.Error(), filepath.Join(r.dir, c.lock)) || devices.KindOf(err) != devices.Broken || !strings.Contains(devices.HintOf(err), "process") {
				t.Errorf("%v, hint %q", err, devices.HintOf(err))
			}
			canceled, cancel := context.WithCancel(t.Context())
			cancel()
			if err := c.act(canceled, s); !errors.Is(err, context.Canceled) || errors.Is(err, errHeld) {
				t.Errorf("after Ctrl-C: %v", err)
			}
			if err := held.unlock(); err != nil {
				t.Fatal(err)
			}
			r.patience = lockPatience
			if err := c.act(t.Context(), s); err != nil {
				t.Errorf("once it is let go of: %v", err)
			}
			if got, _, err := s.Newest(t.Context(), v.ID); err != nil || got.Commit != v.Commit {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
}

func TestALockIsWaitedForAsLongAsItsHolderGoesOn(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "belay.lock")
	turns := 0
	l, err := waitPatiently(t.Context(), path, 5*time.Millisecond, func(ctx context.Context) (*lockFile, error) {
		turns++
		if turns == 4 {
			return tryLock(path)
		}
		held, err := tryLock(path)
		if err == nil {
			err = errors.Join(held.unlock(), os.Chtimes(path, at(turns), at(turns)))
		}
		if err != nil {
			return nil, err
		}
		<-ctx.Done()
		return nil, ctx.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.unlock(); err != nil {
		t.Error(err)
	}
}

// Reading again what came may take long: those who wait see that it goes on.
func TestCatchingUpMarksItsLockWithEveryVersion(t *testing.T) {
	t.Parallel()
	_, repo := bareRemote(t)
	s := open(t, t.TempDir())
	s.Remotes = map[string]Remote{"default": {URL: repo}}
	for i, line := range []string{"one\n", "two\n", "three\n"} {
		v := commit(t, s, snapshot(t, "acme", "sw", line, i))
		if p, err := s.Prove(t.Context(), v); err != nil || !p.OK {
			t.Fatal(p, err)
		}
	}
	fresh := open(t, t.TempDir())
	fresh.Remotes = s.Remotes
	path := filepath.Join(gitDir(fresh, "acme"), "belay.lock")
	seen := 0
	n, err := fresh.CatchUp(t.Context(), "acme", Look{Text: func(v configs.Version, _ configs.Text) error {
		if seen++; lastWritten(path).Equal(at(0)) {
			t.Errorf("not marked before version %s", v.Commit)
		}
		return os.Chtimes(path, at(0), at(0))
	}})
	if n != 3 || seen != 3 || err != nil {
		t.Errorf("%d came, %d seen, %v", n, seen, err)
	}
}

package git

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// mainRef is the one branch.
const mainRef = "refs/heads/main"

// What a new repository holds. sharedRepository makes git itself write files
// that only we can read; sealed originals are not worth looking for deltas in.
func newFiles() map[string]string {
	return map[string]string{
		"HEAD":            "ref: " + mainRef + "\n",
		"config":          newConfig,
		"description":     "Device configurations, kept by Belay. Take a clone to work with.\n",
		"info/attributes": "*.age binary -delta\n",
		"belay.lock":      idle,
	}
}

const newConfig = `[core]
	repositoryformatversion = 0
	filemode = true
	bare = true
	fsync = all
	commitGraph = false
	multiPackIndex = false
	sharedRepository = 0600
[gc]
	auto = 0
[maintenance]
	auto = false
[receive]
	autogc = false
	denyNonFastForwards = true
	denyDeletes = true
`

// exists tells whether there is a repository.
func (r *repo) exists() (bool, error) {
	_, err := os.Stat(filepath.Join(r.dir, "HEAD"))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// create makes the repository unless there is one: built beside its place,
// synced, and renamed into it.
func (r *repo) create(ctx context.Context) error {
	if ok, err := r.exists(); ok || err != nil {
		return err
	}
	home := filepath.Dir(r.dir)
	if err := makeDirs(home); err != nil {
		return fmt.Errorf("make history: %w", err)
	}
	unlock, err := lockDir(ctx, home)
	if err != nil {
		return fmt.Errorf("make history: %w", err)
	}
	defer unlock()
	if ok, err := r.exists(); ok || err != nil {
		return err // another process was first
	}
	if err := r.build(home); err != nil {
		return fmt.Errorf("make history: %w", err)
	}
	return nil
}

func (r *repo) build(home string) (err error) {
	entries, err := os.ReadDir(home)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".new-") { // of a process that died: we have the lock
			if err := os.RemoveAll(filepath.Join(home, e.Name())); err != nil {
				return err
			}
		}
	}
	temp, err := os.MkdirTemp(home, ".new-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(temp))
		}
	}()
	dirs := []string{"objects/info", "objects/pack", "objects", "refs/heads", "refs/tags", "refs", "info", ""}
	for _, d := range dirs {
		if err := os.MkdirAll(filepath.Join(temp, d), 0o700); err != nil {
			return err
		}
	}
	for name, text := range newFiles() {
		if err := writeSynced(filepath.Join(temp, name), []byte(text)); err != nil {
			return err
		}
	}
	for _, d := range dirs {
		if err := syncDir(filepath.Join(temp, d)); err != nil {
			return err
		}
	}
	if err := os.Rename(temp, r.dir); err != nil {
		return err
	}
	return syncDir(home)
}

// makeDirs makes a folder and those above it, and syncs the parent of each one
// that it made: from the top down, as they hang on each other.
func makeDirs(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := makeDirs(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return syncDir(parent)
}

// lockDir holds a folder itself: no lock file is needed where nothing is yet.
func lockDir(ctx context.Context, dir string) (unlock func(), err error) {
	for {
		f, err := os.Open(dir)
		if err != nil {
			return nil, err
		}
		err = flock(f)
		if err == nil {
			return func() { _ = f.Close() }, nil // read only: closing cannot lose anything
		}
		if err = errors.Join(err, f.Close()); !errors.Is(err, errHeld) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(3 * time.Millisecond):
		}
	}
}

package git

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"belay/devices"
)

// acquire takes belay.lock. The first time in this process, and after a writer
// that died, it clears away what was left and makes the rest durable.
func (r *repo) acquire(ctx context.Context) (*lockFile, error) {
	path := filepath.Join(r.dir, "belay.lock")
	l, err := waitPatiently(ctx, path, r.patience, func(ctx context.Context) (*lockFile, error) {
		// Who waits for the lock holds the folder: a busy process that lets go of the
		// lock and wants it again stands behind him, and cannot starve him.
		letIn, err := lockDir(ctx, r.dir)
		if err != nil {
			return nil, fmt.Errorf("wait for %s: %w", r.dir, err)
		}
		defer letIn()
		return lock(ctx, path)
	})
	if err != nil {
		return nil, err
	}
	if strings.Contains(l.left, moving) {
		err = removeIfThere(filepath.Join(r.dir, mainRef+".lock"))
	}
	r.mu.Lock()
	swept := r.swept
	r.mu.Unlock()
	if err == nil && (!swept || strings.TrimSpace(l.left) != "") {
		err = r.sweep(ctx, l)
		r.mu.Lock()
		r.swept = err == nil
		r.mu.Unlock()
	}
	if err == nil {
		err = r.finishTags(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("clear away what was left: %w", err), l.unlock())
	}
	return l, nil
}

// sweep removes what interrupted writers left. Our own temporaries always:
// whoever holds belay.lock has none yet. An index without its pack, too. A pack
// without its index gets one: a version that was acknowledged may be in it. What may
// be another git's is touched only when it has lain still for a minute.
func (r *repo) sweep(ctx context.Context, l *lockFile) error {
	dir := filepath.Join(r.dir, "objects", "pack")
	names, err := listing(dir)
	if err != nil {
		return err
	}
	there := map[string]bool{}
	for _, n := range names {
		there[n] = true
	}
	now, err := l.f.Stat() // we have just written to it: the file system's clock
	if err != nil {
		return err
	}
	still := func(path string) bool {
		fi, err := os.Stat(path)
		return err == nil && now.ModTime().Sub(fi.ModTime()) > time.Minute
	}
	var drop, bare []string
	for _, n := range names {
		path := filepath.Join(dir, n)
		idxOf, isIdx := strings.CutSuffix(n, ".idx")
		packOf, isPack := strings.CutSuffix(n, ".pack")
		keepOf, isKeep := strings.CutSuffix(n, ".keep")
		switch {
		case strings.HasPrefix(n, "tmp_belay_"),
			isKeep && !there[keepOf+".pack"] && keptByUs(path),
			isIdx && !there[idxOf+".pack"],
			(strings.HasPrefix(n, "tmp_") || strings.HasPrefix(n, ".tmp-")) && still(path):
			drop = append(drop, path)
		case isManyIndex(n) && outdated(path, there):
			drop = append(drop, path)
		case isPack && !there[packOf+".idx"] && still(path):
			bare = append(bare, packOf)
		}
	}
	m, err := tryLock(r.maintenanceLock())
	if err == nil {
		left, globErr := filepath.Glob(filepath.Join(r.dir, "belay-pack-*"))
		drop = append(drop, left...)
		err = errors.Join(globErr, m.unlock())
	} else if errors.Is(err, errHeld) {
		err = nil
	}
	temps, globErr := filepath.Glob(filepath.Join(r.dir, "tmp_belay_*"))
	err = errors.Join(err, globErr)
	for _, path := range append(drop, temps...) {
		err = errors.Join(err, os.RemoveAll(path))
	}
	for _, stem := range bare {
		err = errors.Join(err, l.mark("makes an index"), r.reindex(ctx, stem))
	}
	return errors.Join(err, r.secure())
}

// isManyIndex tells whether that is another git's index of several packs, or belongs
// to one.
func isManyIndex(name string) bool {
	return strings.HasPrefix(name, "multi-pack-index") && !strings.HasSuffix(name, ".lock")
}

var indexName = devices.Pattern(`pack-[0-9a-f]{40}\.idx\x00`)

// outdated tells whether an index of several packs names one that is gone: another
// git wrote it while we put packs together. It stumbles over that ever after.
func outdated(path string, there map[string]bool) bool {
	data, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(indexName().FindAll(data, -1), func(name []byte) bool { return !there[string(name[:len(name)-1])] })
}

func (r *repo) maintenanceLock() string { return filepath.Join(r.dir, "belay-maintain.lock") }

// listing is the names in a folder, sorted.
func listing(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, nil
}

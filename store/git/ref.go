package git

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
)

// errMoved says that somebody else moved the branch meanwhile.
var errMoved = errors.New(mainRef + " was moved by another program")

// head is where the branch is; zero where it is not there yet.
func (r *repo) head() (plumbing.Hash, error) {
	// Another git may be packing references: it writes packed-refs first and then
	// removes the single file, so a second look finds what the first one missed.
	for range 2 {
		b, err := os.ReadFile(filepath.Join(r.dir, mainRef))
		if err == nil {
			return parseHash(mainRef, strings.TrimSuffix(string(b), "\n"))
		}
		if !errors.Is(err, os.ErrNotExist) {
			return plumbing.ZeroHash, err
		}
		h, ok, err := r.packedHead()
		if ok || err != nil {
			return h, err
		}
	}
	return plumbing.ZeroHash, nil
}

func (r *repo) packedHead() (plumbing.Hash, bool, error) {
	var h plumbing.Hash
	found := false
	err := r.packedRefs(func(name, sum string) (err error) {
		if name == mainRef {
			h, err = parseHash(mainRef, sum)
			found = err == nil
		}
		return err
	})
	return h, found, err
}

func parseHash(ref, s string) (plumbing.Hash, error) {
	if !plumbing.IsHash(s) || len(s) != 40 {
		return plumbing.ZeroHash, damaged("read reference", fmt.Errorf("%s holds %.50q, no object id", ref, s))
	}
	return plumbing.NewHash(s), nil
}

const moving = "moves " + mainRef

// moveHead moves the branch from old to new, for good when it returns. Where
// it fails, the branch may have moved but not be durable: the caller forgets
// what it knew, and secure is called before it is trusted again.
func (r *repo) moveHead(ctx context.Context, l *lockFile, old, now plumbing.Hash) (err error) {
	path := filepath.Join(r.dir, mainRef)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	if err := l.mark(moving); err != nil {
		return err
	}
	f, err := r.lockHead(ctx, path+".lock")
	if err != nil {
		return fmt.Errorf("lock %s: %w", mainRef, err)
	}
	renamed := false
	defer func() {
		if !renamed {
			err = errors.Join(err, removeIfThere(path+".lock"))
		}
	}()
	at, err := r.head()
	if err == nil && at != old {
		err = errMoved
	}
	if err == nil {
		_, err = f.WriteString(now.String() + "\n")
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".lock", path); err != nil {
		return err
	}
	renamed = true
	return syncDir(filepath.Dir(path))
}

// foreignPatience is how long another git may hold main.lock without change.
const foreignPatience = 3 * time.Second

// lockHead creates main.lock. We hold belay.lock, so one that is there is not of
// a living Belay: another git's, given a moment, or left over, and removed.
func (r *repo) lockHead(ctx context.Context, path string) (*os.File, error) {
	var seen os.FileInfo
	for waited := time.Duration(0); ; waited += 20 * time.Millisecond {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if !errors.Is(err, os.ErrExist) {
			return f, err
		}
		if now, err := os.Stat(path); err == nil && (seen == nil || !os.SameFile(seen, now) || !now.ModTime().Equal(seen.ModTime())) {
			seen, waited = now, 0
		}
		if waited >= foreignPatience {
			if err := removeIfThere(path); err != nil {
				return nil, err
			}
			continue
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// secure makes durable what an interrupted writer may have left half-way, from
// the branch up to the data folder, so that what can be seen can be relied on.
func (r *repo) secure() error {
	f, err := os.Open(filepath.Join(r.dir, mainRef))
	if err == nil {
		err = errors.Join(f.Sync(), f.Close())
	} else if errors.Is(err, os.ErrNotExist) {
		err = nil // no commit yet, or packed by another git, which syncs
	}
	for _, dir := range []string{"objects/pack", "refs/heads", "refs", "", "..", "../..", "../../..", "../../../.."} {
		if err == nil {
			err = syncDir(filepath.Join(r.dir, dir))
		}
	}
	return err
}

// Package git keeps the histories of devices: one bare git repository for each
// customer, in the form that the comment of package store documents. It writes
// packs and references itself, in an order that survives kill -9, a power cut and
// a full disk (go-git's own writes do not); go-git encodes, reads and transports
// the objects. It knows nothing of drivers, and of keys only that originals
// arrive sealed.
package git

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"belay/configs"
	"belay/devices"
)

// A Store is all histories below one data folder. Its methods may be called
// from many goroutines, and from several processes with the same folder.
type Store struct {
	Dir     string            // belay-data; made at the first commit
	Now     func() time.Time  // the committer's clock; required
	Remotes map[string]Remote // by customer, or "default"
	Git     string            // the git program, for maintenance and path remotes; empty: "git"

	mu    sync.Mutex
	repos map[string]*repo
	web   *http.Transport // for https remotes; nil: one for each push

	readers atomic.Int64
	shelf   shelf
	zlibs   zlibs
}

var (
	_ configs.Repository = (*Store)(nil)
	_ configs.Prover     = (*Store)(nil)
)

// repo is what this process knows of one customer's repository. Everything but
// the queues can be thrown away at any time: the disk is what counts.
type repo struct {
	customer string
	dir      string // …/history.git
	now      func() time.Time
	patience time.Duration // with another process that holds a lock

	commits queue[*request]
	proofs  queue[*proving]
	reads   queue[*reading]

	readers *atomic.Int64 // those of the whole store
	shelf   *shelf        // where the store's states stand
	zlibs   *zlibs

	mu      sync.Mutex
	state   *state        // as of state.head; nil: not loaded
	last    plumbing.Hash // where this process saw main last and made it durable
	noted   plumbing.Hash // head of the hint, as far as this process wrote it
	swept   bool          // by this process
	loading sync.Mutex    // one load at a time
}

// gather is how long commits wait for others while many come: fewer packs cost
// less to write, to read and to pack together. One that comes alone waits for none.
const gather = 100 * time.Millisecond

func (s *Store) repo(customer string) (*repo, error) {
	if err := devices.CheckName(customer); err != nil {
		return nil, &devices.Error{Kind: devices.Usage, Op: "open history", Err: err}
	}
	dir, err := filepath.Abs(filepath.Join(s.Dir, "customers", customer, "history.git"))
	if err != nil {
		return nil, fmt.Errorf("open history: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.repos[customer]
	if !ok {
		if s.repos == nil {
			s.repos = map[string]*repo{}
		}
		r = &repo{customer: customer, dir: dir, now: s.Now, patience: lockPatience, readers: &s.readers, shelf: &s.shelf, zlibs: &s.zlibs}
		r.commits.gather = gather
		s.repos[customer] = r
	}
	return r, nil
}

// device is the repository of a device, whose ID must be well-formed.
func (s *Store) device(id devices.ID) (*repo, error) {
	customer, name, _ := strings.Cut(string(id), "/")
	if err := devices.CheckName(name); err != nil {
		return nil, &devices.Error{Kind: devices.Usage, Op: "open history", Err: err}
	}
	return s.repo(customer)
}

// Customers lists the customers that have a history, sorted.
func (s *Store) Customers() ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(s.Dir, "customers"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list customers: %w", err)
	}
	var names []string
	for _, e := range entries {
		if _, err := os.Stat(filepath.Join(s.Dir, "customers", e.Name(), "history.git", "HEAD")); err == nil {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

// Commit keeps s, or returns the version that stands where no text changed.
func (s *Store) Commit(ctx context.Context, snap configs.Snapshot) (configs.Version, error) {
	v, err := s.commit(ctx, snap)
	if err == nil {
		return v, nil
	}
	e := &devices.Error{Kind: devices.KindOf(err), Op: "keep", Device: snap.Device.String(), Err: err}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		e.Hint = "the disk of " + s.Dir + " is full: free some space; nothing that was kept is harmed"
	}
	return configs.Version{}, e
}

func (s *Store) commit(ctx context.Context, snap configs.Snapshot) (configs.Version, error) {
	if err := ctx.Err(); err != nil {
		return configs.Version{}, err
	}
	req, err := prepare(snap)
	if err != nil {
		return configs.Version{}, err
	}
	r, err := s.repo(snap.Device.Customer)
	if err != nil {
		return configs.Version{}, err
	}
	v, standing, err := r.standing(req)
	if err != nil {
		return configs.Version{}, err
	}
	if !standing {
		if v, err = r.submit(ctx, req); err != nil {
			return configs.Version{}, err
		}
	}
	if v.New {
		return v, r.dropLatest(v.Name, req.renamedFrom)
	}
	return v, r.keepLatest(snap, v)
}

// Unchanged is the version that stands, where s brings nothing new: the path that
// most captures take. It costs one look at the branch, and none of the locks.
func (s *Store) Unchanged(ctx context.Context, snap configs.Snapshot) (configs.Version, bool, error) {
	v, ok, err := s.unchanged(ctx, snap)
	if err != nil {
		return configs.Version{}, false, &devices.Error{Kind: devices.KindOf(err), Op: "compare", Device: snap.Device.String(), Err: err}
	}
	return v, ok, nil
}

func (s *Store) unchanged(ctx context.Context, snap configs.Snapshot) (configs.Version, bool, error) {
	if err := ctx.Err(); err != nil {
		return configs.Version{}, false, err
	}
	req, err := prepare(snap)
	if err != nil {
		return configs.Version{}, false, err
	}
	r, err := s.repo(snap.Device.Customer)
	if err != nil {
		return configs.Version{}, false, err
	}
	v, ok, err := r.standing(req)
	if err != nil || !ok {
		return configs.Version{}, false, err
	}
	later, _, err := r.later(snap, v)
	return v, err == nil && len(later) == 0, err
}

// Newest is the last version of a device.
func (s *Store) Newest(ctx context.Context, id devices.ID) (configs.Version, bool, error) {
	if err := ctx.Err(); err != nil {
		return configs.Version{}, false, err
	}
	r, err := s.device(id)
	if err != nil {
		return configs.Version{}, false, err
	}
	k, ok, err := r.newest(ctx, id)
	if err != nil || !ok {
		return configs.Version{}, false, err
	}
	return k.clone(), true, nil
}

func (r *repo) newest(ctx context.Context, id devices.ID) (kept, bool, error) {
	st, err := r.current(ctx)
	if err != nil {
		return kept{}, false, &devices.Error{Kind: devices.KindOf(err), Op: "read history of", Device: string(id), Err: err}
	}
	k, ok := st.devices[id]
	if ok && k.err != nil {
		return kept{}, false, &devices.Error{Kind: devices.Damaged, Op: "read history of", Device: string(id), Err: k.err}
	}
	return k, ok, nil
}

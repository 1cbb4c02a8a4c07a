package git

import (
	"context"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"belay/devices"
)

// manyPacks is when packing pays: measured over a year of nights,
// about 30 gives the smallest store for the least work.
const manyPacks = 30

// A Report says what one maintenance did.
type Report struct {
	Packs, Left  int   // number of packs before and after
	Bytes, Spare int64 // bytes in packs before, and how many fewer after
	Locked       time.Duration
	Skipped      string // why nothing was done; empty where something was
	Memory       int64  // the most that git had, in bytes; 0 where that is not known
}

func unpacked(customer string, err error) error {
	if err == nil {
		return nil
	}
	e := &devices.Error{Kind: devices.KindOf(err), Op: "pack the history of " + customer, Err: err}
	if errors.Is(err, exec.ErrNotFound) {
		e.Hint = "install git: without it nothing is lost, but the store grows several times as fast"
	}
	return e
}

func (s *Store) git() string {
	if s.Git == "" {
		return "git"
	}
	return s.Git
}

var packName = devices.Pattern(`^pack-([0-9a-f]{40})\.pack$`)

// packs lists the packs that have an index by their stem, with what tells a pack
// from one of the same name that was written later.
func (r *repo) packs() (map[string]os.FileInfo, error) {
	dir := filepath.Join(r.dir, "objects", "pack")
	names, err := listing(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	packs := map[string]os.FileInfo{}
	for _, n := range names {
		if _, indexed := slices.BinarySearch(names, strings.TrimSuffix(n, ".pack")+".idx"); !indexed || !packName().MatchString(n) {
			continue
		}
		fi, err := os.Stat(filepath.Join(dir, n))
		if errors.Is(err, os.ErrNotExist) {
			continue // another git's repack, at this moment
		}
		if err != nil {
			return nil, err
		}
		packs[strings.TrimSuffix(n, ".pack")] = fi
	}
	return packs, nil
}

// A choice picks the packs that are to become one.
type choice func(map[string]os.FileInfo) []string

func everything(packs map[string]os.FileInfo) []string { return slices.Collect(maps.Keys(packs)) }

// maintain packs those together that choose picks. It may be killed at any moment,
// and captures go on meanwhile: they wait only while the old packs are taken away.
// Where another process is at it, Report.Skipped says so.
//
// git does the packing, into a folder of ours beside objects, and we put the
// result in place in our own order: git repack itself would for an instant show
// a pack without its index, which breaks go-git, and leave one when it is killed.
func (r *repo) maintain(ctx context.Context, program string, choose choice) (rep Report, err error) {
	if ok, err := r.exists(); !ok || err != nil {
		return Report{Skipped: "no history"}, err
	}
	m, err := tryLock(r.maintenanceLock())
	if errors.Is(err, errHeld) {
		return Report{Skipped: "another process is at it"}, nil
	}
	if err != nil {
		return rep, err
	}
	defer func() { err = errors.Join(err, m.unlock()) }()
	packs, head, tags, err := r.writtenPacks(ctx)
	if err != nil {
		return rep, err
	}
	rep.Packs, rep.Left = len(packs), len(packs)
	for _, fi := range packs {
		rep.Bytes += fi.Size()
	}
	old, ours := map[string]os.FileInfo{}, maps.Clone(packs)
	maps.DeleteFunc(ours, func(stem string, _ os.FileInfo) bool { return r.keptByPerson(stem) })
	for _, stem := range choose(ours) {
		old[stem] = packs[stem]
	}
	if len(old) < 2 {
		rep.Skipped = "one pack already"
		return rep, nil
	}
	st, err := r.load(ctx, head, nil) // head is durable; main may be further on by the end
	if err == nil {
		err = st.lost
	}
	if err != nil {
		return rep, err
	}
	temp, err := os.MkdirTemp(r.dir, "belay-pack-")
	if err != nil {
		return rep, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	p := packing{program: program, temp: temp, held: m.f}
	if len(old) == len(packs) {
		err = r.packAll(ctx, &p, append(tags, head))
	} else {
		err = r.packSome(ctx, &p, filepath.Join(r.dir, "objects", "pack"), maps.Keys(old))
	}
	rep.Memory = p.memory
	if err != nil {
		if now, listErr := r.packs(); ctx.Err() == nil && listErr == nil && !stillThere(packs, now) {
			rep.Skipped = "another git packed meanwhile"
			return rep, nil
		}
		return rep, err
	}
	size, err := r.swap(ctx, temp, p.name, old, &rep)
	rep.Spare = sizes(old) - size
	if err != nil {
		return rep, err
	}
	return rep, r.writeHint(st)
}

func sizes(packs map[string]os.FileInfo) (n int64) {
	for _, fi := range packs {
		n += fi.Size()
	}
	return n
}

func stillThere(packs, now map[string]os.FileInfo) bool {
	for stem := range packs {
		if now[stem] == nil {
			return false
		}
	}
	return true
}

// writtenPacks are the packs, the branch and what tags name at a moment when
// nobody writes: everything that is reachable in them is reachable from the
// references from now on.
func (r *repo) writtenPacks(ctx context.Context) (packs map[string]os.FileInfo, head plumbing.Hash, tags []plumbing.Hash, err error) {
	l, err := r.acquire(ctx)
	if err != nil {
		return nil, head, nil, err
	}
	defer func() { err = errors.Join(err, l.unlock()) }()
	// A branch that moved but was not synced must not be the reason to throw away
	// what it was before.
	if err := r.secure(); err != nil {
		return nil, head, nil, err
	}
	if head, err = r.head(); err != nil {
		return nil, head, nil, err
	}
	named, err := r.refs("refs/tags/")
	if err != nil {
		return nil, head, nil, err
	}
	packs, err = r.packs()
	return packs, head, slices.Collect(maps.Values(named)), err
}

// swap puts the new pack in place and removes the old ones. It holds belay.lock
// for a few renames and removals only: the new pack was synced before.
func (r *repo) swap(ctx context.Context, temp, name string, old map[string]os.FileInfo, rep *Report) (size int64, err error) {
	pack, idx, err := syncPack(filepath.Join(temp, name))
	if err != nil {
		return 0, err
	}
	fi, err := os.Stat(pack)
	if err != nil {
		return 0, err
	}
	l, err := r.acquire(ctx)
	if err != nil {
		return 0, err
	}
	began := r.now()
	defer func() {
		rep.Locked = r.now().Sub(began)
		err = errors.Join(err, l.unlock())
	}()
	dir := filepath.Join(r.dir, "objects", "pack")
	if err := r.install(pack, idx, name); err != nil {
		return 0, err
	}
	now, err := r.packs()
	if err != nil {
		return 0, err
	}
	// A person's multi-pack-index names packs that go now, and git believes it.
	if err := removeManyIndex(dir); err != nil {
		return 0, err
	}
	for stem, was := range old {
		// One that was written again meanwhile belongs to a newer commit.
		if now[stem] == nil || !sameFile(was, now[stem]) {
			continue
		}
		if r.keptByPerson(stem) {
			continue // since we chose it
		}
		// The pack goes first: an index alone disturbs nobody.
		for _, ext := range []string{".pack", ".rev", ".bitmap", ".idx", ".keep"} {
			if err := removeIfThere(filepath.Join(dir, stem+ext)); err != nil {
				return 0, err
			}
		}
		delete(now, stem)
	}
	rep.Left = len(now)
	return fi.Size(), errors.Join(removeManyIndex(dir), syncDir(dir)) // one that was made meanwhile
}

func removeManyIndex(dir string) error {
	names, err := listing(dir)
	for _, n := range names {
		if isManyIndex(n) {
			err = errors.Join(err, removeIfThere(filepath.Join(dir, n)))
		}
	}
	return err
}

func sameFile(a, b os.FileInfo) bool {
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}

// syncPack makes a pack that git made durable, and its index, which git of before
// 2.36 does not sync.
func syncPack(stem string) (pack, idx string, err error) {
	pack, idx = stem+".pack", stem+".idx"
	if err = syncFile(pack); err == nil {
		err = syncFile(idx)
	}
	return pack, idx, err
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	if err := f.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) {
		return errors.Join(err, f.Close())
	}
	return f.Close()
}

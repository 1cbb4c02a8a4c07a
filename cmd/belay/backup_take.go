package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"belay/devices"
	"belay/store/git"
	"belay/store/ledger"
	"belay/store/spare"
)

// notInBackup stands in every manifest.
const notInBackup = "the master identity, which opens the customers' keys and logins (belay keys escrow), the settings and the inventory: keep them elsewhere, for without the master identity no original in a backup can be opened"

// takeBackup copies the data folder. The order makes the copy one that could have
// been read at one moment:
//
//  1. The ledger is held still, and every history's references are read. What the
//     ledger says was kept is committed by then; and of a change that a history has
//     a version of, the ledger tells already, for it is opened before.
//  2. The ledger is copied as it was in that moment, while it goes on.
//  3. Each history's packs are copied, with maintenance held off: all that the
//     references of that moment reach is in them, and what came later does no harm.
//  4. Keys and sealed originals come last: what was sealed can be opened.
func (w *workspace) takeBackup(ctx context.Context, folder string, keep int, shown func(files int, bytes int64), warned func(string)) (_ spare.Manifest, fresh int64, err error) {
	if err := apart(w.settings.Data, folder); err != nil {
		return spare.Manifest{}, 0, err
	}
	before, _ := spare.Read(folder, 0) // none, or a damaged one: then it is counted anew
	t, err := spare.Begin(folder)
	if err != nil {
		return spare.Manifest{}, 0, err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	t.Progress, t.Sign = shown, w.signBackup(ctx, warned) // before its key is copied
	m := spare.Manifest{Made: w.now(), Belay: version, From: w.settings.Data, Note: notInBackup}
	cuts, err := w.copyLedger(ctx, t, &m, firstLook)
	if err != nil {
		return m, 0, err
	}
	for _, customer := range slices.Sorted(maps.Keys(cuts)) {
		if err := w.copyHistory(ctx, t, customer, cuts[customer]); err != nil {
			if devices.KindOf(err) != devices.Damaged && !errors.Is(err, fs.ErrNotExist) {
				return m, 0, err
			}
			m.Problems = append(m.Problems, err.Error())
			continue
		}
		c := spare.Customer{Name: customer, Main: cuts[customer].Main()}
		if c.Versions, err = w.countVersions(ctx, c, before); err != nil {
			if ctx.Err() != nil {
				return m, 0, ctx.Err()
			}
			m.Problems = append(m.Problems, err.Error())
		}
		m.Customers = append(m.Customers, c)
	}
	if err := w.copyRest(ctx, t, warned); err != nil {
		return m, 0, err
	}
	if err := ctx.Err(); err != nil {
		return m, 0, err
	}
	m, err = t.Finish(m, keep)
	if t.Warning != "" {
		warned(t.Warning)
	}
	if err == nil && len(m.Problems) > 0 {
		err = &devices.Error{Kind: devices.Damaged, Op: "back up", Err: errors.New(strings.Join(m.Problems, "; ")),
			Hint: "the rest is copied; belay verify tells more; an older backup or a remote may have what is damaged"}
	}
	return m, t.Fresh(), err
}

// apart refuses a folder that would hold itself.
func apart(data, folder string) error {
	a, b := realPath(data), realPath(folder)
	inside := func(dir, in string) bool { return dir == in || strings.HasPrefix(dir, in+string(filepath.Separator)) }
	if inside(b, a) || inside(a, b) {
		return &devices.Error{Kind: devices.Usage, Op: "back up", Err: fmt.Errorf("%s and the data folder %s are one in the other", folder, data), Hint: "give backups a folder of their own, best on another machine"}
	}
	return nil
}

// realPath is a path without links, as far as it exists.
func realPath(path string) string {
	path, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	if dir := filepath.Dir(path); dir != path {
		return filepath.Join(realPath(dir), filepath.Base(path))
	}
	return path
}

// How long a history's references are waited for. A process that was stopped while
// it wrote holds them for as long as it pleases, and in the moment that counts
// everybody who writes to the ledger waits with us.
const (
	firstLook  = time.Minute
	secondLook = 3 * time.Second
)

// copyLedger does the first two steps. A history that is not let go of is a problem
// of that customer, and the backup goes on without it.
func (w *workspace) copyLedger(ctx context.Context, t *spare.Taking, m *spare.Manifest, first time.Duration) (cuts map[string]git.Cut, err error) {
	customers, err := w.store.Customers()
	if err != nil {
		return nil, err
	}
	// The first look at a history may have to clear up: not in the moment that counts.
	held := map[string]error{}
	for _, c := range customers {
		switch _, late, err := w.cut(ctx, c, first); {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case late:
			held[c] = err
		}
	}
	if err := os.MkdirAll(t.Scratch(), 0o700); err != nil {
		return nil, err
	}
	copied := filepath.Join(t.Scratch(), ledger.File)
	var problems []string
	heads, err := w.ledger.Copy(ctx, copied, func(ctx context.Context) error {
		cuts, problems = map[string]git.Cut{}, nil
		customers, err := w.store.Customers()
		for _, c := range customers {
			var cut git.Cut
			cutErr := held[c] // who was waited for is not waited for again
			if cutErr == nil {
				cut, _, cutErr = w.cut(ctx, c, secondLook)
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if cutErr != nil {
				problems = append(problems, cutErr.Error())
				continue
			}
			cuts[c] = cut
		}
		return err
	})
	if err != nil {
		return nil, fullDisk(err, t.Scratch())
	}
	m.Problems = append(m.Problems, problems...)
	for _, h := range heads {
		m.Chains = append(m.Chains, spare.Chain(h))
	}
	return cuts, t.Copy(ctx, ledger.File, copied)
}

// cut reads where a customer's history stands. It is late where that was not to be
// had within the limit.
func (w *workspace) cut(ctx context.Context, customer string, limit time.Duration) (cut git.Cut, late bool, err error) {
	within, done := context.WithTimeout(ctx, limit)
	defer done()
	cut, err = w.store.Cut(within, customer)
	if err != nil && ctx.Err() == nil && within.Err() != nil {
		return nil, true, fmt.Errorf("%s: the history is not in this backup: its lock was not to be had for %v: %w", customer, limit, err)
	}
	return cut, false, err
}

// fullDisk says whose disk it is: the ledger's errors speak of its own.
func fullDisk(err error, dir string) error {
	var free syscall.Statfs_t
	if syscall.Statfs(dir, &free) == nil && free.Bavail*uint64(free.Bsize) < 1<<20 {
		return &devices.Error{Kind: devices.KindOf(err), Op: "back up the ledger", Err: err, Hint: "the disk of the backup is full: make room there; the backups that were complete before still are"}
	}
	return err
}

func (w *workspace) copyHistory(ctx context.Context, t *spare.Taking, customer string, at git.Cut) error {
	root := "customers/" + customer + "/history.git/"
	return w.store.Copy(ctx, customer, at, func(f git.CopyOf) error {
		switch name, folder := strings.CutSuffix(f.Name, "/"); {
		case folder:
			t.Folder(root + name)
			return nil
		case f.From != "":
			return t.Copy(ctx, root+f.Name, f.From)
		}
		return t.Put(ctx, root+f.Name, f.Text)
	})
}

// countVersions counts a history, but where the backup before has the same.
func (w *workspace) countVersions(ctx context.Context, c spare.Customer, before spare.Manifest) (int, error) {
	for _, old := range before.Customers {
		if old.Name == c.Name && old.Main == c.Main {
			return old.Versions, nil
		}
	}
	return w.store.Commits(ctx, c.Name, c.Main)
}

// copyRest copies all other files, of whatever part of Belay: sealed keys, logins,
// newest originals. A customer whose key was made after the keys were read has
// nothing else in this backup, and is left to the next.
func (w *workspace) copyRest(ctx context.Context, t *spare.Taking, warned func(string)) error {
	keys, err := w.vault.Sealed(ctx) // before anything is copied: a backup folder may be slow or hang
	if err != nil {
		return err
	}
	return filepath.WalkDir(w.settings.Data, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // newest originals come and go
		}
		if err != nil {
			return err
		}
		name, err := filepath.Rel(w.settings.Data, path)
		if err != nil || name == "." {
			return err
		}
		name = filepath.ToSlash(name)
		sealed, known := keys[name]
		switch base := d.Name(); {
		case d.IsDir() && (base == "history.git" || strings.HasPrefix(base, ".")):
			return fs.SkipDir
		case d.IsDir() && filepath.Dir(name) == "customers":
			if _, err := os.Lstat(filepath.Join(path, "key.age")); err == nil && keys[name+"/key.age"] == nil {
				return fs.SkipDir
			}
			return nil
		case d.IsDir(), !d.Type().IsRegular(), madeAnew(name):
			return nil
		case w.settings.isSecret(path): // a copy of all else must not be opened by what lies beside it
			warned(name + " holds a secret by the settings, and is not copied: keep it elsewhere, and not in the data folder")
			return nil
		case known:
			return t.Put(ctx, name, sealed)
		}
		err = t.Copy(ctx, name, path)
		if errors.Is(err, fs.ErrNotExist) {
			if _, gone := os.Lstat(path); errors.Is(gone, fs.ErrNotExist) {
				return nil
			}
		}
		return err
	})
}

// madeAnew tells of files that are no data: locks, half-written ones, the index,
// and the ledger with its companions, which was copied before.
func madeAnew(name string) bool {
	base := filepath.Base(name)
	for _, prefix := range []string{ledger.File, "index.db", "tmp_", "."} {
		if strings.HasPrefix(base, prefix) {
			return true
		}
	}
	return strings.HasSuffix(base, ".lock") || strings.HasSuffix(base, ".new")
}

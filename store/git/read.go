package git

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"

	"belay/configs"
	"belay/configs/redact"
	"belay/devices"
)

// Texts reads a version's texts from a fresh opening of the repository, and
// holds them to the digests of its snapshot.json and of v.
func (s *Store) Texts(ctx context.Context, v configs.Version) ([]configs.Text, error) {
	return s.texts(ctx, v, plumbing.ZeroHash)
}

// Standing is the newest version of a device, with its texts read as Texts does, but
// for the commit and the tree above its folder: those were read with the branch, and
// to make them out of deltas takes longer than all the rest.
func (s *Store) Standing(ctx context.Context, id devices.ID) (configs.Version, []configs.Text, bool, error) {
	if err := ctx.Err(); err != nil {
		return configs.Version{}, nil, false, err
	}
	r, err := s.device(id)
	if err != nil {
		return configs.Version{}, nil, false, err
	}
	k, ok, err := r.newest(ctx, id)
	if err != nil || !ok {
		return configs.Version{}, nil, false, err
	}
	v := k.clone()
	texts, err := s.texts(ctx, v, k.tree)
	return v, texts, err == nil, err
}

func (s *Store) texts(ctx context.Context, v configs.Version, tree plumbing.Hash) ([]configs.Text, error) {
	var texts []configs.Text
	err := s.version(ctx, v, tree, func(rd *reader, d document, folder []object.TreeEntry) error {
		for _, f := range d.Files {
			if f.Alone() {
				continue
			}
			data, err := rd.named(folder, f.Name)
			if err != nil {
				return fmt.Errorf("%s: %w", f.Name, err)
			}
			clean, err := redact.Restore(data, f.Digest)
			if err != nil {
				return damaged("compare", fmt.Errorf("%s: %w", f.Name, err))
			}
			for _, want := range v.Files {
				if want.Name == f.Name && want.Digest != "" && want.Digest != f.Digest {
					return damaged("compare", fmt.Errorf("%s has digest %s, not %s", f.Name, f.Digest, want.Digest))
				}
			}
			texts = append(texts, configs.Text{Name: f.Name, Clean: clean})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return texts, nil
}

// Originals reads a version's sealed originals, as they were kept with it. For
// one that salts its secrets see also Latest.
func (s *Store) Originals(ctx context.Context, v configs.Version) ([]configs.Sealed, error) {
	var sealed []configs.Sealed
	err := s.version(ctx, v, plumbing.ZeroHash, func(rd *reader, d document, folder []object.TreeEntry) error {
		for _, f := range d.Files {
			if f.Original == "" {
				continue
			}
			data, err := rd.named(folder, f.Original)
			if err != nil {
				return fmt.Errorf("%s: %w", f.Original, err)
			}
			sealed = append(sealed, configs.Sealed{Name: f.Name, Bytes: data, Digest: f.OriginalDigest, Size: f.OriginalBytes, Alone: f.Alone()})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return sealed, nil
}

// A reading is one version that somebody wants to see. Those that wait at the
// same time share one opening, which is later than all their commits.
type reading struct {
	v      configs.Version
	tree   plumbing.Hash // of the device's folder; zero: found by the version's commit
	read   func(*reader, document, []object.TreeEntry) error
	answer chan error
}

// version opens the repository anew and looks a version up.
func (s *Store) version(ctx context.Context, v configs.Version, tree plumbing.Hash, read func(*reader, document, []object.TreeEntry) error) error {
	err := ctx.Err()
	if err == nil {
		err = s.readVersion(ctx, &reading{v, tree, read, make(chan error, 1)})
	}
	if err != nil {
		return &devices.Error{Kind: devices.KindOf(err), Op: "read back", Device: string(v.ID), Err: err}
	}
	return nil
}

func (s *Store) readVersion(ctx context.Context, q *reading) error {
	r, err := s.device(q.v.ID)
	if err != nil {
		return err
	}
	ok, err := r.exists()
	if err == nil && (!ok || !plumbing.IsHash(q.v.Commit)) {
		err = damaged("find version", fmt.Errorf("no version %.50q of %s", q.v.Commit, r.customer))
	}
	if err != nil {
		return err
	}
	r.reads.put(q, everyone, r.readAll)
	err, gone := wait(ctx, &r.reads, q, q.answer)
	return errors.Join(err, gone)
}

func (r *repo) readAll(batch []*reading) {
	rd, err := r.open()
	for i, q := range batch {
		if err != nil {
			q.answer <- err
			continue
		}
		got := rd.version(q)
		if i == len(batch)-1 {
			got = errors.Join(got, rd.close())
		}
		q.answer <- got
	}
}

func (rd *reader) version(q *reading) error {
	tree := q.tree
	if tree.IsZero() {
		var err error
		if tree, err = rd.folder(q.v); err != nil {
			return err
		}
	}
	d, folder, err := rd.document(tree)
	if err != nil {
		return err
	}
	if d.ID != q.v.ID {
		return damaged("find version", fmt.Errorf("folder %s in %s is of %s", q.v.Name, q.v.Commit, d.ID))
	}
	return q.read(rd, d, folder)
}

// folder is the folder of a version in its commit.
func (rd *reader) folder(v configs.Version) (plumbing.Hash, error) {
	c, err := rd.commit(plumbing.NewHash(v.Commit))
	if err != nil {
		return plumbing.ZeroHash, err
	}
	root, err := rd.tree(c.TreeHash)
	if err != nil {
		return plumbing.ZeroHash, err
	}
	i := slices.IndexFunc(root, func(e object.TreeEntry) bool { return e.Name == v.Name })
	if i < 0 {
		return plumbing.ZeroHash, damaged("find version", fmt.Errorf("no folder %s in %s", v.Name, v.Commit))
	}
	return root[i].Hash, nil
}

// History is a device's versions, newest first, under all names it had.
func (s *Store) History(ctx context.Context, id devices.ID) iter.Seq2[configs.Version, error] {
	return func(yield func(configs.Version, error) bool) {
		yield = heard(yield)
		if err := s.history(ctx, id, func(v configs.Version) bool { return yield(v, nil) }); err != nil {
			yield(configs.Version{}, &devices.Error{Kind: devices.KindOf(err), Op: "read history of", Device: string(id), Err: err})
		}
	}
}

func (s *Store) history(ctx context.Context, id devices.ID, yield func(configs.Version) bool) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	r, err := s.device(id)
	if err != nil {
		return err
	}
	st, err := r.current(ctx)
	if err != nil {
		return err
	}
	k, ok := st.devices[id]
	if !ok {
		return nil
	}
	rd, err := r.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rd.close()) }()
	folder := k.folder
	for c, err := range rd.walk(ctx, st.head) {
		if err != nil {
			return err
		}
		i := slices.IndexFunc(c.changes, func(ch change) bool { return ch.name == folder })
		if i < 0 {
			continue
		}
		ch := c.changes[i]
		if ch.moved != "" {
			folder = ch.moved
			continue
		}
		d, _, err := rd.document(ch.is)
		if err != nil {
			return fmt.Errorf("version %s: %w", c.Hash, err)
		}
		if !yield(d.version(c.Hash.String(), subject(c.Message))) {
			return nil
		}
		if folder, err = rd.before(c, ch, id); err != nil || folder == "" {
			return err
		}
	}
	return nil
}

// before is the folder that held the device before a change of it: the same
// one, or that from which it was renamed; empty where there was none.
func (rd *reader) before(c step, ch change, id devices.ID) (string, error) {
	if !ch.was.IsZero() && len(c.changes) == 1 {
		return ch.name, nil // the usual case: nothing else moved
	}
	for _, other := range c.changes {
		if other.was.IsZero() {
			continue
		}
		d, _, err := rd.document(other.was)
		if devices.KindOf(err) == devices.Damaged && other.name == ch.name {
			return ch.name, nil // the next step will tell
		}
		if err == nil && d.ID == id {
			return other.name, nil
		}
	}
	return "", nil
}

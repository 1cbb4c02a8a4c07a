package memory

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"iter"
	"slices"
	"sync"

	"belay/configs"
	"belay/devices"
)

// A Repository keeps snapshots in memory. The zero value is ready.
type Repository struct {
	Faults

	mu   sync.Mutex
	kept map[devices.ID][]record // oldest first
	made int
}

// A record is a version with what it holds.
type record struct {
	version   configs.Version
	texts     []configs.Text
	originals []configs.Sealed
}

// Commit keeps s, or returns the version that stands.
func (r *Repository) Commit(ctx context.Context, s configs.Snapshot) (configs.Version, error) {
	if err := r.check(ctx, "Commit"); err != nil {
		return configs.Version{}, err
	}
	id := s.Device.ID()
	for _, name := range []devices.ID{id, devices.ID(s.Device.String())} {
		if err := checkID(name); err != nil {
			return configs.Version{}, &devices.Error{Kind: devices.Usage, Op: "keep", Device: s.Device.String(), Err: err}
		}
	}
	if len(s.Texts) == 0 {
		return configs.Version{}, &devices.Error{Op: "keep", Device: s.Device.String(), Err: fmt.Errorf("no text")}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if v, ok := r.stands(s); ok {
		return v, nil
	}
	r.made++
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", id, r.made))
	v := configs.Version{
		ID: id, Name: s.Device.Name, Commit: hex.EncodeToString(sum[:20]), Taken: s.Taken, By: s.By,
		Subject: "Keep " + s.Device.Name, Ticket: s.Ticket, Change: s.Change, Phase: s.Phase,
		Driver: s.Driver, Identity: s.Identity, Grade: s.Grade, Unsaved: s.Unsaved, Files: files(s),
	}
	if r.kept == nil {
		r.kept = map[devices.ID][]record{}
	}
	v = cloneVersion(v)
	r.kept[id] = append(r.kept[id], record{v, slices.Clone(s.Texts), cloneSealed(s.Originals)})
	v = cloneVersion(v)
	v.New = true
	return v, nil
}

// Unchanged is the version that stands, where s brings nothing new.
func (r *Repository) Unchanged(ctx context.Context, s configs.Snapshot) (configs.Version, bool, error) {
	if err := r.check(ctx, "Unchanged"); err != nil {
		return configs.Version{}, false, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	v, ok := r.stands(s)
	for _, o := range s.Originals { // a later original is not kept here, so it is new each time
		i := slices.IndexFunc(v.Files, func(f configs.VersionFile) bool { return f.Name == o.Name })
		ok = ok && (!s.Salted && !o.Alone || v.Files[i].OriginalDigest == o.Digest)
	}
	return v, ok, nil
}

// stands is the version that Commit returns for s where it keeps nothing.
func (r *Repository) stands(s configs.Snapshot) (configs.Version, bool) {
	kept := r.kept[s.Device.ID()]
	if len(kept) == 0 || s.Always {
		return configs.Version{}, false
	}
	k := kept[len(kept)-1]
	if !sameTexts(k.texts, s.Texts) || firstArtifact(k.originals, s.Originals) {
		return configs.Version{}, false
	}
	return cloneVersion(k.version), true
}

// Standing is the newest version and its texts.
func (r *Repository) Standing(ctx context.Context, id devices.ID) (configs.Version, []configs.Text, bool, error) {
	v, ok, err := r.Newest(ctx, id)
	if err != nil || !ok {
		return v, nil, false, err
	}
	texts, err := r.Texts(ctx, v)
	return v, texts, err == nil, err
}

// Newest is the last version of a device.
func (r *Repository) Newest(ctx context.Context, id devices.ID) (configs.Version, bool, error) {
	if err := r.check(ctx, "Newest"); err != nil {
		return configs.Version{}, false, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(r.kept[id])
	if n == 0 {
		return configs.Version{}, false, nil
	}
	return cloneVersion(r.kept[id][n-1].version), true, nil
}

// Texts reads a version's texts back.
func (r *Repository) Texts(ctx context.Context, v configs.Version) ([]configs.Text, error) {
	if err := r.check(ctx, "Texts"); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	k, err := r.find(v)
	return slices.Clone(k.texts), err
}

// Originals reads a version's sealed originals.
func (r *Repository) Originals(ctx context.Context, v configs.Version) ([]configs.Sealed, error) {
	if err := r.check(ctx, "Originals"); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	k, err := r.find(v)
	return cloneSealed(k.originals), err
}

// History is a device's versions, newest first.
func (r *Repository) History(ctx context.Context, id devices.ID) iter.Seq2[configs.Version, error] {
	return func(yield func(configs.Version, error) bool) {
		if err := r.check(ctx, "History"); err != nil {
			yield(configs.Version{}, err)
			return
		}
		r.mu.Lock()
		kept := slices.Clone(r.kept[id]) // whoever reads may commit meanwhile
		r.mu.Unlock()
		for _, k := range slices.Backward(kept) {
			if !yield(cloneVersion(k.version), nil) {
				return
			}
		}
	}
}

func (r *Repository) find(v configs.Version) (record, error) {
	for _, k := range r.kept[v.ID] {
		if k.version.Commit == v.Commit {
			return k, nil
		}
	}
	return record{}, &devices.Error{Kind: devices.Damaged, Op: "read back", Device: string(v.ID), Err: fmt.Errorf("no version %q", v.Commit)}
}

func files(s configs.Snapshot) []configs.VersionFile {
	var fs []configs.VersionFile
	for _, t := range s.Texts {
		f := configs.VersionFile{Name: t.Name, Digest: t.Clean.Digest(), Bytes: t.Clean.Len()}
		for _, o := range s.Originals {
			if o.Name == t.Name {
				f.OriginalDigest, f.OriginalBytes = o.Digest, o.Size
			}
		}
		fs = append(fs, f)
	}
	for _, o := range s.Originals {
		if o.Alone {
			fs = append(fs, configs.VersionFile{Name: o.Name, OriginalDigest: o.Digest, OriginalBytes: o.Size})
		}
	}
	return fs
}

// firstArtifact tells whether there is an artifact now of which the version has none.
func firstArtifact(was, now []configs.Sealed) bool {
	return slices.ContainsFunc(now, func(o configs.Sealed) bool {
		return o.Alone && !slices.ContainsFunc(was, func(p configs.Sealed) bool { return p.Alone && p.Name == o.Name })
	})
}

// sameTexts does not mind the order: the names tell the files apart.
func sameTexts(a, b []configs.Text) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(t configs.Text) bool {
		return !slices.ContainsFunc(b, func(u configs.Text) bool { return t.Name == u.Name && t.Clean.Equal(u.Clean) })
	})
}

func cloneVersion(v configs.Version) configs.Version {
	v.Files = slices.Clone(v.Files)
	v.Identity.Serials = slices.Clone(v.Identity.Serials)
	v.Grade.Missing = slices.Clone(v.Grade.Missing)
	return v
}

func cloneSealed(s []configs.Sealed) []configs.Sealed {
	s = slices.Clone(s)
	for i := range s {
		s[i].Bytes = slices.Clone(s[i].Bytes)
	}
	return s
}

package git

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"

	"belay/configs"
	"belay/configs/redact"
)

// A Verified is what reading one version again has shown. Problems is empty
// where all of it is as it was kept.
type Verified struct {
	Version  configs.Version
	Problems []string
	Bytes    int64   // that were read for it
	At       string  // Reread goes on behind it; empty: there is more in the same commit
	Through  float64 // how much of the history is behind the reader with it, up to 1
}

// Verify reads a customer's versions again, newest first: every text against
// its digest, every sealed original against its name and, where open is given,
// opened and against the original's digest. With a share below 1 it takes that
// part of the versions, the same each time for the same offset; offsets 0, share,
// 2·share … take all of them in turn. The chain of commits and folders is always
// read whole, and the tags of changes: a version without its tag has a problem,
// and a tag without its version stands in the place of one. An error means that the chain itself cannot be read any further.
func (s *Store) Verify(ctx context.Context, customer string, share, offset float64, open func(sealed []byte) ([]byte, error)) iter.Seq2[Verified, error] {
	return func(yield func(Verified, error) bool) {
		yield = heard(yield)
		err := s.verify(ctx, customer, share, offset, open, func(v Verified) bool { return yield(v, nil) })
		if err != nil {
			yield(Verified{}, fmt.Errorf("verify the history of %s: %w", customer, err))
		}
	}
}

func (s *Store) verify(ctx context.Context, customer string, share, offset float64, open func([]byte) ([]byte, error), yield func(Verified) bool) error {
	return s.inspect(ctx, customer, func(_ *repo, rd *reader, head plumbing.Hash, tags *changeTags) error {
		for c, err := range rd.walk(ctx, head) {
			if err != nil {
				return err
			}
			tags.found[c.Hash] = true
			for _, ch := range c.kept() {
				if !drawn(c.Hash, ch.name, share, offset) {
					continue
				}
				if !yield(rd.verify(c, ch, tags, open)) {
					return nil
				}
			}
		}
		for _, v := range tags.astray() {
			if !yield(v) {
				return nil
			}
		}
		return nil
	})
}

// inspect opens a customer's history for all of it to be read again, the tags of
// changes beside it. A customer without one has nothing to read.
func (s *Store) inspect(ctx context.Context, customer string, do func(r *repo, rd *reader, head plumbing.Hash, tags *changeTags) error) (err error) {
	r, err := s.repo(customer)
	if err != nil {
		return err
	}
	if ok, err := r.exists(); !ok || err != nil {
		return err
	}
	if err := r.settleTags(ctx); err != nil {
		return err
	}
	refs, unread := r.refs(tagRoot) // before main: each one's version is in it by then
	head, err := r.head()
	if err != nil {
		return err
	}
	rd, err := r.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rd.close()) }()
	return do(r, rd, head, rd.tagsByVersion(refs, unread))
}

// kept are the changes of a commit that made a version.
func (c step) kept() (versions []change) {
	for _, ch := range c.changes {
		if !ch.is.IsZero() && ch.moved == "" {
			versions = append(versions, ch)
		}
	}
	return versions
}

// A namedTag is the tag of a change, as it was read again.
type namedTag struct {
	name     string // change/ID/PHASE
	at, tree plumbing.Hash
}

func lostTag(name string, at plumbing.Hash, problem string) Verified {
	return Verified{Version: configs.Version{Name: name, Commit: at.String()}, Problems: []string{problem}}
}

// changeTags are the tags of changes, by the version that each is one of.
type changeTags struct {
	of    map[plumbing.Hash][]namedTag
	found map[plumbing.Hash]bool // versions that were met in main
	lost  []Verified             // tags that cannot be read
}

// tagsByVersion reads the tags of changes. What unread has left out is missed by
// its version; the versions are read all the same.
func (rd *reader) tagsByVersion(refs map[string]plumbing.Hash, unread error) *changeTags {
	tags := &changeTags{of: map[plumbing.Hash][]namedTag{}, found: map[plumbing.Hash]bool{}}
	for _, ref := range slices.Sorted(maps.Keys(refs)) {
		name, at := strings.TrimPrefix(ref, "refs/tags/"), refs[ref]
		c, version, err := rd.tagged(at)
		switch {
		case err != nil:
			tags.lost = append(tags.lost, lostTag(name, at, err.Error()))
		case !version.IsZero():
			tags.of[version] = append(tags.of[version], namedTag{name, at, c.TreeHash})
		}
	}
	if unread != nil {
		tags.lost = append(tags.lost, lostTag("refs/tags/change", plumbing.ZeroHash, unread.Error()))
	}
	return tags
}

// astray are the tags that cannot be read, and those whose version was not met.
func (t *changeTags) astray() []Verified {
	lost := t.lost
	for version, named := range t.of {
		if !t.found[version] {
			lost = append(lost, lostTag(named[0].name, named[0].at, fmt.Sprintf("it is a tag of version %s, which is not in main", version)))
		}
	}
	return lost
}

// untagged tells what is wrong with the tag of a version that should have one.
func untagged(c step, ch change, tags []namedTag) (problems []string) {
	id, phase := trailer(c.Message, "Change"), trailer(c.Message, "Phase")
	if id == "" || phase == "" {
		return nil
	}
	for _, tag := range tags {
		if tag.tree != ch.is {
			problems = append(problems, fmt.Sprintf("the tag %s holds other files", tag.name))
		}
	}
	if !slices.ContainsFunc(tags, func(tag namedTag) bool { return strings.HasPrefix(tag.name, "change/"+id+"/"+phase) }) {
		problems = append(problems, fmt.Sprintf("no tag names it: git tag change/%s/%s… was deleted", id, phase))
	}
	return problems
}

// drawn puts every version at a point of a circle, and takes those between
// offset and offset+share.
func drawn(c plumbing.Hash, name string, share, offset float64) bool {
	if share >= 1 {
		return true
	}
	sum := sha256.Sum256(append(c[:], name...))
	at := float64(binary.BigEndian.Uint64(sum[:8])>>11)/(1<<53) - offset
	for at < 0 {
		at++
	}
	for at >= 1 {
		at--
	}
	return at < share
}

// verify reads one version again.
func (rd *reader) verify(c step, ch change, tags *changeTags, open func([]byte) ([]byte, error)) Verified {
	v, _, _ := rd.prove(c, ch, open)
	v.Problems = append(v.Problems, untagged(c, ch, tags.of[c.Hash])...)
	return v
}

// prove holds what is in a version's folder to its snapshot.json.
func (rd *reader) prove(c step, ch change, open func([]byte) ([]byte, error)) (Verified, document, []object.TreeEntry) {
	d, files, err := rd.document(ch.is)
	if err != nil {
		d = document{Name: ch.name}
	}
	v := Verified{Version: d.version(c.Hash.String(), subject(c.Message))}
	note := func(what string, n int, err error) {
		v.Bytes += int64(n)
		if err != nil {
			v.Problems = append(v.Problems, fmt.Sprintf("%s: %v", what, err))
		}
	}
	note(ch.name, 0, err)
	for _, f := range d.Files {
		n, err := rd.verifyText(files, f)
		note(f.Name, n, err)
		if f.Original != "" {
			n, err := rd.verifyOriginal(files, f, open)
			note(f.Original, n, err)
		}
	}
	return v, d, files
}

func (rd *reader) verifyText(files []object.TreeEntry, f documentFile) (int, error) {
	if f.Alone() {
		return 0, nil
	}
	data, err := rd.named(files, f.Name)
	if err == nil {
		_, err = redact.Restore(data, f.Digest)
	}
	return len(data), err
}

func (rd *reader) verifyOriginal(files []object.TreeEntry, f documentFile, open func([]byte) ([]byte, error)) (int, error) {
	data, err := rd.named(files, f.Original)
	if err != nil || open == nil {
		return len(data), err
	}
	plain, err := open(data)
	if err != nil {
		return len(data), fmt.Errorf("open: %w", err)
	}
	if sum := sha256.Sum256(plain); hex.EncodeToString(sum[:]) != f.OriginalDigest {
		return len(data), fmt.Errorf("the original has digest %x, not the recorded %s", sum, f.OriginalDigest)
	}
	return len(data), nil
}

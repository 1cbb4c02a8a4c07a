package git

import (
	"bytes"
	"compress/zlib"
	"context"
	"crypto/sha1" //nolint:gosec // git's own checksum
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"

	"belay/configs"
)

// Reread reads a customer's versions again as Verify does, the oldest first, from
// the one behind the commit after on; where that is empty or not in the line of
// main, from the first. Versions that are kept meanwhile come in their turn. The
// tags of changes are read to the end each time. What can be read is read: a line
// that is torn is an error at the end.
func (s *Store) Reread(ctx context.Context, customer, after string, open func(sealed []byte) ([]byte, error)) iter.Seq2[Verified, error] {
	return func(yield func(Verified, error) bool) {
		yield = heard(yield)
		err := s.reread(ctx, customer, after, open, func(v Verified) bool { return yield(v, nil) })
		if err != nil {
			yield(Verified{}, fmt.Errorf("read the history of %s again: %w", customer, err))
		}
	}
}

func (s *Store) reread(ctx context.Context, customer, after string, open func([]byte) ([]byte, error), yield func(Verified) bool) error {
	return s.inspect(ctx, customer, func(r *repo, rd *reader, head plumbing.Hash, tags *changeTags) error {
		line, torn := rd.line(ctx, head)
		if err := ctx.Err(); err != nil {
			return err
		}
		for _, h := range line {
			tags.found[h] = true
		}
		if torn != nil {
			tags.of = map[plumbing.Hash][]namedTag{} // whose version is not there cannot be told
		}
		from := 0
		if after != "" {
			from = slices.Index(line, plumbing.NewHash(after)) + 1
		}
		more, err := rd.forward(ctx, line, from, tags, open, torn != nil, yield)
		if err != nil || !more {
			return err
		}
		for _, v := range tags.astray() {
			v.Through = 1
			if !yield(v) {
				return nil
			}
		}
		if head, err = r.head(); err != nil { // as it is by now: the note of where it was is kept up
			return errors.Join(torn, err)
		}
		return errors.Join(torn, r.continues(ctx, head))
	})
}

// line is the line of commits that ends at head, the oldest first. Where it
// cannot be read any further back, it is what there is of it.
func (rd *reader) line(ctx context.Context, head plumbing.Hash) (line []plumbing.Hash, torn error) {
	defer func() { slices.Reverse(line) }()
	for h := head; !h.IsZero(); {
		if err := ctx.Err(); err != nil {
			return line, err
		}
		c, err := rd.commit(h)
		if err != nil {
			return line, err
		}
		line = append(line, h)
		if h = plumbing.ZeroHash; len(c.ParentHashes) > 0 {
			h = c.ParentHashes[0]
		}
	}
	return line, nil
}

// forward reads the versions of a line from one of its commits on. It tells
// whether it came to the end.
func (rd *reader) forward(ctx context.Context, line []plumbing.Hash, from int, tags *changeTags, open func([]byte) ([]byte, error), torn bool, yield func(Verified) bool) (bool, error) {
	var before []object.TreeEntry
	known := from == 0 && !torn
	for i, h := range line[from:] {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		c, err := rd.commit(h)
		if err != nil {
			return false, err
		}
		root, err := rd.tree(c.TreeHash)
		if err == nil && !known && len(c.ParentHashes) > 0 {
			before, err = rd.rootOf(c.ParentHashes[0])
			if err != nil && torn && i == 0 {
				before, known = root, true // what it changed cannot be told
				continue
			}
		}
		if err != nil {
			return false, err
		}
		at := step{c, changed(before, root)}
		before, known = root, true
		versions := at.kept()
		for k, ch := range versions {
			v := rd.verify(at, ch, tags, open)
			if v.Through = float64(from+i+1) / float64(len(line)); k == len(versions)-1 {
				v.At = h.String()
			}
			if !yield(v) {
				return false, nil
			}
		}
	}
	return true, nil
}

func (rd *reader) rootOf(h plumbing.Hash) ([]object.TreeEntry, error) {
	c, err := rd.commit(h)
	if err != nil {
		return nil, err
	}
	return rd.tree(c.TreeHash)
}

// Bytes is how much a customer's history takes on disk, at the cost of a look.
func (s *Store) Bytes(customer string) (n int64, err error) {
	r, err := s.repo(customer)
	if err != nil {
		return 0, err
	}
	packs, err := r.packs()
	for _, fi := range packs {
		n += fi.Size()
	}
	return n, err
}

// A Part is a file of a repository that was read again, or some of it.
type Part struct {
	Name     string // of the file; empty: there is more of it
	Bytes    int64
	Through  float64 // of all files
	Problems []string
}

// A stretch is how much of a pack is read at once, before others may go.
const stretch = 4 << 20

// RereadPacks reads every byte of a customer's packs and their indexes, the
// unreachable ones too, and holds them to their checksums, in the order of their
// names and from the one behind after on; then HEAD and what another git left loose.
func (s *Store) RereadPacks(ctx context.Context, customer, after string) iter.Seq2[Part, error] {
	return func(yield func(Part, error) bool) {
		yield = heard(yield)
		r, err := s.repo(customer)
		if err == nil {
			err = r.rereadPacks(ctx, after, func(p Part) bool { return yield(p, nil) })
		}
		if err != nil {
			yield(Part{}, fmt.Errorf("read the packs of %s again: %w", customer, err))
		}
	}
}

// errEnded says that nobody wants to hear more.
var errEnded = errors.New("ended")

// heard is yield as long as somebody listens. After that, which may be in the
// middle of anything, nothing is told any more, not even an error.
func heard[T any](yield func(T, error) bool) func(T, error) bool {
	over := false
	return func(v T, err error) bool {
		over = over || !yield(v, err)
		return !over
	}
}

func (r *repo) rereadPacks(ctx context.Context, after string, yield func(Part) bool) error {
	if ok, err := r.exists(); !ok || err != nil {
		return err
	}
	packs, err := r.packs()
	if err != nil {
		return err
	}
	var all, read int64
	for stem, fi := range packs {
		if all += fi.Size(); stem <= after {
			read += fi.Size()
		}
	}
	for _, stem := range slices.Sorted(maps.Keys(packs)) {
		if stem <= after {
			continue
		}
		part := Part{Name: stem}
		var index [20]byte
		problem := func(err error) {
			if err != nil {
				part.Problems = append(part.Problems, err.Error())
			}
		}
		err := r.rereadPack(ctx, stem, func(n int64) bool {
			read += n
			return yield(Part{Bytes: n, Through: float64(read) / float64(max(all, 1))})
		}, &index)
		switch {
		case errors.Is(err, errEnded):
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case r.replaced(stem): // by maintenance, in this moment
			continue
		}
		problem(err)
		n, err := r.rereadIndex(stem, index)
		if r.replaced(stem) {
			continue
		}
		problem(err)
		part.Bytes, part.Through = n, float64(read)/float64(max(all, 1))
		if !yield(part) {
			return errEnded
		}
	}
	if !yield(r.rereadLoose(ctx)) {
		return errEnded
	}
	return ctx.Err()
}

// replaced tells that a pack is not there any more, as after maintenance.
func (r *repo) replaced(stem string) bool {
	_, err := os.Stat(filepath.Join(r.dir, "objects", "pack", stem+".pack"))
	return errors.Is(err, os.ErrNotExist)
}

// rereadPack holds a pack to the checksum at its end, and that to its name. A
// pack of ours and of every git of today is named after it.
func (r *repo) rereadPack(ctx context.Context, stem string, read func(n int64) bool, sum *[20]byte) error {
	f, err := os.Open(filepath.Join(r.dir, "objects", "pack", stem+".pack"))
	if err != nil {
		return err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	h := sha1.New() //nolint:gosec // git's own checksum
	for left := fi.Size() - int64(len(sum)); left > 0; {
		n, err := io.CopyN(h, f, min(left, stretch))
		if err != nil {
			return fmt.Errorf("%s.pack: %w", stem, err)
		}
		left -= n
		if !read(n) {
			return errEnded
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	if _, err := io.ReadFull(f, sum[:]); err != nil {
		return fmt.Errorf("%s.pack: %w", stem, err)
	}
	if !bytes.Equal(h.Sum(nil), sum[:]) {
		return fmt.Errorf("%s.pack: its bytes do not have the checksum at its end", stem)
	}
	if stem != "pack-"+hex.EncodeToString(sum[:]) {
		return fmt.Errorf("%s.pack: it holds what is named pack-%x", stem, *sum)
	}
	return nil
}

// rereadIndex holds an index to its checksum and to its pack's.
func (r *repo) rereadIndex(stem string, pack [20]byte) (int64, error) {
	data, err := os.ReadFile(filepath.Join(r.dir, "objects", "pack", stem+".idx"))
	n := len(data)
	switch {
	case err != nil:
		return 0, err
	case n < 2*len(pack):
		return int64(n), fmt.Errorf("%s.idx: cut short after %d bytes", stem, n)
	}
	if sum := sha1.Sum(data[:n-20]); !bytes.Equal(sum[:], data[n-20:]) { //nolint:gosec // git's own checksum
		return int64(n), fmt.Errorf("%s.idx: its bytes do not have the checksum at its end", stem)
	}
	if !bytes.Equal(data[n-40:n-20], pack[:]) {
		return int64(n), fmt.Errorf("%s.idx: it is not that of the pack", stem)
	}
	return int64(n), nil
}

// rereadLoose reads HEAD and objects that another git left outside of packs.
func (r *repo) rereadLoose(ctx context.Context) Part {
	part := Part{Name: "~ HEAD and loose objects", Through: 1} // behind every pack
	problem := func(format string, args ...any) { part.Problems = append(part.Problems, fmt.Sprintf(format, args...)) }
	if head, err := os.ReadFile(filepath.Join(r.dir, "HEAD")); err != nil {
		problem("HEAD: %v", err)
	} else if strings.TrimSuffix(string(head), "\n") != "ref: "+mainRef {
		problem("HEAD: it does not name %s", mainRef)
	}
	loose, err := filepath.Glob(filepath.Join(r.dir, "objects", "[0-9a-f][0-9a-f]", "*"))
	if err != nil {
		problem("%v", err)
	}
	for _, path := range loose {
		name := filepath.Base(filepath.Dir(path)) + filepath.Base(path)
		if ctx.Err() != nil || !plumbing.IsHash(name) {
			continue
		}
		n, sum, err := inflate(path)
		part.Bytes += n
		switch {
		case errors.Is(err, os.ErrNotExist): // packed by another git, in this moment
		case err != nil:
			problem("object %s: %v", name, err)
		case sum != name:
			problem("object %s: it holds what is named %s", name, sum)
		}
	}
	return part
}

// inflate is the name that a loose object's bytes have.
func inflate(path string) (n int64, sum string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, "", err
	}
	defer f.Close()
	z, err := zlib.NewReader(f)
	if err != nil {
		return 0, "", err
	}
	h := sha1.New() //nolint:gosec // git's own names
	n, err = io.Copy(h, z)
	return n, hex.EncodeToString(h.Sum(nil)), err
}

// Holds tells whether a version can be read whole from this store: for a copy of
// the data folder that lies elsewhere.
func (s *Store) Holds(ctx context.Context, v configs.Version) bool {
	if _, err := s.Texts(ctx, v); err != nil {
		return false
	}
	_, err := s.Originals(ctx, v)
	return err == nil
}

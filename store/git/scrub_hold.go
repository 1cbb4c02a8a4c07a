package git

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// dues are the objects that a remote owes, by name, and which of them it gave.
type dues struct {
	main  plumbing.Hash   // where the remote's is
	all   []plumbing.Hash // sorted, each once
	given []bool
	got   int
}

func newDues(all []plumbing.Hash) *dues {
	slices.SortFunc(all, func(a, b plumbing.Hash) int { return bytes.Compare(a[:], b[:]) })
	all = slices.Compact(all)
	return &dues{all: all, given: make([]bool, len(all))}
}

func (d *dues) find(h plumbing.Hash) (int, bool) {
	return slices.BinarySearchFunc(d.all, h, func(a, b plumbing.Hash) int { return bytes.Compare(a[:], b[:]) })
}

func (d *dues) take(h plumbing.Hash) {
	if i, ok := d.find(h); ok && !d.given[i] {
		d.given[i] = true
		d.got++
	}
}

func (d *dues) through() float64 { return float64(d.got) / float64(max(1, len(d.all))) }

// due is what a remote must be able to give that has its references at those: all
// that they lead to, as it stands here. A reference that is not here, or elsewhere,
// is told by Ask.
func (rd *reader) due(ctx context.Context, r *repo, at map[string]plumbing.Hash) (*dues, []plumbing.Hash, error) {
	var all, wants []plumbing.Hash
	if main := at[mainRef]; !main.IsZero() {
		if _, err := rd.commit(main); err != nil {
			return nil, nil, fmt.Errorf("its main is at %.12s: %w", main, errDiverged) // there is nothing here to hold it to
		}
		objects, err := rd.between(ctx, plumbing.ZeroHash, main)
		if err != nil {
			return nil, nil, err
		}
		all, wants = objects, append(wants, main)
	}
	tags, err := r.refs("refs/tags/")
	if err != nil {
		return nil, nil, err
	}
	head, err := r.head()
	if err != nil {
		return nil, nil, err
	}
	for name, h := range tags {
		if at[name] != h {
			continue
		}
		objects, err := rd.tagObjects(h, head)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", name, err)
		}
		all, wants = append(all, objects...), append(wants, h)
	}
	due := newDues(all)
	due.main = at[mainRef]
	return due, wants, ctx.Err()
}

// errMakesNoSense says that what came is no pack of whole objects.
var errMakesNoSense = errors.New("it makes no sense")

// largest is more than any object of ours or change of one has: a pack may name any size.
const largest = 512 << 20

// hold reads a pack to its end and holds every object to its name. The problem is
// the pack's; an error is the stream's, other than its end, or from here.
func (rd *reader) hold(ctx context.Context, from *stream, due *dues) (problem string, err error) {
	sc := packfile.NewScanner(from)
	at, n, err := rd.scan(ctx, sc, due)
	if err == nil {
		_, err = sc.Checksum()
	}
	_, ours := errors.AsType[*ourFault](err)
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case ours:
		return "", here(err)
	case from.own, err != nil && from.err != nil && !errors.Is(from.err, io.EOF):
		return "", from.err
	case err != nil:
		return fmt.Sprintf("what it gives is damaged, at object %d of %d: %v; %d of the %d that it names came whole before", at, n, err, due.got, len(due.all)), nil
	case due.got < len(due.all):
		return fmt.Sprintf("it did not give %d of the %d objects that it names: %s", len(due.all)-due.got, len(due.all), rd.lacking(ctx, due)), nil
	}
	_, err = io.Copy(io.Discard, from) // until it takes leave: nothing more is owed
	if from.own {
		return "", err
	}
	return "", ctx.Err()
}

// An ourFault is an object that cannot be read here.
type ourFault struct{ error }

func (e *ourFault) Unwrap() error { return e.error }

// scan goes through the objects of a pack. at is the one at which it stopped.
func (rd *reader) scan(ctx context.Context, sc *packfile.Scanner, due *dues) (at, n uint32, err error) {
	if _, n, err = sc.Header(); err != nil {
		return 0, n, err
	}
	var starts []int64 // of the objects behind us, and their names
	var names []plumbing.Hash
	for at = 1; at <= n; at++ {
		if err := ctx.Err(); err != nil {
			return at, n, err
		}
		h, err := sc.NextObjectHeader()
		if err != nil {
			return at, n, err
		}
		var name plumbing.Hash
		switch h.Type {
		case plumbing.CommitObject, plumbing.TreeObject, plumbing.BlobObject, plumbing.TagObject:
			sum := plumbing.NewHasher(h.Type, h.Length)
			written, _, err := sc.NextObject(sum)
			if err == nil && written != h.Length {
				err = io.ErrUnexpectedEOF
			}
			if err != nil {
				return at, n, err
			}
			name = sum.Sum()
		case plumbing.OFSDeltaObject, plumbing.REFDeltaObject:
			base := h.Reference
			if h.Type == plumbing.OFSDeltaObject {
				i, ok := slices.BinarySearch(starts, h.OffsetReference)
				if !ok {
					return at, n, errMakesNoSense
				}
				base = names[i]
			}
			if name, err = rd.changedFrom(sc, h, base, due); err != nil {
				return at, n, err
			}
		default:
			return at, n, errMakesNoSense
		}
		due.take(name)
		starts, names = append(starts, h.Offset), append(names, name)
	}
	return n, n, nil
}

// changedFrom is the name of an object that comes as a change of another one. The
// name of that is proven with its own turn, so it may be read here.
func (rd *reader) changedFrom(sc *packfile.Scanner, h *packfile.ObjectHeader, base plumbing.Hash, due *dues) (name plumbing.Hash, err error) {
	if h.Length > largest {
		return name, errMakesNoSense
	}
	var delta bytes.Buffer
	written, _, err := sc.NextObject(&delta)
	if err != nil {
		return name, err
	}
	_, k := binary.Uvarint(delta.Bytes())
	if k <= 0 || written != h.Length {
		return name, errMakesNoSense
	}
	if size, k := binary.Uvarint(delta.Bytes()[k:]); k <= 0 || size > largest {
		return name, errMakesNoSense
	}
	kind, data, err := rd.whole(plumbing.AnyObject, base)
	if err != nil {
		if _, ok := due.find(base); !ok {
			return name, fmt.Errorf("it is a change of %s, which is not of this history", base)
		}
		return name, &ourFault{err}
	}
	made, err := packfile.PatchDelta(data, delta.Bytes())
	if err != nil {
		return name, err
	}
	return plumbing.ComputeHash(kind, made), nil
}

// mostNamed is how many of the versions are named of which something was not given.
const mostNamed = 3

// lacking names what was not given, the newest versions first.
func (rd *reader) lacking(ctx context.Context, due *dues) string {
	lacks := func(h plumbing.Hash) bool { i, ok := due.find(h); return ok && !due.given[i] }
	var names []string
	for c, err := range rd.walk(ctx, due.main) {
		if err != nil {
			break
		}
		for _, ch := range c.kept() {
			what := ch.name
			entries, err := rd.tree(ch.is)
			i := slices.IndexFunc(entries, func(e object.TreeEntry) bool { return lacks(e.Hash) })
			if err == nil && i >= 0 {
				what += "/" + entries[i].Name
			} else if !lacks(c.Hash) && !lacks(c.TreeHash) && !lacks(ch.is) {
				continue
			}
			if names = append(names, fmt.Sprintf("%s of version %.12s", what, c.Hash)); len(names) > mostNamed {
				return strings.Join(names[:mostNamed], ", ") + " and more"
			}
		}
	}
	if len(names) == 0 {
		return "those of tags"
	}
	return strings.Join(names, ", ")
}

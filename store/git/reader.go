package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/storage/filesystem"

	"belay/devices"
)

// A reader is one fresh opening of a repository, for one goroutine: go-git's
// storage is not safe for more, and does not notice when packs are replaced. The
// reader does, and opens again.
type reader struct {
	dir   string
	st    *filesystem.Storage
	packs []string // the names in objects/pack when it was opened
	room  cache.FileSize
	many  *atomic.Int64 // how many readers are open, all in all
	sure  bool          // an object was missing, and looking again did not help
}

// What readers take together, however many histories are read at once: openPacks
// files each, and about readerRoom of memory. A single one may have all of it.
const (
	openPacks  = 6
	readerRoom = 32 * cache.MiByte
	leastRoom  = cache.MiByte
)

func (r *repo) open() (*reader, error) {
	rd := &reader{dir: r.dir, many: r.readers}
	n := int64(1)
	if rd.many != nil {
		n = rd.many.Add(1)
	}
	rd.room = max(leastRoom, readerRoom/cache.FileSize(n))
	if err := rd.reopen(); err != nil {
		return nil, errors.Join(err, rd.close())
	}
	return rd, nil
}

func (rd *reader) reopen() error {
	packs, err := listing(filepath.Join(rd.dir, "objects", "pack"))
	if err != nil {
		return err
	}
	if rd.st != nil {
		if err := rd.st.Close(); err != nil {
			return err
		}
	}
	rd.packs = packs
	rd.st = filesystem.NewStorageWithOptions(packFS{osfs.New(rd.dir)}, cache.NewObjectLRU(rd.room), filesystem.Options{MaxOpenDescriptors: openPacks})
	return nil
}

func (rd *reader) close() error {
	if rd.many != nil {
		rd.many.Add(-1)
		rd.many = nil
	}
	if rd.st == nil {
		return nil
	}
	return rd.st.Close()
}

// object reads one object. It fails with Damaged only where the packs are still
// those that were opened: otherwise maintenance came in between. A person's git
// may also put a pack in the place of one of the same name, whose index is away
// for an instant: so an object is looked for again a few times before it is missed.
func (rd *reader) object(kind plumbing.ObjectType, h plumbing.Hash) (plumbing.EncodedObject, error) {
	for tries := 0; ; {
		o, err := rd.st.EncodedObject(kind, h)
		if err == nil {
			return o, nil
		}
		now, listErr := listing(filepath.Join(rd.dir, "objects", "pack"))
		if listErr == nil && !slices.Equal(now, rd.packs) {
			rd.sure, tries = false, 0
		} else if tries++; listErr != nil || rd.sure || tries > lookAgain {
			rd.sure = true
			return nil, damaged("read object", errors.Join(fmt.Errorf("%s %s: %w", kind, h, err), listErr))
		} else {
			time.Sleep(time.Duration(tries) * 50 * time.Millisecond)
		}
		if err := rd.reopen(); err != nil {
			return nil, err
		}
	}
}

// lookAgain is how often an object is looked for again among the same packs.
const lookAgain = 4

// blob reads a file and holds it to its name.
func (rd *reader) blob(h plumbing.Hash) ([]byte, error) {
	_, data, err := rd.whole(plumbing.BlobObject, h)
	return data, err
}

// whole reads an object, of any kind if that is asked for, and holds it to its name,
// which go-git does not.
func (rd *reader) whole(kind plumbing.ObjectType, h plumbing.Hash) (plumbing.ObjectType, []byte, error) {
	o, err := rd.object(kind, h)
	if err != nil {
		return 0, nil, err
	}
	f, err := o.Reader()
	if err != nil {
		return 0, nil, damaged("read object", fmt.Errorf("%s %s: %w", o.Type(), h, err))
	}
	room := bytes.NewBuffer(make([]byte, 0, min(max(o.Size(), 0), 16<<20)+bytes.MinRead)) // a damaged pack may name any size
	_, err = room.ReadFrom(f)
	data := room.Bytes()
	if err = errors.Join(err, f.Close()); err != nil {
		return 0, nil, damaged("read object", fmt.Errorf("%s %s: %w", o.Type(), h, err))
	}
	if got := plumbing.ComputeHash(o.Type(), data); got != h {
		return 0, nil, damaged("read object", fmt.Errorf("%s %s holds what is named %s", o.Type(), h, got))
	}
	return o.Type(), data, nil
}

func (rd *reader) commit(h plumbing.Hash) (*object.Commit, error) {
	o, err := rd.object(plumbing.CommitObject, h)
	if err != nil {
		return nil, err
	}
	var c object.Commit
	if err := c.Decode(o); err != nil {
		return nil, damaged("read object", fmt.Errorf("commit %s: %w", h, err))
	}
	return &c, nil
}

func (rd *reader) tree(h plumbing.Hash) ([]object.TreeEntry, error) {
	o, err := rd.object(plumbing.TreeObject, h)
	if err != nil {
		return nil, err
	}
	var t object.Tree
	if err := t.Decode(o); err != nil {
		return nil, damaged("read object", fmt.Errorf("tree %s: %w", h, err))
	}
	return t.Entries, nil
}

// document reads the snapshot.json of a device's folder, and the folder.
func (rd *reader) document(folder plumbing.Hash) (document, []object.TreeEntry, error) {
	entries, err := rd.tree(folder)
	if err != nil {
		return document{}, nil, err
	}
	data, err := rd.named(entries, snapshotFile)
	if err != nil {
		return document{}, entries, err
	}
	d, err := parseDocument(data)
	if err != nil {
		return d, entries, damaged("read object", err)
	}
	return d, entries, nil
}

// named reads the file of that name in a folder.
func (rd *reader) named(folder []object.TreeEntry, name string) ([]byte, error) {
	i := slices.IndexFunc(folder, func(e object.TreeEntry) bool { return e.Name == name })
	if i < 0 {
		return nil, damaged("read object", fmt.Errorf("no %s in the folder", name))
	}
	return rd.blob(folder[i].Hash)
}

// A step is one commit of the line, with what it changed at the top of the tree.
type step struct {
	*object.Commit
	changes []change
}

// A change is one folder that a commit made, changed or took away.
type change struct {
	name    string
	was, is plumbing.Hash // zero: not there
	moved   string        // is came unchanged from this other folder
}

// walk goes through the line of commits from head to the first one. Of a merge
// (another git's: we make none) the first parent is followed.
func (rd *reader) walk(ctx context.Context, head plumbing.Hash) iter.Seq2[step, error] {
	return func(yield func(step, error) bool) {
		if head.IsZero() {
			return
		}
		c, err := rd.commit(head)
		var root []object.TreeEntry
		if err == nil {
			root, err = rd.tree(c.TreeHash)
		}
		for err == nil {
			if err = ctx.Err(); err != nil {
				break
			}
			var parent *object.Commit
			var before []object.TreeEntry
			if len(c.ParentHashes) > 0 {
				if parent, err = rd.commit(c.ParentHashes[0]); err != nil {
					break
				}
				if before, err = rd.tree(parent.TreeHash); err != nil {
					break
				}
			}
			if !yield(step{c, changed(before, root)}, nil) || parent == nil {
				return
			}
			c, root = parent, before
		}
		yield(step{}, err)
	}
}

func damaged(op string, err error) *devices.Error {
	return &devices.Error{Kind: devices.Damaged, Op: op, Err: err,
		Hint: "run belay verify, then restore the customer's history.git from its remote or a backup of the data folder"}
}

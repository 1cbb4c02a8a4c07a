package git

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
)

// reindex gives a pack that has no index one: a writer was killed between the two,
// or another git took the index for garbage. One that is not whole stays as it lies:
// nobody sees it, and a person may yet save something of it. Only the holder of
// belay.lock may call it.
func (r *repo) reindex(ctx context.Context, stem string) error {
	dir := filepath.Join(r.dir, "objects", "pack")
	index, err := r.indexOf(ctx, stem)
	if stopped := ctx.Err(); stopped != nil {
		return stopped // it may be whole
	}
	if err != nil {
		return nil //nolint:nilerr // see above
	}
	name, err := encodeIndex(r.dir, index)
	if err == nil {
		err = os.Rename(name, filepath.Join(dir, stem+".idx"))
	}
	if err != nil {
		return errors.Join(err, removeIfThere(name))
	}
	return syncDir(dir)
}

// indexOf reads a pack, holds it to its checksum and its name, and makes its index.
func (r *repo) indexOf(ctx context.Context, stem string) (*idxfile.MemoryIndex, error) {
	var sum [20]byte
	if err := r.rereadPack(ctx, stem, func(int64) bool { return true }, &sum); err != nil {
		return nil, err
	}
	f, err := os.Open(filepath.Join(r.dir, "objects", "pack", stem+".pack"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var entries idxfile.Writer
	p, err := packfile.NewParser(packfile.NewScanner(f), &entries)
	if err != nil {
		return nil, err
	}
	if _, err := p.Parse(); err != nil {
		return nil, err
	}
	return entries.Index()
}

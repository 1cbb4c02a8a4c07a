package git

import (
	"bufio"
	"compress/zlib"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
	githash "github.com/go-git/go-git/v5/plumbing/hash"
)

// An item is one object of a new pack.
type item struct {
	kind  plumbing.ObjectType
	hash  plumbing.Hash
	data  []byte
	plain bool // encrypted: not worth compressing

	// A delta, where there is one, stands for data: it makes the object of base,
	// which is earlier in the same pack.
	delta []byte
	base  plumbing.Hash
}

func newItem(kind plumbing.ObjectType, data []byte) item {
	return item{kind: kind, hash: plumbing.ComputeHash(kind, data), data: data}
}

// encoded makes an item of what go-git encodes.
func encoded(o interface {
	Encode(plumbing.EncodedObject) error
}) (item, error) {
	var m plumbing.MemoryObject
	if err := o.Encode(&m); err != nil {
		return item{}, err
	}
	r, err := m.Reader()
	if err != nil {
		return item{}, err
	}
	data, err := io.ReadAll(r)
	if err != nil {
		return item{}, errors.Join(err, r.Close())
	}
	return item{kind: m.Type(), hash: m.Hash(), data: data}, r.Close()
}

// writePack puts items into one new pack that is durable when it returns. Only
// the holder of belay.lock may call it.
func (r *repo) writePack(items []item) (err error) {
	pack, sum, index, err := encodePack(r.zlibs, r.dir, items)
	if pack != "" {
		defer func() {
			if err != nil {
				err = errors.Join(err, removeIfThere(pack))
			}
		}()
	}
	if err != nil {
		return fmt.Errorf("write pack: %w", err)
	}
	idx, err := encodeIndex(r.dir, index)
	if idx != "" {
		defer func() {
			if err != nil {
				err = errors.Join(err, removeIfThere(idx))
			}
		}()
	}
	if err != nil {
		return fmt.Errorf("write index: %w", err)
	}
	return r.install(pack, idx, "pack-"+sum.String())
}

// install brings a synced pack among the others, kept from other gits from the
// beginning. Only the holder of belay.lock may call it.
func (r *repo) install(pack, idx, stem string) error {
	if err := r.keepOurs(stem); err != nil {
		return fmt.Errorf("keep pack: %w", err)
	}
	return installPack(filepath.Join(r.dir, "objects", "pack"), pack, idx, stem)
}

// installPack gives a synced pack and its index their names, and makes those
// durable. The pack comes first: a person's git gc takes an index that it has seen
// without a pack for garbage and removes it, even where the pack has come since.
// To a pack without index nobody does anything, and our readers do not see it.
func installPack(dir, pack, idx, stem string) error {
	final := filepath.Join(dir, stem)
	if err := os.Rename(pack, final+".pack"); err != nil {
		return err
	}
	if err := os.Rename(idx, final+".idx"); err != nil {
		return err // the pack alone does no harm; sweep gives it an index
	}
	return syncDir(dir)
}

func removeIfThere(path string) error {
	if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// encodePack writes a synced temporary pack: not among the packs, where git gc
// --prune=now takes away all that looks temporary. The name is set as soon as there
// is a file.
func encodePack(z *zlibs, dir string, items []item) (name string, sum plumbing.Hash, index *idxfile.MemoryIndex, err error) {
	f, err := os.CreateTemp(dir, "tmp_belay_pack_")
	if err != nil {
		return "", sum, nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := &packWriter{z: z, w: bufio.NewWriterSize(f, 1<<16), sum: githash.New(githash.CryptoType)}
	n := uint32(len(items))
	if err := w.write([]byte{'P', 'A', 'C', 'K', 0, 0, 0, 2, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}); err != nil {
		return f.Name(), sum, nil, err
	}
	var entries idxfile.Writer
	if err := entries.OnHeader(n); err != nil {
		return f.Name(), sum, nil, err
	}
	starts := map[plumbing.Hash]int64{}
	for _, it := range items {
		at := w.at
		w.crc = 0
		if err := w.entry(it, at-starts[it.base]); err != nil {
			return f.Name(), sum, nil, err
		}
		starts[it.hash] = at
		entries.Add(it.hash, uint64(at), w.crc)
	}
	copy(sum[:], w.sum.Sum(nil))
	if err := w.write(sum[:]); err != nil {
		return f.Name(), sum, nil, err
	}
	if err := w.w.Flush(); err != nil {
		return f.Name(), sum, nil, err
	}
	if err := entries.OnFooter(sum); err != nil {
		return f.Name(), sum, nil, err
	}
	if index, err = entries.Index(); err != nil {
		return f.Name(), sum, nil, err
	}
	return f.Name(), sum, index, f.Sync()
}

func encodeIndex(dir string, index *idxfile.MemoryIndex) (name string, err error) {
	f, err := os.CreateTemp(dir, "tmp_belay_idx_")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(f, 1<<16)
	if _, err := idxfile.NewEncoder(w).Encode(index); err != nil {
		return f.Name(), err
	}
	if err := w.Flush(); err != nil {
		return f.Name(), err
	}
	return f.Name(), f.Sync()
}

// packWriter counts, sums and checks what goes by.
type packWriter struct {
	w   *bufio.Writer
	sum hash.Hash
	crc uint32
	at  int64
	z   *zlibs
}

// zlibs are compressors that are used again: one takes more than a megabyte, a
// pack often not 20 KB.
type zlibs [2]sync.Pool // fast, and none at all

func (z *zlibs) get(plain bool, w io.Writer) (*zlib.Writer, func(), error) {
	which, level := 0, zlib.BestSpeed
	if plain {
		which, level = 1, zlib.NoCompression
	}
	c, ok := z[which].Get().(*zlib.Writer)
	if ok {
		c.Reset(w)
	} else {
		var err error
		if c, err = zlib.NewWriterLevel(w, level); err != nil {
			return nil, nil, err
		}
	}
	return c, func() { z[which].Put(c) }, nil
}

// Write is for the compressor.
func (w *packWriter) Write(p []byte) (int, error) {
	w.crc = crc32.Update(w.crc, crc32.IEEETable, p)
	w.at += int64(len(p))
	if _, err := w.sum.Write(p); err != nil {
		return 0, err
	}
	return w.w.Write(p)
}

func (w *packWriter) write(p []byte) error { _, err := w.Write(p); return err }

// entry writes an object: three bits of type, its size, for a delta how far back
// its base begins, and its bytes by zlib. Fast compression: maintenance packs it
// well, and a night must be quick.
func (w *packWriter) entry(it item, back int64) error {
	kind, data := it.kind, it.data
	if it.delta != nil {
		kind, data = plumbing.OFSDeltaObject, it.delta
	}
	size := uint64(len(data))
	b := byte(kind)<<4 | byte(size&0x0f)
	head := make([]byte, 0, 20)
	for size >>= 4; size > 0; size >>= 7 {
		head = append(head, b|0x80)
		b = byte(size & 0x7f)
	}
	head = append(head, b)
	if it.delta != nil {
		head = appendBack(head, back)
	}
	if err := w.write(head); err != nil {
		return err
	}
	z, done, err := w.z.get(it.plain, w)
	if err != nil {
		return err
	}
	defer done()
	if _, err := z.Write(data); err != nil {
		return err
	}
	return z.Close()
}

package git

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
	"golang.org/x/sys/unix"
)

// A packing is one run of git pack-objects into a folder of ours.
type packing struct {
	program string
	temp    string   // the folder
	held    *os.File // the maintenance lock, which an orphaned git still holds
	memory  int64    // the most that git had, in bytes; 0 where that is not known
	name    string   // of the new pack, without extension
}

// What git may take: one processor at the lowest urgency (its disk accesses have
// that of the processor), and about 150 MB beside the names of all objects.
var packSettings = []string{
	"core.fsync=all", "pack.threads=1", "pack.writeReverseIndex=false",
	"pack.windowMemory=64m", "pack.deltaCacheSize=32m", "core.deltaBaseCacheLimit=32m",
	noManyIndex, noGraph, "core.bigFileThreshold=32m", "core.packedGitWindowSize=8m", "core.packedGitLimit=64m",
}

// These have git look into the packs themselves: a multi-pack-index and a graph of
// the commits, which only another git makes, may name packs that are gone, and leave
// commits out.
const (
	noManyIndex = "core.multiPackIndex=false"
	noGraph     = "core.commitGraph=false"
)

const niceness = 19

// run has git make one pack of what args and in name.
func (p *packing) run(ctx context.Context, dir string, in io.Reader, args ...string) error {
	all := []string{"--git-dir", dir}
	for _, s := range packSettings {
		all = append(all, "-c", s)
	}
	all = append(append(append(all, "pack-objects"), args...), "--delta-base-offset", "--non-empty", "--quiet", filepath.Join(p.temp, "pack"))
	c := exec.CommandContext(ctx, p.program, all...)
	// git's own temporaries shall lie in our folder too, not among the packs.
	c.Env = []string{"LC_ALL=C", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_OBJECT_DIRECTORY=" + p.temp,
		"GIT_ALTERNATE_OBJECT_DIRECTORIES=" + filepath.Join(dir, "objects")}
	c.ExtraFiles = []*os.File{p.held}
	c.WaitDelay = 5 * time.Second
	var stdout, stderr bytes.Buffer
	c.Stdin, c.Stdout, c.Stderr = in, &stdout, &stderr
	err := c.Start()
	if err == nil {
		_ = unix.Setpriority(unix.PRIO_PROCESS, c.Process.Pid, niceness) // it may have ended, or not be allowed: then at full urgency
		err = c.Wait()
	}
	if c.ProcessState != nil {
		if use, ok := c.ProcessState.SysUsage().(*syscall.Rusage); ok {
			p.memory = int64(use.Maxrss) << 10 //nolint:unconvert // of another size on other systems
		}
	}
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("git pack-objects: %w: %.500s", err, bytes.TrimSpace(stderr.Bytes()))
	}
	sum := strings.TrimSpace(stdout.String())
	if !plumbing.IsHash(sum) {
		return fmt.Errorf("git pack-objects: said %.100q", sum)
	}
	p.name = "pack-" + sum
	return nil
}

// packAll makes one pack of all that the references reach, and makes sure, before
// anything is removed, that it holds what they named. As packSome it uses again
// what was worked out before: looking anew makes it 4 % smaller at four times the
// cost.
func (r *repo) packAll(ctx context.Context, p *packing, named []plumbing.Hash) error {
	_, mark, err := r.mark(p.temp)
	if err != nil {
		return err
	}
	if err := p.run(ctx, r.dir, strings.NewReader(mark.String()+"\n"), "--all"); err != nil {
		return err
	}
	idx, err := readIndex(p.temp, p.name)
	if err != nil {
		return err
	}
	return holds(idx, append(named, mark)...)
}

// holds tells what an index lacks.
func holds(idx *idxfile.MemoryIndex, named ...plumbing.Hash) error {
	for _, h := range named {
		if ok, err := idx.Contains(h); err != nil || !ok {
			return errors.Join(fmt.Errorf("the new pack does not hold %s", h), err)
		}
	}
	return nil
}

// mark puts an object beside what is to be packed that is in no other pack. Without
// it a git repack of just the same objects makes a pack of the same bytes, and so of
// the same name: it would be there before our .keep. See keepOurs.
func (r *repo) mark(temp string) (stem string, h plumbing.Hash, err error) {
	dir := filepath.Join(temp, "pack")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", h, err
	}
	it := newItem(plumbing.BlobObject, []byte("packed by belay, "+rand.Text()+"\n"))
	pack, sum, index, err := encodePack(r.zlibs, temp, []item{it})
	if err != nil {
		return "", h, err
	}
	idx, err := encodeIndex(temp, index)
	if err != nil {
		return "", h, err
	}
	stem = "pack-" + sum.String()
	return stem, it.hash, installPack(dir, pack, idx, stem)
}

// packSome makes one pack of some of a folder, and makes sure that it holds each of
// their objects: what one that stays holds too may be gone with that, if another git
// is just taking it away and has left the object out of its own pack as it saw it
// here. What git has worked out before it uses again.
func (r *repo) packSome(ctx context.Context, p *packing, dir string, old iter.Seq[string]) error {
	own, mark, err := r.mark(p.temp)
	if err != nil {
		return err
	}
	var in strings.Builder
	in.WriteString(own + ".pack\n")
	for stem := range old {
		in.WriteString(stem + ".pack\n")
	}
	if err := p.run(ctx, r.dir, strings.NewReader(in.String()), "--stdin-packs"); err != nil {
		return err
	}
	made, err := readIndex(p.temp, p.name)
	if err != nil {
		return err
	}
	if err := holds(made, mark); err != nil {
		return err
	}
	for stem := range old {
		idx, err := readIndex(dir, stem)
		if err == nil {
			err = holdsAll(made, idx)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// holdsAll tells what an index lacks of another.
func holdsAll(made, idx *idxfile.MemoryIndex) (err error) {
	entries, err := idx.Entries()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, entries.Close()) }()
	for {
		e, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = holds(made, e.Hash)
		}
		if err != nil {
			return err
		}
	}
}

// readIndex reads a pack's index as what will read it later does, and makes sure
// that it is of that pack.
func readIndex(dir, stem string) (*idxfile.MemoryIndex, error) {
	data, err := os.ReadFile(filepath.Join(dir, stem+".idx"))
	if err != nil {
		return nil, err
	}
	idx := idxfile.NewMemoryIndex()
	if err := idxfile.NewDecoder(bytes.NewReader(data)).Decode(idx); err != nil {
		return nil, fmt.Errorf("index of %s: %w", stem, err)
	}
	if "pack-"+plumbing.Hash(idx.PackfileChecksum).String() != stem {
		return nil, fmt.Errorf("index of %s names %s", stem, idx.PackfileChecksum)
	}
	return idx, nil
}

package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"belay/devices"
)

// A Cut is where a customer's references stood at one moment, by name.
type Cut map[string]plumbing.Hash

// Main is the commit of main, empty without one.
func (c Cut) Main() string {
	if h := c[mainRef]; !h.IsZero() {
		return h.String()
	}
	return ""
}

// Cut reads a customer's references while nobody writes: each version's tags are
// among them. It takes belay.lock for that moment; the first time in a process it
// clears away first what interrupted writers left.
func (s *Store) Cut(ctx context.Context, customer string) (_ Cut, err error) {
	r, err := s.repo(customer)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = &devices.Error{Kind: devices.KindOf(err), Op: "read the references of", Device: customer, Err: err}
		}
	}()
	if ok, err := r.exists(); !ok || err != nil {
		return nil, err
	}
	l, err := r.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.unlock()) }()
	return r.refs("refs/")
}

// A CopyOf is one file of a repository to be copied: what lies at From, or where
// that is empty the Text.
type CopyOf struct {
	Name string // below history.git, with slashes; one at its end: a folder that must be there
	From string
	Text []byte
}

// Copy shows the files that make a copy of a customer's repository as it was at a
// cut. Captures go on meanwhile; maintenance waits, so no pack goes away under the
// reader. What only this folder's processes need (locks, notes) is left out.
func (s *Store) Copy(ctx context.Context, customer string, at Cut, put func(CopyOf) error) (err error) {
	r, err := s.repo(customer)
	if err != nil {
		return err
	}
	if len(at) == 0 {
		if ok, err := r.exists(); !ok || err != nil {
			return err
		}
	}
	// Packing a long history takes its time, and catching up with a remote twenty minutes.
	m, err := waitPatiently(ctx, r.maintenanceLock(), 15*r.patience, func(ctx context.Context) (*lockFile, error) {
		return lock(ctx, r.maintenanceLock())
	})
	if err != nil {
		return &devices.Error{Kind: devices.KindOf(err), Op: "copy the history of", Device: customer, Err: err}
	}
	defer func() { err = errors.Join(err, m.unlock()) }()
	names, err := r.lasting()
	if err != nil {
		return fmt.Errorf("copy the history of %s: %w", customer, err)
	}
	for _, n := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := put(CopyOf{Name: n, From: filepath.Join(r.dir, filepath.FromSlash(n))}); err != nil {
			return err
		}
	}
	for _, dir := range []string{"objects/info/", "objects/pack/", "refs/heads/", "refs/tags/"} {
		if err := put(CopyOf{Name: dir}); err != nil {
			return err
		}
	}
	if main := at.Main(); main != "" {
		if err := put(CopyOf{Name: mainRef, Text: []byte(main + "\n")}); err != nil {
			return err
		}
	}
	return put(CopyOf{Name: "packed-refs", Text: at.packed()})
}

// packed is a packed-refs file of all but main.
func (c Cut) packed() []byte {
	var b bytes.Buffer
	b.WriteString("# pack-refs with: sorted \n")
	for _, name := range slices.Sorted(maps.Keys(c)) {
		if name != mainRef {
			fmt.Fprintf(&b, "%s %s\n", c[name], name)
		}
	}
	return b.Bytes()
}

// lasting are the files that make the repository, without references: the packs
// each with its index.
func (r *repo) lasting() ([]string, error) {
	names := map[string]bool{}
	err := filepath.WalkDir(r.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return ignoreGone(err)
		}
		name, err := filepath.Rel(r.dir, path)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		base := filepath.Base(name)
		if d.IsDir() {
			if name == "refs" || name == "logs" || strings.HasPrefix(base, "belay-pack-") || strings.HasPrefix(base, "tmp_") {
				return fs.SkipDir
			}
			return nil
		}
		switch {
		case !d.Type().IsRegular(), strings.HasSuffix(base, ".lock"), strings.HasPrefix(base, "tmp_"), strings.HasPrefix(base, ".tmp-"),
			strings.HasPrefix(name, "belay-"), name == "packed-refs", name == "gc.pid":
		case strings.HasPrefix(name, "objects/pack/pack-"):
			pack := strings.TrimSuffix(strings.TrimSuffix(name, ".idx"), ".keep") + ".pack"
			if _, err := os.Stat(filepath.Join(r.dir, pack)); err == nil {
				names[name] = true
				if strings.HasSuffix(name, ".idx") { // a pack that has none yet is nothing yet
					names[pack] = true
				}
			}
		default:
			names[name] = true
		}
		return nil
	})
	return slices.Sorted(maps.Keys(names)), err
}

// Commits counts the commits of the line that ends at a commit.
func (s *Store) Commits(ctx context.Context, customer, main string) (n int, err error) {
	r, err := s.repo(customer)
	if err != nil || main == "" {
		return 0, err
	}
	rd, err := r.open()
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, rd.close()) }()
	for h := plumbing.NewHash(main); !h.IsZero(); n++ {
		c, err := rd.commit(h)
		if err != nil {
			return n, err
		}
		if h = plumbing.ZeroHash; len(c.ParentHashes) > 0 {
			h = c.ParentHashes[0]
		}
		if err := ctx.Err(); err != nil {
			return n, err
		}
	}
	return n, nil
}

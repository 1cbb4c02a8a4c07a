package git

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"

	"belay/configs"
)

// A Look is what only the owner of a history can tell of a version that came from
// elsewhere. Either may be nil: then it is not asked.
type Look struct {
	Open func(sealed []byte) ([]byte, error)              // a sealed original
	Text func(v configs.Version, text configs.Text) error // whether a text may be seen
}

// readNew reads every version between two commits again. What another place says
// of itself is not believed: a version holds what its snapshot.json names and
// nothing else, byte for byte, and is of this customer. Many versions take their time:
// the lock, belay.lock, shows those who wait for it that this goes on.
func (r *repo) readNew(ctx context.Context, l *lockFile, from, to plumbing.Hash, look Look) (n int, err error) {
	rd, err := r.open()
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, rd.close()) }()
	for c, err := range rd.walk(ctx, to) {
		if err != nil {
			return n, err
		}
		if c.Hash == from {
			return n, nil
		}
		n++
		if err := l.mark("reads what came"); err != nil {
			return n, err
		}
		problems, err := rd.strangers(c)
		if err != nil {
			return n, err
		}
		for _, ch := range c.kept() {
			problems = append(problems, rd.lookAt(c, ch, r.customer, look)...)
		}
		if len(problems) > 0 {
			return n, damaged("read what came", fmt.Errorf("version %s: %s", c.Hash, strings.Join(problems, "; ")))
		}
	}
	if !from.IsZero() {
		return n, errDiverged
	}
	return n, nil
}

// strangers are files beside the folders of devices.
func (rd *reader) strangers(c step) (problems []string, err error) {
	root, err := rd.tree(c.TreeHash)
	for _, e := range root {
		if e.Mode != filemode.Dir {
			problems = append(problems, fmt.Sprintf("%q is no device", e.Name))
		}
	}
	return problems, err
}

// lookAt tells what is wrong with a version that came.
func (rd *reader) lookAt(c step, ch change, customer string, look Look) []string {
	v, d, files := rd.prove(c, ch, look.Open)
	if len(v.Problems) > 0 {
		return v.Problems
	}
	problem := func(format string, args ...any) {
		v.Problems = append(v.Problems, ch.name+": "+fmt.Sprintf(format, args...))
	}
	if d.Customer != customer {
		problem("it is of %s, not of %s", d.ID, customer)
	}
	named := []string{snapshotFile}
	for _, f := range d.Files {
		if f.Original != "" {
			named = append(named, f.Original)
		}
		if f.Alone() {
			continue
		}
		named = append(named, f.Name)
	}
	for _, e := range files {
		switch {
		case !slices.Contains(named, e.Name):
			problem("%q is there and its %s does not name it", e.Name, snapshotFile)
		case e.Mode != filemode.Regular:
			problem("%q is no plain file", e.Name)
		}
	}
	if look.Text == nil || len(v.Problems) > 0 {
		return v.Problems
	}
	texts, err := rd.texts(d, files)
	if err != nil {
		problem("%v", err)
	}
	for _, t := range texts {
		if err := look.Text(v.Version, t); err != nil {
			problem("%s: %v", t.Name, err)
		}
	}
	return v.Problems
}

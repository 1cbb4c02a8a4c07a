package git

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// tagRoot is where the tags of changes are; CHANGE/PHASE follows.
const tagRoot = "refs/tags/change/"

// refs are the references whose names begin with under, a folder and its slash.
// go-git's own reading takes a lock file that just stands there for one of them.
func (r *repo) refs(under string) (map[string]plumbing.Hash, error) {
	found := map[string]plumbing.Hash{}
	// Loose ones first: another git that packs references writes packed-refs before
	// it takes the loose one away.
	err := filepath.WalkDir(filepath.Join(r.dir, under), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, ".lock") {
			return ignoreGone(err)
		}
		b, err := os.ReadFile(path)
		if err != nil || bytes.HasPrefix(b, []byte("ref: ")) {
			return ignoreGone(err)
		}
		name, err := filepath.Rel(r.dir, path)
		if err == nil {
			name = filepath.ToSlash(name)
			found[name], err = parseHash(name, strings.TrimSuffix(string(b), "\n"))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	err = r.packedRefs(func(name, sum string) error {
		if _, loose := found[name]; loose || !strings.HasPrefix(name, under) {
			return nil
		}
		var err error
		found[name], err = parseHash(name, sum)
		return err
	})
	return found, err
}

func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// packedRefs shows what packed-refs holds.
func (r *repo) packedRefs(show func(name, sum string) error) error {
	b, err := os.ReadFile(filepath.Join(r.dir, "packed-refs"))
	if err != nil {
		return ignoreGone(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(b))
	for lines.Scan() {
		if sum, name, ok := strings.Cut(lines.Text(), " "); ok && sum != "#" {
			if err := show(name, sum); err != nil {
				return err
			}
		}
	}
	return lines.Err()
}

// A dueTag is one that is to be set.
type dueTag struct {
	Change string `json:"change"`
	Phase  string `json:"phase"`
	Commit string `json:"commit"`
}

// tagNote is belay-tags.json: the tags that belong to a move of main. It is on
// disk before main moves and goes when they are, so that whoever comes after a
// writer that died between the two sets them.
type tagNote struct {
	From string   `json:"from"`
	To   string   `json:"to"`
	Tags []dueTag `json:"tags"`
}

func (r *repo) tagNoteFile() string { return filepath.Join(r.dir, "belay-tags.json") }

// noteTags writes down what is to be set once main is at to.
func (r *repo) noteTags(from, to plumbing.Hash, due []dueTag) error {
	if len(due) == 0 {
		return nil
	}
	data, err := json.Marshal(tagNote{from.String(), to.String(), due})
	if err == nil {
		err = replaceFile(r.tagNoteFile(), append(data, '\n'))
	}
	if err == nil {
		err = syncDir(r.dir)
	}
	if err != nil {
		return fmt.Errorf("note the tags to set: %w", err)
	}
	return nil
}

// finishTags sets what a note names, if main has moved as it says, and drops the
// note. Whoever takes belay.lock calls it, so nobody writes on top of a version
// whose tag is missing.
func (r *repo) finishTags(ctx context.Context) error {
	data, err := os.ReadFile(r.tagNoteFile())
	if err != nil {
		return ignoreGone(err)
	}
	var note tagNote
	if json.Unmarshal(data, &note) != nil {
		return removeIfThere(r.tagNoteFile()) // not of our writing; Verify names what has no tag
	}
	// A tag must not be more durable than the version it belongs to.
	if err := r.secure(); err != nil {
		return err
	}
	head, err := r.head()
	if err != nil {
		return err
	}
	moved := head.String() == note.To
	if !moved && head.String() != note.From { // another git went on from there
		has, err := r.reaches(ctx, head, []string{note.To})
		if err != nil {
			return err
		}
		moved = has[note.To]
	}
	if moved {
		if err := r.setTags(note.Tags); err != nil {
			return err
		}
	}
	return removeIfThere(r.tagNoteFile())
}

// settleTags has the tags set that a dead writer left due, before somebody looks
// at them who would not take belay.lock himself.
func (r *repo) settleTags(ctx context.Context) error {
	if _, err := os.Stat(r.tagNoteFile()); err != nil {
		return ignoreGone(err)
	}
	l, err := r.acquire(ctx)
	if err != nil {
		return err
	}
	return l.unlock()
}

// setTags makes tags that are durable when it returns. One that is there already
// stays.
func (r *repo) setTags(due []dueTag) error {
	for _, d := range due {
		if err := r.setTag(d); err != nil {
			return fmt.Errorf("tag change %s: %w", d.Change, err)
		}
	}
	return nil
}

func (r *repo) setTag(d dueTag) error {
	if err := r.tagFolder(d.Change); err != nil {
		return err
	}
	named, err := r.phaseTags(d.Change)
	if err != nil {
		return err
	}
	next := phaseTag{phase: d.Phase, n: 1}
	for _, p := range named {
		if p.phase != d.Phase {
			continue
		}
		if p.at.String() == d.Commit { // the dead writer came so far
			return r.syncTags(d.Change)
		}
		next.n = p.n + 1
	}
	path := filepath.Join(r.dir, "refs", "tags", next.name(d.Change))
	// A lock of that name is our own dead writer's: nobody else makes these.
	if err := removeIfThere(path + ".lock"); err != nil {
		return err
	}
	if err := writeSynced(path+".lock", []byte(d.Commit+"\n")); err != nil {
		return err
	}
	if err := os.Rename(path+".lock", path); err != nil {
		return errors.Join(err, removeIfThere(path+".lock"))
	}
	return r.syncTags(d.Change)
}

// tagFolder makes the folder for a change's tags, unless something of that name
// is in the way.
func (r *repo) tagFolder(change string) error {
	err := r.packedRefs(func(name, _ string) error {
		if name+"/" == tagRoot || name == tagRoot+change {
			return fmt.Errorf("%s is in the way: rename it", name)
		}
		return nil
	})
	if err != nil {
		return err
	}
	dir := filepath.Join(r.dir, tagRoot, change)
	if fi, err := os.Stat(dir); err == nil && !fi.IsDir() {
		return fmt.Errorf("%s is in the way: rename it", tagRoot+change)
	}
	return makeDirs(dir)
}

// syncTags makes the names of a change's tags durable, up to the repository.
func (r *repo) syncTags(change string) error {
	for _, dir := range []string{tagRoot + change, tagRoot, "refs/tags", "refs"} {
		if err := syncDir(filepath.Join(r.dir, dir)); err != nil {
			return err
		}
	}
	return nil
}

package git

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"

	"belay/configs"
	"belay/devices"
)

// A hint is belay-newest.json: where the branch once was, and the newest version
// of every folder at that time. It spares a new process the walk through all of
// history and, where the branch is still there, any look into the packs; and it
// remembers that there was a history.
type hint struct {
	Head    string                `json:"head"`
	Whole   bool                  `json:"whole,omitempty"` // the folders with files are all there is
	Folders map[string]hintFolder `json:"folders"`
	Sum     string                `json:"sum"` // SHA-256 of the rest; a hint that does not match is none
}

type hintFolder struct {
	Tree    string `json:"tree"`
	Commit  string `json:"commit"`
	Subject string `json:"subject"`

	Version *configs.Version  `json:"version,omitempty"`
	Files   map[string]string `json:"files,omitempty"` // name: object id; ordinary files all
}

func (h hint) sum() (string, error) {
	h.Sum = ""
	data, err := json.Marshal(h)
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), err
}

func (r *repo) hintFile() string { return filepath.Join(r.dir, "belay-newest.json") }

// writeHint records a state whose head is durable.
func (r *repo) writeHint(st *state) error {
	h := hint{Head: st.head.String(), Folders: map[string]hintFolder{}, Whole: true}
	for _, k := range st.devices {
		if k.err == nil {
			h.Folders[k.folder] = k.note()
		}
	}
	for _, e := range st.root {
		h.Whole = h.Whole && e.Mode == filemode.Dir && h.Folders[e.Name].Version != nil
	}
	var err error
	if h.Sum, err = h.sum(); err != nil {
		return err
	}
	data, err := json.Marshal(h)
	if err == nil {
		err = replaceFile(r.hintFile(), append(data, '\n'))
	}
	if err == nil {
		err = syncDir(r.dir)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(r.hintFile()), err)
	}
	r.mu.Lock()
	r.noted = st.head
	r.mu.Unlock()
	return nil
}

func (k kept) note() hintFolder {
	v := k.version
	v.New = false
	f := hintFolder{Tree: k.tree.String(), Commit: v.Commit, Subject: v.Subject, Version: &v, Files: map[string]string{}}
	for _, e := range k.files {
		if e.Mode != filemode.Regular {
			f.Version, f.Files = nil, nil // not of our making: it is read from history
			return f
		}
		f.Files[e.Name] = e.Hash.String()
	}
	return f
}

// kept is what the hint knows of a folder.
func (h hint) kept(folder string) (kept, bool) {
	f := h.Folders[folder]
	if f.Version == nil {
		return kept{}, false
	}
	k := kept{version: *f.Version, folder: folder, tree: plumbing.NewHash(f.Tree), files: make([]object.TreeEntry, 0, len(f.Files))}
	for name, sum := range f.Files {
		k.files = append(k.files, object.TreeEntry{Name: name, Mode: filemode.Regular, Hash: plumbing.NewHash(sum)})
	}
	slices.SortFunc(k.files, compareEntries)
	return k, true
}

// state is that of head, where the hint tells all of it; nil where it does not.
func (h hint) state(head plumbing.Hash) *state {
	if !h.Whole || h.Head != head.String() {
		return nil
	}
	st := &state{head: head, devices: make(map[devices.ID]kept, len(h.Folders)), folders: make(map[string]devices.ID, len(h.Folders))}
	for name := range h.Folders {
		k, ok := h.kept(name)
		if !ok {
			return nil
		}
		st.devices[k.version.ID], st.folders[name] = k, k.version.ID
		st.root = append(st.root, folder(name, k.tree))
	}
	slices.SortFunc(st.root, compareEntries)
	return st
}

// hinted tells whether there is a hint.
func (r *repo) hinted() bool {
	_, err := os.Stat(r.hintFile())
	return err == nil
}

// readHint is zero where there is none, or none that can be trusted.
func (r *repo) readHint() (hint, error) {
	data, err := os.ReadFile(r.hintFile())
	if errors.Is(err, os.ErrNotExist) {
		return hint{}, nil
	}
	if err != nil {
		return hint{}, err
	}
	var h hint
	if !summed(data) || json.Unmarshal(data, &h) != nil {
		return hint{}, nil //nolint:nilerr // a damaged hint is no hint: history is read instead
	}
	return h, nil
}

// summed tells whether a hint's last field is the sum of the rest, with itself
// left empty. It looks at the bytes: encoding it again takes longer than reading it.
func summed(data []byte) bool {
	const field = `"sum":"`
	data = bytes.TrimSuffix(data, []byte("\n"))
	i := bytes.LastIndex(data, []byte(field)) + len(field)
	if i < len(field) || len(data) != i+sha256.Size*2+len(`"}`) {
		return false
	}
	h := sha256.New()
	for _, part := range [][]byte{data[:i], data[i+sha256.Size*2:]} {
		h.Write(part) // a hash takes all
	}
	return hex.EncodeToString(h.Sum(nil)) == string(data[i:i+sha256.Size*2])
}

// continues makes sure that head is the history that the hint remembers: a
// branch that was deleted or put back is not to be built upon as if it were new,
// and what it held not to be thrown away.
func (r *repo) continues(ctx context.Context, head plumbing.Hash) error {
	h, err := r.readHint()
	if err != nil || h.Head == "" {
		return err
	}
	has := map[string]bool{}
	if !head.IsZero() {
		if has, err = r.reaches(ctx, head, []string{h.Head}); err != nil {
			return err
		}
	}
	if has[h.Head] {
		return nil
	}
	return r.lostHead(h.Head)
}

func (r *repo) lostHead(was string) error {
	e := damaged("compare history", fmt.Errorf("%s no longer leads to %s, where it was", mainRef, was))
	e.Hint = fmt.Sprintf("put it back: git --git-dir %s update-ref %s %s; if history was rewritten on purpose, remove %s", r.dir, mainRef, was, r.hintFile())
	return e
}

// lostBefore tells what a head should lead to and does not: where the hint saw
// the branch, and where this process itself left it. Met are commits known to be
// in its line. A person who removes the hint accepts the branch as it is.
func (r *repo) lostBefore(ctx context.Context, head plumbing.Hash, known hint, last plumbing.Hash, met map[plumbing.Hash]bool) (lost, err error) {
	if known.Head == "" {
		return nil, nil
	}
	var want []string
	for _, was := range []plumbing.Hash{last, plumbing.NewHash(known.Head)} {
		if !was.IsZero() && !met[was] {
			want = append(want, was.String())
		}
	}
	if len(want) == 0 {
		return nil, nil
	}
	has, err := r.reaches(ctx, head, want)
	if err != nil {
		return nil, err
	}
	for _, was := range want {
		if !has[was] {
			return r.lostHead(was), nil
		}
	}
	return nil, nil
}

// unbroken is the current state, if it may be built upon.
func (r *repo) unbroken(ctx context.Context) (*state, error) {
	st, err := r.current(ctx)
	if err != nil || st.lost == nil {
		return st, err
	}
	if r.hinted() {
		return nil, st.lost
	}
	st, err = r.load(ctx, st.head, nil)
	return st, err
}

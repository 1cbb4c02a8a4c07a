package git

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/go-git/go-git/v5/plumbing"
)

// A hint is belay-newest.json: where the branch once was, and which commit the
// newest version of every folder came from then. It spares a new process the
// walk through all of history, and it remembers that there was a history.
type hint struct {
	Head    string                `json:"head"`
	Folders map[string]hintFolder `json:"folders"`
	Sum     string                `json:"sum"` // SHA-256 of the rest; a hint that does not match is none
}

type hintFolder struct {
	Tree    string `json:"tree"`
	Commit  string `json:"commit"`
	Subject string `json:"subject"`
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
	h := hint{Head: st.head.String(), Folders: map[string]hintFolder{}}
	for _, k := range st.devices {
		if k.err == nil {
			h.Folders[k.folder] = hintFolder{k.tree.String(), k.version.Commit, k.version.Subject}
		}
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
	return nil
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
	if json.Unmarshal(data, &h) != nil {
		return hint{}, nil //nolint:nilerr // a damaged hint is no hint: history is read instead
	}
	if sum, err := h.sum(); err != nil || sum != h.Sum {
		return hint{}, err
	}
	return h, nil
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
	e := damaged("compare history", fmt.Errorf("%s no longer leads to %s, where it was", mainRef, h.Head))
	e.Hint = fmt.Sprintf("put it back: git --git-dir %s update-ref %s %s; if history was rewritten on purpose, remove %s", r.dir, mainRef, h.Head, r.hintFile())
	return e
}

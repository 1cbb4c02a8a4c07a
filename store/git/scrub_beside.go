package git

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/transport"

	"belay/configs"
)

// RereadLatest reads the newest originals again that lie beside the history, in
// the order of their folders and from the one behind after on.
func (s *Store) RereadLatest(ctx context.Context, customer, after string, open func(sealed []byte) ([]byte, error)) iter.Seq2[Part, error] {
	return func(yield func(Part, error) bool) {
		r, err := s.repo(customer)
		if err != nil {
			yield(Part{}, err)
			return
		}
		names, err := listing(r.latestDir(""))
		if errors.Is(err, os.ErrNotExist) {
			return
		}
		if err != nil {
			yield(Part{}, err)
			return
		}
		for i, name := range names {
			if name <= after {
				continue
			}
			if err := ctx.Err(); err != nil {
				yield(Part{}, err)
				return
			}
			part := r.rereadLatest(name, open)
			part.Through = float64(i+1) / float64(len(names))
			if !yield(part, nil) {
				return
			}
		}
	}
}

// rereadLatest reads one folder, again where a capture wrote in it meanwhile.
func (r *repo) rereadLatest(name string, open func([]byte) ([]byte, error)) (part Part) {
	dir := r.latestDir(name)
	for range 3 {
		was, err := os.ReadFile(filepath.Join(dir, "latest.json"))
		part = Part{Name: name, Bytes: int64(len(was))}
		if err == nil {
			part.Problems = r.latestProblems(dir, was, open, &part.Bytes)
		} else if left, _ := listing(dir); !errors.Is(err, os.ErrNotExist) || len(left) > 0 {
			part.Problems = []string{"latest.json: " + err.Error()}
		}
		now, _ := os.ReadFile(filepath.Join(dir, "latest.json"))
		if len(part.Problems) == 0 || string(now) == string(was) {
			break
		}
	}
	return part
}

func (r *repo) latestProblems(dir string, note []byte, open func([]byte) ([]byte, error), read *int64) (problems []string) {
	problem := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	var l latest
	if err := json.Unmarshal(note, &l); err != nil || l.Schema != 1 || len(l.Files) == 0 {
		return []string{"latest.json: it makes no sense"}
	}
	if err := r.hasCommit(l.Commit); err != nil {
		problem("latest.json: the version that it stands beside: %v", err)
	}
	for _, f := range l.Files {
		data, err := os.ReadFile(filepath.Join(dir, f.Name+".age"))
		if err != nil {
			problem("%s.age: %v", f.Name, err)
			continue
		}
		*read += int64(len(data))
		plain, err := open(data)
		if err != nil {
			problem("%s.age: open: %v", f.Name, err)
			continue
		}
		// Where the file is not the one that the note tells of, a writer was
		// interrupted between the two: it is newer, and another text.
		same, noted := configs.Digest(plain) == f.Digest, configs.Digest(data) == f.Sealed
		if same != noted {
			problem("%s.age: it is not the one that latest.json tells of", f.Name)
		}
	}
	return problems
}

// hasCommit reads a commit.
func (r *repo) hasCommit(name string) (err error) {
	rd, err := r.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rd.close()) }()
	_, err = rd.commit(plumbing.NewHash(name))
	return err
}

// Remotely is what a customer's remote said that it holds.
type Remotely struct {
	Place   string   // for people, without logins
	Second  bool     // it is another place than the store
	Main    string   // the commit at which its main is
	Missing []string // what it should hold and does not
}

// Ask asks a customer's remote what it holds, and writes nothing there. What was
// committed after settled need not be there yet: its own push is under way. ok is
// false where no remote is set up.
func (s *Store) Ask(ctx context.Context, customer string, settled time.Time) (_ Remotely, ok bool, err error) {
	r, err := s.repo(customer)
	if err != nil {
		return Remotely{}, false, err
	}
	remote, ok := s.remote(customer)
	if !ok {
		return Remotely{}, false, nil
	}
	if there, err := r.exists(); !there || err != nil {
		return Remotely{}, false, err
	}
	asking, cancel := context.WithTimeout(ctx, remote.timeout())
	defer cancel()
	t, err := s.transport(remote)
	if err != nil {
		return Remotely{}, true, unproven(customer, "the remote", err)
	}
	said := Remotely{Place: t.place(), Second: !t.local() || remote.Elsewhere}
	at, err := t.ask(asking)
	if errors.Is(err, transport.ErrEmptyRemoteRepository) {
		err = nil // it is there, and holds nothing
	}
	if err = errors.Join(err, t.close()); err != nil {
		return said, true, unproven(customer, said.Place, err)
	}
	if main := at[mainRef]; !main.IsZero() {
		said.Main = main.String()
	}
	said.Missing, err = r.missing(ctx, at, settled)
	return said, true, err
}

// missing compares what the remote told with what is here by now, which can only
// be more.
func (r *repo) missing(ctx context.Context, at map[string]plumbing.Hash, settled time.Time) (missing []string, err error) {
	tags, err := r.refs("refs/tags/")
	if err != nil {
		return nil, err
	}
	head, err := r.head()
	if err != nil {
		return nil, err
	}
	rd, err := r.open()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rd.close()) }()
	due := func(h plumbing.Hash) bool { // what cannot be read is damage here, and told elsewhere
		c, err := rd.commit(h)
		return err == nil && c.Committer.When.Before(settled)
	}
	behind, old, met := 0, false, at[mainRef].IsZero()
	for h := head; !h.IsZero() && h != at[mainRef]; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		c, err := rd.commit(h)
		if err != nil {
			return nil, err
		}
		behind, old = behind+1, old || c.Committer.When.Before(settled)
		if h = plumbing.ZeroHash; len(c.ParentHashes) > 0 {
			h = c.ParentHashes[0]
		}
		met = met || h == at[mainRef]
	}
	switch {
	case behind > 0 && !met:
		missing = append(missing, fmt.Sprintf("its main is at %.12s, which is not in this history", at[mainRef]))
	case old && at[mainRef].IsZero():
		missing = append(missing, "it has no main")
	case old:
		missing = append(missing, fmt.Sprintf("its main is at %.12s; versions it lacks: %d", at[mainRef], behind))
	}
	for name, h := range tags {
		there, ok := at[name]
		name = strings.TrimPrefix(name, "refs/tags/")
		switch {
		case ok && there != h:
			missing = append(missing, "its tag "+name+" is at another commit")
		case !ok && due(h):
			missing = append(missing, "it does not have the tag "+name)
		}
	}
	slices.Sort(missing)
	return missing, nil
}

// Led tells whether a commit is in the line that ends at main: what a remote that
// is there holds.
func (s *Store) Led(ctx context.Context, customer, main, commit string) (bool, error) {
	r, err := s.repo(customer)
	if err != nil || main == "" {
		return false, err
	}
	if main == commit {
		return true, nil
	}
	has, err := r.reaches(ctx, plumbing.NewHash(main), []string{commit})
	return has[commit], err
}

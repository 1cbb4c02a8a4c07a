package git

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"

	"belay/configs"
	"belay/configs/redact"
	"belay/devices"
)

// Head is where the history of a customer stands, "" where there is none. It
// reads one small file and opens nothing.
func (s *Store) Head(ctx context.Context, customer string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	r, err := s.repo(customer)
	if err != nil {
		return "", err
	}
	h, err := r.head()
	if err != nil {
		return "", &devices.Error{Kind: devices.KindOf(err), Op: "read history of", Device: customer, Err: err}
	}
	if h.IsZero() {
		return "", nil
	}
	return h.String(), nil
}

// Along goes through a customer's history from behind one commit ("": from the
// first) up to another, the oldest version first. Those that are a device's newest
// at the end bring their texts. One that is damaged says so, with what its commit
// tells of it, and does not keep the others away. A history that does not lead from the one to the
// other is configs.ErrOffLine.
func (s *Store) Along(ctx context.Context, customer, from, to string) iter.Seq2[configs.Indexed, error] {
	return func(yield func(configs.Indexed, error) bool) {
		yield = heard(yield)
		if err := s.along(ctx, customer, from, to, func(v configs.Indexed) bool { return yield(v, nil) }); err != nil {
			yield(configs.Indexed{}, &devices.Error{Kind: devices.KindOf(err), Op: "read history of", Device: customer, Err: err})
		}
	}
}

func (s *Store) along(ctx context.Context, customer, from, to string, yield func(configs.Indexed) bool) (err error) {
	r, err := s.repo(customer)
	if err != nil {
		return err
	}
	if !plumbing.IsHash(to) || from != "" && !plumbing.IsHash(from) {
		return fmt.Errorf("from %.50q to %.50q: want names of commits", from, to)
	}
	rd, err := r.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rd.close()) }()
	spots, err := rd.spots(ctx, from, to)
	if err != nil {
		return err
	}
	whose := map[string]devices.ID{} // by folder, as far as it was met
	for _, p := range slices.Backward(spots) {
		if err := ctx.Err(); err != nil {
			return err
		}
		v, err := rd.indexed(p)
		if err = passing(err); err != nil {
			return fmt.Errorf("version %s: %w", p.commit, err)
		}
		if v.Version.ID == "" {
			if v.Version, err = rd.outline(p, customer, whose[p.name]); err != nil {
				return fmt.Errorf("version %s: %w", p.commit, err)
			}
		}
		whose[p.name] = v.Version.ID
		if !yield(v) {
			return nil
		}
	}
	return nil
}

// A spot is where a version is: little, for there may be many.
type spot struct {
	commit, folder plumbing.Hash
	name           string        // of the folder
	was            plumbing.Hash // the folder before
	subject        string
	newest         bool // nothing later was seen of this folder
}

// spots are the versions behind from, up to to, the newest first.
func (rd *reader) spots(ctx context.Context, from, to string) ([]spot, error) {
	var spots []spot
	later := map[string]bool{} // folders whose device has a later version
	met := from == ""
	for c, err := range rd.walk(ctx, plumbing.NewHash(to)) {
		if err != nil {
			return nil, err
		}
		if c.Hash.String() == from {
			met = true
			break
		}
		moved := map[string]bool{}
		for _, ch := range c.changes {
			switch {
			case ch.is.IsZero():
			case ch.moved != "":
				moved[ch.moved] = later[ch.name] // before this commit the device was there
			default:
				spots = append(spots, spot{commit: c.Hash, folder: ch.is, name: ch.name, was: ch.was, subject: subject(c.Message), newest: !later[ch.name]})
				later[ch.name] = true
			}
		}
		for name, is := range moved {
			later[name] = is
		}
	}
	if !met {
		return nil, fmt.Errorf("from %s to %s: %w", from, to, configs.ErrOffLine)
	}
	return spots, nil
}

func (rd *reader) indexed(p spot) (configs.Indexed, error) {
	d, folder, err := rd.document(p.folder)
	if err != nil {
		return configs.Indexed{Damage: err}, err
	}
	v := configs.Indexed{Version: d.version(p.commit.String(), p.subject)}
	if p.newest {
		v.Texts, err = rd.texts(d, folder)
		v.Damage = err
	}
	return v, err
}

// passing is what keeps a version from being read that may be whole: all but
// damage of its own.
func passing(err error) error {
	var disk *fs.PathError
	if devices.KindOf(err) == devices.Damaged && !errors.As(err, &disk) {
		return nil
	}
	return err
}

// outline is what its commit tells of a version whose snapshot.json cannot be
// read. before is whose the folder was before; where that is not known, the folder
// as it was tells, or else its name.
func (rd *reader) outline(p spot, customer string, before devices.ID) (configs.Version, error) {
	c, err := rd.commit(p.commit)
	if err != nil {
		return configs.Version{}, err
	}
	if d, _, err := rd.document(p.was); before == "" && !p.was.IsZero() && err == nil {
		before = d.ID
	}
	if before == "" {
		before = devices.Device{Customer: customer, Name: p.name}.ID()
	}
	return configs.Version{
		ID: before, Name: p.name, Commit: p.commit.String(), Taken: c.Author.When, By: configs.Person{Name: c.Author.Name, Email: c.Author.Email},
		Subject: p.subject + " (damaged: belay verify)",
	}, nil
}

func (rd *reader) texts(d document, folder []object.TreeEntry) ([]configs.Text, error) {
	var texts []configs.Text
	for _, f := range d.Files {
		if f.Alone() {
			continue
		}
		data, err := rd.named(folder, f.Name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		clean, err := redact.Restore(data, f.Digest)
		if err != nil {
			return nil, damaged("compare", fmt.Errorf("%s: %w", f.Name, err))
		}
		texts = append(texts, configs.Text{Name: f.Name, Clean: clean})
	}
	return texts, nil
}

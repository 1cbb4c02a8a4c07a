package git

import (
	"context"
	"errors"
	"fmt"
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
// at the end bring their texts. A history that does not lead from the one to the
// other is configs.ErrOffLine.
func (s *Store) Along(ctx context.Context, customer, from, to string) iter.Seq2[configs.Indexed, error] {
	return func(yield func(configs.Indexed, error) bool) {
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
	for _, p := range slices.Backward(spots) {
		if err := ctx.Err(); err != nil {
			return err
		}
		v, err := rd.indexed(p)
		if err != nil {
			return fmt.Errorf("version %s: %w", p.commit, err)
		}
		if !yield(v) {
			return nil
		}
	}
	return nil
}

// A spot is where a version is: little, for there may be many.
type spot struct {
	commit, folder plumbing.Hash
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
				spots = append(spots, spot{commit: c.Hash, folder: ch.is, subject: subject(c.Message), newest: !later[ch.name]})
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
		return configs.Indexed{}, err
	}
	v := configs.Indexed{Version: d.version(p.commit.String(), p.subject)}
	if p.newest {
		v.Texts, err = rd.texts(d, folder)
	}
	return v, err
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

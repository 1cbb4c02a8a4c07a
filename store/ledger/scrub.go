package ledger

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"

	"belay/configs"
	"belay/devices"
)

// A Reread is one thing of the database that was read again.
type Reread struct {
	At       string // what comes next is read from behind it
	Through  float64
	Bytes    int64
	Name     string // of the thing, for people
	Key      string
	Digest   string // of the document, where it is a paper
	Device   devices.ID
	Problems []string // empty: it is what was written
}

// Customers are those that have a chain, "" among them where it has one.
func (l *Ledger) Customers(ctx context.Context) ([]string, error) {
	customers, err := column(ctx, l.read, "SELECT DISTINCT customer FROM entries ORDER BY customer")
	return customers, failed("list the customers", err)
}

// CheckPages has SQLite look through its file: it finds what disturbs the order
// of pages and rows. What a row says is held to digests where it is chained,
// filed or sealed.
func (l *Ledger) CheckPages(ctx context.Context) error {
	for _, pragma := range []string{"PRAGMA quick_check", "PRAGMA foreign_key_check"} {
		if err := l.pragma(ctx, pragma); err != nil {
			return failed("check the database", err)
		}
	}
	return nil
}

// RereadPapers reads a customer's papers again in the order they were filed, from
// the one behind after on: each against what was filed, and what is sealed opened.
func (l *Ledger) RereadPapers(ctx context.Context, customer, after string, open func(sealed []byte) ([]byte, error)) iter.Seq2[Reread, error] {
	return func(yield func(Reread, error) bool) {
		const op = "read the papers again"
		ids, err := column(ctx, l.read, "SELECT id FROM papers WHERE customer = "+quoted(customer)+" ORDER BY id")
		if err != nil {
			yield(Reread{}, failed(op, err))
			return
		}
		last, _ := strconv.ParseInt(after, 10, 64)
		for i, text := range ids {
			id, err := strconv.ParseInt(text, 10, 64)
			if err == nil && id <= last {
				continue
			}
			r := Reread{At: text, Through: float64(i+1) / float64(len(ids)), Key: "paper " + text, Name: "paper " + text}
			if err == nil {
				err = l.rereadPaper(ctx, id, &r, open)
			}
			if err != nil {
				yield(Reread{}, failed(op, err))
				return
			}
			if !yield(r, nil) {
				return
			}
		}
	}
}

func (l *Ledger) rereadPaper(ctx context.Context, id int64, r *Reread, open func([]byte) ([]byte, error)) error {
	// First what it is called, which may be read though it is damaged.
	var kind, change string
	err := l.read.QueryRowContext(ctx, "SELECT kind, change, digest FROM papers WHERE id = ?", id).Scan(&kind, &change, &r.Digest)
	if err != nil {
		return failed("read", err)
	}
	r.Name = fmt.Sprintf("%s %.8s of change %s", kind, r.Digest, change)
	p, err := scanPaper(l.read.QueryRowContext(ctx, "SELECT "+paperColumns+" FROM papers WHERE id = ?", id))
	if err = failed("read", err); err != nil {
		if devices.KindOf(err) != devices.Damaged {
			return err
		}
		r.Problems = []string{err.Error()}
		return nil
	}
	r.Bytes = int64(len(p.Bytes))
	if !p.Sealed {
		return nil
	}
	plain, err := open(p.Bytes)
	if err == nil && configs.Digest(plain) != p.Digest {
		err = errors.New("what it holds is not what was filed")
	}
	if err != nil {
		r.Problems = []string{err.Error()}
	}
	return nil
}

// RereadHeld reads again what was refused of a customer's devices and is held, in
// the order of the devices and from the one behind after on.
func (l *Ledger) RereadHeld(ctx context.Context, customer, after string, open func(sealed []byte) ([]byte, error)) iter.Seq2[Reread, error] {
	return func(yield func(Reread, error) bool) {
		const op = "read what was refused again"
		// '0' is what follows '/': these are the ids that begin with the customer.
		ids, err := column(ctx, l.read, "SELECT device FROM held WHERE device >= "+quoted(customer+"/")+" AND device < "+quoted(customer+"0")+" ORDER BY device")
		if err != nil {
			yield(Reread{}, failed(op, err))
			return
		}
		for i, id := range ids {
			if id <= after {
				continue
			}
			r := Reread{At: id, Through: float64(i+1) / float64(len(ids)), Key: id, Device: devices.ID(id), Name: "what was refused of " + id}
			held, ok, err := l.Held(ctx, devices.ID(id))
			switch {
			case devices.KindOf(err) == devices.Damaged:
				r.Problems = []string{err.Error()}
			case err != nil:
				yield(Reread{}, failed(op, err))
				return
			case !ok:
				continue // let go of in this moment
			}
			for _, o := range held.Originals {
				r.Bytes += int64(len(o.Bytes))
				plain, err := open(o.Bytes)
				if err == nil && configs.Digest(plain) != o.Digest {
					err = errors.New("it is not what was refused")
				}
				if err != nil {
					r.Problems = append(r.Problems, fmt.Sprintf("%s: %v", o.Name, err))
				}
			}
			if !yield(r, nil) {
				return
			}
		}
	}
}

// quoted is a name as SQL has it. Customers are checked names; this holds for any.
func quoted(s string) string {
	text := "'"
	for _, c := range s {
		if c == '\'' {
			text += "'"
		}
		text += string(c)
	}
	return text + "'"
}

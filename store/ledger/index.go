package ledger

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"time"

	"belay/configs"
	"belay/devices"
)

// Head is the commit at which the index of a customer stands.
func (l *Ledger) Head(ctx context.Context, customer string) (string, error) {
	_, head, err := indexHead(ctx, l.read, customer)
	return head, failed("read the index", err)
}

func indexHead(ctx context.Context, q rower, customer string) (number int64, head string, err error) {
	var sum []byte
	err = q.QueryRowContext(ctx, "SELECT number, head FROM index_customers WHERE customer = ?", customer).Scan(&number, &sum)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, "", nil
	}
	return number, hex.EncodeToString(sum), err
}

// Standing is where the index of each customer stands.
func (l *Ledger) Standing(ctx context.Context) (map[string]string, error) {
	heads := map[string]string{}
	_, err := collect(ctx, l.read, func(rows *sql.Rows) (struct{}, error) {
		var customer string
		var sum []byte
		err := rows.Scan(&customer, &sum)
		heads[customer] = hex.EncodeToString(sum)
		return struct{}{}, err
	}, "SELECT customer, head FROM index_customers")
	return heads, failed("read the index", err)
}

// Extend brings a customer's index from one commit to another, in one transaction.
func (l *Ledger) Extend(ctx context.Context, customer, from, to string, versions []configs.Indexed) error {
	const op = "write the index"
	head, err := hash(to)
	if err == nil {
		err = devices.CheckName(customer)
	}
	if err != nil {
		return failed(op, err)
	}
	rows, err := indexRows(customer, versions) // compressed before anybody has to wait for it
	if err != nil {
		return failed(op, err)
	}
	return failed(op, l.write.do(ctx, func(ctx context.Context, tx *sql.Tx) error {
		number, at, err := indexHead(ctx, tx, customer)
		if err != nil {
			return err
		}
		if from != "" && at != from {
			return fmt.Errorf("customer %s, from %s: %w", customer, from, configs.ErrIndexMoved)
		}
		if from == "" {
			if err := dropIndex(ctx, tx, customer); err != nil {
				return err
			}
			r, err := tx.ExecContext(ctx, "INSERT INTO index_customers (customer, head) VALUES (?, ?)", customer, head)
			if err != nil {
				return err
			}
			if number, err = r.LastInsertId(); err != nil {
				return err
			}
		}
		x := indexing{tx: tx, customer: number, phrases: map[string]int64{}, devices: map[devices.ID]*indexedDevice{}}
		for _, row := range rows {
			if err := x.add(ctx, row); err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, "UPDATE index_customers SET head = ? WHERE number = ?", head, number)
		return err
	}))
}

// Drop takes a customer out of the index.
func (l *Ledger) Drop(ctx context.Context, customer string) error {
	return failed("clear the index", l.write.do(ctx, func(ctx context.Context, tx *sql.Tx) error { return dropIndex(ctx, tx, customer) }))
}

func dropIndex(ctx context.Context, tx *sql.Tx, customer string) error {
	number, _, err := indexHead(ctx, tx, customer)
	if err != nil || number == 0 {
		return err
	}
	for _, table := range []string{"index_texts WHERE customer", "index_versions WHERE customer", "index_phrases WHERE customer", "index_customers WHERE number"} {
		if _, err := tx.ExecContext(ctx, "DELETE FROM "+table+" = ?", number); err != nil {
			return err
		}
	}
	return nil
}

// An indexing is one transaction that adds versions to a customer's index.
type indexing struct {
	tx       *sql.Tx
	customer int64
	phrases  map[string]int64
	devices  map[devices.ID]*indexedDevice
}

type indexedDevice struct{ number, place int64 }

func (x *indexing) add(ctx context.Context, row indexRow) error {
	d, ok := x.devices[row.id]
	if !ok {
		d = &indexedDevice{}
		var err error
		if d.number, err = number(ctx, x.tx, row.id); err != nil {
			return err
		}
		if err := x.tx.QueryRowContext(ctx, "SELECT coalesce(max(place), 0) FROM index_versions WHERE device = ?", d.number).Scan(&d.place); err != nil {
			return err
		}
		x.devices[row.id] = d
	}
	d.place++
	var numbers [4]int64
	for i, text := range []string{row.who, row.about, row.subject, row.change} {
		var err error
		if numbers[i], err = x.phrase(ctx, text); err != nil {
			return err
		}
	}
	_, err := x.tx.ExecContext(ctx, `INSERT INTO index_versions (device, place, customer, taken, version, who, about, subject, change, sums)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, d.number, d.place, x.customer, row.taken, row.version, numbers[0], numbers[1], numbers[2], numbers[3], row.sums)
	if err != nil || row.texts == nil {
		return err
	}
	if _, err := x.tx.ExecContext(ctx, "DELETE FROM index_texts WHERE device = ?", d.number); err != nil {
		return err
	}
	for _, t := range row.texts {
		_, err := x.tx.ExecContext(ctx, "INSERT INTO index_texts (device, file, customer, name, version, body) VALUES (?, ?, ?, ?, ?, ?)",
			d.number, t.file, x.customer, row.name, row.version, t.body)
		if err != nil {
			return err
		}
	}
	return nil
}

// phrase is the number of a text that many versions have in common.
func (x *indexing) phrase(ctx context.Context, text string) (n int64, err error) {
	if text == "" {
		return 0, nil
	}
	if n, ok := x.phrases[text]; ok {
		return n, nil
	}
	defer func() {
		if err == nil {
			x.phrases[text] = n
		}
	}()
	sum := phraseHash(text)
	err = x.tx.QueryRowContext(ctx, "SELECT number FROM index_phrases WHERE customer = ? AND hash = ? AND text = ?", x.customer, sum, text).Scan(&n)
	if !errors.Is(err, sql.ErrNoRows) {
		return n, err
	}
	r, err := x.tx.ExecContext(ctx, "INSERT INTO index_phrases (customer, hash, text) VALUES (?, ?, ?)", x.customer, sum, text)
	if err != nil {
		return 0, err
	}
	return r.LastInsertId()
}

const indexColumns = `SELECT names.device, v.place, v.taken, v.version, who.text, about.text, subject.text, change.text, v.sums
	FROM index_versions v JOIN names ON names.number = v.device
	LEFT JOIN index_phrases who ON who.number = v.who LEFT JOIN index_phrases about ON about.number = v.about
	LEFT JOIN index_phrases subject ON subject.number = v.subject LEFT JOIN index_phrases change ON change.number = v.change `

// pageOf is how many versions are read at once.
const pageOf = 500

// Versions are a device's versions, newest first.
func (l *Ledger) Versions(ctx context.Context, id devices.ID) iter.Seq2[configs.Version, error] {
	return func(yield func(configs.Version, error) bool) {
		// The first page is small: most who ask want the newest ones.
		for below, most := int64(1)<<62, 32; ; most = pageOf {
			rows, err := collect(ctx, l.read, scanIndexed, indexColumns+"WHERE v.device = (SELECT number FROM names WHERE device = ?) AND v.place < ? ORDER BY v.place DESC LIMIT ?", string(id), below, most)
			if err != nil {
				yield(configs.Version{}, failed("read the index", err))
				return
			}
			for _, row := range rows {
				if !yield(row.version, nil) {
					return
				}
				below = row.place
			}
			if len(rows) < most {
				return
			}
		}
	}
}

// At is the version that stood at a time.
func (l *Ledger) At(ctx context.Context, id devices.ID, t time.Time) (configs.Version, bool, error) {
	rows, err := collect(ctx, l.read, scanIndexed, indexColumns+"WHERE v.device = (SELECT number FROM names WHERE device = ?) AND v.taken <= ? ORDER BY v.place DESC LIMIT 1", string(id), nanos(t))
	if err != nil || len(rows) == 0 {
		return configs.Version{}, false, failed("read the index", err)
	}
	return rows[0].version, true, nil
}

const sinceWhere = `WHERE v.taken >= ?1 AND (?2 = '' OR v.customer = (SELECT number FROM index_customers WHERE customer = ?2))
	ORDER BY v.taken, v.device, v.place`

// Since are the versions taken at or after a time, the oldest first.
func (l *Ledger) Since(ctx context.Context, customer string, t time.Time) iter.Seq2[configs.Version, error] {
	return each("read the index", func() ([]configs.Version, error) {
		return collect(ctx, l.read, func(rows *sql.Rows) (configs.Version, error) {
			row, err := scanIndexed(rows)
			return row.version, err
		}, indexColumns+sinceWhere, nanos(t), customer)
	})
}

// hash is a commit's name as the database has it.
func hash(commit string) ([]byte, error) {
	b, err := hex.DecodeString(commit)
	if err != nil || len(b) == 0 {
		return nil, fmt.Errorf("%q is no commit", commit)
	}
	return b, nil
}

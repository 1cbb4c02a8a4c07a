package ledger

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"iter"

	"belay/configs"
)

// Mark is the value of one mark, nil where there is none.
func (l *Ledger) Mark(ctx context.Context, kind, key string) ([]byte, error) {
	value, err := mark(ctx, &l.often, kind, key)
	return value, failed("read a mark", err)
}

func mark(ctx context.Context, q rower, kind, key string) (value []byte, err error) {
	err = q.QueryRowContext(ctx, "SELECT value FROM marks WHERE kind = ? AND key = ?", kind, key).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return value, err
}

// Marks are all marks of a kind, by key, as they were when the first was asked
// for: whoever walks through them may write meanwhile.
func (l *Ledger) Marks(ctx context.Context, kind string) iter.Seq2[configs.Mark, error] {
	return each("read the marks", func() ([]configs.Mark, error) {
		return collect(ctx, &l.often, func(rows *sql.Rows) (m configs.Mark, err error) {
			return m, rows.Scan(&m.Key, &m.Value)
		}, "SELECT key, value FROM marks WHERE kind = ? ORDER BY key", kind)
	})
}

// SetMarks writes marks of a kind, all or none of them.
func (l *Ledger) SetMarks(ctx context.Context, kind string, marks ...configs.Mark) error {
	err := l.write.do(ctx, func(ctx context.Context, tx *sql.Tx) error {
		for _, m := range marks {
			if err := setMark(ctx, tx, kind, m.Key, m.Value); err != nil {
				return err
			}
		}
		return nil
	})
	return failed("write marks", err)
}

func setMark(ctx context.Context, tx *sql.Tx, kind, key string, value []byte) error {
	if value == nil {
		_, err := tx.ExecContext(ctx, "DELETE FROM marks WHERE kind = ? AND key = ?", kind, key)
		return err
	}
	_, err := tx.ExecContext(ctx, "INSERT OR REPLACE INTO marks (kind, key, value) VALUES (?, ?, ?)", kind, key, value)
	return err
}

// SwapMark writes one mark if its value is still old, and tells whether it was.
func (l *Ledger) SwapMark(ctx context.Context, kind, key string, old, value []byte) (swapped bool, err error) {
	err = l.write.do(ctx, func(ctx context.Context, tx *sql.Tx) error {
		swapped = false // a transaction may be run twice
		now, err := mark(ctx, tx, kind, key)
		if err != nil || (now == nil) != (old == nil) || !bytes.Equal(now, old) {
			return err
		}
		swapped = true
		return setMark(ctx, tx, kind, key, value)
	})
	return swapped && err == nil, failed("write a mark", err)
}

// collect reads all rows of a query. What is read is over when it returns, so
// that no reader that takes its time keeps the log of the database from ending.
func collect[T any](ctx context.Context, q interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}, scan func(*sql.Rows) (T, error), query string, args ...any) (vs []T, err error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		vs = append(vs, v)
	}
	return vs, rows.Err()
}

// each is what read gives, one at a time; its error comes alone.
func each[T any](op string, read func() ([]T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		vs, err := read()
		if err != nil {
			var none T
			yield(none, failed(op, err))
			return
		}
		for _, v := range vs {
			if !yield(v, nil) {
				return
			}
		}
	}
}

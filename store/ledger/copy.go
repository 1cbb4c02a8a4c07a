package ledger

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"modernc.org/sqlite"
)

// A Head is where a chain ended at one moment. Kept elsewhere it shows later
// whether entries were cut off.
type Head struct {
	Customer string `json:"customer"` // empty: what concerns no customer
	Entries  int64  `json:"entries"`
	Hash     string `json:"hash"` // of the last entry, in hexadecimal
}

// Copy writes the database as it is at one moment into a new file at path, by
// SQLite's own means, and returns where the chains ended. The moment lasts as long
// as still, which is called in it: nobody appends meanwhile, so what still sees of
// the histories has all that the copy names, and nothing of a change that the copy
// does not know. It must be brief, and may be called again. Reading and writing go
// on while the pages are copied.
func (l *Ledger) Copy(ctx context.Context, path string, still func(ctx context.Context) error) (heads []Head, err error) {
	const op = "copy the ledger"
	conn, err := l.read.Conn(ctx)
	if err != nil {
		return nil, failed(op, err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	began := false
	end := func() error {
		if !began {
			return nil
		}
		began = false
		_, err := conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK") // it only read
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	err = l.write.do(ctx, func(ctx context.Context, _ *sql.Tx) error {
		if err := end(); err != nil { // of a try before
			return err
		}
		if _, err := conn.ExecContext(ctx, "BEGIN"); err != nil {
			return err
		}
		began = true
		if heads, err = chainHeads(ctx, conn); err != nil { // the first reading fixes what the copy holds
			return err
		}
		return still(ctx)
	})
	if err == nil {
		err = copyPages(ctx, conn, path)
	}
	if err != nil {
		return nil, failed(op, err)
	}
	return heads, nil
}

// Heads are where the chains end now.
func (l *Ledger) Heads(ctx context.Context) ([]Head, error) {
	conn, err := l.read.Conn(ctx)
	if err != nil {
		return nil, failed("read the ledger", err)
	}
	heads, err := chainHeads(ctx, conn)
	return heads, failed("read the ledger", errors.Join(err, conn.Close()))
}

func chainHeads(ctx context.Context, conn *sql.Conn) (heads []Head, err error) {
	rows, err := conn.QueryContext(ctx, `SELECT customer, seq, hash FROM entries e
		WHERE seq = (SELECT max(seq) FROM entries WHERE customer = e.customer) ORDER BY customer`)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var h Head
		var hash []byte
		if err := rows.Scan(&h.Customer, &h.Entries, &hash); err != nil {
			return nil, err
		}
		h.Hash = hex.EncodeToString(hash)
		heads = append(heads, h)
	}
	return heads, rows.Err()
}

// pagesAtOnce is how much is copied between two looks at the context: 8 MB.
const pagesAtOnce = 2048

// copyPages copies what the connection's transaction sees.
func copyPages(ctx context.Context, conn *sql.Conn, path string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = conn.Raw(func(driver any) error {
		from, ok := driver.(interface {
			NewBackup(to string) (*sqlite.Backup, error)
		})
		if !ok {
			return fmt.Errorf("the driver %T copies no database", driver)
		}
		b, err := from.NewBackup("file:" + (&url.URL{Path: path}).EscapedPath())
		if err != nil {
			return err
		}
		for more := true; more && err == nil; {
			if err = ctx.Err(); err == nil {
				more, err = b.Step(pagesAtOnce)
			}
		}
		return errors.Join(err, b.Finish())
	})
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

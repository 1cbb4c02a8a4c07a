// Package ledger keeps in one SQLite database what is not a configuration: who
// did and saw what, when each device was read, what a check refused, and which
// host keys are trusted. It holds no secret but in sealed bytes. Several processes
// may have it open and write at once.
//
// # The file
//
// The database is belay.db in the data folder, in WAL mode with full
// synchronization: what was appended survives a power cut. PRAGMA user_version
// numbers the schema (migrations/N.sql leads to N); an older one is brought
// forward when it is opened, a newer one is refused.
//
// # The chains
//
// Each customer has a chain of entries, and what concerns no customer has the
// chain named "". An entry's hash is the SHA-256 of these fields in this order,
// each written as its length in bytes in decimal, a colon, and the bytes:
//
//	"belay ledger 1", customer, seq in decimal, hash of the entry before in
//	hexadecimal (empty at the first), time in RFC 3339 with nanoseconds and Z,
//	act, device, name of the person, "claimed" or "", payload digest in hexadecimal
//
// The payload lies beside the entry: a JSON object with the person's e-mail and
// the detail. Its digest is the SHA-256 of 16 random bytes, kept with it, and of
// the JSON. So a customer's payloads can be destroyed and the chain still
// verifies, and a digest that remains gives no way to guess what it stood for. A
// payload may be missing only where a "destroy" entry follows in its chain.
// Entries cut off at the end of a chain leave no trace in it: whoever must
// prove that none was keeps the last hash elsewhere.
//
// # The readings
//
// Each reading is a row of about 30 bytes in readings, of integers, clustered by
// device; a commit is written only in the row of the reading that made it. The
// newest row of each device, in full, is in newest_check.
package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"belay/configs"
	"belay/devices"
)

// File is the name of the database in the data folder.
const File = "belay.db"

// A Ledger is the open database. It is safe for concurrent use.
type Ledger struct {
	// Now is the clock by which leases end and accounts rest; nil: the machine's,
	// as SQLite tells it. It is set before the ledger is used.
	Now func() time.Time

	read  *sql.DB
	write *writer
}

var (
	_ configs.Ledger     = (*Ledger)(nil)
	_ configs.CheckLog   = (*Ledger)(nil)
	_ configs.Quarantine = (*Ledger)(nil)
	_ configs.Outbox     = (*Ledger)(nil)
	_ configs.Items      = (*Ledger)(nil)
	_ configs.Papers     = (*Ledger)(nil)
)

// Open opens the database in the folder dir and makes both where they are missing.
func Open(ctx context.Context, dir string) (*Ledger, error) {
	path, err := filepath.Abs(filepath.Join(dir, File))
	if err != nil {
		return nil, failed("open the ledger", err)
	}
	if err := makeFile(path); err != nil {
		return nil, failed("open the ledger", err)
	}
	// The busy timeout is what one statement waits for another process; the
	// writer tries again beyond it.
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() +
		"?_pragma=busy_timeout(10000)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)&_pragma=journal_size_limit(16777216)"
	l := &Ledger{}
	one, err := sql.Open("sqlite", dsn+"&_txlock=immediate&_pragma=secure_delete(1)")
	if err != nil {
		return nil, failed("open the ledger", err)
	}
	one.SetMaxOpenConns(1)
	l.write = &writer{db: one}
	if l.read, err = sql.Open("sqlite", dsn+"&_pragma=query_only(1)"); err != nil {
		return nil, failed("open the ledger", errors.Join(err, one.Close()))
	}
	l.read.SetMaxOpenConns(4)
	if err := migrate(ctx, l.write); err != nil {
		return nil, failed("open the ledger", errors.Join(err, l.read.Close(), one.Close()))
	}
	return l, nil
}

// makeFile makes the database file, for its owner only; SQLite gives its
// companions the same mode. The folders are synchronized, or a power cut could
// take the file away with all that was acknowledged.
func makeFile(path string) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), syncFolder(dir), syncFolder(filepath.Dir(dir)))
}

func syncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Close waits for what is being written and closes the database.
func (l *Ledger) Close() error {
	return errors.Join(l.write.close(), l.read.Close())
}

// Check reads the whole database: its pages, its references, every paper and
// every chain.
func (l *Ledger) Check(ctx context.Context) error {
	for _, pragma := range []string{"PRAGMA quick_check", "PRAGMA foreign_key_check"} {
		if err := l.pragma(ctx, pragma); err != nil {
			return failed("check the ledger", err)
		}
	}
	if err := l.checkPapers(ctx); err != nil {
		return err
	}
	customers, err := column(ctx, l.read, "SELECT DISTINCT customer FROM entries ORDER BY customer")
	if err != nil {
		return failed("check the ledger", err)
	}
	for _, c := range customers {
		if _, err := l.VerifyChain(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// pragma runs one of SQLite's own checks: whatever it says but "ok" is damage.
func (l *Ledger) pragma(ctx context.Context, pragma string) error {
	said, err := column(ctx, l.read, pragma)
	if err != nil {
		return err
	}
	if len(said) > 0 && said[0] != "ok" {
		return &devices.Error{Kind: devices.Damaged, Op: "check the database", Err: fmt.Errorf("%s: %s", pragma, said[0]),
			Hint: "restore " + File + " from a backup of the data folder; the configurations themselves are in git"}
	}
	return nil
}

// column is the first column of each row.
func column(ctx context.Context, db *sql.DB, query string) (_ []string, err error) {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var vs []string
	for rows.Next() {
		row := make([]any, len(columns))
		for i := range row {
			row[i] = new(sql.NullString)
		}
		if err := rows.Scan(row...); err != nil {
			return nil, err
		}
		vs = append(vs, row[0].(*sql.NullString).String)
	}
	return vs, rows.Err()
}

// failed says what was being done, and sorts SQLite's errors by what a person
// can do about them.
func failed(op string, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*devices.Error](err); ok {
		return &devices.Error{Kind: e.Kind, Op: op, Err: err}
	}
	e := &devices.Error{Kind: devices.Broken, Op: op, Err: err}
	if s, ok := errors.AsType[*sqlite.Error](err); ok {
		switch s.Code() & 0xff { // the rest of the code is detail
		case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
			e.Kind = devices.Damaged
			e.Hint = "restore " + File + " from a backup of the data folder; the configurations themselves are in git"
		case sqlite3.SQLITE_FULL:
			e.Hint = "make room on the disk of the data folder; nothing that was acknowledged is lost"
		case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
			e.Hint = "the user that runs belay must be able to write " + File + " and its folder"
		case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
			e.Hint = "another process holds " + File + "; see who has it open, and try again"
		case sqlite3.SQLITE_IOERR:
			e.Hint = "look for errors of the disk in the system's log"
		}
	}
	return e
}

// Package ledger keeps in one SQLite database what is not a configuration: who
// did and saw what, when each device was read, what a check refused, which host
// keys are trusted, which files are on their way to documentation systems or
// hang there, and the papers of changes. It holds no secret but in sealed bytes.
// Several processes may have it open and write at once.
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
// payload may be missing only where a "destroy" entry follows in its chain. Each
// entry is held to its hash whenever it is read, the chain when it is verified. The
// events of a change are found by the "change" in their detail, which is indexed.
// Entries cut off at the end of a chain leave no trace in it: whoever must
// prove that none was keeps the last hash elsewhere.
//
// # The readings
//
// Each reading is a row of about 30 bytes in readings, of integers, clustered by
// device; a commit is written only in the row of the reading that made it. The
// newest row of each device, in full, is in newest_check, with the times when a
// reading last was good and last was proven. Readings of long ago are thinned:
// those that made a version stay, and of each day the last, the last good and the
// last proven one.
//
// # The marks
//
// marks holds what the service has to know again after a restart, a few bytes of
// JSON by kind and key. The ledger's own are of the kind "ledger".
//
// # The index
//
// The tables index_* answer what would need a walk through the histories in git,
// and can be made from them again at any time. index_customers says up to which
// commit a customer's index goes. A version is a row of about 130 bytes in
// index_versions, clustered by device in the order of history; the person, the
// first line, and what is known of the device are in index_phrases, once for all
// versions of a customer that say the same (together some 200 bytes a version).
// index_texts holds the newest texts, which are redacted, compressed with zstd.
//
// # The outbox
//
// A row in letters says which file of which version goes where, in what form,
// and what became of it; it never holds the file. There is one for each device,
// system, version, file and form (and customer, where there is no device). It
// stays when it is proven: as the record of what hangs where. Whoever works on a
// letter has it under a lease, which is a random word and the time it ends, both
// in the row: each write compares them in its own transaction. What became of a
// letter is written together with the events that tell of it. Leases end by the
// clock of the machine, which SQLite reads; a Ledger whose Now is set goes by
// that, so tests need not wait.
//
// # The items
//
// mappings holds for each system and device the configuration item that the
// device has there, how it was found, and the device's serial numbers of that
// time. A new mapping takes the place of the old one, with a "map" event.
//
// # The papers
//
// papers holds the documents of changes, by customer and digest: receipts as they
// were signed, and messages and scans of waivers, sealed. The digest is that of
// the document; sum is the SHA-256 of the bytes as they lie here. No row is ever
// altered.
//
// # The pace
//
// paces has a row for each account that all processes together may send only so
// many requests for. next is the time at which the account will have rested
// fully; hold is the time before which its system wants to hear nothing. The
// account's name is made by the caller, and no key can be had from it.
//
// # Destruction
//
// When a customer is destroyed its payloads, papers, refusals, mappings and index
// are deleted, and its letters that were never sent. The other letters keep their
// system, organization, item, attachment, digests and times, by which what still
// hangs there can be found, and lose the names of files, items and tickets. What
// is deleted is overwritten (secure_delete) and the write-ahead log emptied.
// Names of devices and of persons stay in the chains, which would not verify
// without them, and in the letters.
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
	often often // asks read
	write *writer
}

var (
	_ configs.Ledger     = (*Ledger)(nil)
	_ configs.CheckLog   = (*Ledger)(nil)
	_ configs.Quarantine = (*Ledger)(nil)
	_ configs.Outbox     = (*Ledger)(nil)
	_ configs.Items      = (*Ledger)(nil)
	_ configs.Papers     = (*Ledger)(nil)
	_ configs.Marks      = (*Ledger)(nil)
	_ configs.Index      = (*Ledger)(nil)
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
	l.write = &writer{db: one, patience: patience}
	if l.read, err = sql.Open("sqlite", dsn+"&_pragma=query_only(1)"); err != nil {
		return nil, failed("open the ledger", errors.Join(err, one.Close()))
	}
	l.read.SetMaxOpenConns(4)
	l.often.db = l.read
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
	return errors.Join(l.write.close(), l.often.close(), l.read.Close())
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

package ledger

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"belay/configs"
	"belay/configs/redact"
	"belay/devices"
)

// filled is a ledger of today with something in every table.
func filled(t *testing.T, dir string) *Ledger {
	t.Helper()
	l := open(t, dir)
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, customer := range []string{"acme", "bolt", "acme"} {
		e := event(customer, "reveal")
		e.Detail["change"] = "T7"
		do(l.Append(t.Context(), e))
	}
	checked(t, l, "acme/fw-hq", day(1, 1), configs.Kept, true)
	checked(t, l, "acme/fw-hq", day(2, 1), configs.Failed, false)
	checked(t, l, "acme/sw-1", day(2, 1), configs.Unchanged, false)
	checked(t, l, "bolt/sw-1", day(2, 1), configs.Denied, false)
	do(l.Hold(t.Context(), configs.Refusal{ID: "acme/fw-hq", Device: devices.Device{Customer: "acme", Name: "fw-hq"}, Taken: day(2, 1), Driver: "ios",
		Originals: []configs.Sealed{{Name: "running.conf", Bytes: []byte("sealed"), Digest: "d", Size: 6}}}))
	_, err := l.write.db.ExecContext(t.Context(), `INSERT INTO pins VALUES ('acme/fw-hq', 'SHA256:x', 'ssh-ed25519', x'01', 'Ada', 0, 1, 'first', 1)`)
	do(err)
	_, err = l.Put(t.Context(), configs.Letter{To: "itglue", Device: "acme/fw-hq", Customer: "acme", Version: commit, File: "running.conf", Form: configs.Original, Put: day(2, 1), Name: "fw-hq.conf"})
	do(err)
	do(l.Map(t.Context(), configs.Mapping{To: "itglue", Device: "acme/fw-hq", Item: configs.Item{ID: "7", Organization: "3"}, How: "serial", At: day(1, 1)}))
	do(l.FilePaper(t.Context(), configs.Paper{Customer: "acme", Change: "T7", Kind: "receipt", Digest: configs.Digest([]byte("paper")), Bytes: []byte("paper"), At: day(1, 1)}))
	_, err = l.write.db.ExecContext(t.Context(), `INSERT INTO paces VALUES ('account', 1, 2)`)
	do(err)
	do(l.SetMarks(t.Context(), "slot", configs.Mark{Key: "acme/fw-hq", Value: []byte("1")}))
	v := configs.Version{ID: "acme/fw-hq", Name: "fw-hq", Commit: commit, Taken: day(1, 1), Subject: "first capture"}
	text, err := redact.Restore([]byte("end\n"), configs.Digest([]byte("end\n")))
	do(err)
	do(l.Extend(t.Context(), "acme", "", commit, []configs.Indexed{{Version: v, Texts: []configs.Text{{Name: configs.MainFile, Clean: text}}}}))
	return l
}

// tables are those of a database, each with its columns.
func tables(t *testing.T, db *sql.DB, schema string) map[string][]string {
	t.Helper()
	names, err := column(t.Context(), db, "SELECT name FROM "+schema+".sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	for _, name := range names {
		columns, err := column(t.Context(), db, fmt.Sprintf("SELECT name FROM pragma_table_info('%s', '%s') ORDER BY cid", name, schema))
		if err != nil {
			t.Fatal(err)
		}
		all[name] = columns
	}
	return all
}

// dump is what stands in some columns of a table.
func dump(t *testing.T, db *sql.DB, table string, columns []string) []string {
	t.Helper()
	rows, err := column(t.Context(), db, fmt.Sprintf("SELECT quote(%s) FROM %s ORDER BY 1", strings.Join(columns, ") || ' ' || quote("), table))
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// age makes a database of an older schema in dir with the rows of a ledger of today.
func age(t *testing.T, dir string, version int, from string) (before map[string][]string, rows map[string][]string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, File))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	for v := range version {
		text, err := os.ReadFile(fmt.Sprintf("migrations/%d.sql", v+1))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.ExecContext(t.Context(), string(text)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.ExecContext(t.Context(), fmt.Sprintf("PRAGMA user_version = %d; ATTACH '%s' AS today", version, filepath.Join(from, File))); err != nil {
		t.Fatal(err)
	}
	before, rows = tables(t, db, "main"), map[string][]string{}
	for name, columns := range before {
		list := strings.Join(columns, ", ")
		if _, err := db.ExecContext(t.Context(), fmt.Sprintf("INSERT INTO main.%s (%s) SELECT %s FROM today.%s", name, list, list, name)); err != nil {
			t.Fatal(err)
		}
		if rows[name] = dump(t, db, "main."+name, columns); len(rows[name]) == 0 {
			t.Errorf("schema %d: nothing is in %s to be brought forward", version, name)
		}
	}
	return before, rows
}

func TestEveryOlderDatabaseIsBroughtForward(t *testing.T) {
	t.Parallel()
	today := t.TempDir()
	now := filled(t, today)
	for name := range tables(t, now.read, "main") {
		if now.count(t, name) == 0 {
			t.Errorf("nothing is in %s", name)
		}
	}
	if _, err := now.write.db.ExecContext(t.Context(), "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		t.Fatal(err)
	}
	for version := 1; version < schema; version++ {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			before, rows := age(t, dir, version, today)
			l := open(t, dir)
			for name, columns := range before {
				if diff := cmp.Diff(rows[name], dump(t, l.read, name, columns)); diff != "" {
					t.Errorf("%s (-before +after):\n%s", name, diff)
				}
			}
			if err := l.Check(t.Context()); err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(tables(t, now.read, "main"), tables(t, l.read, "main")); diff != "" {
				t.Errorf("the tables (-new +brought forward):\n%s", diff)
			}
			// What was good is told from the results; what was proven is not known.
			var got []string
			for c, err := range l.Newest(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, fmt.Sprint(c.ID, " ", good(c.Good), " ", c.Verified || !c.Proven.IsZero()))
			}
			if want := []string{"acme/fw-hq 1.01 false", "acme/sw-1 2.01 false", "bolt/sw-1 never false"}; !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
			checked(t, l, "acme/fw-hq", day(3, 1), configs.Unchanged, true)
			if c := must(l.LastChecked(t.Context(), "acme/fw-hq")); !c.Proven.Equal(day(3, 1)) {
				t.Errorf("after the next reading: %+v", c)
			}
		})
	}
}

func good(at time.Time) string {
	if at.IsZero() {
		return "never"
	}
	return at.Format("2.15")
}

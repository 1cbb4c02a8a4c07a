package ledger

import (
	"bufio"
	"database/sql"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"belay/configs"
)

// holdFile tells this test's own program, started anew, which database to hold.
const holdFile = "BELAY_LEDGER_TEST_HOLD"

// TestHoldTheDatabase is no test, but the backup program of the next one.
func TestHoldTheDatabase(t *testing.T) {
	path := os.Getenv(holdFile)
	if path == "" {
		t.Skip("started by TestCapturesWaitForABackupProgram")
	}
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(t.Context(), "BEGIN EXCLUSIVE"); err != nil {
		t.Fatal(err)
	}
	fmt.Println("held")
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		t.Error(err)
	}
	if _, err := db.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Error(err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

// A backup program holds the database for 20 seconds, which is longer than one
// statement waits: what wants to be written waits and is written once, what wants
// to be read is read meanwhile.
func TestCapturesWaitForABackupProgram(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, dir)
	if err := l.Append(t.Context(), event("acme", "before")); err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestHoldTheDatabase$")
	c.Env = append(os.Environ(), holdFile+"="+filepath.Join(dir, File))
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewReader(out)
	if line, err := said.ReadString('\n'); line != "held\n" {
		t.Fatalf("the holder said %q, %v", line, err)
	}
	const writers, each = 8, 5
	var wg sync.WaitGroup
	written := make(chan time.Time, 2*writers*each)
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				e := event("acme", "capture")
				e.Detail = map[string]any{"mark": fmt.Sprint(w, "-", i)}
				if err := l.Append(t.Context(), e); err != nil {
					t.Error(err)
				}
				written <- time.Now()
				if err := l.Checked(t.Context(), configs.Checked{ID: "acme/fw-hq", At: e.At, Result: configs.Unchanged}); err != nil {
					t.Error(err)
				}
				written <- time.Now()
			}
		})
	}
	hold := 20 * time.Second
	if testing.Short() {
		hold = time.Second
	}
	end := time.NewTimer(hold)
	defer end.Stop()
	for range 20 {
		n := 0
		for _, err := range l.Events(t.Context(), configs.Filter{Customer: "acme"}) {
			if err != nil {
				t.Fatalf("reading beside the holder: %v", err)
			}
			n++
		}
		if n != 1 {
			t.Fatalf("%d events are read while the database is held", n)
		}
	}
	<-end.C
	if len(written) > 0 {
		t.Error("something was acknowledged while the database was held")
	}
	if err := in.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
	seen := map[any]int{}
	for e, err := range l.Events(t.Context(), configs.Filter{Customer: "acme"}) {
		if err != nil {
			t.Fatal(err)
		}
		seen[e.Detail["mark"]]++
	}
	for w := range writers {
		for i := range each {
			if mark := fmt.Sprint(w, "-", i); seen[mark] != 1 {
				t.Errorf("event %s is there %d times", mark, seen[mark])
			}
		}
	}
	if n, err := l.VerifyChain(t.Context(), "acme"); n != 1+writers*each || err != nil {
		t.Errorf("%d entries, %v", n, err)
	}
}

// A program reads for long: nothing can be taken from the write-ahead log into
// the database behind its back, so the log grows. Once it has gone the log is
// small again, with the next writes, and without anybody's help.
func TestTheLogIsSmallAgainAfterALongReading(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, dir)
	path := filepath.Join(dir, File)
	if err := l.Append(t.Context(), event("acme", "first")); err != nil {
		t.Fatal(err)
	}
	other, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := other.Close(); err != nil {
			t.Error(err)
		}
	}()
	tx, err := other.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	count := func() (n int) {
		t.Helper()
		if err := tx.QueryRowContext(t.Context(), "SELECT count(*) FROM entries").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := count(); n != 1 {
		t.Fatalf("%d entries", n)
	}
	wal := func() int64 {
		t.Helper()
		fi, err := os.Stat(path + "-wal")
		if err != nil {
			t.Fatal(err)
		}
		return fi.Size()
	}
	const bound = 16 << 20
	big := event("acme", "capture")
	big.Detail = map[string]any{"text": strings.Repeat("a line\n", 1<<16)}
	n := 1
	for ; wal() < 2*bound; n++ {
		if err := l.Append(t.Context(), big); err != nil {
			t.Fatal(err)
		}
	}
	if count() != 1 {
		t.Error("the reader does not see what it began with")
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := l.Append(t.Context(), big); err != nil {
			t.Fatal(err)
		}
		n++
	}
	if size := wal(); size > bound {
		t.Errorf("the log has %d bytes", size)
	}
	if got, err := l.VerifyChain(t.Context(), "acme"); got != n || err != nil {
		t.Errorf("%d of %d entries, %v", got, n, err)
	}
}

package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"belay/configs"
	"belay/configs/conformance"
	"belay/devices"
)

func open(t *testing.T, dir string) *Ledger {
	t.Helper()
	l, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func event(customer, act string) configs.Event {
	return configs.Event{At: time.Date(2026, 3, 14, 2, 0, 0, 0, time.UTC), Customer: customer, By: configs.Person{Name: "Ada Example", Email: "ada@example.net"},
		Act: act, Detail: map[string]any{"reason": "because"}}
}

func TestItKeepsToThePorts(t *testing.T) {
	t.Parallel()
	conformance.Ledger(t, func(t *testing.T) configs.Ledger { return open(t, t.TempDir()) })
	conformance.CheckLog(t, func(t *testing.T) configs.CheckLog { return open(t, t.TempDir()) })
	conformance.Quarantine(t, func(t *testing.T) configs.Quarantine { return open(t, t.TempDir()) })
	conformance.Marks(t, func(t *testing.T) configs.Marks { return open(t, t.TempDir()) })
	conformance.Index(t, func(t *testing.T) configs.Index { return open(t, t.TempDir()) })
	conformance.Papers(t, func(t *testing.T) configs.Papers { return open(t, t.TempDir()) })
	conformance.Items(t, func(t *testing.T) (configs.Items, configs.Ledger) {
		l := open(t, t.TempDir())
		return l, l
	})
	conformance.Outbox(t, func(t *testing.T, now func() time.Time) (configs.Outbox, configs.Ledger) {
		l := open(t, t.TempDir())
		l.Now = now
		return l, l
	})
}

func TestAllIsThereAfterReopening(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a folder? 100% #new")
	l, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Append(t.Context(), event("acme", "verify")); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Append(t.Context(), event("acme", "verify")); !errors.Is(err, errClosed) {
		t.Errorf("append after close: got %v", err)
	}
	info, err := os.Stat(filepath.Join(dir, File))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: mode %v, error %v; want 0600", info.Mode(), err)
	}
	again := open(t, dir)
	if n, err := again.VerifyChain(t.Context(), "acme"); n != 1 || err != nil {
		t.Errorf("after reopening: %d entries, error %v", n, err)
	}
	if err := again.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestTheDatabaseItselfForbidsChangingAnEntry(t *testing.T) {
	t.Parallel()
	l := open(t, t.TempDir())
	if err := l.Append(t.Context(), event("acme", "verify")); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{"DELETE FROM entries", "UPDATE entries SET who = 'Eve'", "UPDATE payloads SET body = '{}'"} {
		if _, err := l.write.db.ExecContext(t.Context(), statement); err == nil || !strings.Contains(err.Error(), "append-only") {
			t.Errorf("%s: got %v", statement, err)
		}
	}
}

func TestEveryAlterationOfAChainIsFound(t *testing.T) {
	t.Parallel()
	const drop = "DROP TRIGGER entries_stay; DROP TRIGGER entries_stand; DROP TRIGGER payloads_stand; PRAGMA foreign_keys = 0;"
	for statement, want := range map[string]string{
		"UPDATE entries SET who = 'Eve' WHERE customer = 'acme' AND seq = 3":                                       "entry 3",
		"UPDATE entries SET at = at + 1 WHERE customer = 'acme' AND seq = 1":                                       "entry 1",
		"UPDATE entries SET act = 'reveaL' WHERE customer = 'acme' AND seq = 2":                                    "entry 2",
		"UPDATE entries SET claimed = 1 WHERE customer = 'acme' AND seq = 2":                                       "entry 2",
		"UPDATE entries SET device = 'acme/x' WHERE customer = 'acme' AND seq = 2":                                 "entry 2",
		"UPDATE entries SET hash = zeroblob(32) WHERE customer = 'acme' AND seq = 2":                               "entry 2",
		"UPDATE entries SET prev = zeroblob(32) WHERE customer = 'acme' AND seq = 4":                               "entry 4",
		"DELETE FROM entries WHERE customer = 'acme' AND seq = 2":                                                  "entry 2",
		"UPDATE payloads SET body = '{}' WHERE entry = (SELECT id FROM entries WHERE customer='acme' AND seq = 2)": "entry 2",
		"DELETE FROM payloads WHERE entry = (SELECT id FROM entries WHERE customer='acme' AND seq = 2)":            "entry 2",
	} {
		t.Run(statement, func(t *testing.T) {
			t.Parallel()
			l := open(t, t.TempDir())
			for range 5 {
				for _, customer := range []string{"acme", "bolt"} {
					if err := l.Append(t.Context(), event(customer, "reveal")); err != nil {
						t.Fatal(err)
					}
				}
			}
			if n, err := l.VerifyChain(t.Context(), "acme"); n != 5 || err != nil {
				t.Fatalf("before: %d, %v", n, err)
			}
			if _, err := l.write.db.ExecContext(t.Context(), drop+statement); err != nil {
				t.Fatal(err)
			}
			_, err := l.VerifyChain(t.Context(), "acme")
			if devices.KindOf(err) != devices.Damaged || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want damage at %s", err, want)
			}
			if err := l.Check(t.Context()); devices.KindOf(err) != devices.Damaged {
				t.Errorf("check: got %v, want damage", err)
			}
			// Whoever reads what was altered hears of it without asking for the chain.
			read := func() (err error) {
				for _, e := range l.Events(t.Context(), configs.Filter{Customer: "acme"}) {
					err = errors.Join(err, e)
				}
				return err
			}
			if err := read(); strings.HasPrefix(statement, "UPDATE") && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("read: got %v, want damage at %s", err, want)
			}
			if n, err := l.VerifyChain(t.Context(), "bolt"); n != 5 || err != nil {
				t.Errorf("the other customer's chain: %d, %v", n, err)
			}
		})
	}
}

func TestADestroyedCustomersChainStillVerifies(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, dir)
	for range 3 {
		for _, customer := range []string{"acme", "bolt"} {
			e := event(customer, "reveal")
			e.Detail["reason"] = "canary of " + customer
			if err := l.Append(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
	}
	e := event("acme", "")
	e.Detail = map[string]any{"ticket": "T7"}
	if err := l.Destroy(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	if n, err := l.VerifyChain(t.Context(), "acme"); n != 4 || err != nil {
		t.Errorf("%d entries, error %v", n, err)
	}
	if err := l.Check(t.Context()); err != nil {
		t.Error(err)
	}
	for e, err := range l.Events(t.Context(), configs.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if text := fmt.Sprint(e); strings.Contains(text, "canary of acme") || e.Customer == "bolt" && !strings.Contains(text, "canary of bolt") {
			t.Errorf("after the destruction: %s", text)
		}
	}
}

func TestTheHashIsThatOfTheDocumentedEncoding(t *testing.T) {
	t.Parallel()
	e := entry{customer: "acme", seq: 2, prev: []byte{0xab}, at: 1_773_453_600_000_000_007, act: "reveal", device: "acme/fw-hq", who: "Zoë", claimed: true, payload: []byte{1}}
	// printf '14:belay ledger 14:acme1:22:ab30:2026-03-14T02:00:00.000000007Z6:reveal10:acme/fw-hq4:Zoë7:claimed2:01' | sha256sum
	const want = "364bf6c7b87a2938438e2c016e053a6304e8262efaec48ea96ea639cc610a674"
	if got := fmt.Sprintf("%x", e.hash()); got != want {
		t.Errorf("hash %s, want %s", got, want)
	}
}

func TestTwoProcessesWorthOfLedgersWriteAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	// Two Ledgers share nothing but the file, as two processes do; both make the schema.
	var ls [2]*Ledger
	var wg sync.WaitGroup
	for i := range ls {
		wg.Go(func() {
			var err error
			if ls[i], err = Open(t.Context(), dir); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	for i := range 100 {
		wg.Go(func() {
			if err := ls[i%2].Append(t.Context(), event([]string{"acme", "bolt", ""}[i%3], "capture")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	total := 0
	for _, customer := range []string{"acme", "bolt", ""} {
		n, err := ls[0].VerifyChain(t.Context(), customer)
		if err != nil {
			t.Error(err)
		}
		total += n
	}
	if total != 100 {
		t.Errorf("%d entries, want 100", total)
	}
	for _, l := range ls {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestOneFailureInAGroupFailsAlone(t *testing.T) {
	t.Parallel()
	l := open(t, t.TempDir())
	hold := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { // keeps the writer busy until all others wait
		if err := l.write.do(t.Context(), func(context.Context, *sql.Tx) error { <-hold; return nil }); err != nil {
			t.Error(err)
		}
	})
	for l.write.db.Stats().InUse == 0 {
		time.Sleep(time.Millisecond)
	}
	ctx, cancel := context.WithCancel(t.Context())
	for i := range 9 {
		wg.Go(func() {
			e := event("acme", "capture")
			switch i {
			case 3:
				e.Detail["channel"] = make(chan int) // has no JSON
				if err := l.Append(t.Context(), e); err == nil {
					t.Error("a channel was appended")
				}
			case 4:
				if err := l.Append(ctx, e); !errors.Is(err, context.Canceled) {
					t.Errorf("who gave up while waiting got %v", err)
				}
			default:
				if err := l.Append(t.Context(), e); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for waiting := 0; waiting < 9; {
		l.write.mu.Lock()
		waiting = len(l.write.queue)
		l.write.mu.Unlock()
		time.Sleep(time.Millisecond)
	}
	cancel()
	close(hold)
	wg.Wait()
	if n, err := l.VerifyChain(t.Context(), "acme"); n != 7 || err != nil {
		t.Errorf("%d entries, error %v; want 7", n, err)
	}
}

func TestANewerSchemaIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.write.db.ExecContext(t.Context(), "PRAGMA user_version = 99"); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "version 99") {
		t.Errorf("got %v", err)
	}
}

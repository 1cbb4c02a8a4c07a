package main

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"belay/store/git"
	"belay/store/ledger"
	"belay/store/spare"
	"belay/store/vault"
)

// newFleet has a device of each customer, captured once.
func newFleet(t *testing.T, customers ...string) *play {
	t.Helper()
	part(t, "git", "git")
	tr, err := transcriptOf("frr-edge")
	if err != nil {
		t.Fatal(err)
	}
	inventory := "devices:\n"
	for _, customer := range customers {
		b, err := startBox(tr, "")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = b.server.Close() })
		inventory += b.entry(customer, "rt")
	}
	p := newPlay(t, `
inventory: [devices.yaml]
host_keys: first-use
logins: {default: {user: belay, password: {env: BELAY_PASSWORD}}}
`, inventory, "BELAY_PASSWORD="+boxPassword)
	p.wants(0, "capture", "--all")
	return p
}

// holdLedger holds the ledger as a process does that was stopped while it wrote.
func holdLedger(t *testing.T, p *play) (release func()) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+p.path("belay-data/"+ledger.File)+"?_txlock=immediate&_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A search looks through many customers while another process holds the ledger: it
// waits for that once, and not for a minute for each of them.
func TestASearchThatCannotBeRecordedEndsSoonAfterItsLines(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes half a minute")
	}
	customers := []string{"acme", "bolt", "cord", "dune"}
	p := newFleet(t, customers...)
	p.wants(0, "search", "hostname") // the index stands where the histories stand
	release := holdLedger(t, p)
	over := make(chan said)
	go func() { over <- p.belay("search", "hostname") }()
	select {
	case s := <-over:
		for _, customer := range customers {
			if !strings.Contains(s.out, customer+"/rt:") {
				t.Errorf("nothing is found of %s:\n%s", customer, s.out)
			}
		}
		if s.status == 0 || !strings.Contains(s.err, "record the search: it was not done after 20s") || !strings.Contains(s.err, "hint: ") {
			t.Errorf("nobody is told that it was not recorded: %d %s", s.status, s.err)
		}
		release()
	case <-time.After(2 * time.Minute):
		t.Error("it waits anew for each customer")
		release()
		<-over
	}
}

// holdFile locks a file as a process does that was stopped.
func holdFile(t *testing.T, path string) (release func()) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	return sync.OnceFunc(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
}

// atWork is the play's workspace, in this process.
func atWork(t *testing.T, p *play) *workspace {
	t.Helper()
	l, err := ledger.Open(t.Context(), p.path("belay-data"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	v, err := vault.New(p.path("belay-data"), vault.Master{}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return &workspace{settings: &settings{Data: p.path("belay-data")}, ledger: l, vault: v, now: time.Now, store: &git.Store{Dir: p.path("belay-data"), Now: time.Now}}
}

// A process was stopped while it wrote a customer's history, before the backup began
// or just when it holds the ledger still. The backup has all other histories and
// tells of the one, and who writes to the ledger is not kept from it.
func TestABackupGoesOnBesideAHistoryThatIsNotLetGoOf(t *testing.T) {
	t.Parallel()
	p := newFleet(t, "acme", "bolt")
	for name, first := range map[string]time.Duration{"before it began": 100 * time.Millisecond, "in its moment": time.Hour} {
		waited := min(first, secondLook).String() // once, and no longer
		w := atWork(t, p)
		taking, err := spare.Begin(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		stuck := func() func() { return holdFile(t, p.path("belay-data/customers/acme/history.git/belay.lock")) }
		var release, ledgerFree func()
		if first < time.Minute {
			release = stuck()
		} else {
			ledgerFree = holdLedger(t, p) // keeps the moment away until the lock is taken
		}
		type copied struct {
			cuts     map[string]git.Cut
			problems []string
			err      error
		}
		over := make(chan copied, 1)
		go func() {
			var m spare.Manifest
			cuts, err := w.copyLedger(t.Context(), taking, &m, first)
			over <- copied{cuts, m.Problems, err}
		}()
		if ledgerFree != nil {
			eventually(t, func() bool { _, err := os.Stat(taking.Scratch()); return err == nil }) // the first look is over
			release = stuck()
			ledgerFree()
		}
		var c copied
		select {
		case c = <-over:
		case <-time.After(time.Minute):
			t.Errorf("%s: the backup waits for the history", name)
			release()
			c = <-over
		}
		if c.err != nil || c.cuts["bolt"].Main() == "" || c.cuts["acme"].Main() != "" || len(c.problems) != 1 || !strings.Contains(c.problems[0], "acme: the history is not in this backup: its lock was not to be had for "+waited) {
			t.Errorf("%s: %v, problems %q, error %v", name, c.cuts, c.problems, c.err)
		}
		release()
		if err := taking.Close(); err != nil {
			t.Error(err)
		}
	}
}

// The backup folder hangs while sealed originals are copied: who makes a key does
// not wait for it, and a customer who is made meanwhile is left to the next backup.
func TestABackupHoldsTheKeysOnlyWhileItReadsThem(t *testing.T) {
	t.Parallel()
	p := newFleet(t, "acme")
	data := p.path("belay-data")
	if err := errors.Join(os.MkdirAll(filepath.Join(data, "customers/acme/latest/rt"), 0o700),
		os.WriteFile(filepath.Join(data, "customers/acme/latest/rt/running.age"), []byte("sealed"), 0o600),
		os.WriteFile(filepath.Join(data, "a note"), []byte("copied before the customers are looked at"), 0o600)); err != nil {
		t.Fatal(err)
	}
	w := atWork(t, p)
	folder := t.TempDir()
	taking, err := spare.Begin(folder)
	if err != nil {
		t.Fatal(err)
	}
	met := false
	taking.Progress = func(int, int64) { // whatever is copied, the lock is free
		if met {
			return
		}
		met = true
		f, err := os.OpenFile(filepath.Join(data, "vault.lock"), os.O_RDWR, 0)
		if err != nil {
			t.Error(err)
			return
		}
		defer f.Close()
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			t.Errorf("the keys are locked while the backup folder is written to: %v", err)
		}
		for _, name := range []string{"key.age", "latest/sw/running.age"} {
			path := filepath.Join(data, "customers/new", name)
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte("later"), 0o600)); err != nil {
				t.Error(err)
			}
		}
	}
	if err := w.copyRest(t.Context(), taking, func(text string) { t.Error(text) }); err != nil {
		t.Fatal(err)
	}
	m, err := taking.Finish(spare.Manifest{Made: time.Now(), From: "x"}, 7)
	if err := errors.Join(err, taking.Close()); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range m.Files {
		names = append(names, f.Path)
	}
	if !slices.Contains(names, "customers/acme/key.age") || !slices.Contains(names, "customers/acme/latest/rt/running.age") || !met {
		t.Errorf("the backup holds only %q", names)
	}
	if slices.ContainsFunc(names, func(n string) bool { return strings.Contains(n, "/new/") }) {
		t.Errorf("sealed files of a customer who was made meanwhile are in %q", names)
	}
}

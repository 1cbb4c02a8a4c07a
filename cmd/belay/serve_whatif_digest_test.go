package main

import (
	"database/sql"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"belay/configs"
	"belay/configs/redact"
	"belay/devices"
)

// digestBench is a bench whose digest goes to an inbox, and the database of its
// ledger. The first morning has passed.
func digestBench(t *testing.T) (*bench, *inboxOf, *sql.DB) {
	t.Helper()
	in := &inboxOf{}
	hook := httptest.NewServer(in)
	t.Cleanup(hook.Close)
	b := setBench(t, "tell:\n  digest: {at: '09:00', zone: UTC, to: [noc]}\n  channels: {noc: {url: {file: noc.url}}}\n", "fw")
	b.write(t, "noc.url", "generic://"+strings.TrimPrefix(hook.URL, "http://")+"/noc?disabletls=yes")
	b.pass(catchingUp)
	if err := b.digest(t); err != nil {
		t.Fatal(err)
	}
	if n := in.take(); n != 0 {
		t.Fatalf("the first start sent %d digests", n)
	}
	b.pass(24 * time.Hour)
	db, err := sql.Open("sqlite", filepath.Join(b.dir, "belay-data", "belay.db")+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return b, in, db
}

// digest does the chore once.
func (b *bench) digest(t *testing.T) error {
	t.Helper()
	w, leave := b.live.use()
	defer leave()
	return b.sendDigests(t.Context(), w)
}

func execute(t *testing.T, db *sql.DB, text string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), text); err != nil {
		t.Fatal(err)
	}
}

func TestADigestThatCannotBeNotedIsNotSentAgainAndAgain(t *testing.T) {
	t.Parallel()
	b, in, db := digestBench(t)
	execute(t, db, `CREATE TRIGGER full BEFORE INSERT ON marks WHEN NEW.kind = 'digest' BEGIN SELECT RAISE(FAIL, 'the disk is full'); END`)
	for range 3 {
		if err := b.digest(t); err == nil {
			t.Error("nobody is told that it cannot be noted")
		}
		b.pass(time.Minute)
	}
	if n := in.take(); n != 0 {
		t.Errorf("%d digests were sent that could not be noted", n)
	}
	execute(t, db, `DROP TRIGGER full`)
	for range 3 {
		if err := b.digest(t); err != nil {
			t.Error(err)
		}
	}
	if n := in.take(); n != 1 {
		t.Errorf("then %d digests were sent, want 1", n)
	}
}

func TestADigestWhoseSendingCouldNotBeNotedIsSentOnceMore(t *testing.T) {
	t.Parallel()
	b, in, db := digestBench(t)
	execute(t, db, `CREATE TRIGGER full BEFORE INSERT ON marks WHEN NEW.kind = 'digest' AND instr(NEW.value, 'next":"0001') BEGIN SELECT RAISE(FAIL, 'the disk is full'); END`)
	if err := b.digest(t); err == nil {
		t.Error("nobody is told that it cannot be noted")
	}
	execute(t, db, `DROP TRIGGER full`)
	for range 3 {
		if err := b.digest(t); err != nil {
			t.Error(err)
		}
		b.pass(time.Minute)
	}
	if n := in.take(); n != 1 {
		t.Errorf("%d digests were sent within minutes", n)
	}
	b.pass(digestAgain)
	for range 3 {
		if err := b.digest(t); err != nil {
			t.Error(err)
		}
	}
	if n := in.take(); n != 1 {
		t.Errorf("%d digests were sent afterwards, want 1", n)
	}
}

func TestADamagedHistoryKeepsNobodyFromTheDigest(t *testing.T) {
	t.Parallel()
	b, in, _ := digestBench(t)
	repo := filepath.Join(b.dir, "belay-data", "customers", "acme", "history.git")
	for name, text := range map[string]string{"HEAD": "ref: refs/heads/main\n", "refs/heads/main": strings.Repeat("5a", 20) + "\n", "objects/info/x": ""} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(repo, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(repo, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.digest(t); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(in.text(), "not all changes can be listed") || !strings.Contains(in.text(), "belay verify --customer acme") {
		t.Errorf("it says:\n%s", in.text())
	}
	if n := in.take(); n != 1 {
		t.Errorf("%d digests were sent, want 1", n)
	}
}

func TestOnlyThePartOfADigestThatFailedIsSentAgain(t *testing.T) {
	t.Parallel()
	in := &inboxOf{}
	var broken string // what is not taken
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		in.mu.Lock()
		defer in.mu.Unlock()
		if broken != "" && strings.Contains(string(body), broken) {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		in.got = append(in.got, string(body))
	}))
	t.Cleanup(hook.Close)
	b := setBench(t, "tell:\n  digest: {at: '09:00', zone: UTC, to: [noc]}\n  channels: {noc: {url: {file: noc.url}, customers: [acme, bolt]}}\n", "fw")
	b.write(t, "devices.yaml", "devices:\n  - {customer: acme, name: fw, address: 127.0.0.1, driver: cisco_ios}\n  - {customer: bolt, name: sw, address: 127.0.0.1, driver: cisco_ios}\n")
	b.write(t, "noc.url", "generic://"+strings.TrimPrefix(hook.URL, "http://")+"/noc?disabletls=yes")
	b.reload(t.Context())
	t.Cleanup(b.events.close)
	b.pass(catchingUp)
	if err := b.digest(t); err != nil {
		t.Fatal(err)
	}
	b.pass(24 * time.Hour)
	refuse := func(what string) { in.mu.Lock(); defer in.mu.Unlock(); broken = what }
	refuse("acme")
	for range 3 {
		if err := b.digest(t); err == nil || strings.Contains(err.Error(), "bolt") {
			t.Errorf("of the part that is missing it is said: %v", err)
		}
		b.pass(digestAgain + time.Second)
	}
	if text := in.text(); !strings.Contains(text, "bolt") || in.take() != 1 {
		t.Errorf("the other part was not sent once: %s", text)
	}
	refuse("")
	for range 3 {
		if err := b.digest(t); err != nil {
			t.Error(err)
		}
		b.pass(digestAgain + time.Second)
	}
	if text := in.text(); !strings.Contains(text, "acme") || strings.Contains(text, "bolt") || in.take() != 1 {
		t.Errorf("not the missing part alone was sent: %s", text)
	}
	// The next morning both.
	b.pass(24 * time.Hour)
	if err := b.digest(t); err != nil || in.take() != 2 {
		t.Errorf("the next morning: %v", err)
	}
}

// What was taken by a clock that was a year ahead comes after every morning of a year.
func TestWhatAClockThatWasAheadTookStandsInOneDigest(t *testing.T) {
	t.Parallel()
	b, in, _ := digestBench(t)
	take := func(text string) {
		t.Helper()
		w, leave := b.live.use()
		defer leave()
		clean, err := redact.Restore([]byte(text), configs.Digest([]byte(text)))
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.store.Commit(t.Context(), configs.Snapshot{
			Device: devices.Device{Customer: "acme", Name: "fw"}, Taken: b.now(), Driver: "cisco_ios", By: configs.Person{Name: "Ada Example"},
			Grade: configs.Grade{Level: configs.Restore}, Texts: []configs.Text{{Name: configs.MainFile, Clean: clean}},
			Originals: []configs.Sealed{{Name: configs.MainFile, Bytes: []byte("sealed"), Digest: configs.Digest([]byte(text)), Size: len(text)}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	const year = 365 * 24 * time.Hour
	take("hostname fw\nend\n")
	b.pass(year)
	take("hostname ahead\nend\n")
	b.pass(-year)
	take("hostname fw\nend\n") // somebody has put it back: that is a change, too
	told := []int{}
	b.pass(22 * time.Hour) // behind the next morning's nine
	for range 3 {
		if err := b.digest(t); err != nil {
			t.Fatal(err)
		}
		told = append(told, strings.Count(in.text(), "hostname ahead"))
		in.take()
		b.pass(24 * time.Hour)
	}
	if told[0] != 2 || told[1] != 0 || told[2] != 0 {
		t.Errorf("told in %d lines of three digests, want 2 in the first: one that came, one that went", told)
	}
}

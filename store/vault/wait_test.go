package vault

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"belay/devices"
)

// hold has the lock, as another process that was stopped has it.
func hold(t *testing.T, v *Vault) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(v.dir, "vault.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
}

// opened waits until a file is open n times in this process.
func opened(path string, n int) error {
	want, err := os.Stat(path)
	if err != nil {
		return err
	}
	for {
		files, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			return err
		}
		open := 0
		for _, f := range files {
			if is, err := os.Stat("/proc/self/fd/" + f.Name()); err == nil && os.SameFile(is, want) {
				open++
			}
		}
		if open >= n {
			return nil
		}
		time.Sleep(time.Millisecond)
	}
}

// soon runs f and fails where it is not over long after it should be.
func soon(t *testing.T, what string, f func() error) error {
	t.Helper()
	over := make(chan error, 1)
	go func() { over <- f() }()
	select {
	case err := <-over:
		return err
	case <-time.After(20 * time.Second):
		t.Fatalf("%s is not over after a long time", what)
		return nil
	}
}

// A new customer's key waits for the lock of another process. Meanwhile all keys
// that are there are had: those that are known, and those that must be opened.
func TestKeysThatAreThereAreHadWhileANewOneWaits(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	sealed := seal(t, open(t, dir), "later", "of later")
	v := open(t, dir)
	seal(t, v, "known", "x")
	if _, err := v.Signer(t.Context()); err != nil {
		t.Fatal(err)
	}
	hold(t, v)
	v.patience = time.Hour
	ctx, stop := context.WithCancel(t.Context())
	made := make(chan error, 1)
	go func() {
		_, err := v.FingerprintKey(ctx, "new")
		made <- err
	}()
	if err := soon(t, "the wait for the lock", func() error { return opened(filepath.Join(v.dir, "vault.lock"), 2) }); err != nil {
		t.Fatal(err)
	}
	for what, f := range map[string]func() error{
		"a known key":  func() error { _, err := v.FingerprintKey(context.Background(), "known"); return err },
		"another key":  func() error { _, err := v.Open(context.Background(), "later", sealed); return err },
		"the logins":   func() error { _, _, err := v.Get(context.Background(), "backup"); return err },
		"the signer":   func() error { _, err := v.Signer(context.Background()); return err },
		"all the keys": func() error { _, err := v.List(context.Background()); return err },
	} {
		if err := soon(t, what, f); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if len(made) > 0 {
		t.Errorf("the new key did not wait: %v", <-made)
	}
	stop()
	if err := soon(t, "the new key", func() error { return <-made }); !errors.Is(err, context.Canceled) {
		t.Errorf("the new key: %v", err)
	}
}

// The master's command hangs. What is known is had, and who needs the master ends
// with his context.
func TestAKnownKeyIsHadWhileTheMastersCommandHangs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, customer := range []string{"known", "later", "third"} {
		seal(t, open(t, dir), customer, "x")
	}
	v := open(t, dir)
	seal(t, v, "known", "x")
	begun := filepath.Join(dir, "begun")
	v.master, v.patience = nil, time.Hour
	v.source = Master{Command: []string{"sh", "-c", "echo > " + begun + "; exec sleep 3600"}, within: time.Hour}
	ctx, stop := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() {
		_, err := v.FingerprintKey(ctx, "later")
		first <- err
	}()
	if err := soon(t, "the start of the command", func() error {
		for {
			if _, err := os.Stat(begun); err == nil {
				return nil
			}
			time.Sleep(5 * time.Millisecond)
		}
	}); err != nil {
		t.Fatal(err)
	}
	if err := soon(t, "a known key", func() error { _, err := v.FingerprintKey(context.Background(), "known"); return err }); err != nil {
		t.Error(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	for what, f := range map[string]func() error{
		"another key": func() error { _, err := v.FingerprintKey(short, "third"); return err },
		"a new key":   func() error { _, err := v.Make(short, "new"); return err },
		"the logins":  func() error { _, err := v.Names(short); return err },
		"the master":  func() error { return v.Unlock(short) },
	} {
		if err := soon(t, what, f); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", what, err)
		}
	}
	v.patience = time.Millisecond // who has no limit of his own, all the same
	if err := soon(t, "the turn", func() error { _, err := v.Names(context.Background()); return err }); err == nil || !strings.Contains(err.Error(), "others have been at it") {
		t.Errorf("the turn: %v", err)
	}
	stop()
	if err := soon(t, "who runs the command", func() error { return <-first }); !errors.Is(err, context.Canceled) {
		t.Errorf("who runs the command: %v", err)
	}
}

// Captures seal without a limit of their own: none waits for ever.
func TestNobodyWaitsForEverForTheLockOrTheMaster(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	v := open(t, dir)
	seal(t, v, "acme", "x")
	stuck, err := New(v.dir, Master{Command: []string{"sleep", "3600"}, within: 50 * time.Millisecond}, now)
	if err != nil {
		t.Fatal(err)
	}
	err = soon(t, "the command", func() error { _, err := stuck.Seal(context.Background(), "acme", nil); return err })
	if devices.KindOf(err) != devices.Usage || err == nil || !strings.Contains(err.Error(), "not done after 50ms") || devices.HintOf(err) == "" {
		t.Errorf("the command: %v", err)
	}
	hold(t, v)
	v.patience = 50 * time.Millisecond
	err = soon(t, "the lock", func() error { _, err := v.Seal(context.Background(), "new", nil); return err })
	if err == nil || !strings.Contains(err.Error(), "vault.lock for 50ms") || !strings.Contains(devices.HintOf(err), "vault.lock") {
		t.Errorf("the lock: %v, %s", err, devices.HintOf(err))
	}
	err = soon(t, "a backup", func() error { _, err := v.Sealed(context.Background()); return err })
	if err == nil || !strings.Contains(err.Error(), "vault.lock for 50ms") {
		t.Errorf("a backup: %v", err)
	}
	v.patience = time.Hour
	short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := soon(t, "a backup that ends", func() error { _, err := v.Sealed(short); return err }); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a backup that ends: %v", err)
	}
}

// What is sealed is had as it lies by who cannot open it.
func TestTheSealedFilesAreHadWithoutTheMaster(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	v := open(t, dir)
	seal(t, v, "acme", "x")
	if _, err := v.Signer(t.Context()); err != nil {
		t.Fatal(err)
	}
	other, err := New(v.dir, Master{Command: []string{"false"}}, now)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := other.Sealed(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"customers/acme/key.age", "signer.age", "signer.pub"} {
		if lies, err := os.ReadFile(filepath.Join(v.dir, name)); err != nil || len(lies) == 0 || string(sealed[name]) != string(lies) {
			t.Errorf("%s: %d bytes of %d, %v", name, len(sealed[name]), len(lies), err)
		}
	}
	if len(sealed) != 3 {
		t.Errorf("%d files", len(sealed))
	}
}

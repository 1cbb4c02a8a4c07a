package main

import (
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
)

// Whoever can write to the socket is believed: at no moment may somebody else.
func TestTheSocketIsItsOwnersFromTheFirstMoment(t *testing.T) { // not parallel: the umask is everybody's
	defer syscall.Umask(syscall.Umask(0))
	dir, err := os.MkdirTemp("", "belay") // the path of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ended := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		for {
			select {
			case <-ended:
				return
			default:
			}
			if fi, err := os.Lstat(filepath.Join(dir, socketFile)); err == nil && fi.Mode().Perm()&0o077 != 0 {
				t.Errorf("for a moment it was %v", fi.Mode())
				return
			}
		}
	})
	for range 300 {
		l, err := listenSocket(dir)
		if err != nil {
			t.Fatal(err)
		}
		_ = l.Close()
	}
	close(ended)
	watching.Wait()
	if now := syscall.Umask(0); now != 0 {
		t.Errorf("the umask stays %o", now)
	}
}

// A link in the data folder does not have another file emptied.
func TestTheLockIsNotWrittenThroughALink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	other := filepath.Join(t.TempDir(), "other")
	if err := os.WriteFile(other, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(other, filepath.Join(dir, serviceLock)); err != nil {
		t.Fatal(err)
	}
	if release, err := lockService(dir); err == nil {
		_ = release()
		t.Error("a link is taken for the lock")
	}
	if text, err := os.ReadFile(other); err != nil || string(text) != "mine" {
		t.Errorf("the other file holds %q, %v", text, err)
	}
}

package ledger

import (
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"belay/devices"
)

func TestADiskThatIsReallyFullLosesNothingAcknowledged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("a small file system needs root (%v); the same is tried with a limit of SQLite's own", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	filler := filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, make([]byte, 256<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	l := open(t, dir)
	var mu sync.Mutex
	var wg sync.WaitGroup
	kept := 0
	var full error
	for range 8 {
		wg.Go(func() {
			for range 2000 {
				err := l.Append(t.Context(), event("acme", "capture"))
				mu.Lock()
				if err != nil {
					full = err
				} else {
					kept++
				}
				mu.Unlock()
				if err != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	if full == nil || devices.KindOf(full) != devices.Broken || devices.HintOf(full) == "" {
		t.Fatalf("got %v with hint %q after %d events", full, devices.HintOf(full), kept)
	}
	t.Logf("after %d events: %v", kept, full)
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if err := l.Append(t.Context(), event("acme", "capture")); err != nil {
		t.Fatalf("with room again: %v", err)
	}
	if n, err := l.VerifyChain(t.Context(), "acme"); n != kept+1 || err != nil {
		t.Errorf("%d entries, error %v; %d were acknowledged", n, err, kept+1)
	}
	if err := l.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

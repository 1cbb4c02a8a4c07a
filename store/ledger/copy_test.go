package ledger

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"belay/configs"
)

func TestACopyIsTheLedgerOfOneMoment(t *testing.T) {
	t.Parallel()
	l := open(t, t.TempDir())
	for range 3 {
		append1(t, l, "acme")
	}
	append1(t, l, "")
	other := t.TempDir()
	stop := make(chan struct{})
	written := make(chan struct{}, 1000)
	var writers sync.WaitGroup
	for range 4 { // captures go on
		writers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := l.Append(t.Context(), event("globex", "capture")); err != nil {
					t.Error(err)
					return
				}
				select {
				case written <- struct{}{}:
				default:
				}
			}
		})
	}
	<-written
	var still []Head
	heads, err := l.Copy(t.Context(), filepath.Join(other, File), func(ctx context.Context) (err error) {
		// Nothing is appended while this lasts, however many try.
		if still, err = l.Heads(ctx); err != nil {
			return err
		}
		time.Sleep(30 * time.Millisecond) // gives them the chance to
		again, err := l.Heads(ctx)
		if d := cmp.Diff(still, again); d != "" {
			t.Error("somebody appended in the moment:", d)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 10 { // and after it
		<-written
	}
	close(stop)
	writers.Wait()
	if d := cmp.Diff(still, heads); d != "" {
		t.Error(d)
	}
	if heads[0].Customer != "" || heads[0].Entries != 1 || heads[1].Customer != "acme" || heads[1].Entries != 3 || len(heads[2].Hash) != 64 {
		t.Errorf("the heads are %v", heads)
	}
	info, err := os.Stat(filepath.Join(other, File))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info, err)
	}
	c := open(t, other)
	copied, err := c.Heads(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(heads, copied); d != "" {
		t.Error("the copy is of another moment:", d)
	}
	if err := errors.Join(c.Check(t.Context()), c.QuickCheck(t.Context())); err != nil {
		t.Error(err)
	}
	if n, err := l.VerifyChain(t.Context(), "globex"); err != nil || int64(n) <= heads[2].Entries {
		t.Errorf("%d entries now, %v", n, err)
	}
}

func TestACopyThatFailsLeavesNothing(t *testing.T) {
	t.Parallel()
	l := open(t, t.TempDir())
	append1(t, l, "acme")
	path := filepath.Join(t.TempDir(), File)
	no := errors.New("no")
	if _, err := l.Copy(t.Context(), path, func(context.Context) error { return no }); !errors.Is(err, no) {
		t.Error(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	if _, err := l.Copy(ctx, path, func(context.Context) error { stop(); return nil }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Error("something was left:", err)
	}
	append1(t, l, "acme") // the moment is over
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Copy(t.Context(), path, func(context.Context) error { return nil }); !errors.Is(err, os.ErrExist) {
		t.Error(err)
	}
	if data, err := os.ReadFile(path); string(data) != "mine" {
		t.Error("a file was overwritten:", err)
	}
}

func append1(t *testing.T, l *Ledger, customer string) {
	t.Helper()
	if err := l.Append(t.Context(), configs.Event{At: time.Date(2026, 11, 22, 1, 0, 0, 0, time.UTC), Customer: customer, Act: "capture"}); err != nil {
		t.Fatal(err)
	}
}

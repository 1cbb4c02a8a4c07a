package ledger

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"testing"
	"time"
)

// hold has a transaction of the ledger open until release is called.
func hold(t *testing.T, l *Ledger) (release func()) {
	t.Helper()
	in, over, out := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		out <- l.write.do(context.Background(), func(context.Context, *sql.Tx) error {
			close(in)
			<-over
			return nil
		})
	}()
	<-in
	return sync.OnceFunc(func() {
		close(over)
		if err := <-out; err != nil {
			t.Error(err)
		}
	})
}

// Another process stands still in a transaction. Those who wait for it in one group
// hear at once, all together, and not one after another, each after a wait anew.
func TestAProcessInTheWayIsWaitedForOnceByAGroup(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, dir)
	release := hold(t, open(t, dir))
	t.Cleanup(release)
	l.write.patience = 100 * time.Millisecond
	if _, err := l.write.db.ExecContext(t.Context(), "PRAGMA busy_timeout = 1"); err != nil {
		t.Fatal(err)
	}
	jobs := make([]*job, 5)
	for i := range jobs {
		jobs[i] = &job{ctx: context.Background(), run: func(context.Context, *sql.Tx) error { return nil }, done: make(chan error, 1)}
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		l.write.group(jobs)
	}()
	if err := <-jobs[0].done; !busy(err) {
		t.Errorf("the first: %v", err)
	}
	release() // who is tried from here on is written
	for _, j := range jobs[1:] {
		if err := <-j.done; !busy(err) {
			t.Errorf("another was tried alone: %v", err)
		}
	}
	<-over
	l.write.patience = patience
	append1(t, l, "acme")
}

func TestWhoWaitsForAnothersTransactionEndsWithItsContext(t *testing.T) {
	t.Parallel()
	l := open(t, t.TempDir())
	release := hold(t, l)
	t.Cleanup(release)
	ctx, stop := context.WithCancel(t.Context())
	ran := false
	out := make(chan error, 1)
	go func() {
		out <- l.write.do(ctx, func(context.Context, *sql.Tx) error {
			ran = true
			return nil
		})
	}()
	queued := func() int {
		l.write.mu.Lock()
		defer l.write.mu.Unlock()
		return len(l.write.queue)
	}
	for queued() == 0 {
		time.Sleep(time.Millisecond)
	}
	stop()
	select {
	case err := <-out:
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	case <-time.After(30 * time.Second):
		t.Error("it waits for the transaction of another")
		release()
		<-out
	}
	if n := queued(); n != 0 {
		t.Errorf("%d wait still", n)
	}
	release()
	append1(t, l, "acme")
	if ran {
		t.Error("it was written though it was told to be stopped")
	}
}

// database/sql rolls a transaction back by itself some time after its context has
// ended: whoever finds it gone must hear of the stop, not of the rollback.
func TestAStopInTheMiddleOfATransactionIsToldAsAStop(t *testing.T) {
	t.Parallel()
	l := open(t, t.TempDir())
	gone := func(tx *sql.Tx) error {
		for {
			if _, err := tx.ExecContext(context.Background(), "SELECT 1"); err != nil {
				return err
			}
		}
	}
	for name, last := range map[string]func(err error) error{
		"at its end":     func(error) error { return nil },
		"in a statement": func(err error) error { return err },
	} {
		ctx, stop := context.WithCancel(t.Context())
		err := l.write.do(ctx, func(_ context.Context, tx *sql.Tx) error {
			stop()
			return last(gone(tx))
		})
		if !errors.Is(err, context.Canceled) || errors.Is(err, sql.ErrTxDone) {
			t.Errorf("%s: %v", name, err)
		}
	}
	append1(t, l, "acme")
}

package ledger

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"sync"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

const (
	mostJobs  = 500              // in one transaction
	patience  = 60 * time.Second // with another process, beyond the busy timeout
	restAfter = 20 * time.Millisecond
)

var errClosed = errors.New("the ledger is closed")

// A writer has the one connection that writes. Whoever comes while a transaction
// is being synchronized waits for the next, together with all others who came:
// many small writes cost few synchronizations. The goroutine that writes lives
// only while there is something to write.
type writer struct {
	db       *sql.DB
	patience time.Duration

	mu      sync.Mutex
	queue   []*job
	running bool
	closed  bool
	flushes sync.WaitGroup
}

// A job is one caller's share of a transaction. It may be run more than once,
// each time after all it did was undone.
type job struct {
	ctx  context.Context
	run  func(ctx context.Context, tx *sql.Tx) error
	done chan error // has room for one
}

// do runs f in a transaction and returns when it is on disk.
func (w *writer) do(ctx context.Context, f func(ctx context.Context, tx *sql.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	j := &job{ctx: ctx, run: f, done: make(chan error, 1)}
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return errClosed
	}
	w.queue = append(w.queue, j)
	if !w.running {
		w.running = true
		w.flushes.Go(w.flush)
	}
	w.mu.Unlock()
	select {
	case err := <-j.done:
		return err
	case <-ctx.Done():
	}
	if w.leave(j) {
		return ctx.Err()
	}
	// What is being written is waited for: its outcome is soon known.
	return <-j.done
}

// leave takes a job out of the queue, if it is there still.
func (w *writer) leave(j *job) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.Index(w.queue, j)
	if i < 0 {
		return false
	}
	w.queue = slices.Delete(w.queue, i, i+1)
	return true
}

// flush writes until nobody waits.
func (w *writer) flush() {
	for {
		w.mu.Lock()
		n := min(len(w.queue), mostJobs)
		jobs := w.queue[:n:n]
		w.queue = w.queue[n:]
		if n == 0 {
			w.running, w.queue = false, nil
			w.mu.Unlock()
			return
		}
		w.mu.Unlock()
		w.group(jobs)
	}
}

// group writes jobs in one transaction. Where one of them fails, each gets a
// transaction of its own, so that it fails alone. Where another process was in the
// way it is no job's fault: all have waited long enough, and none waits again.
func (w *writer) group(jobs []*job) {
	alive := jobs[:0:0]
	for _, j := range jobs {
		if err := j.ctx.Err(); err != nil {
			j.done <- err
			continue
		}
		alive = append(alive, j)
	}
	if len(alive) == 0 {
		return
	}
	// The transaction belongs to all of them: only the last to give up stops it.
	ctx, stop := whileAny(alive)
	defer stop()
	err := w.transact(ctx, alive)
	if err == nil || len(alive) == 1 || busy(err) {
		for _, j := range alive {
			j.done <- err
		}
		return
	}
	for _, j := range alive {
		j.done <- w.transact(j.ctx, []*job{j})
	}
}

func (w *writer) transact(ctx context.Context, jobs []*job) error {
	return w.retry(ctx, func() error {
		tx, err := w.db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		for _, j := range jobs {
			if err := j.run(ctx, tx); err != nil {
				return ended(ctx, undo(tx, err))
			}
		}
		return ended(ctx, tx.Commit())
	})
}

// ended says why a transaction was over already: [sql.DB] rolls one back by itself
// when its context ends, and what comes after that hears of the rollback alone.
func ended(ctx context.Context, err error) error {
	if errors.Is(err, sql.ErrTxDone) && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// undo rolls tx back after err. After a full disk SQLite has done so by itself,
// and a rollback finds no transaction: then err alone matters.
func undo(tx *sql.Tx, err error) error {
	failure := tx.Rollback()
	if s, ok := errors.AsType[*sqlite.Error](failure); failure == nil || errors.Is(failure, sql.ErrTxDone) || ok && s.Code() == sqlite3.SQLITE_ERROR {
		return err
	}
	return errors.Join(err, failure)
}

// retry tries again while another process is in the way.
func (w *writer) retry(ctx context.Context, f func() error) error {
	ctx, cancel := context.WithTimeout(ctx, w.patience)
	defer cancel()
	for {
		err := f()
		if !busy(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(restAfter):
		}
	}
}

func busy(err error) bool {
	s, ok := errors.AsType[*sqlite.Error](err)
	return ok && (s.Code()&0xff == sqlite3.SQLITE_BUSY || s.Code()&0xff == sqlite3.SQLITE_LOCKED)
}

// whileAny is a context that ends when those of all jobs have ended.
func whileAny(jobs []*job) (context.Context, func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var mu sync.Mutex
	left := len(jobs)
	stops := make([]func() bool, len(jobs))
	for i, j := range jobs {
		stops[i] = context.AfterFunc(j.ctx, func() {
			mu.Lock()
			defer mu.Unlock()
			if left--; left == 0 {
				cancel()
			}
		})
	}
	return ctx, func() {
		for _, stop := range stops {
			stop()
		}
		cancel()
	}
}

// close refuses what comes, waits for what has come, and closes the connection.
func (w *writer) close() error {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.flushes.Wait()
	return w.db.Close()
}

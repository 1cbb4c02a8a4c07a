package git

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"belay/devices"
)

// lockPatience is how long a lock is waited for that nobody writes to: its holders need
// seconds, and one that needs longer marks it again and again.
const lockPatience = 2 * time.Minute

// idle is the content of a lock file that nobody holds: as long as that of one
// that is held, so that a full disk cannot keep it from changing.
const idle = "                                                            \n"

// A lockFile is held by flock(2): the kernel lets go of it when the process
// dies, however it dies. Its content says what the holder was doing.
type lockFile struct {
	f    *os.File
	left string // what the last holder wrote and did not wipe: it died
}

// errHeld says that another process holds the lock.
var errHeld = errors.New("another process is at it")

// lock waits for the lock file at path until ctx ends.
func lock(ctx context.Context, path string) (*lockFile, error) {
	for pause := time.Millisecond; ; pause = min(2*pause, 4*time.Millisecond) {
		l, err := tryLock(path)
		if !errors.Is(err, errHeld) {
			return l, err
		}
		t := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			t.Stop()
			return nil, fmt.Errorf("wait for lock %s: %w", path, ctx.Err())
		case <-t.C:
		}
	}
}

// waitPatiently lets take wait for the lock file at path, but no longer than patience
// while nobody writes to it: a process that was stopped lets go of nothing.
func waitPatiently(ctx context.Context, path string, patience time.Duration, take func(context.Context) (*lockFile, error)) (*lockFile, error) {
	for {
		written := lastWritten(path)
		waiting, done := context.WithTimeout(ctx, patience)
		l, err := take(waiting)
		done()
		if !errors.Is(err, context.DeadlineExceeded) {
			return l, err
		}
		cause := errHeld
		if ctx.Err() != nil {
			cause = fmt.Errorf("%w: %w", errHeld, ctx.Err())
		} else if !lastWritten(path).Equal(written) {
			continue // its holder goes on, or it has gone from hand to hand
		}
		return nil, &devices.Error{Op: "wait for lock " + path, Err: cause, Hint: "the file begins with the number of the process that holds it; if that hangs or was stopped, let it go on or end it: nothing that was kept is lost by that"}
	}
}

// lastWritten is when a lock file was last written to, zero where that cannot be told.
func lastWritten(path string) time.Time {
	fi, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return fi.ModTime()
}

// tryLock takes the lock or says errHeld.
func tryLock(path string) (*lockFile, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := flock(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	left, err := io.ReadAll(io.LimitReader(f, 200))
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	l := &lockFile{f: f, left: string(left)}
	if err := l.mark(""); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return l, nil
}

func flock(f *os.File) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EWOULDBLOCK):
			return errHeld
		default:
			return err
		}
	}
}

// mark writes what the holder is doing, for whoever comes after its death, and for
// those who wait as a sign that it goes on.
func (l *lockFile) mark(doing string) error {
	_, err := l.f.WriteAt(fmt.Appendf(nil, "%-60s\n", fmt.Sprintf("%d %s", os.Getpid(), doing)), 0)
	return err
}

// unlock wipes the mark and lets go.
func (l *lockFile) unlock() error {
	_, err := l.f.WriteAt([]byte(idle), 0)
	return errors.Join(err, l.f.Close())
}

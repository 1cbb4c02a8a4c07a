package vault

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"belay/devices"
)

// patience is how long anybody waits for who has the lock or the turn, and for the
// master's command: a process can be stopped, and a command can wait for a network.
const patience = 30 * time.Second

// take waits for the turn to read the files.
func (v *Vault) take(ctx context.Context) (done func(), err error) {
	late := time.NewTimer(v.patience)
	defer late.Stop()
	select {
	case v.turn <- struct{}{}:
		return func() { <-v.turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-late.C:
		return nil, &devices.Error{Op: "wait for the master identity", Err: fmt.Errorf("others have been at it for %v", v.patience)}
	}
}

// alone waits for the lock and the turn, to write the files. The lock comes first:
// who has the turn waits for no other process, and nobody for him because of one.
func (v *Vault) alone(ctx context.Context) (done func(), err error) {
	unlock, err := v.lock(ctx)
	if err != nil {
		return nil, err
	}
	leave, err := v.take(ctx)
	if err != nil {
		unlock()
		return nil, err
	}
	return func() {
		leave()
		unlock()
	}, nil
}

// lock keeps all other writers out, of this process and of others, until unlock
// is called or the process ends.
func (v *Vault) lock(ctx context.Context) (unlock func(), err error) {
	if err := makeFolder(v.dir); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(v.dir, "vault.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	late := time.NewTimer(v.patience)
	defer late.Stop()
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil // which lets go of the lock
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", f.Name(), err), f.Close())
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), f.Close())
		case <-late.C:
			held := &devices.Error{Op: "lock the keys", Err: fmt.Errorf("another process has held %s for %v", f.Name(), v.patience), Hint: "see who has it open (fuser -v " + f.Name() + "), and try again"}
			return nil, errors.Join(held, f.Close())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// writeFile puts data in the place of the file, whole or not at all, and returns
// when it would survive a power cut. The caller holds the lock, so that one
// temporary name serves, and what a crash left behind is overwritten.
func writeFile(path string, data []byte) error {
	if err := makeFolder(filepath.Dir(path)); err != nil {
		return err
	}
	temporary := path + ".new"
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(temporary, path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// makeFolder makes a folder for its owner only, and those above it, and sees
// that a power cut does not take them away.
func makeFolder(path string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	if parent := filepath.Dir(path); parent != path {
		if err := makeFolder(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

func syncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

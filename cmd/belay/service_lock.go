package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"belay/devices"
)

// serviceLock is the file in the data folder that a service holds by flock(2) as
// long as it lives: the kernel lets go of it however the process ends. In it stand
// the process's number, its machine and when it began. Commands need no lock.
const serviceLock = "service.lock"

// lockService makes this process the one service of the data folder.
func lockService(dir string) (release func() error, err error) {
	const op = "begin the service"
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, &devices.Error{Kind: devices.Usage, Op: op, Err: err}
	}
	f, err := os.OpenFile(filepath.Join(dir, serviceLock), os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, &devices.Error{Kind: devices.Usage, Op: op, Err: err}
	}
	for range 50 { // a command that looks who is running holds it for an instant
		if err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == nil || !busyLock(err) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if busyLock(err) {
		who := "another one"
		if pid, host, since, ok := readLock(f); ok {
			who = fmt.Sprintf("process %d on %s, since %s,", pid, host, since.Local().Format("2006-01-02 15:04:05"))
		}
		err = &devices.Error{Kind: devices.Usage, Op: op, Err: fmt.Errorf("%s serves %s already", who, dir), Hint: "stop that one first; commands work beside it"}
		return nil, errors.Join(err, f.Close())
	}
	if err == nil {
		err = writeLock(f, time.Now())
	}
	if err != nil {
		return nil, errors.Join(&devices.Error{Op: op, Err: err}, f.Close())
	}
	return func() error { return errors.Join(f.Truncate(0), f.Close()) }, nil
}

func busyLock(err error) bool {
	return errors.Is(err, syscall.EWOULDBLOCK) || errors.Is(err, syscall.EINTR)
}

func writeLock(f *os.File, now time.Time) error {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	if err := f.Truncate(0); err != nil {
		return err
	}
	if _, err := f.WriteAt(fmt.Appendf(nil, "%d %s %s\n", os.Getpid(), host, now.UTC().Format(time.RFC3339)), 0); err != nil {
		return err
	}
	return f.Sync()
}

func readLock(f *os.File) (pid int, host string, since time.Time, ok bool) {
	b := make([]byte, 400)
	n, _ := f.ReadAt(b, 0) // the end of the file is no failure
	fields := strings.Fields(string(b[:n]))
	if len(fields) != 3 {
		return 0, "", time.Time{}, false
	}
	pid, err := strconv.Atoi(fields[0])
	if err != nil {
		return 0, "", time.Time{}, false
	}
	since, err = time.Parse(time.RFC3339, fields[2])
	return pid, fields[1], since, err == nil
}

// running tells whether a service works on the data folder, and which process it
// is; 0 where it has only just begun.
func running(dir string) (pid int, since time.Time, ok bool) {
	f, err := os.Open(filepath.Join(dir, serviceLock))
	if err != nil {
		return 0, time.Time{}, false
	}
	defer f.Close() // lets go
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB); !busyLock(err) {
		return 0, time.Time{}, false
	}
	pid, _, since, _ = readLock(f)
	return pid, since, true
}

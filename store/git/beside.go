package git

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// What keeps other gits from looking after a repository while packs are exchanged.
// A git maintenance run takes objects/maintenance.lock and gives up where it is
// there; a git gc leaves its process and machine in gc.pid, and gives up where such a
// process lives. What they have noted of packs that we take away at that moment would
// mislead them: they have been seen to write a graph of commits that leaves some out,
// and to pack by it.
const (
	gcNote          = "gc.pid"
	maintenanceNote = "objects/maintenance.lock"
	maintenanceMark = "belay exchanges packs\n" // git's own is empty
)

// errAtIt says that another git looks after the repository.
var errAtIt = errors.New("another git is at it")

// alone keeps other gits away until release is called. Only the holder of the
// maintenance lock may call it: a note of ours that is there was left by a process
// that was killed. That of a dead git gc is void by itself.
func (r *repo) alone() (release func() error, err error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	notes := []string{filepath.Join(r.dir, maintenanceNote), filepath.Join(r.dir, gcNote)}
	if r.leftAlone() {
		err = removeIfThere(notes[0])
	}
	if err == nil {
		err = r.note(maintenanceNote, maintenanceMark)
	}
	if err != nil {
		return nil, err
	}
	err = errAtIt
	if !r.lives(notes[1], host) {
		err = removeIfThere(notes[1])
	}
	if err == nil {
		err = r.note(gcNote, fmt.Sprintf("%d %s", os.Getpid(), host))
	}
	if err != nil {
		return nil, errors.Join(err, removeIfThere(notes[0]))
	}
	return func() error { return errors.Join(removeIfThere(notes[1]), removeIfThere(notes[0])) }, nil
}

// leftAlone tells whether the note for a git maintenance run is one of ours.
func (r *repo) leftAlone() bool {
	text, err := os.ReadFile(filepath.Join(r.dir, maintenanceNote))
	return err == nil && string(text) == maintenanceMark
}

// note writes a note where there is none.
func (r *repo) note(name, text string) error {
	f, err := os.OpenFile(filepath.Join(r.dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return errAtIt
	}
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// lives tells whether a git gc is at it: by git's own rule, which believes a note of
// another machine for twelve hours.
func (r *repo) lives(path, host string) bool {
	fi, err := os.Stat(path)
	if err != nil || r.now().Sub(fi.ModTime()) > 12*time.Hour {
		return false
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	var pid int
	var at string
	if n, err := fmt.Sscanf(string(data), "%d %s", &pid, &at); err != nil || n < 2 || pid <= 0 || pid == os.Getpid() {
		return false
	}
	if at != host {
		return true
	}
	err = unix.Kill(pid, 0)
	return err == nil || errors.Is(err, unix.EPERM)
}

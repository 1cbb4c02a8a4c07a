package spare

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"belay/devices"
)

// A Taking is one backup while it is made. It is one goroutine's.
type Taking struct {
	Progress func(files int, bytes int64)     // where set, is told after each file how far it is
	Warning  string                           // what Finish found odd among the backups before
	Sign     func(sum string) (string, error) // where set, signs the manifest

	folder  string
	lock    *os.File
	number  int
	before  map[string]File // of the backup before, by path
	files   []File
	dirs    []string
	named   map[string]bool
	folders map[string]bool // below content, to be synced
	bytes   int64
	fresh   int64
}

// Begin starts a backup into a folder, which is made where it is missing. Another
// one at the same time is refused.
func Begin(folder string) (_ *Taking, err error) {
	const op = "begin a backup"
	if _, err := Numbers(folder); err != nil { // before anything is made in it
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(folder, "content"), 0o700); err != nil {
		return nil, &devices.Error{Kind: devices.Usage, Op: op, Err: err}
	}
	lock, err := os.OpenFile(filepath.Join(folder, "backup.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, &devices.Error{Kind: devices.Usage, Op: op, Err: err}
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, lock.Close())
		}
	}()
	switch err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); {
	case errors.Is(err, syscall.EWOULDBLOCK):
		return nil, &devices.Error{Kind: devices.Usage, Op: op, Err: fmt.Errorf("another process is making one into %s", folder), Hint: "wait until it is done"}
	case err != nil:
		return nil, &devices.Error{Op: op, Err: err}
	}
	numbers, err := Numbers(folder)
	if err != nil {
		return nil, err
	}
	t := &Taking{folder: folder, lock: lock, number: 1, before: map[string]File{}, named: map[string]bool{}, folders: map[string]bool{}}
	if len(numbers) > 0 {
		t.number = numbers[len(numbers)-1] + 1
		if m, err := Read(folder, 0); err == nil { // a damaged one only saves no work
			for _, f := range m.Files {
				t.before[f.Path] = f
			}
		}
	}
	return t, os.RemoveAll(t.Scratch()) // of one that was killed
}

// Scratch is a place on the same disk for what is copied there before it is Moved.
func (t *Taking) Scratch() string { return filepath.Join(t.folder, "copying") }

var immutable = devices.Pattern(`/objects/pack/pack-[0-9a-f]{40}\.(pack|idx)$`)

// Copy adds a file of the data folder. A pack of git that the backup before has
// under this name and size is not read again: its name stands for what it holds.
func (t *Taking) Copy(ctx context.Context, path, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	if old, ok := t.before[path]; ok && old.Size == info.Size() && immutable().MatchString("/"+path) {
		if kept, err := os.Stat(contentOf(t.folder, old.SHA256)); err == nil && kept.Size() == old.Size {
			return t.add(old)
		}
	}
	return t.put(ctx, path, in)
}

// Put adds a file by its bytes.
func (t *Taking) Put(ctx context.Context, path string, data []byte) error {
	return t.put(ctx, path, bytes.NewReader(data))
}

func (t *Taking) put(ctx context.Context, path string, in io.Reader) (err error) {
	temp, err := os.CreateTemp(filepath.Join(t.folder, "content"), "tmp-")
	if err != nil {
		return t.failed(path, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(t.failed(path, err), os.Remove(temp.Name()))
		}
	}()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(temp, sum), &breakable{ctx, in})
	if err != nil {
		return errors.Join(err, temp.Close())
	}
	f := File{Path: path, Size: n, SHA256: hex.EncodeToString(sum.Sum(nil))}
	to := contentOf(t.folder, f.SHA256)
	if kept, statErr := os.Stat(to); statErr == nil && kept.Size() == n {
		if err := errors.Join(temp.Close(), os.Remove(temp.Name())); err != nil {
			return err
		}
		return t.add(f)
	}
	if err := errors.Join(temp.Sync(), temp.Close()); err != nil {
		return err
	}
	dir := filepath.Dir(to)
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := os.Rename(temp.Name(), to); err != nil {
		return err
	}
	t.folders[dir] = true
	t.fresh += n
	return t.add(f)
}

func (t *Taking) add(f File) error {
	if t.named[f.Path] {
		return fmt.Errorf("%s was added twice", f.Path)
	}
	t.named[f.Path] = true
	t.files = append(t.files, f)
	t.bytes += f.Size
	if t.Progress != nil {
		t.Progress(len(t.files), t.bytes)
	}
	return nil
}

// Folder adds a folder that must be there though nothing may be in it.
func (t *Taking) Folder(path string) { t.dirs = append(t.dirs, path) }

// Fresh is how many bytes had to be written so far.
func (t *Taking) Fresh() int64 { return t.fresh }

func (t *Taking) failed(what string, err error) error {
	e := &devices.Error{Kind: devices.KindOf(err), Op: "back up " + what, Err: err}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		e.Hint = "the disk of " + t.folder + " is full: make room there; the backups that were complete before still are"
	}
	return e
}

// Finish writes the manifest, by which the backup begins to be one, and drops the
// oldest ones beyond keep with what only they name.
func (t *Taking) Finish(m Manifest, keep int) (_ Manifest, err error) {
	m.Format, m.Number, m.Files, m.Folders = Format, t.number, t.files, t.dirs
	m.Made = m.Made.UTC().Truncate(time.Second)
	slices.SortFunc(m.Files, func(a, b File) int { return compare(a.Path, b.Path) })
	if m.Sum, err = m.sum(); err != nil {
		return m, err
	}
	if m.Signature = ""; t.Sign != nil {
		if m.Signature, err = t.Sign(m.Sum); err != nil {
			return m, t.failed("the manifest", err)
		}
	}
	for dir := range t.folders {
		if err := syncFolder(dir); err != nil {
			return m, t.failed("content", err)
		}
	}
	if err := syncFolder(filepath.Join(t.folder, "content")); err != nil {
		return m, t.failed("content", err)
	}
	data, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return m, err
	}
	if err := replace(t.folder, "README.txt", "README.txt.new", []byte(readme)); err != nil {
		return m, t.failed("README.txt", err)
	}
	if err := replace(t.folder, nameOf(m.Number), "manifest.new", append(data, '\n')); err != nil {
		return m, t.failed("the manifest", err)
	}
	if err := syncFolder(filepath.Dir(t.folder)); err != nil { // it may be new
		return m, t.failed("the manifest", err)
	}
	return m, t.forget(keep)
}

// forget takes away the oldest backups and what no manifest names. Where one
// cannot be read, nothing is taken away.
func (t *Taking) forget(keep int) error {
	numbers, err := Numbers(t.folder)
	if err != nil {
		return err
	}
	old := numbers[:max(0, len(numbers)-max(keep, 1))]
	needed := map[string]bool{}
	for _, n := range numbers[len(old):] {
		m, err := Read(t.folder, n)
		if err != nil {
			t.Warning = fmt.Sprintf("nothing old was taken away, for it is not known what is needed: %v", err)
			return nil //nolint:nilerr // the backup itself is complete
		}
		for _, f := range m.Files {
			needed[f.SHA256] = true
		}
	}
	for _, n := range old {
		if err := os.Remove(filepath.Join(t.folder, nameOf(n))); err != nil {
			return err
		}
	}
	if err := syncFolder(t.folder); err != nil { // before what they name goes
		return err
	}
	return filepath.WalkDir(filepath.Join(t.folder, "content"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || needed[d.Name()] {
			return err
		}
		return os.Remove(path)
	})
}

// Close ends the backup. One that is not finished leaves none; what it copied
// already spares the next one the work.
func (t *Taking) Close() error {
	return errors.Join(os.RemoveAll(t.Scratch()), t.lock.Close())
}

const readme = `Backups of Belay's data folder.

manifest-NUMBER.json is one backup each, the highest number the newest; content/ holds the files,
each by the SHA-256 of its bytes. Nothing here is to be changed by hand.

    belay backup check FOLDER      reads all of it and compares
    belay restore FOLDER           makes a data folder of the newest

Both say whether it is signed with a key that is known there; --signer names the one you noted.

NOT in here: the master identity, which opens the customers' keys and logins (belay keys escrow),
and the settings (belay.yaml, the inventory and what they name). Keep both elsewhere, safely:
without the master identity no original in these backups can be opened.

Without Belay, into the folder data:

    jq -r '.files[] | .sha256 + " " + .path' manifest-NUMBER.json | while read -r sum path; do
        mkdir -p "data/$(dirname "$path")"
        cp "content/${sum%"${sum#??}"}/$sum" "data/$path"
    done
`

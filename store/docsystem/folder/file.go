package folder

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"belay/configs"
)

const (
	indexName = "index.csv"

	// Files on their way are called .belay-*.tmp. What a killed process left is
	// removed when it is older than any upload takes.
	tempPrefix, tempSuffix = ".belay-", ".tmp"
	tempAge                = 24 * time.Hour
)

// put makes the file in dir: written beside its place, synced, and only then
// given its name.
func (f *Folder) put(ctx context.Context, dir *os.Root, a act, file configs.Attached) error {
	entries, err := list(dir)
	if err != nil {
		return a.failed(f.path, err)
	}
	for _, e := range entries {
		if e.Name() != file.Name && strings.EqualFold(e.Name(), file.Name) {
			return a.declined(configs.Invalid, fmt.Errorf("there is a file %s, which differs in upper and lower case only", e.Name()), "")
		}
	}
	temp, err := f.writeTemp(dir, file.Bytes)
	if err != nil {
		return a.failed(f.path, err)
	}
	err = f.name(ctx, dir, temp, file.Name)
	if errors.Is(err, os.ErrExist) {
		err = f.same(dir, a, file)
	}
	if removed := dir.Remove(temp); removed != nil && !errors.Is(removed, os.ErrNotExist) { // renamed, it is gone
		err = errors.Join(err, removed)
	}
	if err == nil {
		err = f.flushDir(dir)
	}
	if err != nil {
		return a.failed(f.path, err)
	}
	return nil
}

// name gives the temporary file its name, unless there is one of that name. A
// link does both at once; where a share has none, two processes that hang
// different bytes under one name in the same instant are not told apart. Whoever
// sent a file has given it up with ctx: it must not appear later, when it may
// have been taken down or sent again.
func (f *Folder) name(ctx context.Context, dir *os.Root, temp, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := f.link(dir, temp, name)
	if err == nil || errors.Is(err, os.ErrExist) {
		return err
	}
	if _, err := dir.Lstat(name); !errors.Is(err, os.ErrNotExist) {
		return errors.Join(err, os.ErrExist)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return dir.Rename(temp, name)
}

// same is nil where the file that lies there is the one that is to be put. It is
// synced again: whoever put it may not have come so far.
func (f *Folder) same(dir *os.Root, a act, file configs.Attached) error {
	there, err := openFile(dir, file.Name)
	if err != nil {
		return err
	}
	sum, n, err := digestFrom(there)
	if err == nil {
		err = f.flushed(there)
	}
	if err = errors.Join(err, there.Close()); err != nil {
		return err
	}
	if sum != configs.Digest(file.Bytes) || n != len(file.Bytes) {
		return a.declined(configs.Invalid, errors.New("there is a file of this name with other bytes"), "see who put it there; Belay never replaces a file")
	}
	return nil
}

// writeTemp writes data under a name of its own, on disk, and returns the name.
func (f *Folder) writeTemp(dir *os.Root, data []byte) (name string, err error) {
	name = tempPrefix + rand.Text() + tempSuffix
	file, err := dir.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return "", err
	}
	_, err = file.Write(data)
	if err == nil {
		err = f.flushed(file)
	}
	now, statErr := file.Stat()
	if err = errors.Join(err, statErr, file.Close()); err != nil {
		return "", errors.Join(err, dir.Remove(name))
	}
	sweep(dir, now.ModTime())
	return name, nil
}

// sweep removes what killed processes left; what cannot be removed now is
// removed another time. Now is the share's own clock.
func sweep(dir *os.Root, now time.Time) {
	entries, err := list(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if !temporary(e.Name()) || !e.Type().IsRegular() {
			continue
		}
		if i, err := e.Info(); err == nil && now.Sub(i.ModTime()) > tempAge {
			_ = dir.Remove(e.Name())
		}
	}
}

func temporary(name string) bool {
	return strings.HasPrefix(name, tempPrefix) && strings.HasSuffix(name, tempSuffix)
}

// flushed puts a file on disk, or a folder's names. Some shares cannot and say
// so: there is nothing more to do there.
func (f *Folder) flushed(file *os.File) error {
	err := f.flush(file)
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) || errors.Is(err, syscall.ENOSYS) {
		return nil
	}
	return err
}

func (f *Folder) flushDir(dir *os.Root) error {
	file, err := dir.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(f.flushed(file), file.Close())
}

// take removes a file and forgets its name. One that is gone is no error; nor is
// what was never an attachment, and that stays. So does one that nobody waits to
// see removed any more: it may have been sent again since.
func (f *Folder) take(ctx context.Context, dir *os.Root, name string) error {
	file, err := openFile(dir, name)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil {
		file.Close()
	} else if !errors.Is(err, os.ErrPermission) { // removing needs no leave to read
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := dir.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return f.flushDir(dir)
}

// openFile opens what may be an attachment: a plain file under a name that one
// can have. Anything else does not exist.
func openFile(dir *os.Root, name string) (*os.File, error) {
	if checkName(name) != nil {
		return nil, os.ErrNotExist
	}
	i, err := dir.Lstat(name)
	if err == nil && !i.Mode().IsRegular() {
		err = os.ErrNotExist
	}
	if err != nil {
		return nil, err
	}
	return dir.Open(name)
}

// hanging lists the attachments in dir, newest first.
func (f *Folder) hanging(ctx context.Context, dir *os.Root, item configs.Item) ([]configs.Attachment, error) {
	entries, err := list(dir)
	if err != nil {
		return nil, err
	}
	var all []configs.Attachment
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if checkName(e.Name()) != nil || !e.Type().IsRegular() {
			continue
		}
		h, err := f.look(dir, item, e.Name())
		if errors.Is(err, fs.ErrNotExist) {
			continue // gone since
		}
		if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EBUSY) {
			h, err = configs.Attachment{ID: e.Name(), Name: e.Name(), Bytes: -1}, nil
		}
		if err != nil {
			return nil, err
		}
		all = append(all, h)
	}
	slices.SortStableFunc(all, func(a, b configs.Attachment) int { return b.At.Compare(a.At) })
	return all, nil
}

// look describes one file by what lies there now.
func (f *Folder) look(dir *os.Root, item configs.Item, name string) (configs.Attachment, error) {
	file, err := openFile(dir, name)
	if err != nil {
		return configs.Attachment{}, err
	}
	defer file.Close()
	i, err := file.Stat()
	if err != nil {
		return configs.Attachment{}, err
	}
	sum, n, err := digestFrom(file)
	return configs.Attachment{ID: name, Name: name, Bytes: n, Digest: sum, At: i.ModTime().UTC(), URL: fileURL(f.path, item.ID, name)}, err
}

// writeIndex lists dir for people. Where that cannot be done, as a spreadsheet
// has the list open, the next file brings it up to date: the attachment itself
// hangs, and nobody who waits for it is to hear otherwise.
func (f *Folder) writeIndex(ctx context.Context, dir *os.Root, item configs.Item) {
	f.index.Lock()
	defer f.index.Unlock()
	all, err := f.hanging(ctx, dir, item)
	if err != nil {
		return
	}
	var b strings.Builder
	w := csv.NewWriter(&b)
	w.UseCRLF = true // it is opened on Windows
	rows := [][]string{{"time (UTC)", "name", "bytes", "SHA-256"}}
	for _, a := range all {
		name := a.Name
		if strings.ContainsAny(name[:1], "=+-@") {
			name = "'" + name // a spreadsheet would calculate it
		}
		rows = append(rows, []string{a.At.Format(time.DateTime), name, strconv.Itoa(a.Bytes), a.Digest})
	}
	if w.WriteAll(rows) != nil {
		return
	}
	temp, err := f.writeTemp(dir, []byte(b.String()))
	if err != nil {
		return
	}
	if err := dir.Rename(temp, indexName); err != nil {
		_ = dir.Remove(temp) // else the sweep does
		return
	}
	_ = f.flushDir(dir) // lost, it is written again
}

func digestFrom(r io.Reader) (sum string, n int, err error) {
	h := sha256.New()
	m, err := io.Copy(h, r)
	return hex.EncodeToString(h.Sum(nil)), int(m), err
}

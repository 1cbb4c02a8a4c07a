package tickets

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"belay/configs"
	"belay/devices"
)

// Folder writes notes as files, for a ticket system that picks them up, or for
// people:
//
//	PATH/TICKET/KEY.txt    subject and text
//	PATH/TICKET/KEY.html   the same to print, where the note has it
//	PATH/TICKET/KEY_NAME   each of its files
//	PATH/TICKET/KEY.json   what the note was: written last, so all else is there
//
// Ticket and key that cannot be file names are made so, with a digest behind.
// PATH is never made: a share that is not mounted is not to be written under.
type Folder struct {
	Path    string
	Timeout time.Duration // for one note; 0: two minutes
	Hanging *atomic.Int32 // posts that hang, of all copies together; nil: they are not counted

	enter func(path string) (*os.Root, error) // nil: os.OpenRoot; tests have shares that hang
}

var _ configs.TicketSystem = Folder{}

// Name is for people.
func (f Folder) Name() string { return "folder " + f.Path }

// A filed is KEY.json.
type filed struct {
	Ticket  string      `json:"ticket"`
	Subject string      `json:"subject"`
	Key     string      `json:"key"`
	At      string      `json:"at,omitempty"` // RFC 3339
	Files   []filedFile `json:"files"`
}

type filedFile struct {
	Name   string `json:"name"`
	File   string `json:"file"` // its name here
	Bytes  int    `json:"bytes"`
	Digest string `json:"digest"` // SHA-256 in hexadecimal
}

// Post writes n, and returns TICKET/KEY. A note that is there is not written
// again, whatever became of its files.
//
// What a share whose server is gone was asked does not return, and nothing breaks
// it off: Post leaves it behind. The note may be written all the same.
func (f Folder) Post(ctx context.Context, n configs.Note) (string, error) {
	a := act{n.Ticket}
	if err := a.ended(ctx); err != nil {
		return "", err
	}
	if err := a.check(n); err != nil {
		return "", err
	}
	if f.Hanging == nil {
		f.Hanging = new(atomic.Int32)
	}
	if f.Hanging.Load() >= tooMany {
		return "", a.declined(configs.Busy, fmt.Errorf("%d notes before it hang", tooMany), "see whether the share that "+f.Path+" is in can be reached")
	}
	n.HTML, n.Files = bytes.Clone(n.HTML), slices.Clone(n.Files) // the caller's own are his when he leaves
	for i := range n.Files {
		n.Files[i].Bytes = bytes.Clone(n.Files[i].Bytes)
	}
	patience := cmp.Or(f.Timeout, postTime)
	limit, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	type result struct {
		id  string
		err error
	}
	ended, left := make(chan result), make(chan struct{})
	go func() {
		id, err := f.post(limit, a, n)
		select {
		case ended <- result{id, err}:
		case <-left:
			f.Hanging.Add(-1)
		}
	}()
	select {
	case r := <-ended:
		return r.id, r.err
	case <-limit.Done():
	}
	f.Hanging.Add(1)
	close(left)
	if err := ctx.Err(); err != nil {
		return "", a.open(err, "")
	}
	return "", a.unwritten(f.Path, errors.New("no answer in "+patience.String()))
}

// tooMany is how many posts may hang: each keeps a thread of this process.
const tooMany = 4

// post writes n, as long as somebody waits for it: that is until ctx ends.
func (f Folder) post(ctx context.Context, a act, n configs.Note) (string, error) {
	enter := f.enter
	if enter == nil {
		enter = os.OpenRoot
	}
	root, err := enter(f.Path)
	if errors.Is(err, os.ErrPermission) {
		return "", a.unwritten(f.Path, err)
	}
	if err != nil {
		return "", a.declined(configs.Busy, err, "mount the share that "+f.Path+" is in; if it is to be a new folder, make it: mkdir "+f.Path)
	}
	defer root.Close()
	ticket, key := fit(n.Ticket), fit(n.Key)
	dir, err := subfolder(root, ticket)
	if err != nil {
		return "", a.unwritten(f.Path, err)
	}
	defer dir.Close()
	there, err := posted(dir, key, n)
	if errors.Is(err, errOther) {
		return "", a.declined(configs.Invalid, err, "move "+ticket+"/"+key+".json away")
	}
	if err == nil && !there {
		err = write(ctx, dir, key, n)
	}
	if err == nil {
		err = flushFolder(dir) // whoever wrote it may not have come so far
	}
	if err != nil {
		return "", a.unwritten(f.Path, err)
	}
	return ticket + "/" + key, nil
}

var errOther = errors.New("there is a file of this note's name that is not this note's")

// posted tells whether the note is there.
func posted(dir *os.Root, key string, n configs.Note) (bool, error) {
	b, err := dir.ReadFile(key + ".json")
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	var was filed
	if json.Unmarshal(b, &was) != nil || was.Key != n.Key || was.Ticket != n.Ticket {
		return false, errOther
	}
	return true, nil
}

// write writes all files of the note, KEY.json when the others are on disk.
func write(ctx context.Context, dir *os.Root, key string, n configs.Note) error {
	note := filed{Ticket: n.Ticket, Subject: n.Subject, Key: n.Key, Files: []filedFile{}}
	if !n.At.IsZero() {
		note.At = n.At.UTC().Format(time.RFC3339)
	}
	files := []configs.Attached{{Name: key + ".txt", Bytes: []byte(n.Subject + "\n\n" + n.Text)}}
	if len(n.HTML) > 0 {
		files = append(files, configs.Attached{Name: key + ".html", Bytes: n.HTML})
	}
	for _, f := range n.Files {
		files = append(files, configs.Attached{Name: key + "_" + f.Name, Bytes: f.Bytes})
		note.Files = append(note.Files, filedFile{f.Name, key + "_" + f.Name, len(f.Bytes), configs.Digest(f.Bytes)})
	}
	temp := ".belay-" + key + "-"
	for _, f := range files {
		if err := replace(ctx, dir, temp, f); err != nil {
			return err
		}
	}
	if err := flushFolder(dir); err != nil {
		return err
	}
	b, err := json.MarshalIndent(note, "", "  ")
	if err != nil {
		return err
	}
	if err := replace(ctx, dir, temp, configs.Attached{Name: key + ".json", Bytes: append(b, '\n')}); err != nil {
		return err
	}
	return sweep(dir, temp)
}

// replace puts a file in its place, whole or not at all, and not once ctx has
// ended: the same note may have been sent again since.
func replace(ctx context.Context, dir *os.Root, temp string, f configs.Attached) error {
	temp += rand.Text()
	file, err := dir.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return err
	}
	_, err = file.Write(f.Bytes)
	if err == nil {
		err = flushed(file)
	}
	if err = errors.Join(err, file.Close(), ctx.Err()); err == nil {
		err = dir.Rename(temp, f.Name)
	}
	if err != nil {
		return errors.Join(err, dir.Remove(temp))
	}
	return nil
}

// sweep removes what killed processes left of this note, which is posted now.
func sweep(dir *os.Root, temp string) error {
	entries, err := fs.ReadDir(dir.FS(), ".")
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), temp) && len(e.Name()) == len(temp)+len(rand.Text()) {
			if gone := dir.Remove(e.Name()); gone != nil && !errors.Is(gone, os.ErrNotExist) {
				err = errors.Join(err, gone)
			}
		}
	}
	return err
}

// subfolder opens a folder in root, made if need be. A link to elsewhere does
// not count.
func subfolder(root *os.Root, name string) (*os.Root, error) {
	err := root.Mkdir(name, 0o750)
	if err == nil {
		err = flushFolder(root)
	}
	if err != nil && !errors.Is(err, os.ErrExist) {
		return nil, err
	}
	if i, err := root.Lstat(name); err != nil || !i.IsDir() {
		return nil, errors.Join(err, fmt.Errorf("%s is there, but is no folder", name))
	}
	return root.OpenRoot(name)
}

func flushFolder(dir *os.Root) error {
	file, err := dir.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(flushed(file), file.Close())
}

// flushed puts a file on disk. Some shares cannot and say so: there is nothing
// more to do there.
func flushed(file *os.File) error {
	err := file.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) || errors.Is(err, syscall.ENOSYS) {
		return nil
	}
	return err
}

// unwritten leaves open how much of the note is there.
func (a act) unwritten(path string, err error) *devices.Error {
	hint := "see whether the share that " + path + " is in can be reached"
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		hint = "make room in " + path + "; what waits is sent again"
	case errors.Is(err, os.ErrPermission), errors.Is(err, syscall.EROFS):
		hint = "let the account that runs Belay write in " + path
	}
	return a.wrong(devices.Broken, err, hint)
}

var (
	fits = devices.Pattern(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

	// What Windows keeps for itself, with any ending.
	kept = devices.Pattern(`^(?i:con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)`)
	odd  = devices.Pattern(`[^A-Za-z0-9-]+`)
)

// fit is s where s can be a file's name, and else something like it with a digest.
func fit(s string) string {
	if fits().MatchString(s) && !kept().MatchString(s) && !strings.HasSuffix(s, ".") {
		return s
	}
	like := strings.Trim(odd().ReplaceAllString(s, "_"), "_-")
	return strings.TrimPrefix(like[:min(len(like), 60)]+"-"+configs.Digest([]byte(s))[:12], "-")
}

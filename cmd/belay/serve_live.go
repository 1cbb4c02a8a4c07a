package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"belay/devices"
)

// A live workspace is the one that the service works with now. When the settings
// change another takes its place; what works with the old one goes on with it,
// and the last to leave closes it.
type live struct {
	mu   sync.Mutex
	now  *shared
	mark fingerprint // of the files that now was read from
	no   error       // why what they say by now was not taken

	tries int       // how often that was refused
	again time.Time // when it is tried once more
}

type shared struct {
	*workspace
	users int // one more while it is the one that counts
}

// use gives the workspace of the moment and the way to leave it.
func (l *live) use() (*workspace, func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.now
	s.users++
	return s.workspace, sync.OnceFunc(func() { l.leave(s) })
}

func (l *live) leave(s *shared) {
	l.mu.Lock()
	s.users--
	last := s.users == 0
	l.mu.Unlock()
	if last {
		s.close()
	}
}

// replace puts another workspace in place.
func (l *live) replace(w *workspace, mark fingerprint) {
	l.mu.Lock()
	old := l.now
	l.now, l.mark, l.no, l.tries = &shared{workspace: w, users: 1}, mark, nil, 0
	l.mu.Unlock()
	if old != nil {
		l.leave(old)
	}
}

// end gives up the workspace that counts; who works with it may finish.
func (l *live) end() {
	l.mu.Lock()
	last := l.now
	l.mu.Unlock()
	l.leave(last)
}

// why is the reason for which changed settings were not taken; empty: they were.
func (l *live) why() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.no == nil {
		return ""
	}
	return tame(l.no.Error())
}

// The pauses before settings that were refused are tried again: the reason may have
// passed, and no file is another for that.
const (
	firstAgain  = 30 * time.Second
	longestWait = 15 * time.Minute
)

// refuse notes why what the files say was not taken, and tells whether that is news.
func (l *live) refuse(files fingerprint, why error, now time.Time) (news bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	same := l.no != nil && l.mark.same(files)
	news = !same || l.no.Error() != why.Error()
	if !same {
		l.tries = 0
	}
	l.mark, l.no = files, why
	l.again = now.Add(min(firstAgain<<min(l.tries, 10), longestWait))
	l.tries++
	return news
}

// due tells whether settings that were refused are to be tried again.
func (l *live) due(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.no != nil && (!now.Before(l.again) || l.again.Sub(now) > longestWait) // the clock may have been set back
}

// changed tells whether a file that the workspace was read from is another now.
func (l *live) changed() bool {
	w, leave := l.use()
	defer leave()
	l.mu.Lock()
	was := l.mark
	l.mu.Unlock()
	return !was.same(w.files())
}

// A fingerprint says by name, size and time which state files are in.
type fingerprint []string

func (f fingerprint) same(g fingerprint) bool { return slices.Equal(f, g) }

// files is the state of all files that settings, inventory and drivers stand in.
func (w *workspace) files() fingerprint {
	names := []string{w.settings.file}
	for _, name := range w.settings.Inventory {
		names = append(names, w.settings.path(name))
	}
	if w.settings.Drivers != "" {
		// A folder that cannot be read fails when it is loaded, with a reason.
		_ = filepath.WalkDir(w.settings.Drivers, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				names = append(names, path)
			}
			return nil
		})
	}
	var f fingerprint
	for _, name := range names {
		said := "missing"
		if fi, err := os.Stat(name); err == nil {
			said = fmt.Sprintf("%d %d", fi.Size(), fi.ModTime().UnixNano())
		}
		f = append(f, name+" "+said)
	}
	return f
}

// reopen reads everything anew. What is wrong is refused whole: the service goes
// on with what it has, and asks again after a while or when a file is another one.
// news: it was not refused for the same before.
func (p *program) reopen(ctx context.Context, l *live, o openOptions) (news bool, err error) {
	old, leave := l.use()
	defer leave()
	before := old.files()
	w, err := p.open(ctx, o)
	if err == nil && w.settings.Data != old.settings.Data {
		w.close()
		err = &devices.Error{Kind: devices.Usage, Op: "read the settings again", Err: errors.New("data: names another folder"), Hint: "that takes a restart of the service"}
	}
	if err == nil && len(w.inventory.Devices) == 0 && len(old.inventory.Devices) > 0 {
		w.close()
		err = &devices.Error{Kind: devices.Usage, Op: "read the inventory again", Err: errors.New("it is empty, and nothing would be captured any more"), Hint: "put the devices back; where it is meant, restart the service"}
	}
	if err != nil {
		return l.refuse(before, err, p.now()), err
	}
	// A file that was written while it was read is read once more.
	mark := w.files()
	if !before.same(old.files()) {
		mark = nil
	}
	l.replace(w, mark)
	return true, nil
}

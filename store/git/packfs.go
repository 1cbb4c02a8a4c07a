package git

import (
	"bytes"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/go-git/go-billy/v5"
)

// packFS gives go-git a pack's index as one read: its decoder asks the file for
// four bytes at a time, 256 system calls for each pack that is opened. And it
// shows no pack that has no index yet: another git's, or what one left when it
// was killed; go-git would read nothing at all beside it.
type packFS struct{ billy.Filesystem }

func (fs packFS) Open(name string) (billy.File, error) {
	f, err := fs.Filesystem.Open(name)
	if err != nil || !strings.HasSuffix(name, ".idx") {
		return f, err
	}
	data, err := io.ReadAll(f)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return nil, err
	}
	return &readFile{bytes.NewReader(data), name}, nil
}

// A readFile is a file in memory that nobody writes.
type readFile struct {
	*bytes.Reader
	name string
}

func (f *readFile) Name() string              { return f.name }
func (f *readFile) Write([]byte) (int, error) { return 0, os.ErrPermission }
func (f *readFile) Truncate(int64) error      { return os.ErrPermission }
func (f *readFile) Close() error              { return nil }
func (f *readFile) Lock() error               { return nil }
func (f *readFile) Unlock() error             { return nil }

// ReadDir leaves out packs without index.
func (fs packFS) ReadDir(path string) ([]os.FileInfo, error) {
	all, err := fs.Filesystem.ReadDir(path)
	there := map[string]bool{}
	for _, fi := range all {
		there[fi.Name()] = true
	}
	return slices.DeleteFunc(all, func(fi os.FileInfo) bool {
		stem, pack := strings.CutSuffix(fi.Name(), ".pack")
		return pack && !there[stem+".idx"]
	}), err
}

package git

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"

	"belay/devices"
)

// ours are the files that a repository of ours works with, below history.git.
var ours = devices.Pattern(`^(HEAD|config|description|packed-refs|info/(attributes|refs)|refs/(heads|tags)/.+|belay[.-].+|` +
	`objects/[0-9a-f]{2}/[0-9a-f]{38}|objects/info/packs|objects/pack/[^/]+)$`)

// Ours tells whether a repository of ours works with a file of that name. What
// else may lie in a repository, as hooks and the names of other repositories, git
// obeys: in one that somebody else may have had in hand it has no place.
func Ours(name string) bool { return ours().MatchString(name) }

// Reconfigure gives a repository that was in other hands the configuration that
// Belay made it with: git runs programs that such a file names. It tells whether
// there was another one.
func (s *Store) Reconfigure(customer string) (changed bool, err error) {
	r, err := s.repo(customer)
	if err != nil {
		return false, err
	}
	path := filepath.Join(r.dir, "config")
	switch was, err := os.ReadFile(path); {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return false, err
	case bytes.Equal(was, []byte(newConfig)):
		return false, nil
	}
	if err := writeSynced(path+".new", []byte(newConfig)); err != nil {
		return false, err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return false, err
	}
	return true, syncDir(r.dir)
}

package git

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// What stands in a .keep of ours. One that begins otherwise is a person's.
const (
	keepMark  = "belay packs this itself\n"
	keepBegin = "belay "
)

// keepOurs puts a .keep beside a pack of ours that is to come: no other git takes
// the pack away as long as it is there, only our own packing does, which knows what
// stands in its place.
//
// It must be there before the pack. A git repack first lists the packs that it will
// take away, those without a .keep, and later leaves out of its own pack what is in
// one with a .keep. What got its .keep in between is lost.
func (r *repo) keepOurs(stem string) error {
	path := filepath.Join(r.dir, "objects", "pack", stem)
	if _, err := os.Stat(path + ".keep"); err == nil {
		return nil
	}
	if _, err := os.Stat(path + ".pack"); err == nil {
		return fmt.Errorf("another git has made %s.pack, and may take it away: try again", stem)
	}
	// A second name of one file that is durable costs least.
	file := filepath.Join(r.dir, "belay-keep")
	err := os.Link(file, path+".keep")
	if errors.Is(err, fs.ErrNotExist) {
		if err = replaceFile(file, []byte(keepMark)); err == nil {
			err = os.Link(file, path+".keep")
		}
	}
	if err != nil { // it has too many names already, or the file system knows no second ones
		err = replaceFile(path+".keep", []byte(keepMark))
	}
	return err
}

// keptByUs tells whether a .keep is one of ours.
func keptByUs(path string) bool {
	is, err := os.ReadFile(path)
	return err == nil && strings.HasPrefix(string(is), keepBegin)
}

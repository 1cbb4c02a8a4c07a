package git

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// What stands in a .keep of ours. One that begins otherwise is a person's; an earlier
// Belay left "belay is writing" in some.
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
		return fmt.Errorf("%s.pack: %w", stem, errSeen)
	}
	// Not made among the packs, where git prune takes away what looks temporary.
	return moveInto(r.dir, path+".keep", []byte(keepMark))
}

// errSeen says that another git may take a pack away that is there without a .keep.
var errSeen = errors.New("it is there already, from another git, and has no .keep")

// keptByUs tells whether a .keep is one of ours.
func keptByUs(path string) bool {
	is, err := os.ReadFile(path)
	return err == nil && strings.HasPrefix(string(is), keepBegin)
}

// keptByPerson tells whether a pack has a .keep that is not ours.
func (r *repo) keptByPerson(stem string) bool {
	path := filepath.Join(r.dir, "objects", "pack", stem+".keep")
	_, err := os.Stat(path)
	return err == nil && !keptByUs(path)
}

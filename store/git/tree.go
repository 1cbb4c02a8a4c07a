package git

import (
	"cmp"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// compareEntries is git's order of a tree: by bytes, a folder as if its name
// ended in a slash.
func compareEntries(a, b object.TreeEntry) int {
	n := min(len(a.Name), len(b.Name))
	return cmp.Or(strings.Compare(a.Name[:n], b.Name[:n]), cmp.Compare(after(a, n), after(b, n)))
}

func after(e object.TreeEntry, n int) byte {
	switch {
	case n < len(e.Name):
		return e.Name[n]
	case e.Mode == filemode.Dir:
		return '/'
	}
	return 0
}

func folder(name string, h plumbing.Hash) object.TreeEntry {
	return object.TreeEntry{Name: name, Mode: filemode.Dir, Hash: h}
}

// without is the entries less those of a name, whatever they are: a file and a
// folder of one name cannot be together.
func without(entries []object.TreeEntry, name string) []object.TreeEntry {
	return slices.DeleteFunc(entries, func(e object.TreeEntry) bool { return e.Name == name })
}

// with puts e in its place.
func with(entries []object.TreeEntry, e object.TreeEntry) []object.TreeEntry {
	entries = without(entries, e.Name)
	i, _ := slices.BinarySearchFunc(entries, e, compareEntries)
	return slices.Insert(entries, i, e)
}

// changed lists the folders that differ, in one pass over both.
func changed(was, is []object.TreeEntry) []change {
	var out []change
	i, j := 0, 0
	for i < len(was) || j < len(is) {
		order := 0
		switch {
		case i == len(was):
			order = 1
		case j == len(is):
			order = -1
		default:
			order = compareEntries(was[i], is[j])
		}
		c := change{}
		if order <= 0 {
			c.name, c.was = was[i].Name, dirHash(was[i])
			i++
		}
		if order >= 0 {
			c.name, c.is = is[j].Name, dirHash(is[j])
			j++
		}
		if c.was != c.is {
			out = append(out, c)
		}
	}
	for k := range out {
		if out[k].is.IsZero() {
			continue
		}
		for _, other := range out {
			if other.name != out[k].name && other.was == out[k].is {
				out[k].moved = other.name
			}
		}
	}
	return out
}

// dirHash leaves out what is no folder: we keep nothing at the top but folders.
func dirHash(e object.TreeEntry) plumbing.Hash {
	if e.Mode != filemode.Dir {
		return plumbing.ZeroHash
	}
	return e.Hash
}

package main

import (
	"maps"
	"slices"
	"strings"

	"belay/store/git"
	"belay/store/spare"
)

// A manifest vouches for what was copied, not for who copied it: whoever may write
// to the folder of backups can make one of his own. What is restored holds nothing
// that git obeys, as it would hooks and a configuration that names programs.

// harmless is a backup without such files.
func (p *program) harmless(m spare.Manifest) spare.Manifest {
	m.Files = slices.DeleteFunc(slices.Clone(m.Files), func(f spare.File) bool {
		_, name, ok := inHistory(f.Path)
		if !ok || git.Ours(name) {
			return false
		}
		warn(p.err, "%s is left out: git may obey it, and Belay did not make it", f.Path)
		return true
	})
	return m
}

// reconfigure gives the restored histories the configuration of new ones.
func (p *program) reconfigure(m spare.Manifest, to string) error {
	customers := map[string]bool{}
	for _, f := range m.Files {
		if customer, _, ok := inHistory(f.Path); ok {
			customers[customer] = true
		}
	}
	store := &git.Store{Dir: to, Now: p.now}
	for _, customer := range slices.Sorted(maps.Keys(customers)) {
		changed, err := store.Reconfigure(customer)
		if err != nil {
			return err
		}
		if changed {
			warn(p.err, "the history of %s had settings for git that Belay did not make: they are gone", customer)
		}
	}
	return nil
}

// inHistory is whose repository a file of the data folder is of, and its name there.
func inHistory(path string) (customer, name string, ok bool) {
	path, below := strings.CutPrefix(path, "customers/")
	customer, name, ok = strings.Cut(path, "/history.git/")
	return customer, name, ok && below && !strings.Contains(customer, "/")
}

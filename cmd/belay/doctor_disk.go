package main

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// checkDisk looks for room: packing a history wants its size once more, and a
// backup of the ledger its own.
func checkDisk(ctx context.Context, x *patient) []finding {
	dir := x.settings.Data
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return []finding{broken("", "%s: %v", dir, err)}
	}
	free, total := int64(s.Bavail)*int64(s.Bsize), int64(s.Blocks)*int64(s.Bsize)
	need, err := x.largest(ctx)
	if err != nil {
		return []finding{wrong(failed, err)}
	}
	found := []finding{fine("%s free of %s in %s", size(free), size(total), dir)}
	switch {
	case free < 64<<20:
		found[0] = broken("make room, or move the data folder to a larger disk", "only %s are free in %s: soon nothing can be kept", size(free), dir)
	case free < 2*need:
		found[0] = strange("make room", "%s are free in %s, and packing the largest history wants %s", size(free), dir, size(2*need))
	case free < total/20:
		found[0] = strange("make room", "less than a twentieth of the disk of %s is free: %s", dir, size(free))
	}
	if s.Files > 0 && int64(s.Ffree) < int64(s.Files)/20 {
		found = append(found, strange("remove files, or make a file system with more inodes", "%d of %d inodes are free in %s", s.Ffree, s.Files, dir))
	}
	if kind := fileSystem(dir); kind != "" {
		found = append(found, strange("move the data folder to a local disk, and give belay backup the other one", "%s is on another machine (%s): SQLite and locks are not safe there", dir, kind))
	}
	if err := syscall.Access(dir, 2|1); err != nil { // W_OK, X_OK
		found = append(found, broken("chown -R it to the user that runs belay", "%s: %v", dir, err))
	}
	return found
}

// largest is the size of the largest history.
func (x *patient) largest(ctx context.Context) (most int64, err error) {
	customers, err := x.store.Customers()
	for _, c := range customers {
		var n int64
		packs := filepath.Join(x.settings.Data, "customers", c, "history.git", "objects", "pack")
		entries, readErr := os.ReadDir(packs)
		if readErr != nil || ctx.Err() != nil {
			continue // told of by another check
		}
		for _, e := range entries {
			if info, err := e.Info(); err == nil && info.Mode()&fs.ModeType == 0 {
				n += info.Size()
			}
		}
		most = max(most, n)
	}
	return most, err
}

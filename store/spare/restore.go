package spare

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"belay/devices"
)

// Check reads every file of a backup and compares it with the manifest. Shown is
// told how far it is; damaged lists what is missing or altered.
func Check(ctx context.Context, folder string, m Manifest, shown func(files int, bytes int64)) (damaged []string, err error) {
	var bytes int64
	known := map[string]error{}
	for i, f := range m.Files {
		wrong, read := known[f.SHA256]
		if !read {
			wrong = compareFile(ctx, contentOf(folder, f.SHA256), f, nil)
			known[f.SHA256] = wrong
		}
		if ctx.Err() != nil {
			return damaged, ctx.Err()
		}
		if wrong != nil {
			damaged = append(damaged, fmt.Sprintf("%s (content %s): %v", f.Path, f.SHA256, wrong))
		}
		if bytes += f.Size; shown != nil {
			shown(i+1, bytes)
		}
	}
	return damaged, nil
}

// compareFile reads a file and holds it to what the manifest says of it. Where to
// is given, it is written there as it is read.
func compareFile(ctx context.Context, path string, want File, to io.Writer) error {
	in, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe there would be waited for
	if errors.Is(err, os.ErrNotExist) {
		return errors.New("it is missing")
	}
	if err != nil {
		return err
	}
	defer in.Close()
	switch info, err := in.Stat(); {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return errors.New("it is no file")
	case info.Size() != want.Size: // before it fills the disk
		return fmt.Errorf("it has %d bytes, not %d", info.Size(), want.Size)
	}
	sum := sha256.New()
	out := io.Writer(sum)
	if to != nil {
		out = io.MultiWriter(sum, to)
	}
	n, err := io.Copy(out, &breakable{ctx, in})
	switch {
	case err != nil:
		return err
	case n != want.Size:
		return fmt.Errorf("it has %d bytes, not %d", n, want.Size)
	case hex.EncodeToString(sum.Sum(nil)) != want.SHA256:
		return errors.New("it was altered: its digest is another one")
	}
	return nil
}

// unfinished is the folder in which a restore builds.
const unfinished = ".restoring"

// Empty tells why a folder cannot take a restore: nil where it is missing, empty,
// or holds no more than what an interrupted restore was building.
func Empty(to string) error {
	entries, err := os.ReadDir(to)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return &devices.Error{Kind: devices.Usage, Op: "restore", Err: err}
	}
	for _, e := range entries {
		if e.Name() == "service.lock" || e.Name() == "lost+found" || e.Name() == unfinished {
			continue
		}
		return &devices.Error{Kind: devices.Usage, Op: "restore", Err: fmt.Errorf("%s is not empty: it holds %s", to, e.Name()),
			Hint: "a restore goes into an empty or missing folder only: move this one aside, or name another with --to"}
	}
	return nil
}

// Restore makes a data folder of a backup, in an empty or missing folder. Each
// file is held to its digest while it is copied, and read again afterwards.
func Restore(ctx context.Context, folder string, m Manifest, to string, shown func(files int, bytes int64)) (err error) {
	if err := Empty(to); err != nil {
		return err
	}
	if len(m.Files) == 0 {
		return &devices.Error{Kind: devices.Damaged, Op: "restore", Err: errors.New("the backup names no files")}
	}
	built := filepath.Join(to, unfinished)
	err = os.RemoveAll(built) // of one that was interrupted
	if err == nil {
		err = os.MkdirAll(built, 0o700)
	}
	if err != nil {
		return &devices.Error{Kind: devices.Usage, Op: "restore", Err: err}
	}
	var bytes int64
	dirs := map[string]bool{built: true}
	for i, f := range m.Files {
		if err := restoreFile(ctx, folder, f, built, dirs); err != nil {
			return restoreFailed(f, to, err)
		}
		if bytes += f.Size; shown != nil {
			shown(i+1, bytes)
		}
	}
	for _, dir := range m.Folders {
		if err := makeFolders(filepath.Join(built, filepath.FromSlash(dir)), dirs); err != nil {
			return restoreFailed(File{Path: dir}, to, err)
		}
	}
	for dir := range dirs {
		if err := syncFolder(dir); err != nil {
			return restoreFailed(File{Path: dir}, to, err)
		}
	}
	for _, f := range m.Files {
		if err := compareFile(ctx, filepath.Join(built, filepath.FromSlash(f.Path)), f, nil); err != nil {
			return restoreFailed(f, to, fmt.Errorf("read again: %w", err))
		}
	}
	return settle(to, built)
}

func restoreFailed(f File, to string, err error) error {
	e := &devices.Error{Kind: devices.Damaged, Op: "restore " + f.Path, Err: err, Hint: "belay backup check tells what else is wrong; an older backup may be whole: --number"}
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		e.Kind, e.Hint = devices.Broken, "the disk of "+to+" is full: make room and restore again"
	case errors.Is(err, os.ErrPermission):
		e.Kind, e.Hint = devices.Broken, ""
	}
	return e
}

func restoreFile(ctx context.Context, folder string, f File, to string, dirs map[string]bool) error {
	path := filepath.Join(to, filepath.FromSlash(f.Path))
	if err := makeFolders(filepath.Dir(path), dirs); err != nil {
		return err
	}
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = compareFile(ctx, contentOf(folder, f.SHA256), f, out)
	if err == nil {
		err = out.Sync()
	}
	return errors.Join(err, out.Close())
}

// makeFolders makes a folder and those above it up to one that is in dirs.
func makeFolders(dir string, dirs map[string]bool) error {
	if dirs[dir] {
		return nil
	}
	if err := makeFolders(filepath.Dir(dir), dirs); err != nil {
		return err
	}
	dirs[dir] = true
	return os.Mkdir(dir, 0o700)
}

// settle brings what was built to its place. Until the last step the folder counts
// as unfinished.
func settle(to, built string) error {
	entries, err := os.ReadDir(built)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := os.Rename(filepath.Join(built, e.Name()), filepath.Join(to, e.Name())); err != nil {
			return err
		}
	}
	if err := syncFolder(to); err != nil {
		return err
	}
	if err := os.Remove(built); err != nil {
		return err
	}
	return errors.Join(syncFolder(to), syncFolder(filepath.Dir(to)))
}

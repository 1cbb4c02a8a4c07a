package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestServiceOverAFullDisk fills the disk in the middle of a night, and makes room.
func TestServiceOverAFullDisk(t *testing.T) {
	t.Parallel()
	s := newTrouble(t, 12)
	small := s.path("belay-data")
	if err := os.Rename(small, small+"-before"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(small, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("belay", small, "tmpfs", 0, "size=48m"); err != nil {
		t.Skipf("mount: %v: this takes root", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(small, syscall.MNT_DETACH) })
	if out, err := exec.Command("cp", "-a", small+"-before/.", small).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	// The disk fills up when the night has begun, and somebody sees to it after a while.
	s.next(t, true)
	d := serveAt(s.play, s.ahead)
	for s.crowd.busy() == 0 {
		time.Sleep(time.Millisecond)
	}
	if err := fill(filepath.Join(small, "ballast")); err != nil {
		t.Fatal(err)
	}
	if !d.says("no space left|disk is full|disk I/O", 30*time.Second) {
		t.Errorf("nothing was said of it: the test shows little\n%.4000s", d.log())
	}
	select {
	case <-d.dead:
		t.Fatalf("it ended on a full disk\n%s", d.log())
	case <-time.After(5 * time.Second):
	}
	if err := os.Remove(filepath.Join(small, "ballast")); err != nil {
		t.Fatal(err)
	}
	s.all(t, d)
	s.ends(t, d)
	s.kept(t)
	s.wants(0, "verify")
	s.history(t)
}

// TestAFullDiskIsNotReady asks as /readyz does.
func TestAFullDiskIsNotReady(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mount("belay", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("mount: %v: this takes root", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	if err := writable(dir); err != nil {
		t.Errorf("with room: %v", err)
	}
	if err := fill(filepath.Join(dir, "ballast")); err != nil {
		t.Fatal(err)
	}
	if err := writable(dir); err == nil || err.Error() != "the data folder cannot be written: no space left on device" {
		t.Errorf("without room: %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".ready-*")); err != nil || len(left) > 0 {
		t.Errorf("it leaves %q behind, %v", left, err)
	}
}

// fill takes all the room that there is.
func fill(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	block := make([]byte, 64<<10)
	for size := len(block); size > 0; {
		if _, err := f.Write(block[:size]); err != nil {
			size /= 2
		}
	}
	return nil
}

package main

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"belay/devices"
)

// holdLock is a process that serves a data folder and does nothing else, until it
// is killed.
func holdLock() {
	if _, err := lockService(os.Args[1]); err != nil {
		panic(err)
	}
	os.Stdout.WriteString("held\n")
	time.Sleep(time.Hour)
}

func TestOneServiceAtATimeWorksOnADataFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, _, ok := running(dir); ok {
		t.Error("a service runs before there was one")
	}
	release, err := lockService(dir)
	if err != nil {
		t.Fatal(err)
	}
	pid, since, ok := running(dir)
	if !ok || pid != os.Getpid() || time.Since(since) > time.Minute {
		t.Errorf("running says %d, %v, %v", pid, since, ok)
	}
	_, err = lockService(dir)
	if devices.KindOf(err) != devices.Usage || !strings.Contains(err.Error(), "process ") || !strings.Contains(err.Error(), since.Local().Format("2006-01-02")) || devices.HintOf(err) == "" {
		t.Errorf("a second one: %v", err)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	if _, _, ok := running(dir); ok {
		t.Error("it still counts as running")
	}
	release, err = lockService(dir)
	if err != nil {
		t.Fatalf("after the first had ended: %v", err)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
}

func TestAKilledServiceLeavesNoLock(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := exec.CommandContext(t.Context(), "belay-hold-lock", dir)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if !bufio.NewScanner(out).Scan() {
		t.Fatal("it did not begin")
	}
	if pid, _, ok := running(dir); !ok || pid != c.Process.Pid {
		t.Errorf("running says %d, %v", pid, ok)
	}
	if _, err := lockService(dir); err == nil || !strings.Contains(err.Error(), "process ") {
		t.Errorf("a second one: %v", err)
	}
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait() // killed
	if _, _, ok := running(dir); ok {
		t.Error("the dead still counts as running")
	}
	release, err := lockService(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
}

func TestARestoreIsRefusedWhileAServiceRuns(t *testing.T) {
	t.Parallel()
	p, _ := older(t, "issue2")
	p.wants(0, "backup", "spare")
	release, err := lockService(p.path("again"))
	if err != nil {
		t.Fatal(err)
	}
	if s := p.wants(2, "restore", "spare", "--to", "again"); !strings.Contains(s.err, "a service works on again: process ") {
		t.Errorf("it said %q", s.err)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	p.wants(0, "restore", "spare", "--to", "again")
}

package main

import (
	"flag"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes the test binary the program too: a copy of it called belay is
// first in PATH, and runs what a person would run.
func TestMain(m *testing.M) {
	// Most of these tests wait, for devices and services that are slow on purpose:
	// more of them at once than there are processors. What the command line says goes before.
	if err := flag.Set("test.parallel", "6"); err != nil {
		panic(err)
	}
	testscript.Main(m, map[string]func(){
		"belay-crowd":     serveCrowd,
		"belay":           func() { limitMemory(); os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) },
		"belay-ahead":     runAhead,
		"belay-hold-lock": holdLock,
	})
}

// runAhead is the program on a machine whose clock is ahead by its first argument:
// what waits minutes for a lease or a slow answer to end need not keep a test.
func runAhead() {
	ahead, err := time.ParseDuration(os.Args[1])
	if err != nil {
		panic(err)
	}
	if os.Getenv("BELAY_LEASH") != "" {
		go followLeash()
	}
	now := func() time.Time { return time.Now().Add(ahead) }
	os.Exit(runAt(now, os.Args[2:], os.Stdin, os.Stdout, os.Stderr))
}

// followLeash kills the program when the test has ended that started it: one that
// was stopped in the middle leaves no service behind.
func followLeash() {
	syscall.CloseOnExec(3)
	_, _ = io.Copy(io.Discard, os.NewFile(3, "leash")) // to its end, of whatever kind
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
}

// part finds a program that a test runs against. Where it is missing the test
// skips at a desk and fails in a pipeline.
func part(t *testing.T, name, debian string) string {
	t.Helper()
	for _, dir := range []string{"", "/usr/sbin/", "/usr/lib/frr/"} {
		if path, err := exec.LookPath(dir + name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing: install %s", name, debian)
	}
	t.Skipf("%s is missing: install %s to run this test", name, debian)
	return ""
}

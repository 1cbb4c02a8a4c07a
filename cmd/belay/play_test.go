package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// A said is what one run of the program came to.
type said struct {
	args     []string
	out, err string
	status   int
}

// A play is a folder with settings and an inventory in which the program runs
// as a process of its own.
type play struct {
	t   testing.TB
	dir string
	env []string

	mu  sync.Mutex
	all []said
}

// newPlay writes the settings and the inventory.
func newPlay(t testing.TB, settings, inventory string, env ...string) *play {
	t.Helper()
	p := &play{t: t, dir: t.TempDir()}
	p.env = append(os.Environ(), "HOME="+p.dir, "XDG_CONFIG_HOME=", "GORACE=atexit_sleep_ms=0")
	p.env = append(p.env, env...)
	p.write("belay.yaml", settings)
	p.write("devices.yaml", inventory)
	return p
}

func (p *play) write(name, text string) {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

func (p *play) path(name string) string { return filepath.Join(p.dir, name) }

// command is the program as a process that has not begun.
func (p *play) command(args ...string) *exec.Cmd {
	c := exec.CommandContext(p.t.Context(), "belay", args...)
	c.Dir, c.Env = p.dir, p.env
	return c
}

// belay runs the program and remembers what it said.
func (p *play) belay(args ...string) said {
	p.t.Helper()
	var out, errs bytes.Buffer
	c := p.command(args...)
	c.Stdout, c.Stderr = &out, &errs
	err := c.Run()
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
		p.t.Fatalf("belay %s: %v", strings.Join(args, " "), err)
	}
	s := said{args, out.String(), errs.String(), c.ProcessState.ExitCode()}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all = append(p.all, s)
	return s
}

// wants runs the program and wants an exit status.
func (p *play) wants(status int, args ...string) said {
	p.t.Helper()
	s := p.belay(args...)
	if s.status != status {
		p.t.Fatalf("belay %s: exit status %d, want %d\n%s%s", strings.Join(args, " "), s.status, status, s.out, s.err)
	}
	return s
}

// git runs git in a repository below the folder.
func (p *play) git(repo string, args ...string) string {
	p.t.Helper()
	var errs bytes.Buffer
	c := exec.CommandContext(p.t.Context(), "git", append([]string{"-C", p.path(repo)}, args...)...)
	c.Stderr = &errs
	c.Env = append(p.env, "GIT_CONFIG_GLOBAL="+os.DevNull)
	out, err := c.Output()
	if err != nil {
		p.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, errs.String())
	}
	return string(out)
}

// bare makes an empty repository to push to.
func (p *play) bare(name string) {
	p.t.Helper()
	if err := os.MkdirAll(p.path(name), 0o700); err != nil {
		p.t.Fatal(err)
	}
	p.git(name, "init", "-q", "--bare")
}

// whole holds a repository to git's own check.
func (p *play) whole(repo string) {
	p.t.Helper()
	if said := p.git(repo, "fsck", "--full", "--strict", "--no-dangling"); strings.TrimSpace(said) != "" {
		p.t.Errorf("git fsck in %s: %s", repo, said)
	}
}

package history_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"belay/configs"
	"belay/configs/history"
	"belay/configs/redact"
	"belay/devices"
	"belay/store/git"
	"belay/store/ledger"
)

// A scene is a real store with a real index.
type scene struct {
	*history.History
	t      testing.TB
	store  *git.Store
	ledger *ledger.Ledger
}

func set(t testing.TB) *scene {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("git is not installed")
		}
		t.Skip("git is not installed: apt-get install git")
	}
	dir := t.TempDir()
	l, err := ledger.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	s := &scene{t: t, ledger: l, store: &git.Store{Dir: dir, Now: func() time.Time { return at(0) }}}
	s.History = s.another()
	return s
}

// another is the same history, as another process has it.
func (s *scene) another() *history.History {
	return &history.History{Walk: s.store, Repository: s.store, Index: s.ledger, Marks: s.ledger}
}

func at(minute int) time.Time { return time.Date(2026, 3, 14, 2, minute, 0, 0, time.UTC) }

// keep commits a text of acme's device.
func (s *scene) keep(name string, minute int, text string) configs.Version {
	s.t.Helper()
	return s.keepAs("acme/"+name, name, minute, text)
}

func (s *scene) keepAs(id, name string, minute int, texts ...string) configs.Version {
	s.t.Helper()
	snap := configs.Snapshot{Device: devices.Device{Customer: devices.ID(id).Customer(), Name: name}, Taken: at(minute),
		By: configs.Person{Name: "Ada Example", Email: "ada@example.net"}, Driver: "ios", Grade: configs.Grade{Level: configs.Restore, Missing: []string{"a key"}},
		Identity: devices.Identity{Hostname: name, Serials: []string{"FOC1"}}}
	if first := strings.TrimPrefix(id, snap.Device.Customer+"/"); first != name {
		snap.Device.FirstID = first
	}
	for i, text := range texts {
		clean, err := redact.Restore([]byte(text), configs.Digest([]byte(text)))
		if err != nil {
			s.t.Fatal(err)
		}
		n := []string{configs.MainFile, "vlan.conf"}[i]
		snap.Texts = append(snap.Texts, configs.Text{Name: n, Clean: clean})
		snap.Originals = append(snap.Originals, configs.Sealed{Name: n, Bytes: []byte("sealed"), Digest: configs.Digest([]byte(text)), Size: len(text)})
	}
	v, err := s.store.Commit(s.t.Context(), snap)
	if err != nil {
		s.t.Fatal(err)
	}
	return v
}

// git runs the real one in acme's history.
func (s *scene) git(args ...string) string {
	s.t.Helper()
	return s.gitReads("", args...)
}

// gitReads is git with a file for it to read.
func (s *scene) gitReads(file string, args ...string) string {
	s.t.Helper()
	c := exec.CommandContext(context.Background(), "git", append([]string{"-c", "safe.directory=*", "--git-dir", filepath.Join(s.store.Dir, "customers", "acme", "history.git")}, args...)...)
	c.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "LC_ALL=C")
	if file != "" {
		in, err := os.Open(file)
		if err != nil {
			s.t.Fatal(err)
		}
		defer in.Close()
		c.Stdin = in
	}
	out, err := c.CombinedOutput()
	if err != nil {
		s.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// agree holds the index to history: every version of every device, as git tells it.
func (s *scene) agree(ids ...devices.ID) {
	s.t.Helper()
	for _, id := range ids {
		var want, got []string
		for v, err := range s.store.History(s.t.Context(), id) {
			if err != nil {
				s.t.Fatal(err)
			}
			v.Taken = v.Taken.UTC()
			want = append(want, fmt.Sprintf("%+v", v))
		}
		for v, err := range s.Versions(s.t.Context(), id) {
			if err != nil {
				s.t.Fatal(err)
			}
			got = append(got, fmt.Sprintf("%+v", v))
		}
		if len(want) == 0 || strings.Join(got, "\n") != strings.Join(want, "\n") {
			s.t.Errorf("%s: the index has\n%s\nand history\n%s", id, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	reports, err := s.Check(s.t.Context(), "", 100)
	if err != nil {
		s.t.Error(err)
	}
	for _, r := range reports {
		for _, wrong := range r.Wrong {
			s.t.Errorf("check of %s: %s", r.Customer, wrong)
		}
	}
}

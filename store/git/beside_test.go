package git

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// someVersions is a store with a few packs, its repository and its folder.
func someVersions(t *testing.T) (*Store, *repo) {
	needGit(t)
	s := open(t, t.TempDir())
	for i := range 4 {
		commit(t, s, snapshot(t, "acme", "sw-1", fmt.Sprint(i, "\n"), i))
	}
	r, err := s.repo("acme")
	if err != nil {
		t.Fatal(err)
	}
	return s, r
}

func TestOtherGitsWaitWhilePacksAreExchanged(t *testing.T) {
	t.Parallel()
	_, r := someVersions(t)
	release, err := r.alone()
	if err != nil {
		t.Fatal(err)
	}
	if out, err := runGit(t, "--git-dir", r.dir, "gc", "--quiet"); err == nil {
		t.Errorf("git gc ran: %s", out)
	}
	many := filepath.Join(r.dir, "objects", "pack", "multi-pack-index")
	maintenance := []string{"--git-dir", r.dir, "maintenance", "run", "--task=incremental-repack", "--quiet"}
	_, _ = runGit(t, maintenance...) // it says so or not, from version to version
	if _, err := os.Stat(many); err == nil {
		t.Error("git maintenance ran")
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	git(t, maintenance...)
	if _, err := os.Stat(many); err != nil {
		t.Errorf("git maintenance does not run afterwards: %v", err)
	}
	git(t, "--git-dir", r.dir, "gc", "--quiet")
}

func TestPacksAreNotExchangedWhileAnotherGitIsAtIt(t *testing.T) {
	t.Parallel()
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	sleeper := exec.Command("sleep", "600")
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sleeper.Process.Kill(); _ = sleeper.Wait() })
	dead := exec.Command("true")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		file, text string
		packs      bool
	}{
		"a git gc":                         {gcNote, fmt.Sprintf("%d %s", sleeper.Process.Pid, host), false},
		"a git gc on another machine":      {gcNote, fmt.Sprintf("%d elsewhere", dead.Process.Pid), false},
		"a git gc that was killed":         {gcNote, fmt.Sprintf("%d %s", dead.Process.Pid, host), true},
		"a git gc that left nothing of it": {gcNote, "", true},
		"a git maintenance":                {maintenanceNote, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, r := someVersions(t)
			path := filepath.Join(r.dir, c.file)
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			rep, err := s.Maintain(t.Context(), "acme")
			if err != nil || (rep.Left == 1) != c.packs || (rep.Skipped == "") != c.packs {
				t.Errorf("%+v, %v", rep, err)
			}
			text, err := os.ReadFile(path)
			if c.packs == (err == nil) || !c.packs && string(text) != c.text {
				t.Errorf("afterwards its note is %q, %v", text, err)
			}
			for _, note := range []string{gcNote, maintenanceNote} {
				if _, err := os.Stat(filepath.Join(r.dir, note)); note != c.file && err == nil {
					t.Errorf("%s was left", note)
				}
			}
		})
	}
}

func TestTheNoteOfAKilledMaintenanceKeepsNobodyOut(t *testing.T) {
	t.Parallel()
	s, r := someVersions(t)
	for what, look := range map[string]func() error{
		"a look after all": func() error { _, err := s.Maintenance(t.Context()); return err },
		"the next packing": func() error {
			rep, err := s.Maintain(t.Context(), "acme")
			if err == nil && rep.Left != 1 {
				err = fmt.Errorf("%+v", rep)
			}
			return err
		},
	} {
		if _, err := r.alone(); err != nil { // and then it was killed
			t.Fatal(err)
		}
		if err := look(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if _, err := os.Stat(filepath.Join(r.dir, maintenanceNote)); err == nil {
			t.Errorf("%s: git maintenance is kept out for good", what)
		}
	}
}

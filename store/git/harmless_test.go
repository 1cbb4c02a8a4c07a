package git

import (
	"os"
	"path/filepath"
	"testing"
)

func TestOnlyFilesOfOursAreOurs(t *testing.T) {
	t.Parallel()
	sum := "27dc47b827dc47b827dc47b827dc47b827dc47b8"
	for name, want := range map[string]bool{
		"HEAD": true, "config": true, "packed-refs": true, "description": true, "info/attributes": true, "refs/heads/main": true,
		"refs/tags/change/T1-fw/before": true, "objects/pack/pack-" + sum + ".pack": true, "objects/27/" + sum[2:]: true, "belay-hint": true, "belay.lock": true,
		"hooks/post-receive": false, "objects/info/alternates": false, "objects/info/http-alternates": false, "info/grafts": false, "commondir": false,
		"config.worktree": false, "shallow": false, "modules/x/config": false, "worktrees/x/gitdir": false, "HEAD/x": false, "refs/replace/" + sum: false, "x/HEAD": false,
	} {
		if got := Ours(name); got != want {
			t.Errorf("%s: %t, want %t", name, got, want)
		}
	}
	for name := range newFiles() {
		if !Ours(name) {
			t.Errorf("%s is made and not ours", name)
		}
	}
}

func TestAForeignConfigurationGoesAway(t *testing.T) {
	t.Parallel()
	s := &Store{Dir: t.TempDir()}
	r, err := s.repo("acme")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.create(t.Context()); err != nil {
		t.Fatal(err)
	}
	if changed, err := s.Reconfigure("acme"); changed || err != nil {
		t.Errorf("its own was changed: %t, %v", changed, err)
	}
	path := filepath.Join(r.dir, "config")
	for _, bad := range []func() error{
		func() error { return os.WriteFile(path, []byte(newConfig+"[core]\n\tpager = touch /tmp/x\n"), 0o600) },
		func() error { return os.Remove(path) },
	} {
		if err := bad(); err != nil {
			t.Fatal(err)
		}
		if changed, err := s.Reconfigure("acme"); !changed || err != nil {
			t.Errorf("a foreign one stays: %t, %v", changed, err)
		}
		if now, err := os.ReadFile(path); string(now) != newConfig || err != nil {
			t.Errorf("it is now %q, %v", now, err)
		}
	}
}

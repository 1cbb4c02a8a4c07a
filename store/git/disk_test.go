package git

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"belay/configs"
	"belay/devices"
)

// asRoot skips where mounting is not possible. In CI a root that cannot mount fails.
func asRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("mounting a file system needs root: this test is skipped")
	}
}

func mount(t *testing.T, args ...string) (dir string) {
	t.Helper()
	asRoot(t)
	dir = t.TempDir()
	if out, err := exec.Command("mount", append(args, dir)...).CombinedOutput(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("mount: %v: %s", err, out)
		}
		t.Skipf("mount: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	return dir
}

// A disk that fills up at any step: an error, nothing acknowledged, nothing
// damaged; and with room again it goes on by itself.
func TestAFullDiskHarmsNothing(t *testing.T) {
	t.Parallel()
	needGit(t)
	disk := mount(t, "-t", "tmpfs", "-o", "size=3m,mode=0700", "tmpfs")
	s := open(t, filepath.Join(disk, "belay-data"))
	big := func(i int) configs.Snapshot {
		b := make([]byte, 40_000+rand.IntN(40_000))
		for j := range b {
			b[j] = "0123456789abcdef"[rand.IntN(16)]
		}
		return snapshot(t, "acme", fmt.Sprintf("sw-%d", i%3), string(b), i)
	}
	kept := map[string]configs.Version{}
	ballast := filepath.Join(disk, "ballast")
	fails := 0
	for i := range 60 {
		// Room for a random part of what one commit writes, so that every step meets
		// the end of the disk some time.
		var st syscall.Statfs_t
		if err := syscall.Statfs(disk, &st); err != nil {
			t.Fatal(err)
		}
		if i%3 > 0 {
			free := int64(st.Bavail) * int64(st.Bsize)
			if err := os.WriteFile(ballast, make([]byte, max(0, free-int64(rand.IntN(90_000)))), 0o600); err != nil && !errors.Is(err, syscall.ENOSPC) {
				t.Fatal(err)
			}
		}
		v, err := s.Commit(t.Context(), big(i))
		if err == nil {
			kept[v.Commit] = v
		} else {
			fails++
			if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(devices.HintOf(err), "free some space") {
				t.Errorf("error %v, hint %q", err, devices.HintOf(err))
			}
		}
		if i%10 == 5 {
			if _, err := s.Maintain(t.Context(), "acme"); err != nil {
				t.Logf("maintenance on a full disk: %v", err)
			}
		}
		if err := removeIfThere(ballast); err != nil {
			t.Fatal(err)
		}
		if i%20 == 19 {
			fsck(t, s.Dir)
		}
	}
	if fails < 5 || len(kept) < 5 {
		t.Errorf("%d failures and %d kept: the disk was not at its end", fails, len(kept))
	}
	t.Logf("%d failures, %d kept", fails, len(kept))
	for _, v := range kept {
		if _, err := s.Texts(t.Context(), v); err != nil {
			t.Error(err)
		}
	}
	n := 0
	for i := range 3 {
		for v, err := range s.History(t.Context(), devices.ID(fmt.Sprintf("acme/sw-%d", i))) {
			if err != nil {
				t.Error(err)
			}
			if _, ok := kept[v.Commit]; ok {
				n++
			}
		}
	}
	if n != len(kept) {
		t.Errorf("%d of %d acknowledged versions are in history", n, len(kept))
	}
}

func TestWhatInterruptedWritersLeaveIsSwept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	commit(t, s, snapshot(t, "acme", "fw-hq", "one\n", 1))
	packs := filepath.Join(gitDir(s, "acme"), "objects", "pack")
	orphan := "pack-" + strings.Repeat("0f", 20)
	old := time.Now().Add(-time.Hour)
	half := "pack-" + strings.Repeat("0e", 20) + ".pack" // of a pack that cannot be read nothing is thrown away
	for _, name := range []string{"tmp_belay_pack_1", "tmp_belay_idx_2", orphan + ".idx", "tmp_pack_git", half} {
		path := filepath.Join(packs, name)
		if err := os.WriteFile(path, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
	// A dead writer's .keep goes, a person's stays.
	ours, theirs := filepath.Join(packs, orphan+".keep"), filepath.Join(packs, "pack-"+strings.Repeat("0c", 20)+".keep")
	for path, mark := range map[string]string{ours: keepMark, theirs: "mine\n"} {
		if err := os.WriteFile(path, []byte(mark), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	young := filepath.Join(packs, "tmp_pack_young") // another git may be at it
	if err := os.WriteFile(young, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(gitDir(s, "acme"), "belay-pack-1"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(filepath.Dir(gitDir(s, "acme")), ".new-1"), 0o700); err != nil {
		t.Fatal(err)
	}
	again := open(t, dir)
	commit(t, again, snapshot(t, "acme", "fw-hq", "two\n", 2))
	names, err := listing(packs)
	if err != nil || len(names) != 9 || !slices.Contains(names, half) {
		t.Errorf("left in objects/pack: %v, %v", names, err)
	}
	if _, err := os.Stat(theirs); err != nil {
		t.Errorf("a person's mark: %v", err)
	}
	if _, err := os.Stat(young); err != nil {
		t.Errorf("another git's temporary: %v", err)
	}
	if err := os.Remove(young); err != nil {
		t.Fatal(err)
	}
	if left, err := filepath.Glob(filepath.Join(gitDir(s, "acme"), "belay-pack-*")); err != nil || len(left) > 0 {
		t.Errorf("left of maintenance: %v, %v", left, err)
	}
}

func TestALockThatTheDeadHoldIsTaken(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	commit(t, s, snapshot(t, "acme", "fw-hq", "0\n", 1))
	ref := filepath.Join(gitDir(s, "acme"), "refs", "heads", "main.lock")
	leave := func(mark string) time.Duration {
		t.Helper()
		if err := os.WriteFile(ref, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(gitDir(s, "acme"), "belay.lock"), []byte(mark), 0o600); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		commit(t, s, snapshot(t, "acme", "fw-hq", mark+".\n", 2))
		return time.Since(began)
	}
	if took := leave("4711 " + moving + "\n"); took >= foreignPatience {
		t.Errorf("ours, left by a dead writer: waited %s", took)
	}
	if took := leave(idle); took < foreignPatience {
		t.Errorf("another git's: waited only %s", took)
	}
	// One that lets go in time is not robbed.
	if err := os.WriteFile(ref, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(200*time.Millisecond, func() { _ = os.Remove(ref) })
	commit(t, s, snapshot(t, "acme", "fw-hq", "last\n", 3))
}

package git

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// goingDown is XFS_IOC_GOINGDOWN, which ext4 answers too (EXT4_IOC_SHUTDOWN),
// and noLogFlush the flag with which it stops as a power cut does: what is not
// on the device by then never gets there.
const (
	goingDown  = 0x8004587d
	noLogFlush = 2
)

// Nothing acknowledged is lost when the power is cut: the store lies on a file
// system of its own, which is shut down while children commit and maintain.
// It runs only for make crash: BELAY_POWERCUT=1, with root; BELAY_POWERCUT_TRIES
// is how often for each file system, 100 by default.
func TestAPowerCutLosesNothing(t *testing.T) {
	if os.Getenv("BELAY_POWERCUT") == "" {
		t.Skip("runs with BELAY_POWERCUT=1 and root (make crash)")
	}
	if os.Geteuid() != 0 {
		t.Fatal("cutting the power needs root")
	}
	needGit(t)
	tries := 100
	if n := os.Getenv("BELAY_POWERCUT_TRIES"); n != "" {
		var err error
		if tries, err = strconv.Atoi(n); err != nil {
			t.Fatal(err)
		}
	}
	for _, kind := range []string{"ext4", "xfs"} {
		t.Run(kind, func(t *testing.T) {
			need(t, "mkfs."+kind)
			image := filepath.Join(t.TempDir(), "image")
			run(t, "truncate", "-s", "400M", image)
			run(t, "mkfs."+kind, "-q", image)
			var all []string
			for i := range tries {
				lines := cutPower(t, image, fmt.Sprint("p", i%9), []string{"committing", "maintaining"}[i%2])
				all = append(all, lines...)
				checkAfterCut(t, image, lines, i)
				if t.Failed() {
					t.Fatalf("at try %d", i)
				}
			}
			t.Logf("%d power cuts, %d versions acknowledged", tries, len(all))
			if len(all) < tries {
				t.Errorf("only %d versions acknowledged: the children hardly wrote", len(all))
			}
			checkAfterCut(t, image, all, tries)
		})
	}
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v: %s", name, args, err, out)
	}
}

// cutPower lets a child write and shuts its file system down in the middle. It
// returns what the child had acknowledged.
func cutPower(t *testing.T, image, name, role string) []string {
	t.Helper()
	dir := t.TempDir()
	run(t, "mount", "-o", "loop", image, dir)
	mounted, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	c := startChild(t, role, filepath.Join(dir, "belay-data"), name, 1_000_000)
	cut := make(chan error, 1)
	lines := c.acknowledgedUntil(func(n int) {
		if n == 1 {
			time.AfterFunc(time.Duration(rand.IntN(200_000))*time.Microsecond, func() {
				cut <- unix.IoctlSetPointerInt(int(mounted.Fd()), goingDown, noLogFlush)
				_ = c.Process.Kill()
			})
		}
	})
	if err := <-cut; err != nil {
		t.Fatalf("shut down: %v", err)
	}
	_ = c.Wait() // killed
	if err := mounted.Close(); err != nil {
		t.Fatal(err)
	}
	unmount(t, dir)
	return lines
}

func checkAfterCut(t *testing.T, image string, lines []string, try int) {
	t.Helper()
	dir := t.TempDir()
	run(t, "mount", "-o", "loop", image, dir)
	defer unmount(t, dir)
	data := filepath.Join(dir, "belay-data")
	fsck(t, data)
	wantKept(t, data, lines)
	s := &Store{Dir: data, Now: time.Now}
	commit(t, s, snapshot(t, "acme", "next-run", fmt.Sprint(try, "\n"), 1))
}

// unmount waits for a git that maintenance had started to notice.
func unmount(t *testing.T, dir string) {
	t.Helper()
	var out []byte
	var err error
	for range 100 {
		if out, err = exec.Command("umount", dir).CombinedOutput(); err == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("umount: %v: %s", err, out)
}

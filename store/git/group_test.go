package git

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"belay/configs"
	"belay/devices"
)

// TestMain turns the test binary into a child process that writes, when a test
// asks for one.
func TestMain(m *testing.M) {
	if role := os.Getenv("BELAY_GIT_CHILD"); role != "" {
		os.Exit(child(role))
	}
	goleak.VerifyTestMain(m)
}

// child keeps snapshots and says which ones are kept: one line a version, as
// soon as Commit has returned. Device names begin with the child's own name.
func child(role string) int {
	dir, name := os.Getenv("BELAY_GIT_DIR"), os.Getenv("BELAY_GIT_NAME")
	count, err := strconv.Atoi(os.Getenv("BELAY_GIT_COUNT"))
	if err != nil {
		return 2
	}
	s := &Store{Dir: dir, Now: time.Now}
	ctx := context.Background()
	var out sync.Mutex
	var failed bool
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for i := range count {
				device := fmt.Sprintf("%s-%d", name, worker)
				snap := childSnapshot(device, fmt.Sprintf("%d of %s\n", i, device))
				if (i+worker)%3 > 0 { // before and after a change, several times each
					snap.Change, snap.Phase, snap.Always = fmt.Sprintf("c-%s-%d", device, i/8), []string{phaseBefore, phaseAfter}[i%2], true
				}
				v, err := s.Commit(ctx, snap)
				out.Lock()
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					failed = true
				} else if _, err := fmt.Printf("kept %s %s %s\n", v.Name, v.Commit, v.Files[0].Digest); err != nil {
					failed = true
				}
				out.Unlock()
			}
		})
	}
	if role == "maintaining" {
		wg.Go(func() {
			for range count {
				if _, err := s.Maintain(ctx, "acme"); err != nil {
					fmt.Fprintln(os.Stderr, err)
					failed = true
				}
			}
		})
	}
	wg.Wait()
	if failed {
		return 1
	}
	return 0
}

func childSnapshot(device, s string) configs.Snapshot {
	snap := snapshot(&testing.T{}, "acme", device, s+strings.Repeat("interface Ethernet1\n", 20), 1)
	snap.Originals = []configs.Sealed{sealed(configs.MainFile, fmt.Sprint(s, rand.Uint64()))}
	return snap
}

type childProcess struct {
	*exec.Cmd
	out    *bufio.Scanner
	stderr *tail
}

func startChild(t testing.TB, role, dir, name string, count int) *childProcess {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(exe, "-test.run=^$")
	c.Env = append(os.Environ(), "BELAY_GIT_CHILD="+role, "BELAY_GIT_DIR="+dir, "BELAY_GIT_NAME="+name, "BELAY_GIT_COUNT="+strconv.Itoa(count))
	p := &childProcess{Cmd: c, stderr: &tail{}}
	c.Stderr = p.stderr
	r, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewScanner(r)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if c.ProcessState == nil {
			_ = c.Process.Kill()
			_ = c.Wait()
		}
	})
	return p
}

// acknowledged reads what the child says it has kept, to the end.
func (p *childProcess) acknowledged() []string {
	return p.acknowledgedUntil(func(int) {})
}

// acknowledgedUntil calls told with how many there are, from the first one on.
func (p *childProcess) acknowledgedUntil(told func(n int)) []string {
	var lines []string
	for p.out.Scan() {
		// What the kill cut off was not said.
		if f := strings.Fields(p.out.Text()); len(f) == 4 && f[0] == "kept" && len(f[3]) == 64 {
			lines = append(lines, p.out.Text())
			told(len(lines))
		}
	}
	return lines
}

// wantKept looks for every acknowledged version in the history, with real git.
func wantKept(t testing.TB, dir string, lines []string) {
	t.Helper()
	bare := filepath.Join(dir, "customers", "acme", "history.git")
	in := map[string]bool{}
	if len(lines) > 0 {
		for _, h := range strings.Fields(git(t, "--git-dir", bare, "rev-list", "main")) {
			in[h] = true
		}
	}
	s := &Store{Dir: dir, Now: time.Now}
	for _, line := range lines {
		f := strings.Fields(line)
		if !in[f[2]] {
			t.Errorf("acknowledged and lost: %s", line)
			continue
		}
		v := configs.Version{ID: devices.ID("acme/" + f[1]), Name: f[1], Commit: f[2], Files: []configs.VersionFile{{Name: configs.MainFile, Digest: f[3]}}}
		if _, err := s.Texts(context.Background(), v); err != nil {
			t.Errorf("acknowledged, but: %v", err)
		}
	}
	if len(lines) > 0 {
		wantTagged(t, bare, lines)
	}
}

// wantTagged looks for the tag of every acknowledged version of a change and,
// where no writer has died since the last one ended well, of every other, with
// real git. No version has two, none is of a version that is not in main.
func wantTagged(t testing.TB, bare string, lines []string) {
	t.Helper()
	tags := map[string]int{}
	for _, version := range strings.Fields(git(t, "--git-dir", bare, "for-each-ref", "--format=%(contents:trailers:key=Version,valueonly)", "refs/tags/change")) {
		tags[version]++
	}
	acknowledged := map[string]bool{}
	for _, line := range lines {
		acknowledged[strings.Fields(line)[2]] = true
	}
	_, err := os.Stat(filepath.Join(bare, "belay-tags.json"))
	settled := os.IsNotExist(err)
	due := 0
	for line := range strings.Lines(git(t, "--git-dir", bare, "log", "--format=%H %(trailers:key=Change,valueonly,separator=)", "main")) {
		version, change, _ := strings.Cut(strings.TrimSpace(line), " ")
		if change == "" {
			continue
		}
		due++
		if n := tags[version]; n > 1 || n == 0 && (settled || acknowledged[version]) {
			t.Errorf("version %s of %s has %d tags", version, change, n)
		}
		delete(tags, version)
	}
	if len(tags) > 0 {
		t.Errorf("tags of versions that are not in main: %v", tags)
	}
	t.Logf("%d versions of changes", due)
}

func TestConcurrentCommitsShareOnePack(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	commit(t, s, snapshot(t, "acme", "first", "x\n", 0))
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range 200 {
		wg.Go(func() {
			snap := snapshot(t, "acme", fmt.Sprintf("sw-%d", i), fmt.Sprintf("%d\n", i/4), i) // four with one text
			snap.By.Name = fmt.Sprintf("Person %d", i)
			<-start
			if v, err := s.Commit(t.Context(), snap); err != nil || !v.New {
				t.Errorf("%+v, %v", v, err)
			}
		})
	}
	close(start)
	wg.Wait()
	packs, err := filepath.Glob(filepath.Join(gitDir(s, "acme"), "objects", "pack", "*.pack"))
	if err != nil || len(packs) > 40 {
		t.Errorf("%d packs for 201 commits, %v", len(packs), err)
	}
	t.Logf("%d packs for 201 commits", len(packs))
	authors := strings.Fields(strings.ReplaceAll(git(t, "--git-dir", gitDir(s, "acme"), "log", "--format=%an", "main"), " ", "_"))
	seen := map[string]bool{}
	for _, a := range authors {
		seen[a] = true
	}
	if len(authors) != 201 || len(seen) != 201 {
		t.Errorf("%d commits by %d authors", len(authors), len(seen))
	}
}

func TestTwoProcessesMayWriteAtOnce(t *testing.T) {
	t.Parallel()
	needGit(t)
	dir := t.TempDir()
	s := open(t, dir) // and this one is the third
	a, b := startChild(t, "committing", dir, "one", 15), startChild(t, "maintaining", dir, "two", 15)
	mine := make(chan []string)
	go func() {
		var lines []string
		for i := range 30 {
			v, err := s.Commit(t.Context(), childSnapshot("three", fmt.Sprint(i)))
			if err != nil {
				t.Error(err)
			} else {
				lines = append(lines, fmt.Sprintf("kept %s %s %s", v.Name, v.Commit, v.Files[0].Digest))
			}
			if i%5 > 0 {
				continue
			}
			for v, err := range s.History(t.Context(), "acme/three") { // and reads while others pack
				if err != nil {
					t.Error(err)
				} else if _, err := s.Originals(t.Context(), v); err != nil {
					t.Error(err)
				}
			}
		}
		mine <- lines
	}()
	both := make(chan []string)
	go func() { both <- a.acknowledged() }()
	lines := b.acknowledged()
	lines = append(lines, <-both...)
	lines = append(lines, <-mine...)
	for _, c := range []*childProcess{a, b} {
		if err := c.Wait(); err != nil {
			t.Errorf("child: %v: %s", err, c.stderr)
		}
	}
	if len(lines) != 150 {
		t.Errorf("%d versions acknowledged, want 150", len(lines))
	}
	wantKept(t, dir, lines)
}

// Nothing acknowledged is lost however often the writer is killed, in the midst
// of commits and of maintenance, and no person is needed for the next run.
func TestAKilledWriterLosesNothing(t *testing.T) {
	t.Parallel()
	needGit(t)
	dir := t.TempDir()
	kills := 100
	if testing.Short() {
		kills = 10
	}
	var all []string
	for i := range kills {
		c := startChild(t, []string{"committing", "maintaining"}[i%2], dir, fmt.Sprintf("k%d", i%7), 1000)
		kill := func() { _ = c.Process.Kill() }
		if i%5 == 0 { // at any moment from the start
			time.AfterFunc(time.Duration(rand.IntN(200))*time.Millisecond, kill)
		}
		all = append(all, c.acknowledgedUntil(func(n int) {
			if n == 1 { // in full flight
				time.AfterFunc(time.Duration(rand.IntN(100_000))*time.Microsecond, kill)
			}
		})...)
		if err := c.Wait(); err == nil || c.ProcessState.ExitCode() != -1 {
			t.Fatalf("the child ended by itself: %v: %s", err, c.stderr)
		}
		if i%20 == 19 {
			fsck(t, dir)
		}
	}
	t.Logf("%d kills, %d versions acknowledged", kills, len(all))
	if len(all) < kills {
		t.Errorf("only %d versions acknowledged: the children hardly wrote", len(all))
	}
	s := open(t, dir)
	commit(t, s, snapshot(t, "acme", "next-run", "x\n", 1))
	wantKept(t, dir, all)
	rep, err := s.Maintain(t.Context(), "acme")
	if err != nil || rep.Left != 1 {
		t.Errorf("maintenance after all that: %+v, %v", rep, err)
	}
	wantKept(t, dir, all)
	names, err := listing(filepath.Join(gitDir(s, "acme"), "objects", "pack"))
	if err != nil || len(names) != 3 { // the pack, its index, and what keeps it from other gits
		t.Errorf("left over: %v, %v", names, err)
	}
	for v, err := range s.Verify(t.Context(), "acme", 1, 0, nil) {
		if err != nil || len(v.Problems) > 0 {
			t.Errorf("verify: %+v, %v", v, err)
		}
	}
}

package git

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"

	"belay/configs"
	"belay/devices"
)

// A person looks after the repository by hand, all the time, while two processes
// commit, read and pack: each acknowledged version is in history, once, with its
// text, and nobody need do anything.
func TestCommitsGoOnWhileAPersonLooksAfterTheRepository(t *testing.T) {
	t.Parallel()
	needGit(t)
	s := open(t, t.TempDir())
	dir := gitDir(s, "acme")
	commit(t, s, snapshot(t, "acme", "sw-0", "first\n", 1))
	var wg sync.WaitGroup
	stop := make(chan struct{})
	tasks := [][]string{
		{"repack", "-ad", "--quiet"}, {"gc", "--quiet"}, {"gc", "--prune=now", "--quiet"}, {"pack-refs", "--all"},
		{"maintenance", "run", "--task=incremental-repack", "--task=commit-graph", "--quiet"}, {"repack", "-Ad", "--quiet"},
	}
	wg.Go(func() { // one after the other: two gits at once can harm each other without us
		for n := 0; ; n++ {
			select {
			case <-stop:
				t.Logf("%d tasks", n)
				return
			default:
			}
			// One that we were in the way of is the person's to run again.
			_, _ = runGit(t, append([]string{"--git-dir", dir}, tasks[n%len(tasks)]...)...)
		}
	})
	rounds := 30
	if testing.Short() {
		rounds = 15
	}
	stores := []*Store{s, open(t, s.Dir)}
	acked := make([][]configs.Version, 4)
	var writers sync.WaitGroup
	for i := range acked {
		writers.Go(func() {
			for n := range rounds {
				text := strings.Repeat("a line that all have\n", 200) + fmt.Sprint(i, n, "\n")
				v, err := stores[i%2].Commit(t.Context(), snapshot(t, "acme", fmt.Sprint("sw-", i), text, n))
				if err != nil || !v.New {
					t.Errorf("commit %d of sw-%d: %+v, %v", n, i, v, err)
					continue
				}
				acked[i] = append(acked[i], v)
				texts, err := stores[(i+1)%2].Texts(t.Context(), v)
				if err != nil || string(texts[0].Clean.Bytes()) != text {
					t.Errorf("read %d of sw-%d: %v", n, i, err)
				}
				if n%10 == 9 && i == 0 {
					if _, err := s.Maintain(t.Context(), "acme"); err != nil {
						t.Errorf("maintenance: %v", err)
					}
				}
			}
		})
	}
	writers.Wait()
	close(stop)
	wg.Wait()
	if _, err := s.Maintenance(t.Context()); err != nil { // as a service does by itself
		t.Error(err)
	}
	for i, want := range acked {
		got := history(t, open(t, s.Dir), devices.ID(fmt.Sprint("acme/sw-", i)))
		if i == 0 {
			got = got[:len(got)-1] // the first of all
		}
		if len(got) != len(want) {
			t.Errorf("sw-%d has %d versions, acknowledged were %d", i, len(got), len(want))
			continue
		}
		for k := range want {
			if got[len(got)-1-k].Commit != want[k].Commit {
				t.Errorf("sw-%d: version %d is not what was acknowledged", i, k)
			}
		}
	}
}

// A git repack -ad takes away what nothing seems to need: not a pack of ours, before
// the branch has come to it or after.
func TestAGitRepackTakesNoPackOfOursAway(t *testing.T) {
	t.Parallel()
	needGit(t)
	s := open(t, t.TempDir())
	for i := range 3 {
		commit(t, s, snapshot(t, "acme", "fw-hq", fmt.Sprint(i, "\n"), i))
	}
	r, err := s.repo("acme")
	if err != nil {
		t.Fatal(err)
	}
	it := newItem(plumbing.BlobObject, []byte("not yet reachable\n"))
	if err := r.writePack([]item{it}); err != nil {
		t.Fatal(err)
	}
	before, err := r.packs()
	if err != nil {
		t.Fatal(err)
	}
	git(t, "--git-dir", r.dir, "repack", "-ad", "--quiet")
	git(t, "--git-dir", r.dir, "gc", "--prune=now", "--quiet")
	if now, err := r.packs(); err != nil || len(before) != 4 || !stillThere(before, now) {
		t.Errorf("of %v are left %v, %v", before, now, err)
	}
}

// Another git was killed between a pack and its index: the others are read.
func TestAPackWithoutIndexDisturbsNobody(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	v := commit(t, s, snapshot(t, "acme", "fw-hq", "one\n", 1))
	half := filepath.Join(gitDir(s, "acme"), "objects", "pack", "pack-"+strings.Repeat("0d", 20)+".pack")
	if err := os.WriteFile(half, []byte("PACK"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*Store{s, {Dir: s.Dir, Now: s.Now}} {
		if _, err := s.Texts(t.Context(), v); err != nil {
			t.Error(err)
		}
		if got := history(t, s, v.ID); len(got) == 0 {
			t.Error("no history")
		}
	}
	commit(t, s, snapshot(t, "acme", "fw-hq", "two\n", 2))
	if err := removeIfThere(half); err != nil {
		t.Error(err)
	}
}

// Trees of one flush stand on each other: git and go-git must read them, and no
// chain is longer than it may be.
func TestTreesOfOneFlushAreDeltas(t *testing.T) {
	t.Parallel()
	needGit(t)
	s := open(t, t.TempDir())
	const n = 150
	vs := make([]configs.Version, n)
	atOnce(n, n, func(i int) {
		v, err := s.Commit(t.Context(), snapshot(t, "acme", fmt.Sprint("sw-", i), fmt.Sprint(i, "\n"), i))
		if err != nil {
			t.Error(err)
		}
		vs[i] = v
	})
	for i, v := range vs {
		texts, err := s.Texts(t.Context(), v)
		if err != nil || string(texts[0].Clean.Bytes()) != fmt.Sprint(i, "\n") {
			t.Errorf("sw-%d: %v", i, err)
		}
	}
	packs, err := filepath.Glob(filepath.Join(gitDir(s, "acme"), "objects", "pack", "*.idx"))
	if err != nil {
		t.Fatal(err)
	}
	deltas, longest := 0, 0
	for line := range strings.Lines(git(t, append([]string{"--git-dir", gitDir(s, "acme"), "verify-pack", "-v"}, packs...)...)) {
		fields := strings.Fields(line)
		if len(fields) != 7 || fields[1] != "tree" {
			continue
		}
		deltas++
		var depth int
		if _, err := fmt.Sscan(fields[5], &depth); err != nil {
			t.Fatal(err)
		}
		longest = max(longest, depth)
	}
	if r, err := s.repo("acme"); err != nil || r.state.top.data != nil {
		t.Error("the last tree is kept in memory", err)
	}
	if deltas < n/2 || longest > deltaDepth || longest < 10 {
		t.Errorf("%d deltas of %d trees, the longest chain %d", deltas, n, longest)
	}
}

func TestADeltaMakesTheOtherText(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		was := make([]byte, r.IntN(400_000))
		for i := range was {
			was[i] = byte(r.IntN(256))
		}
		at := r.IntN(len(was) + 1)
		cut := r.IntN(min(len(was)-at, 300) + 1)
		is := append(append(bytes.Clone(was[:at]), was[:r.IntN(min(len(was), 300)+1)]...), was[at+cut:]...)
		got, err := packfile.PatchDelta(was, delta(was, is))
		if err != nil && len(is) > 0 || !bytes.Equal(got, is) {
			t.Fatalf("%d bytes from %d, at %d less %d: %v", len(is), len(was), at, cut, err)
		}
	}
	for back, want := range map[int64][]byte{1: {1}, 127: {0x7f}, 128: {0x80, 0}, 16511: {0xff, 0x7f}, 16512: {0x80, 0x80, 0}} {
		if got := appendBack(nil, back); !bytes.Equal(got, want) {
			t.Errorf("%d back: %x, want %x", back, got, want)
		}
	}
}

// The service starts by the notes alone: no pack is looked at.
func TestANoteTellsTheNewestWithoutThePacks(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	var want []configs.Version
	for i := range 5 {
		want = append(want, commit(t, s, snapshot(t, "acme", fmt.Sprint("sw-", i%3), fmt.Sprint(i, "\n"), i)))
	}
	want = want[2:]
	if round, err := s.Maintenance(t.Context()); err != nil || round.Noted != 1 || round.Packed != 0 {
		t.Errorf("%+v, %v", round, err)
	}
	if round, err := s.Maintenance(t.Context()); err != nil || round.Noted != 0 {
		t.Errorf("again: %+v, %v", round, err)
	}
	packs := filepath.Join(gitDir(s, "acme"), "objects")
	if err := os.Rename(packs, packs+".away"); err != nil {
		t.Fatal(err)
	}
	next := &Store{Dir: s.Dir, Now: s.Now}
	for _, w := range want {
		v, ok, err := next.Newest(t.Context(), w.ID)
		w.New = false
		if err != nil || !ok || fmt.Sprintf("%+v", v) != fmt.Sprintf("%+v", w) {
			t.Errorf("got  %+v, %t, %v\nwant %+v", v, ok, err, w)
		}
	}
	if err := os.Rename(packs+".away", packs); err != nil {
		t.Fatal(err)
	}
	// What was written upon the note is a proper history.
	for i := range 4 {
		commit(t, next, snapshot(t, "acme", fmt.Sprint("sw-", i), "later\n", 10+i))
	}
	if got := history(t, next, "acme/sw-1"); len(got) != 3 || !got[0].Taken.Equal(at(11)) {
		t.Errorf("history is %+v", got)
	}
}

package git

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"

	"belay/configs"
	"belay/devices"
)

// openBelow is how many files below dir this process has open.
func openBelow(t testing.TB, dir string) (n int) {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("this system does not show open files")
	}
	for _, e := range names {
		if path, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && strings.HasPrefix(path, dir) {
			n++
		}
	}
	return n
}

// However many packs a history has come to, who reads all of it opens a few at a
// time; and when he is done none stays open.
func TestAReaderOpensFewFiles(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	fill(t, s, "acme", "fw-hq", 0, 40)
	const readers = 20
	var ready, done sync.WaitGroup
	release := make(chan struct{})
	ready.Add(readers)
	for range readers {
		done.Go(func() {
			n := 0
			for _, err := range s.History(t.Context(), "acme/fw-hq") {
				if err != nil {
					t.Error(err)
				}
				if n++; n == 40 { // it has been through all of the packs
					ready.Done()
					<-release
				}
			}
			if n != 40 {
				t.Errorf("%d versions", n)
			}
		})
	}
	ready.Wait()
	if n := openBelow(t, s.Dir); n > readers*openPacks || n < readers {
		t.Errorf("%d readers have %d files open", readers, n)
	}
	if n := s.readers.Load(); n != readers {
		t.Errorf("%d readers are counted", n)
	}
	close(release)
	done.Wait()
	if n := openBelow(t, s.Dir); n != 0 || s.readers.Load() != 0 {
		t.Errorf("%d files stay open, %d readers", n, s.readers.Load())
	}
}

// Of many histories only so many are remembered, and one that was forgotten goes
// on as if it had not been.
func TestManyHistoriesTakeNoMoreMemory(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	s.shelf.most = 20
	const n = 60
	kept := make([]configs.Version, n)
	for i := range n {
		kept[i] = commit(t, s, snapshot(t, fmt.Sprintf("c-%d", i), "fw", "one\n", 1))
	}
	if n := openBelow(t, s.Dir); n != 0 {
		t.Errorf("%d files stay open", n)
	}
	remembered := func() (n int) {
		for _, r := range s.repos {
			if r.state != nil {
				n++
			}
		}
		return n
	}
	if got := remembered(); got != 10 { // each has one device, and counts as two
		t.Errorf("%d of %d are remembered", got, n)
	}
	for i := range n {
		// Nothing is written for what stands, not even once it was forgotten.
		lock := gitDir(s, fmt.Sprintf("c-%d", i)) + "/belay.lock"
		if err := os.Chtimes(lock, at(0), at(0)); err != nil {
			t.Fatal(err)
		}
		id := devices.ID(fmt.Sprintf("c-%d/fw", i))
		if v, ok, err := s.Newest(t.Context(), id); err != nil || !ok || v.Commit != kept[i].Commit {
			t.Errorf("newest of %s: %+v, %v", id, v, err)
		}
		if v := commit(t, s, snapshot(t, fmt.Sprintf("c-%d", i), "fw", "one\n", 2)); v.New || v.Commit != kept[i].Commit {
			t.Errorf("%s: %+v", id, v)
		}
		if fi, err := os.Stat(lock); err != nil || !fi.ModTime().Equal(at(0)) {
			t.Errorf("%s was written to: %v", id, err)
		}
		if v := commit(t, s, snapshot(t, fmt.Sprintf("c-%d", i), "fw", "two\n", 3)); !v.New {
			t.Errorf("%s: %+v", id, v)
		}
	}
	if got := remembered(); got != 10 {
		t.Errorf("%d of %d are remembered", got, n)
	}
	// One bigger than all that there is room for is remembered all the same.
	for i := range 30 {
		commit(t, s, snapshot(t, "big", fmt.Sprint("fw-", i), "one\n", 1))
	}
	if got := remembered(); got != 1 || s.repos["big"].state == nil {
		t.Errorf("%d are remembered beside a big one", got)
	}
}

// What is remembered of a device is a few kilobytes, whatever its texts are.
func TestAStateIsSmall(t *testing.T) {
	s := open(t, t.TempDir())
	measure := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := measure()
	const n = 200
	atOnce(50, n, func(i int) {
		if _, err := s.Commit(t.Context(), snapshot(t, fmt.Sprintf("c-%d", i%5), fmt.Sprint("sw-", i), benchText(i), 1)); err != nil {
			t.Error(err)
		}
	})
	s.zlibs = zlibs{} //nolint:govet // nobody uses them now
	took := int64(measure()) - int64(before)
	t.Logf("%d bytes a device", took/n)
	if took > n*6<<10 {
		t.Errorf("%d bytes a device", took/n)
	}
	runtime.KeepAlive(s)
}

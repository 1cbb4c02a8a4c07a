package git

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"belay/configs"
	"belay/devices"
)

// device is the size of a usual switch's configuration: about 23 KB.
func benchText(i int) string {
	return fmt.Sprintf("hostname sw-%d\n", i) + strings.Repeat("interface GigabitEthernet1/0/1\n switchport mode access\n", 400)
}

// A first night: every device of a customer at once, 100 at a time.
func BenchmarkCommitting500Devices(b *testing.B) {
	var snaps []configs.Snapshot
	for i := range 500 {
		snaps = append(snaps, snapshot(b, "acme", fmt.Sprintf("sw-%d", i), benchText(i), 1))
	}
	b.ReportAllocs()
	for b.Loop() {
		s := open(b, b.TempDir())
		atOnce(100, len(snaps), func(i int) {
			if _, err := s.Commit(b.Context(), snaps[i]); err != nil {
				b.Error(err)
			}
		})
	}
	b.ReportMetric(float64(b.N*len(snaps))/b.Elapsed().Seconds(), "commits/s")
}

// A night on which nothing changed.
func BenchmarkUnchanged(b *testing.B) {
	s, _ := filled(b, 500, 1)
	snap := snapshot(b, "acme", "sw-77", benchText(77000), 2)
	b.ResetTimer()
	for b.Loop() {
		if v, err := s.Commit(b.Context(), snap); err != nil || v.New {
			b.Fatal(v, err)
		}
	}
}

// What keeping proves: the texts read back from a fresh opening, by one and by
// a hundred at once.
func BenchmarkTexts(b *testing.B) {
	s, vs := filled(b, 500, 1)
	for _, workers := range []int{1, 100} {
		b.Run(fmt.Sprint(workers), func(b *testing.B) {
			for b.Loop() {
				atOnce(workers, len(vs), func(i int) {
					if _, err := s.Texts(b.Context(), vs[i]); err != nil {
						b.Error(err)
					}
				})
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*len(vs)), "µs/version")
		})
	}
}

// A device's history among 50 devices of 20 versions each.
func BenchmarkHistory(b *testing.B) {
	s, _ := filled(b, 50, 20)
	for b.Loop() {
		n := 0
		for _, err := range s.History(b.Context(), "acme/sw-7") {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n != 20 {
			b.Fatal(n)
		}
	}
}

// A new process's first look at every device: through all of history, and with
// the note that maintenance leaves.
func BenchmarkFirstLook(b *testing.B) {
	s, _ := filled(b, 500, 2)
	look := func(b *testing.B) {
		for b.Loop() {
			if _, ok, err := (&Store{Dir: s.Dir, Now: s.Now}).Newest(b.Context(), devices.ID("acme/sw-7")); !ok || err != nil {
				b.Fatal(ok, err)
			}
		}
	}
	b.Run("before maintenance", look)
	if _, err := s.Maintain(b.Context(), "acme"); err != nil {
		b.Fatal(err)
	}
	b.Run("after it", look)
}

func filled(b *testing.B, count, versions int) (*Store, []configs.Version) {
	b.Helper()
	s := open(b, b.TempDir())
	vs := make([]configs.Version, count)
	for round := range versions {
		atOnce(100, count, func(i int) {
			v, err := s.Commit(b.Context(), snapshot(b, "acme", fmt.Sprintf("sw-%d", i), benchText(i*1000+round), round))
			if err != nil {
				b.Error(err)
			}
			vs[i] = v
		})
	}
	return s, vs
}

// atOnce calls f for 0 … count-1 from so many goroutines.
func atOnce(workers, count int, f func(int)) {
	next := make(chan int)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := range next {
				f(i)
			}
		})
	}
	for i := range count {
		next <- i
	}
	close(next)
	wg.Wait()
}

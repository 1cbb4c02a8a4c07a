package git

import (
	"bytes"
	"fmt"
	"syscall"
	"testing"
	"time"

	"belay/configs"
)

// BenchmarkNight is what a night costs the store: a first one, on which every
// device is kept, and one on which nothing has changed and each text of 100 KB is
// read back and compared. 10,000 devices with BELAY_BENCH=full, else 1,000.
func BenchmarkNight(b *testing.B) {
	n, customers := 1000, 20
	if full() {
		n, customers = 10_000, 200
	}
	processor := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	lines := bytes.Repeat([]byte("interface GigabitEthernet1/0/1\n description a port like others\n switchport mode access\n!\n"), 1200)
	snaps := make([]configs.Snapshot, n)
	for i := range snaps {
		snaps[i] = snapshot(b, fmt.Sprintf("c%04d", i%customers), fmt.Sprintf("sw-%05d", i), fmt.Sprintf("hostname sw-%05d\n%s", i, lines[:100_000-len("hostname sw-00000\n")]), 1)
		snaps[i].Originals[0].Bytes = snaps[i].Originals[0].Bytes[:5500]
	}
	var s *Store
	run := func(name string, f func(i int)) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			before := processor()
			for b.Loop() {
				if name == "first" {
					s = &Store{Dir: b.TempDir(), Now: time.Now}
				}
				atOnce(100, n, f)
			}
			b.ReportMetric((processor()-before).Seconds()*1000/float64(b.N*n), "cpu-ms/device")
		})
	}
	keep := func(i int) {
		if _, err := s.Commit(b.Context(), snaps[i]); err != nil {
			b.Error(err)
		}
	}
	dir := b.TempDir()
	run("first", keep)
	s = &Store{Dir: dir, Now: time.Now}
	atOnce(100, n, keep)
	run("unchanged", func(i int) {
		v, ok, err := s.Newest(b.Context(), snaps[i].Device.ID())
		if err != nil || !ok {
			b.Error(ok, err)
			return
		}
		texts, err := s.Texts(b.Context(), v)
		if err != nil || texts[0].Clean.Digest() != snaps[i].Texts[0].Clean.Digest() {
			b.Error(err)
		}
		keep(i)
	})
}

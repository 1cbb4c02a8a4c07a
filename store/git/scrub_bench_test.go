package git

import (
	"crypto/rand"
	"fmt"
	"testing"

	"belay/configs"
)

// A customer of 50 devices with 20 versions each, packed, originals that do not compress.
func BenchmarkReread(b *testing.B) {
	s := open(b, b.TempDir())
	for round := range 20 {
		atOnce(50, 50, func(i int) {
			snap := snapshot(b, "acme", fmt.Sprintf("sw-%d", i), benchText(i*1000+round), round)
			noise := make([]byte, 4000)
			rand.Read(noise)
			snap.Originals[0].Bytes = append([]byte("sealed\x00original of "), noise...)
			snap.Originals[0].Digest = configs.Digest(snap.Originals[0].Bytes[7:])
			if _, err := s.Commit(b.Context(), snap); err != nil {
				b.Error(err)
			}
		})
	}
	if _, err := s.Maintain(b.Context(), "acme"); err != nil {
		b.Fatal(err)
	}
	size, _ := s.Bytes("acme")
	b.Run("packs", func(b *testing.B) {
		b.SetBytes(size)
		for b.Loop() {
			for p, err := range s.RereadPacks(b.Context(), "acme", "") {
				if err != nil || len(p.Problems) > 0 {
					b.Fatal(p, err)
				}
			}
		}
	})
	b.Run("versions", func(b *testing.B) {
		b.ReportAllocs()
		n := 0
		var bytes int64
		for b.Loop() {
			for v, err := range s.Reread(b.Context(), "acme", "", unsealed) {
				if err != nil || len(v.Problems) > 0 {
					b.Fatal(v, err)
				}
				n++
				bytes += v.Bytes
			}
		}
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(n), "µs/version")
		b.ReportMetric(float64(bytes)/b.Elapsed().Seconds()/1e6, "MB/s")
	})
}

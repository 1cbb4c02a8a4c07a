package main

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A nightWork is the data folder of a fleet whose devices belong to so many customers.
type nightWork struct {
	dir string
	n   int
}

func newNight(b *testing.B, c *crowd, customers, sessions int) nightWork {
	b.Helper()
	dir := b.TempDir()
	var rows bytes.Buffer
	w := csv.NewWriter(&rows)
	_ = w.Write([]string{"customer", "name", "address", "port", "driver"}) // a buffer takes all
	for i, a := range c.addresses {
		host, port, _ := strings.Cut(a, ":")
		_ = w.Write([]string{fmt.Sprintf("c%03d", i%customers), fmt.Sprintf("sw%05d", i), host, port, "cisco_ios"})
	}
	w.Flush()
	for name, text := range map[string]string{
		"devices.csv": rows.String(), "password": "canary-bench", "enable": "canary-bench-enable",
		"belay.yaml": fmt.Sprintf("inventory: [devices.csv]\nhost_keys: first-use\nmaster: {file: master.age}\nconcurrency: {all: %d, site: %[1]d}\nlogins:\n  default: {user: belay, password: {file: password}, enable: {file: enable}}\n", sessions),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	return nightWork{dir, len(c.addresses)}
}

// spent is what a whole run of the program cost.
type spent struct {
	wall, processor time.Duration
	peak            int64 // bytes resident
}

// capture is a night in a process of its own, whose memory is nobody else's.
func (n nightWork) capture(b *testing.B) spent {
	b.Helper()
	c := exec.Command(os.Args[0], "--config", filepath.Join(n.dir, "belay.yaml"), "capture", "--all", "--json")
	c.Args[0] = "belay"
	var said bytes.Buffer
	c.Stderr = &said
	began := time.Now()
	if err := c.Run(); err != nil {
		b.Fatalf("%v: %.2000s", err, said.String())
	}
	s := spent{wall: time.Since(began), processor: c.ProcessState.UserTime() + c.ProcessState.SystemTime()}
	if u, ok := c.ProcessState.SysUsage().(*syscall.Rusage); ok {
		s.peak = u.Maxrss << 10
	}
	return s
}

// bytes is what lies in the data folder.
func (n nightWork) bytes(b *testing.B) (sum int64) {
	b.Helper()
	err := filepath.WalkDir(filepath.Join(n.dir, "belay-data"), func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(d.Name(), "-wal") || strings.HasSuffix(d.Name(), "-shm") {
			return err
		}
		fi, err := d.Info()
		sum += fi.Size()
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return sum
}

// tell reports a night against the ideal: each device's five exchanges, as many
// devices at once as there are sessions, and nothing else.
func (n nightWork) tell(b *testing.B, s spent, sessions int, latency time.Duration) {
	ideal := time.Duration(n.n) * 5 * latency / time.Duration(min(sessions, n.n))
	b.ReportMetric(s.wall.Seconds(), "s/night")
	b.ReportMetric(float64(s.wall)/float64(ideal), "ideals")
	b.ReportMetric(s.processor.Seconds()*1000/float64(n.n), "cpu-ms/device")
	b.ReportMetric(float64(s.peak)/1e6, "MB-peak")
}

// BenchmarkFleet captures 500 switches of 8 KB at 50 ms a command: with 30
// sessions within 1.25 times the ideal, with 500 within 4 s; under 5 ms of
// processor a device. The switches share the processors.
func BenchmarkFleet(b *testing.B) {
	c := startCrowd(b, 500, 8<<10, 50*time.Millisecond)
	for _, sessions := range []int{30, 500} {
		n := newNight(b, c, 1, sessions)
		for _, kind := range []string{"first", "unchanged"} {
			b.Run(fmt.Sprintf("%s-%d-sessions", kind, sessions), func(b *testing.B) {
				for b.Loop() {
					n.tell(b, n.capture(b), sessions, 50*time.Millisecond)
				}
			})
		}
	}
}

// BenchmarkNight is a night of a large service: 200 customers, 100 KB a device at
// 400 ms a command, 200 sessions; 1,000 devices, or with BELAY_BENCH=full 10,000.
// It wants at most 1.3 ideals and 300 MB, and for an unchanged device less than
// 100 bytes. The first and second look at a fleet are other nights than the
// third, when 3 % have changed.
func BenchmarkNight(b *testing.B) {
	devices, customers := 1000, 20
	if os.Getenv("BELAY_BENCH") == "full" {
		devices, customers = 10_000, 200
	}
	const sessions, latency = 200, 400 * time.Millisecond
	c := startCrowd(b, devices, 100<<10, latency)
	n := newNight(b, c, customers, sessions)
	epoch := 0
	for _, kind := range []string{"first", "unchanged", "3%-changed", "unchanged-again"} {
		b.Run(kind, func(b *testing.B) {
			for b.Loop() {
				if kind == "3%-changed" {
					epoch++
					c.change(epoch, 33)
				}
				before := int64(0)
				if kind != "first" {
					before = n.bytes(b)
				}
				n.tell(b, n.capture(b), sessions, latency)
				b.ReportMetric(float64(n.bytes(b)-before)/float64(devices), "B/device")
			}
		})
	}
}

package git

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"belay/configs"
	"belay/configs/redact"
	"belay/devices"
)

// full tells whether a benchmark does all that it can, or a part that ends soon.
func full() bool { return os.Getenv("BELAY_BENCH") == "full" }

// A world is a fleet whose devices change. A text is made of its device's number
// and of how often it changed, so that nothing need be kept of it.
type world struct {
	customers, devices int // devices in all
	big                int // of them in the first customer; 0: as many as everywhere
	changed            []int
	day                time.Time
}

func (w *world) customer(i int) string {
	if w.big > 0 && i < w.big {
		return "c0000"
	}
	return fmt.Sprintf("c%04d", i%w.customers)
}

func (w *world) id(i int) devices.ID {
	return devices.ID(w.customer(i) + "/" + w.name(i))
}

func (w *world) name(i int) string { return fmt.Sprintf("sw-%05d", i) }

// text is a configuration of 8 to 40 KB: 24 KB on average. Each change of it
// sets another description, adds an access list entry and moves a port.
func (w *world) text(i, changes int) []byte {
	r := rand.New(rand.NewPCG(uint64(i), 1))
	ports := 60 + r.IntN(241)
	descriptions, vlans := make([]string, ports), make([]int, ports)
	for p := range ports {
		descriptions[p] = fmt.Sprintf("%s-%d-%x", []string{"desk", "printer", "uplink", "camera", "phone"}[r.IntN(5)], r.IntN(900), r.Uint32())
		vlans[p] = 10 + r.IntN(40)
	}
	entries := 30
	for range changes {
		descriptions[r.IntN(ports)] = fmt.Sprintf("moved-%x", r.Uint32())
		vlans[r.IntN(ports)] = 10 + r.IntN(40)
		entries++
	}
	b := make([]byte, 0, 48<<10)
	b = fmt.Appendf(b, "version 15.2\nhostname sw-%05d\n!\nenable secret 9 <redacted:%08x>\n!\n", i, uint32(i)*2654435761)
	for p := range ports {
		b = fmt.Appendf(b, "interface GigabitEthernet1/0/%d\n description %s\n switchport access vlan %d\n switchport mode access\n", p, descriptions[p], vlans[p])
		if p%7 == 0 {
			b = append(b, " spanning-tree portfast\n storm-control broadcast level 1.00\n"...)
		}
		b = append(b, "!\n"...)
	}
	a := rand.New(rand.NewPCG(uint64(i), 2))
	b = append(b, "ip access-list extended MGMT\n"...)
	for range entries {
		b = fmt.Appendf(b, " permit tcp 10.%d.%d.0 0.0.0.255 any eq 22\n", a.IntN(250), a.IntN(250))
	}
	return append(b, "end\n"...)
}

// snapshot is device i as it is now, its original as sealing makes it: 5.5 KB
// that nothing packs.
func (w *world) snapshot(i int, when time.Time) (configs.Snapshot, error) {
	data := w.text(i, w.changed[i])
	sum := sha256.Sum256(data)
	clean, err := redact.Restore(data, hex.EncodeToString(sum[:]))
	if err != nil {
		return configs.Snapshot{}, err
	}
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], uint64(i))
	binary.LittleEndian.PutUint64(seed[8:], uint64(w.changed[i]))
	sealed := make([]byte, 200+len(data)*53/240)
	if _, err := rand.NewChaCha8(seed).Read(sealed); err != nil {
		return configs.Snapshot{}, err
	}
	return configs.Snapshot{
		Device: devices.Device{Customer: w.customer(i), Name: w.name(i)}, Taken: when, Driver: "cisco_ios",
		By:        configs.Person{Name: "belay", Email: "belay@example.net"},
		Identity:  devices.Identity{Hostname: w.name(i), Model: "WS-C2960X-48", Version: "15.2(7)E7", Serials: []string{fmt.Sprintf("FOC%08d", i)}},
		Grade:     configs.Grade{Level: configs.Restore},
		Checks:    []configs.Check{{Name: "end mark", OK: true}, {Name: "sections", OK: true}, {Name: "size", OK: true}},
		Texts:     []configs.Text{{Name: configs.MainFile, Clean: clean}},
		Originals: []configs.Sealed{{Name: configs.MainFile, Bytes: sealed, Digest: hex.EncodeToString(sum[:]), Size: len(data)}},
	}, nil
}

// keep commits those devices, so many customers at once, as a fleet comes by.
func (w *world) keep(b *testing.B, s *Store, which []int) {
	b.Helper()
	atOnce(32, len(which), func(k int) {
		snap, err := w.snapshot(which[k], w.day)
		if err == nil {
			_, err = s.Commit(b.Context(), snap)
		}
		if err != nil {
			b.Error(err)
		}
	})
}

// night changes 3 of 100 devices.
func (w *world) night(b *testing.B, s *Store, r *rand.Rand) {
	b.Helper()
	which := r.Perm(w.devices)[:max(1, w.devices*3/100)]
	slices.Sort(which)
	for _, i := range which {
		w.changed[i]++
	}
	w.keep(b, s, which)
}

// diskUse is what files below dir take, and how many they are.
func diskUse(dir string) (size, files int64, err error) {
	err = filepath.Walk(dir, func(_ string, fi os.FileInfo, err error) error {
		if err == nil && !fi.IsDir() {
			size += fi.Size()
			files++
		}
		return err
	})
	return size, files, err
}

// A gauge watches this process while something runs.
type gauge struct {
	files atomic.Int64 // most open at once
	stop  chan struct{}
	done  sync.WaitGroup
}

// watch begins to count; the peak of memory begins anew.
func watch() *gauge {
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0o600) // without it the peak is that of the whole run
	g := &gauge{stop: make(chan struct{})}
	g.done.Go(func() {
		for {
			if names, err := os.ReadDir("/proc/self/fd"); err == nil {
				g.files.Store(max(g.files.Load(), int64(len(names))))
			}
			select {
			case <-g.stop:
				return
			case <-time.After(2 * time.Millisecond):
			}
		}
	})
	return g
}

// end reports the most files that were open and the most memory, in MB.
func (g *gauge) end(b *testing.B) {
	close(g.stop)
	g.done.Wait()
	b.ReportMetric(float64(g.files.Load()), "most-files")
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			if err == nil {
				b.ReportMetric(kb/1024, "most-MB")
			}
		}
	}
}

// BenchmarkYear keeps a fleet for a year of nights, of which 3 % of the devices
// change, and looks after the histories as the service does. By default it is a
// twentieth of the fleet for a third of the year; BELAY_BENCH=full is 10,000
// devices of 200 customers for all of it; "big" has half of the devices at one
// customer.
func BenchmarkYear(b *testing.B) {
	for _, kind := range []string{"even", "big"} {
		b.Run(kind, func(b *testing.B) {
			w, nights := &world{customers: 10, devices: 500}, 120
			if full() {
				w, nights = &world{customers: 200, devices: 10_000}, 365
			}
			if kind == "big" {
				w.big = w.devices / 2
			}
			for b.Loop() {
				year(b, w, nights)
			}
		})
	}
}

func year(b *testing.B, w *world, nights int) {
	s := &Store{Dir: b.TempDir(), Now: time.Now}
	w.changed = make([]int, w.devices)
	w.day = time.Date(2026, 1, 1, 1, 15, 0, 0, time.UTC)
	g := watch()
	var first, maintenance, longest time.Duration
	var took []time.Duration
	packed, memory := 0, int64(0)
	all := make([]int, w.devices)
	for i := range all {
		all[i] = i
	}
	r := rand.New(rand.NewPCG(7, 7))
	for n := range nights {
		began := time.Now()
		if n == 0 {
			w.keep(b, s, all)
			first = time.Since(began)
		} else {
			w.night(b, s, r)
			took = append(took, time.Since(began))
		}
		w.day = w.day.AddDate(0, 0, 1)
		began = time.Now()
		round, err := s.Maintenance(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		maintenance += time.Since(began)
		longest = max(longest, time.Since(began))
		packed += round.Packed
		memory = max(memory, round.Memory)
	}
	g.end(b)
	size, files, err := diskUse(s.Dir)
	if err != nil {
		b.Fatal(err)
	}
	versions := w.devices + len(took)*max(1, w.devices*3/100)
	last := slices.Clone(took[len(took)-10:])
	slices.Sort(last)
	slices.Sort(took)
	b.ReportMetric(first.Seconds(), "s/first-night")
	b.ReportMetric(took[len(took)/2].Seconds(), "s/median-night")
	b.ReportMetric(last[5].Seconds(), "s/last-night")
	b.ReportMetric(maintenance.Seconds()/float64(nights), "s/maintenance-a-night")
	b.ReportMetric(longest.Seconds(), "s/longest-maintenance")
	b.ReportMetric(float64(packed), "packings")
	b.ReportMetric(float64(memory)/(1<<20), "git-MB")
	b.ReportMetric(float64(size)/1e6, "disk-MB")
	b.ReportMetric(float64(files), "files")
	b.ReportMetric(float64(size)/float64(versions), "bytes/version")
	questions(b, w, s.Dir)
}

// questions asks a new process's store what people ask, and reports the time
// that 95 of 100 answers stay under.
func questions(b *testing.B, w *world, dir string) {
	b.Helper()
	s := &Store{Dir: dir, Now: time.Now}
	began := time.Now()
	for i := range w.devices {
		if _, ok, err := s.Newest(b.Context(), w.id(i)); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
	b.ReportMetric(time.Since(began).Seconds(), "s/all-newest")
	r := rand.New(rand.NewPCG(8, 8))
	var history, text, both []time.Duration
	for range 200 {
		i := r.IntN(w.devices)
		if w.big > 0 {
			i = r.IntN(w.big)
		}
		var vs []configs.Version
		history = append(history, timed(b, func(ctx context.Context) error {
			for v, err := range s.History(ctx, w.id(i)) {
				if err != nil {
					return err
				}
				vs = append(vs, v)
			}
			return nil
		}))
		if len(vs) != w.changed[i]+1 {
			b.Errorf("%s has %d versions, not %d", w.id(i), len(vs), w.changed[i]+1)
		}
		any := func(ctx context.Context) error { _, err := s.Texts(ctx, vs[r.IntN(len(vs))]); return err }
		text = append(text, timed(b, any))
		both = append(both, timed(b, any)+timed(b, any))
	}
	for unit, took := range map[string][]time.Duration{"history-ms-p95": history, "text-ms-p95": text, "two-texts-ms-p95": both} {
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)*95/100].Microseconds())/1000, unit)
	}
}

func timed(b *testing.B, f func(context.Context) error) time.Duration {
	b.Helper()
	began := time.Now()
	if err := f(b.Context()); err != nil {
		b.Fatal(err)
	}
	return time.Since(began)
}

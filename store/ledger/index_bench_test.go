package ledger

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"belay/configs"
	"belay/configs/redact"
	"belay/devices"
)

// A year of a provider: 10,000 devices of 200 customers, 24 KB each, of which
// 3 % change in a night.
const (
	yearDevices, yearCustomers, yearNights, yearChanges = 10_000, 200, 365, 300
	yearBytes                                           = 24_000
)

// yearText is a configuration: most of its lines are like those of others.
func yearText(r *rand.Rand, device, change int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "hostname device-%05d\nsnmp-server location Annex, rack %d\nntp server 192.0.2.%d\n", device, device%97, change%200)
	for port := 0; b.Len() < yearBytes; port++ {
		fmt.Fprintf(&b, "interface GigabitEthernet1/0/%d\n description to %x\n switchport access vlan %d\n ip address 10.%d.%d.%d 255.255.255.0\n!\n",
			port, r.Uint32(), r.IntN(4000), r.IntN(256), r.IntN(256), r.IntN(256))
	}
	b.WriteString("end\n")
	return b.String()
}

// yearVersion is the nth version of a device in the year, with its text where it is the newest.
func yearVersion(tb testing.TB, device, nth int, at time.Time, newest bool) configs.Indexed {
	id := devices.ID(fmt.Sprintf("customer-%03d/device-%05d", device%yearCustomers, device))
	_, name, _ := strings.Cut(string(id), "/")
	v := configs.Version{
		ID: id, Name: name, Commit: configs.Digest(fmt.Append(nil, "commit", device, nth))[:40], Taken: at, Subject: name + ": running configuration changed",
		By: configs.Person{Name: "belay serve", Email: "belay@example.net"}, Driver: "cisco_ios", Grade: configs.Grade{Level: configs.Partial, Missing: []string{"VLANs live in vlan.dat"}},
		Identity: devices.Identity{Hostname: name, Model: "WS-C2960X-48TS-L", Version: "15.2(7)E3", Serials: []string{fmt.Sprintf("FOC%08d", device)}},
	}
	f := configs.VersionFile{Name: configs.MainFile, Digest: configs.Digest(fmt.Append(nil, device, nth)), Bytes: yearBytes, OriginalDigest: configs.Digest(fmt.Append(nil, nth, device)), OriginalBytes: yearBytes}
	x := configs.Indexed{}
	if newest {
		s := yearText(rand.New(rand.NewPCG(uint64(device), 1)), device, nth)
		f.Digest = configs.Digest([]byte(s))
		clean, err := redact.Restore([]byte(s), f.Digest)
		if err != nil {
			tb.Fatal(err)
		}
		x.Texts = []configs.Text{{Name: configs.MainFile, Clean: clean}}
	}
	v.Files = []configs.VersionFile{f}
	x.Version = v
	return x
}

var yearBegan = time.Date(2026, 1, 1, 2, 0, 0, 0, time.UTC)

// year builds the index of a year: the first night all devices, then 300 a night.
func year(b *testing.B, l *Ledger) {
	b.Helper()
	r := rand.New(rand.NewPCG(7, 7))
	count := make([]int, yearDevices)
	type one struct{ device, night int }
	of := make([][]one, yearCustomers)
	for d := range yearDevices {
		of[d%yearCustomers] = append(of[d%yearCustomers], one{d, 0})
		count[d]++
	}
	for night := 1; night < yearNights; night++ {
		for range yearChanges {
			d := r.IntN(yearDevices)
			of[d%yearCustomers] = append(of[d%yearCustomers], one{d, night})
			count[d]++
		}
	}
	began := time.Now()
	for c, list := range of {
		seen := map[int]int{}
		var versions []configs.Indexed
		for _, o := range list {
			seen[o.device]++
			versions = append(versions, yearVersion(b, o.device, seen[o.device], yearBegan.AddDate(0, 0, o.night).Add(time.Duration(o.device)*time.Second), seen[o.device] == count[o.device]))
		}
		if err := l.Extend(b.Context(), fmt.Sprintf("customer-%03d", c), "", versions[len(versions)-1].Version.Commit, versions); err != nil {
			b.Fatal(err)
		}
	}
	b.Logf("built in %.1f s", time.Since(began).Seconds())
}

// measure calls f so often and reports the middle and the 95th percentile.
func measure(b *testing.B, what string, times int, f func(i int)) {
	b.Helper()
	took := make([]time.Duration, times)
	for i := range took {
		began := time.Now()
		f(i)
		took[i] = time.Since(began)
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[times/2].Microseconds())/1000, what+"-p50-ms")
	b.ReportMetric(float64(took[times*95/100].Microseconds())/1000, what+"-p95-ms")
}

func BenchmarkYearOfTheIndex(b *testing.B) {
	l, err := Open(b.Context(), b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	year(b, l)
	size := func(where string) (n float64) {
		if err := l.read.QueryRowContext(b.Context(), "SELECT total(pgsize) FROM dbstat WHERE "+where).Scan(&n); err != nil {
			b.Fatal(err)
		}
		return n
	}
	var rows int
	if err := l.read.QueryRowContext(b.Context(), "SELECT count(*) FROM index_versions").Scan(&rows); err != nil {
		b.Fatal(err)
	}
	for range b.N {
		b.ReportMetric(size("name LIKE 'index_versions%' OR name LIKE 'index_phrases%'")/float64(rows), "bytes/version")
		b.ReportMetric(size("name LIKE 'index_texts%' OR name LIKE 'sqlite_autoindex_index_texts%'")/yearDevices, "bytes/text")
		r := rand.New(rand.NewPCG(3, 3))
		id := func() devices.ID {
			d := r.IntN(yearDevices)
			return devices.ID(fmt.Sprintf("customer-%03d/device-%05d", d%yearCustomers, d))
		}
		measure(b, "versions", 500, func(int) {
			for _, err := range l.Versions(b.Context(), id()) {
				if err != nil {
					b.Fatal(err)
				}
			}
		})
		measure(b, "at", 500, func(int) {
			if _, ok, err := l.At(b.Context(), id(), yearBegan.AddDate(0, 0, 1+r.IntN(364))); !ok || err != nil {
				b.Fatal(ok, err)
			}
		})
		measure(b, "night", 40, func(i int) {
			n := 0
			for _, err := range l.Since(b.Context(), "", yearBegan.AddDate(0, 0, 364)) {
				if err != nil {
					b.Fatal(err)
				}
				n++
			}
		})
		for what, pattern := range map[string]string{"search": `rack 9[0-9]$`, "search-i": `(?i)RACK 9[0-9]$`, "search-none": `nowhere to be found`, "search-wordless": `[a-f]{7}$`} {
			measure(b, what, map[bool]int{true: 3, false: 20}[what == "search-wordless"], func(int) {
				for _, err := range l.Search(b.Context(), configs.Query{Pattern: regexp.MustCompile(pattern)}) {
					if err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

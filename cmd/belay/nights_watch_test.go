//go:build linux

package main

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var updateNights = flag.Bool("update", false, "write the golden files of testdata/nights: read them before you commit")

// TestThirtyNights lives through a month as whoever reads the digest at nine does.
// Alone, for it counts what the process holds: memory, goroutines, open files.
func TestThirtyNights(t *testing.T) {
	m := newMonth(t)
	m.at(0, 12*time.Hour)
	m.start()
	m.work()
	if got := m.told.take("noc"); len(got) > 0 {
		t.Errorf("a first start sent %q", got)
	}
	days := m.days()
	var heap []uint64
	var first held
	nights := 30
	if raced { // make test runs all of them once more, without
		nights = 8
	}
	for day := 1; day <= nights; day++ {
		m.night(day, days[day])
		m.morning(day)
		if days[day].after != nil {
			m.at(day, 10*time.Hour)
			days[day].after()
		}
		if m.server == nil {
			continue
		}
		m.at(day, 20*time.Hour)
		m.work()
		if got := m.told.take("noc"); len(got) > 0 {
			t.Errorf("day %d: a second digest: %q", day, got)
		}
		switch day {
		case 5: // everything has been read anew once
			first = m.holds()
		case 10, 20, 27, 30:
			heap = append(heap, m.holds().heap)
		}
	}
	if raced {
		m.stop()
		return
	}
	// The settings are read anew between the second and the third: the workspace that
	// the service began with stays, and its drivers with it.
	for _, two := range [][2]uint64{{heap[0], heap[1]}, {heap[2], heap[3]}, {heap[0] + 14<<20, heap[3]}} {
		if two[1] > two[0]+two[0]/5+2<<20 {
			t.Errorf("memory grows: %d bytes at nights 10, 20, 27 and 30", heap)
		}
	}
	m.settles(first)
	m.golden("history.txt", m.history())
	m.stop()
	if log := m.logged(); strings.Contains(log, "fault in Belay") || strings.Contains(log, boxPassword) || strings.Contains(log, boxEnable) {
		t.Errorf("the log:\n%s", log)
	}
}

// night has the devices captured that are due, and counts how often each was tried.
func (m *month) night(day int, d happening) {
	m.t.Helper()
	m.at(day, 30*time.Minute)
	if d.before != nil {
		d.before()
		m.work()
	}
	before := map[string]int{}
	for _, name := range m.rows {
		before[name] = m.boxes[name].dev.Seen().Connections
	}
	up := m.server != nil
	for _, at := range []time.Duration{81 * time.Minute, 91 * time.Minute, 101 * time.Minute} {
		m.at(day, at)
		m.work()
	}
	if d.late != nil {
		m.at(day, 5*time.Hour)
		d.late()
		m.work()
		up = true
	}
	for _, name := range m.rows {
		want := 0
		if up {
			want = 1
		}
		if n, ok := d.want[name]; ok {
			want = n
		}
		if got := m.boxes[name].dev.Seen().Connections - before[name]; got != want {
			m.t.Errorf("night %d: %s was tried %d times, want %d", day, name, got, want)
		}
	}
}

// morning compares what is told at nine with what a person has found right.
func (m *month) morning(day int) {
	m.t.Helper()
	m.at(day, 9*time.Hour-time.Second)
	m.work()
	if got := m.told.take("noc"); len(got) > 0 {
		m.t.Errorf("day %d: told before nine: %q", day, got)
	}
	m.at(day, 9*time.Hour+5*time.Second)
	m.work()
	m.digest(day)
}

// digest takes the one digest of a day, and the alarms since the last.
func (m *month) digest(day int) {
	m.t.Helper()
	if m.server == nil {
		return
	}
	got := m.told.take("noc")
	if len(got) != 1 {
		m.t.Errorf("day %d: %d digests: %q", day, len(got), got)
		return
	}
	page := got[0]
	for _, a := range m.told.take("pager") {
		page += "\n--- told at once since the last digest ---\n" + a
	}
	date := time.Date(2027, 3, 5+day, 0, 0, 0, 0, time.UTC)
	m.golden(fmt.Sprintf("%02d-%s.txt", day, date.Format("Mon-2-Jan")), page)
}

func (m *month) golden(name, got string) {
	m.t.Helper()
	got = m.plain(got)
	file := filepath.Join("testdata", "nights", name)
	if *updateNights {
		m.must(os.WriteFile(file, []byte(got), 0o600))
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		m.t.Error(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		m.t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// history is every version of the month as plain git has it.
func (m *month) history() string {
	p := &play{t: m.t, dir: m.dir, env: append(os.Environ(), "TZ=UTC")}
	var b strings.Builder
	for _, customer := range []string{"acme", "globex", "initech"} {
		repo := "belay-data/customers/" + customer + "/history.git"
		p.whole(repo)
		lines := strings.SplitAfter(p.git(repo, "log", "--format=  %ad  %an  %s", "--date=format-local:%Y-%m-%d %H:%M"), "\n")
		slices.Sort(lines) // those of one moment come in any order
		fmt.Fprintf(&b, "%s\n%s\n", customer, strings.Join(lines, ""))
	}
	return b.String()
}

// held is what the process holds.
type held struct {
	heap              uint64
	goroutines, files int
}

func (m *month) holds() held {
	m.t.Helper()
	http.DefaultClient.CloseIdleConnections()
	runtime.GC()
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	files, err := os.ReadDir("/proc/self/fd")
	m.must(err)
	return held{s.HeapAlloc, runtime.NumGoroutine(), len(files)}
}

// pooled are the files of connections to the ledger that may have been opened since:
// as many are read with at once as are wanted. One lost a night would be 25.
const pooled = 3 * 2

// settles waits until the process holds no more than it did.
func (m *month) settles(first held) {
	m.t.Helper()
	var now held
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		now = m.holds()
		if now.goroutines <= first.goroutines+2 && now.files <= first.files+2+pooled {
			return
		}
	}
	m.t.Errorf("after 30 nights %d goroutines and %d files are open, after five it was %d and %d", now.goroutines, now.files, first.goroutines, first.files)
}

// remove takes a device out of the inventory, as somebody with an editor does.
func (m *month) remove(name string) {
	m.t.Helper()
	customer, short, _ := strings.Cut(name, "/")
	m.edit("devices.yaml", func(text string) string {
		lines := slices.DeleteFunc(strings.SplitAfter(text, "\n"), func(l string) bool {
			return strings.Contains(l, "name: "+short+",") && strings.Contains(l, "customer: "+customer+",")
		})
		return strings.Join(lines, "")
	})
	m.rows = slices.DeleteFunc(m.rows, func(r string) bool { return r == name })
}

// renamed follows a device to its other name.
func (m *month) renamed(old, now string) {
	m.boxes[now] = m.boxes[old]
	m.rows[slices.Index(m.rows, old)] = now
}

// move renames a folder.
func (m *month) move(old, now string) {
	m.t.Helper()
	m.must(os.Rename(filepath.Join(m.dir, old), filepath.Join(m.dir, now)))
}

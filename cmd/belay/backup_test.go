package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"belay/store/spare"
)

// TestABackupUnderLoadIsOneMoment takes backups while captures, changes, pushes
// and maintenance go on, and restores each: verify finds nothing to warn of but what
// the ledger could not know yet, and every version that was acknowledged before a
// backup began is in it.
func TestABackupUnderLoadIsOneMoment(t *testing.T) {
	t.Parallel()
	part(t, "git", "git")
	c := newClimb(t, 3)
	c.wants(0, "capture", "--all")
	var mu sync.Mutex
	var acked []string
	note := func(out string) {
		mu.Lock()
		defer mu.Unlock()
		for line := range strings.Lines(out) {
			if r, ok := parseResult([]byte(line)); ok && r.Version != "" {
				acked = append(acked, r.Version)
			}
		}
	}
	stop := make(chan struct{})
	var work sync.WaitGroup
	work.Go(func() { // the night
		for round := 1; ; round++ {
			select {
			case <-stop:
				return
			default:
			}
			c.change(t, round)
			note(c.wants(0, "capture", "--all", "--json").out)
		}
	})
	work.Go(func() { // technicians, each with a change of his own
		for n := 1; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			if s := c.belay("before", "acme/rt-0", "--ticket", fmt.Sprintf("T%d", n)); s.status != 0 && s.status != 3 && s.status != 4 {
				t.Errorf("before: %d %s%s", s.status, s.out, s.err)
			}
		}
	})
	rounds := 8
	if testing.Short() {
		rounds = 3
	}
	type taken struct {
		number int
		acked  []string
	}
	var all []taken
	for n := 1; n <= rounds; n++ {
		mu.Lock()
		before := append([]string(nil), acked...)
		mu.Unlock()
		s := c.wants(0, "backup", "spare", "--keep", "100", "--json")
		if !strings.Contains(s.out, fmt.Sprintf(`"number":%d`, n)) {
			t.Errorf("backup %d: %s", n, s.out)
		}
		all = append(all, taken{n, before})
	}
	close(stop)
	work.Wait()
	if err := os.Rename(c.path("belay-data"), c.path("lost")); err != nil {
		t.Fatal(err)
	}
	for _, b := range all {
		c.wants(0, "restore", "spare", "--number", fmt.Sprint(b.number))
		c.play.whole(historyFolder)
		m, err := spare.Read(c.path("spare"), b.number)
		if err != nil {
			t.Fatal(err)
		}
		if len(m.Chains) < 1 || len(m.Customers) != 1 || m.Customers[0].Versions == 0 {
			t.Errorf("manifest %d has the chains %v and customers %v", b.number, m.Chains, m.Customers)
		}
		// The remote is ahead by now: that alone may be amiss. The newest backup is
		// ahead of the older ones as well, and is put aside.
		aside := func(from, to string) {
			if err := os.Rename(c.path(from), c.path(to)); err != nil {
				t.Fatal(err)
			}
		}
		aside("spare", "aside")
		s := c.belay("verify")
		aside("aside", "spare")
		if s.status != 4 && s.status != 0 || !strings.Contains(s.out, " 0 damaged") {
			t.Errorf("backup %d: verify says %d\n%s%s", b.number, s.status, s.out, s.err)
		}
		there := c.git(historyFolder, "rev-list", "main")
		for _, v := range b.acked {
			if !strings.Contains(there, v) {
				t.Errorf("backup %d lacks version %s, which was acknowledged before it began", b.number, v)
			}
		}
		if err := os.RemoveAll(c.path("belay-data")); err != nil {
			t.Fatal(err)
		}
	}
	if len(all[len(all)-1].acked) == 0 {
		t.Error("nothing was captured meanwhile: the test shows little")
	}
}

func TestAnInterruptedBackupLeavesTheOneBefore(t *testing.T) {
	t.Parallel()
	p, _ := older(t, "issue2")
	p.wants(0, "backup", "spare")
	// Half a backup: files that no manifest names, and a copy that was begun.
	for name, text := range map[string]string{"content/tmp-123": "half", "copying/belay.db": "half", "manifest.new": "{"} {
		if err := os.MkdirAll(filepath.Dir(p.path("spare/"+name)), 0o700); err != nil {
			t.Fatal(err)
		}
		p.write("spare/"+name, text)
	}
	p.wants(0, "backup", "check", "spare")
	p.wants(0, "backup", "spare")
	for _, name := range []string{"content/tmp-123", "copying"} {
		if _, err := os.Stat(p.path("spare/" + name)); err == nil {
			t.Errorf("%s is still there", name)
		}
	}
	p.wants(0, "backup", "check", "spare", "--number", "1")
	p.wants(0, "backup", "check", "spare")
}

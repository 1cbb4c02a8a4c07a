//go:build linux

package main

import (
	"context"
	"database/sql"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"belay/configs"
	"belay/store/ledger"
)

// newTrouble is a storm without kills: a service with remotes, attachments and
// somebody who configures the switches.
func newTrouble(t *testing.T, boxes int) *storm {
	t.Helper()
	part(t, "git", "git")
	return newStorm(t, boxes, 2)
}

// all waits until every switch was captured for this night, and holds what was
// kept to what was said. The service needs nobody for it.
func (s *storm) all(t *testing.T, d *duty) {
	t.Helper()
	for end := time.Now().Add(4 * time.Minute); len(s.finished(t)) < len(s.crowd.now); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d of %d were captured\n%.8000s", len(s.finished(t)), len(s.crowd.now), d.log())
		}
	}
}

// ends stops the service and holds all that there is to what was said.
func (s *storm) ends(t *testing.T, d *duty) {
	t.Helper()
	if code := d.stop(syscall.SIGTERM, 30*time.Second); code != 0 {
		t.Errorf("it ended with status %d\n%.8000s", code, d.log())
	}
	s.look(t)
	if strings.Contains(d.log(), "panic") {
		t.Errorf("its log: %.8000s", d.log())
	}
}

// TestServiceOverStops stops the service in the middle of whatever it does: it
// ends well and soon, and what it had done is not done again.
func TestServiceOverStops(t *testing.T) {
	t.Parallel()
	s := newTrouble(t, 40)
	if err := s.glue.Order("slow 150ms"); err != nil {
		t.Fatal(err)
	}
	stops := 12
	if raced || testing.Short() {
		stops = 8
	}
	s.next(t, true)
	for n := range stops {
		d := begin(s.play, s.ahead)
		sig := []syscall.Signal{syscall.SIGTERM, syscall.SIGINT}[n%2]
		if n%4 == 0 { // as early as a signal is heard
			d.says("belay serves", time.Minute)
			if n == 4 {
				s.alone(t)
			}
		} else {
			d.says("a round begins", 3*time.Second)
			for reads, most := s.total(), n*len(s.crowd.now)/stops; s.total()-reads < most && len(s.finished(t)) < len(s.crowd.now); {
				time.Sleep(10 * time.Millisecond)
			}
		}
		if code := d.stop(sig, 30*time.Second); code != 0 {
			t.Errorf("it ended with status %d\n%.8000s", code, d.log())
		}
		if said := d.log(); !strings.Contains(said, "belay stops") || strings.Contains(said, "panic") || strings.Contains(said, "canary-bench") {
			t.Errorf("its log: %.8000s", said)
		}
		s.look(t)
		// What came of a switch before it ended is on disk. Where an attachment's proof
		// was cut off the switch may be read again.
		for i := range s.crowd.now {
			if i%s.customers == 0 {
				continue
			}
			if row := s.rows[s.id(i)]; row.At.After(s.due()) && row.Verified && !s.done[i] {
				t.Errorf("stop %d: %s was captured, and will be again", n, s.id(i))
			}
		}
		if len(s.done) == len(s.crowd.now) || n%5 == 4 {
			s.next(t, true)
		}
		s.stray(t)
	}
	s.glue.Clear()
	s.end(t)
	s.recorded(t)
}

// alone wants a second service on the same data to refuse to start.
func (s *storm) alone(t *testing.T) {
	t.Helper()
	second := begin(s.play, s.ahead)
	select {
	case <-second.dead:
	case <-time.After(30 * time.Second):
		second.kill()
	}
	if code := second.cmd.ProcessState.ExitCode(); code != 2 {
		t.Errorf("a second service ended with status %d\n%s", code, second.log())
	}
}

// total is how many readings there were.
func (s *storm) total() (sum int) {
	for _, n := range s.crowd.reads() {
		sum += n
	}
	return sum
}

// stray looks for what a stop left half.
func (s *storm) stray(t *testing.T) {
	t.Helper()
	for _, pattern := range []string{"objects/pack/tmp_*", "objects/pack/*.tmp", "index.lock", "packed-refs.lock", "objects/*.lock", "refs/heads/*.lock"} {
		found, err := filepath.Glob(s.path("belay-data/customers/*/history.git/" + pattern))
		if err != nil || len(found) > 0 {
			t.Errorf("it left %q, %v", found, err)
		}
	}
}

// recorded wants each version in one event of the ledger: a night that was stopped
// is recorded as far as it came. What an attachment's proof that was cut off left
// open is another reading's.
func (s *storm) recorded(t *testing.T) {
	l := openLedger(s.play)
	defer l.Close()
	told := map[string]int{}
	for e, err := range l.Events(t.Context(), configs.Filter{Act: "capture"}) {
		if err != nil {
			t.Fatal(err)
		}
		list, _ := e.Detail["devices"].(map[string]any)
		for device, what := range list {
			if entry, ok := what.(map[string]any); ok && entry["result"] == "kept" {
				told[fmt.Sprint(device, " ", entry["version"])]++
			}
		}
	}
	missing, kept := 0, 0
	for key, a := range s.acked {
		if !a.kept || strings.HasPrefix(a.device, "c00/") {
			continue
		}
		if kept++; told[key] != 1 {
			missing++
		}
	}
	if missing > 0 || kept == 0 {
		t.Errorf("%d of %d versions stand not once in the ledger's account of the captures", missing, kept)
	}
}

// TestServiceOverClocks starts the service with clocks that are set back and ahead:
// each night is captured once, and none is waited for a year.
func TestServiceOverClocks(t *testing.T) {
	t.Parallel()
	s := newTrouble(t, 12)
	const day = 24 * time.Hour
	night := func(what string, reads int) {
		t.Helper()
		before := s.total()
		d := serveAt(s.play, s.ahead)
		// Two ticks of the schedule, at the least, and until nothing is under way.
		eventually(t, func() bool {
			return s.total()-before >= reads && strings.Contains(s.status(), "0 captures under way, 0 waiting")
		})
		time.Sleep(5 * time.Second)
		if got := s.total() - before; got != reads {
			t.Errorf("%s: %d readings, want %d\n%.4000s", what, got, reads, d.log())
		}
		if code := d.stop(syscall.SIGTERM, 30*time.Second); code != 0 {
			t.Errorf("%s: it ended with status %d", what, code)
		}
	}
	all := len(s.crowd.now)
	s.next(t, true)
	s.ahead += 4 * day
	night("the first", all)
	night("again", 0)
	s.ahead -= 2 * day
	night("two days back", all)
	night("two days back, again", 0)
	s.ahead += 365 * day
	night("a year ahead", all)
	s.ahead -= 365 * day
	night("and back", all)
	s.ahead += day
	night("the next night", all)
	s.wants(0, "verify")
	s.history(t)
}

func (s *storm) status() string { return s.belay("serve", "--status").out }

// TestServiceOverALockedLedger has another program hold the ledger's file for 20
// seconds in the middle of a round.
func TestServiceOverALockedLedger(t *testing.T) {
	t.Parallel()
	s := newTrouble(t, 40)
	s.next(t, true)
	d := serveAt(s.play, s.ahead)
	eventually(t, func() bool { return s.crowd.busy() > 20 })
	db, err := sql.Open("sqlite", s.path("belay-data/"+ledger.File)) // the ledger brings the driver
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	c, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{"PRAGMA busy_timeout = 60000", "BEGIN EXCLUSIVE"} {
		if _, err := c.ExecContext(t.Context(), q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
	time.Sleep(20 * time.Second) // longer than a statement waits
	if _, err := c.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	s.all(t, d)
	s.ends(t, d)
	s.kept(t)
	s.wants(0, "verify")
	s.history(t)
}

// kept wants each switch's newest reading to be of this night, kept and verified.
func (s *storm) kept(t *testing.T) {
	t.Helper()
	for i := range s.crowd.now {
		// Kept, and read again where that could not be written down: then it is unchanged.
		row := s.rows[s.id(i)]
		if row.Result != configs.Kept && row.Result != configs.Unchanged || !row.Verified {
			t.Errorf("%s: %s, verified %t: %s", s.id(i), row.Result, row.Verified, row.Error)
		}
	}
}

// TestServiceBesideGC has git gc run over and over in each history.
func TestServiceBesideGC(t *testing.T) {
	t.Parallel()
	s := newTrouble(t, 20)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, s.customers)
	for c := range s.customers {
		go func() {
			for ctx.Err() == nil {
				_ = exec.CommandContext(ctx, "git", "-C", s.path(fmt.Sprintf("belay-data/customers/c%02d/history.git", c)), "gc", "-q").Run() // at first there is none
				time.Sleep(50 * time.Millisecond)
			}
			ended <- nil
		}()
	}
	for range 4 {
		s.next(t, true)
		d := serveAt(s.play, s.ahead)
		s.all(t, d)
		s.ends(t, d)
		s.kept(t)
	}
	cancel()
	for range s.customers {
		<-ended
	}
	s.wants(0, "verify")
	s.history(t)
}

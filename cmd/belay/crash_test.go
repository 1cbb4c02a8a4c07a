package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// kills is how often this test kills the program. With those while attachments
// are under way (60), of store/git (100) and of store/ledger (40) a test run has
// more than 300.
const kills = 105

// A climb is a fleet that changes at each round, and what was said of it.
type climb struct {
	*play
	boxes map[string]*box
	acked []promise
	takes time.Duration // a whole run, as the last one that ended took
	tail  time.Duration // its last line to its end: longer where many packs lie about
}

// TestAcknowledgedCapturesSurviveKill kills the program at random moments of
// captures, pushes and maintenance: what a line of its output has acknowledged
// is in history with the right text, git finds nothing wrong, and the next run
// works, without anybody's help.
func TestAcknowledgedCapturesSurviveKill(t *testing.T) {
	t.Parallel()
	part(t, "git", "git")
	c := newClimb(t, 3)
	began := time.Now()
	c.wants(0, "capture", "--all", "--json")
	c.takes = time.Since(began)
	rounds := kills
	if raced || testing.Short() { // make test runs all of it once more, without
		rounds = 12
	}
	maintained, done, ran := 0, 0, 0
	for round := 1; done < rounds; round++ {
		if round > 3*rounds {
			t.Fatalf("only %d of %d runs could be killed", done, round)
		}
		ran = round
		c.change(t, round)
		before := c.packs()
		c.tail = 10 * time.Millisecond
		if before > 30 {
			c.tail = 200 * time.Millisecond
		}
		n := 1
		if round%8 == 0 {
			n = 2 // the service and somebody's command
		}
		for range c.race(t, round, n) {
			done++
		}
		if after := c.packs(); after < before {
			maintained++
		}
		if round%40 == 0 {
			c.check(t)
		}
	}
	c.check(t)
	c.change(t, 10_000)
	results, err := objects(c.wants(0, "capture", "--all", "--json").out)
	if err != nil || len(results) != len(c.boxes) {
		t.Fatalf("the last run: %d results, %v", len(results), err)
	}
	for _, r := range results {
		if text(r, "result") != "kept" || string(r["verified"]) != "true" {
			t.Errorf("the last run: %s was %s: %s", text(r, "device"), text(r, "result"), text(r, "error"))
		}
		c.acked = append(c.acked, promise{device: text(r, "device"), version: text(r, "version"), marker: marker(10_000), verified: true})
	}
	c.check(t)
	c.wants(0, "verify")
	c.play.whole("remote.git")
	t.Logf("%d kills, %d rounds, %d versions acknowledged, packed %d times meanwhile", done, ran, len(c.acked), maintained)
	if len(c.acked) < rounds {
		t.Errorf("only %d versions were acknowledged: the test shows little", len(c.acked))
	}
	if maintained == 0 && !raced && !testing.Short() {
		t.Error("no maintenance happened: the test shows little")
	}
}

func newClimb(t *testing.T, n int) *climb {
	t.Helper()
	tr, err := transcriptOf("frr-edge")
	if err != nil {
		t.Fatal(err)
	}
	c := &climb{boxes: map[string]*box{}}
	inventory := "devices:\n"
	for i := range n {
		b, err := startBox(tr, "")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = b.server.Close() })
		name := fmt.Sprintf("rt-%d", i)
		c.boxes["acme/"+name] = b
		inventory += b.entry("acme", name)
	}
	c.play = newPlay(t, `
inventory: [devices.yaml]
host_keys: first-use
logins: {default: {user: belay, password: {env: BELAY_PASSWORD}}}
remotes: {acme: {url: remote.git, elsewhere: true}}
`, inventory, "BELAY_PASSWORD="+boxPassword)
	c.bare("remote.git")
	return c
}

func marker(round int) string { return fmt.Sprintf("log syslog informational round-%d", round) }

// change configures every device.
func (c *climb) change(t *testing.T, round int) {
	t.Helper()
	for _, b := range c.boxes {
		text := b.dev.T.Answers[b.command()].Text()
		const old = "log syslog informational"
		if !strings.Contains(text, old) {
			t.Fatalf("the transcript holds no %q", old)
		}
		b.dev.Say(b.command(), strings.Replace(text, old, marker(round), 1))
	}
}

// race runs the program n times at once and kills each at a random moment: of
// the whole run, soon after an acknowledgment, or at its end. It returns one
// element for each that was killed before it ended by itself.
func (c *climb) race(t *testing.T, round, n int) (killed []bool) {
	t.Helper()
	type outcome struct {
		acked  []promise
		killed bool
		took   time.Duration // of one that could end
		err    error
	}
	outcomes := make(chan outcome, n)
	for i := range n {
		cmd := c.command("capture", "--all", "--json")
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		var said strings.Builder
		cmd.Stderr = &said
		began := time.Now()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		go func() {
			moment := max(0, (round+i)%4-1) // half of them at any moment
			if round%10 == 0 {
				moment = -1 // this one may end: packs would pile up for ever
			}
			acked, err := c.listen(cmd, out, marker(round), moment)
			_ = cmd.Wait() // killed, most of the time
			o := outcome{acked: acked, err: err}
			if moment < 0 {
				o.took = time.Since(began)
			}
			status, _ := cmd.ProcessState.Sys().(syscall.WaitStatus)
			if o.killed = status.Signaled(); !o.killed && cmd.ProcessState.ExitCode() != 0 && err == nil {
				o.err = fmt.Errorf("round %d: exit status %d\n%s", round, cmd.ProcessState.ExitCode(), said.String())
			}
			outcomes <- o
		}()
	}
	for range n {
		o := <-outcomes
		if o.err != nil {
			t.Fatal(o.err)
		}
		c.acked = append(c.acked, o.acked...)
		if o.took > 0 {
			c.takes = o.took
		}
		if o.killed {
			killed = append(killed, true)
		}
	}
	return killed
}

// listen reads a run's output and kills it when its moment has come.
func (c *climb) listen(cmd *exec.Cmd, out io.Reader, marker string, moment int) (acked []promise, err error) {
	kill := func() { _ = cmd.Process.Kill() }
	wait := func(most time.Duration) { time.AfterFunc(rand.N(most), kill) }
	after := 1 + rand.IntN(len(c.boxes))
	if moment == 0 {
		wait(c.takes * 3 / 4)
	}
	n := 0
	for lines := bufio.NewScanner(out); lines.Scan(); {
		r, whole := parseResult(lines.Bytes())
		if !whole && !lines.Scan() {
			break // the kill cut the line off: it was not said
		}
		if r.Result != "kept" && r.Result != "unchanged" {
			kill()
			return acked, fmt.Errorf("%s was %s: %s", r.Device, r.Result, r.Error)
		}
		acked = append(acked, promise{device: r.Device, version: r.Version, marker: marker, verified: r.Verified})
		n++
		switch {
		case moment == 1 && n == after:
			wait(20 * time.Millisecond)
		case moment == 2 && n == len(c.boxes):
			wait(c.tail) // the ledger's entry, and maintenance
		}
	}
	return acked, nil
}

type result struct {
	Device, Result, Version, Error string
	Verified                       bool
}

func parseResult(line []byte) (r result, whole bool) {
	whole = json.Unmarshal(line, &r) == nil
	return r, whole
}

const historyFolder = "belay-data/customers/acme/history.git"

func (c *climb) packs() int {
	files, err := filepath.Glob(c.path(historyFolder + "/objects/pack/*.pack"))
	if err != nil {
		c.t.Fatal(err)
	}
	return len(files)
}

// check looks for everything that was acknowledged.
func (c *climb) check(t *testing.T) {
	t.Helper()
	c.play.whole(historyFolder)
	c.keeps(t, historyFolder, "remote.git", c.acked)
}

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// TestCtrlCKeepsWhatWasProven interrupts a fleet in which some devices are slow:
// it ends soon, says one thing of each device, and what was proven is kept.
func TestCtrlCKeepsWhatWasProven(t *testing.T) {
	t.Parallel()
	tr, err := transcriptOf("cisco_ios-classic")
	if err != nil {
		t.Fatal(err)
	}
	inventory, devices := "devices:\n", 0
	for i, fault := range []string{"", "", "bytes=40", "bytes=40", "silence", "tarpit", "bytes=40", ""} {
		b, err := startBox(tr, fault)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = b.server.Close() })
		inventory += b.entry("acme", fmt.Sprintf("sw-%d", i))
		devices++
	}
	p := newPlay(t, `
inventory: [devices.yaml]
host_keys: first-use
logins: {default: {user: belay, password: {env: BELAY_PASSWORD}, enable: {env: BELAY_ENABLE}}}
concurrency: {all: 7, site: 7}
`, inventory, "BELAY_PASSWORD="+boxPassword, "BELAY_ENABLE="+boxEnable)
	c := p.command("capture", "--all", "--json")
	var errs bytes.Buffer
	c.Stderr = &errs
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	lines := bufio.NewScanner(out)
	for n := 0; n < 3 && lines.Scan(); n++ { // the three that are not slow
		said.WriteString(lines.Text() + "\n")
	}
	began := time.Now()
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
		said.WriteString(lines.Text() + "\n")
	}
	err = c.Wait()
	if took := time.Since(began); took > 20*time.Second { // the slow ones take minutes
		t.Errorf("it ended after %s", took)
	}
	if err == nil {
		t.Error("it ended with exit status 0")
	}
	if !c.ProcessState.Exited() {
		t.Errorf("it did not end by itself: %s", c.ProcessState)
	}
	results, err := objects(said.String())
	if err != nil || len(results) != devices {
		t.Fatalf("%d results for %d devices, %v\n%s", len(results), devices, err, said.String())
	}
	seen, kept := map[string]bool{}, 0
	for _, r := range results {
		seen[text(r, "device")] = true
		if wrong := breaches(r); len(wrong) > 0 {
			t.Errorf("%s: %s", text(r, "device"), strings.Join(wrong, "; "))
		}
		if text(r, "result") != "kept" {
			continue
		}
		kept++
		if at := text(r, "version"); !strings.Contains(p.git(historyFolder, "show", at+":"+strings.TrimPrefix(text(r, "device"), "acme/")+"/running.conf"), "\nend\n") {
			t.Errorf("%s is not in history", text(r, "device"))
		}
	}
	if len(seen) != devices || kept != 3 {
		t.Errorf("%d devices seen, %d kept\n%s", len(seen), kept, said.String())
	}
	p.whole(historyFolder)
	// The run is in the ledger; the next one needs nobody's help.
	if s := p.wants(0, "capture", "acme/sw-0", "--json"); !strings.Contains(s.out, `"result":"unchanged"`) {
		t.Errorf("the next run: %s", s.out)
	}
	p.wants(0, "verify")
}

// A remote takes the push and does not say what became of it, for minutes.
func TestCtrlCIsHeardWhileARemoteIsSilent(t *testing.T) {
	t.Parallel()
	tr, err := transcriptOf("cisco_ios-classic")
	if err != nil {
		t.Fatal(err)
	}
	b, err := startBox(tr, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.server.Close() })
	p := newPlay(t, `
inventory: [devices.yaml]
host_keys: first-use
logins: {default: {user: belay, password: {env: BELAY_PASSWORD}, enable: {env: BELAY_ENABLE}}}
remotes: {acme: {url: remote.git, elsewhere: true}}
`, "devices:\n"+b.entry("acme", "sw"), "BELAY_PASSWORD="+boxPassword, "BELAY_ENABLE="+boxEnable)
	p.bare("remote.git")
	hook := "#!/bin/sh\ntouch " + p.path("asked") + "\nexec sleep 150 >/dev/null 2>&1\n"
	if err := os.WriteFile(p.path("remote.git/hooks/pre-receive"), []byte(hook), 0o700); err != nil { //nolint:gosec // it is run
		t.Fatal(err)
	}
	c := p.command("capture", "acme/sw", "--json")
	var out bytes.Buffer
	c.Stdout = &out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { _, err := os.Stat(p.path("asked")); return err == nil })
	began := time.Now()
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait()                                       // not verified: its exit status says so
	if took := time.Since(began); took > time.Minute { // the push is waited for for two
		t.Errorf("it ended after %s", took)
	}
	results, err := objects(out.String())
	if err != nil || len(results) != 1 || text(results[0], "result") != "kept" || string(results[0]["verified"]) != "false" {
		t.Errorf("%v\n%s", err, out.String())
	}
	p.whole(historyFolder)
}

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"belay/configs"
)

func TestSettingsThatWereRefusedAreTriedAgainLessAndLessOften(t *testing.T) {
	t.Parallel()
	b := setBench(t, "", "fw")
	t.Cleanup(b.events.close)
	path := filepath.Join(b.dir, "devices.yaml")
	at := time.Date(2026, 3, 2, 11, 0, 0, 0, time.UTC)
	// What is written looks the same by size and time, whatever it says: as a secret
	// that a program gives, or a folder over the network.
	write := func(text string) {
		t.Helper()
		b.write(t, "devices.yaml", text+strings.Repeat(" ", 300-len(text)))
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	look := func() {
		t.Helper()
		w, leave := b.live.use()
		defer leave()
		if err := b.lookForSettings(t.Context(), w); err != nil {
			t.Error(err)
		}
	}
	alarms := func() (n int) {
		t.Helper()
		w, leave := b.live.use()
		defer leave()
		list, err := w.alarms.Standing(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range list {
			if a.Cause == configs.AlarmService && a.Key == "settings" {
				n++
				if !strings.Contains(a.What, "refused, the old ones stay: ") || !strings.Contains(a.What, "devices.yaml") || strings.Contains(a.What, "\n") {
					t.Errorf("the alarm does not say why in one line: %q", a.What)
				}
			}
		}
		return n
	}
	tries := func() int {
		b.live.mu.Lock()
		defer b.live.mu.Unlock()
		return b.live.tries
	}
	write("devices:\n  - {customer: acme, na")
	look()
	if tries() != 1 || alarms() != 1 || b.live.why() == "" {
		t.Fatalf("%d tries, %d alarms: %s", tries(), alarms(), b.said())
	}
	look()
	if tries() != 1 {
		t.Error("it was tried again at once")
	}
	for range 12 * 60 * 2 { // half a day
		b.pass(30 * time.Second)
		look()
	}
	if n := tries(); n < 40 || n > 60 {
		t.Errorf("it was tried %d times in half a day", n)
	}
	if n := strings.Count(b.said(), "refused"); n != 1 || alarms() != 1 {
		t.Errorf("it was told %d times, %d alarms\n%s", n, alarms(), b.said())
	}
	b.reload(t.Context())
	if n := strings.Count(b.said(), "refused"); n != 2 {
		t.Errorf("somebody who asked was told %d times", n)
	}
	write("devices:\n  - {customer: acme, name: other, address: 127.0.0.1, driver: cisco_ios}\n")
	b.pass(longestWait)
	look()
	w, leave := b.live.use()
	defer leave()
	if _, ok := w.device("acme/other"); !ok || alarms() != 0 || b.live.why() != "" {
		t.Errorf("it was not taken, %d alarms: %s", alarms(), b.said())
	}
}

func TestSchedulesThatCouldNotBeReadAreReadOnceMore(t *testing.T) {
	t.Parallel()
	b := setBench(t, "", "fw")
	w, leave := b.live.use()
	t.Cleanup(leave)
	wrong := &workspace{settings: &settings{Schedules: []scheduleSetting{{Every: "no time"}}}, ledger: w.ledger, now: w.now}
	if err := b.plans.read(t.Context(), wrong); err == nil {
		t.Fatal("it was taken")
	}
	before := b.plans.now()
	if err := b.lookForSettings(t.Context(), w); err != nil {
		t.Error(err)
	}
	if b.plans.now() == before || b.plans.missing() {
		t.Error("the plan is the old one")
	}
}

func TestTheDataFolderOfSettingsThatAreWrongIsFoundAsFarAsTheyCanBeRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, settingsFile)
	for text, want := range map[string]string{
		"data: ./kept\nhost_keys: never\n":                "kept",
		"data: ./kept # here\ninventory: [devices.yaml\n": "kept",
		"host_keys: {\ndata: \"kept\"\nlogins: [\n":       "kept",
		"host_keys: never\n":                              "belay-data",
		"logins: {data: no}\nhost_keys: {\n":              "belay-data",
		"":                                                "belay-data",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := dataFolder(file); got != filepath.Join(dir, want) {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	if got := dataFolder(filepath.Join(dir, "none.yaml")); got != filepath.Join(dir, "belay-data") {
		t.Errorf("without settings: %s", got)
	}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"belay/configs"
	"belay/configs/memory"
	"belay/configs/watch"
	"belay/devices"
)

func TestSettingsOfEventsAreRefusedWithWhereAndWhy(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"{flood: -1}":                        "events: flood: -1",
		"{flod: 1}":                          `unknown field "flod"`,
		"{hold_off: 2}":                      `"2" is no length of time`,
		"{poll: -5m}":                        `"-5m" is no length of time`,
		"{syslog: {}}":                       "events: syslog: say where to listen",
		"{syslog: {udp: '514'}}":             `events: syslog: udp: "514": want HOST:PORT or :PORT`,
		"{syslog: {tcp: ':http'}}":           `events: syslog: tcp: ":http"`,
		"{syslog: {udp: ':70000'}}":          `udp: ":70000"`,
		"{syslog: {tls: {listen: ':6514'}}}": "events: syslog: tls: certificate or key is missing",
		"{syslog: {tls: {certificate: a, key: {file: b}}}}":                    `tls.listen: ""`,
		"{syslog: {tls: {listen: ':6514', certificate: a, key: hunter2}}}":     "a secret does not stand in the settings",
		"{traps: {communities: [{env: X}]}}":                                   `events: traps: listen: ""`,
		"{traps: {listen: ':162'}}":                                            "events: traps: whose traps are believed",
		"{traps: {listen: ':162', communities: [hunter2]}}":                    "a secret does not stand in the settings",
		"{traps: {listen: ':162', users: [{version: 2c, user: a}]}}":           "users[0]: users are of version 3",
		"{traps: {listen: ':162', users: [{auth: {protocol: SHA}}]}}":          "users[0]: user is missing",
		"{traps: {listen: ':162', users: [{user: a}, {version: 3, user: a}]}}": `users[1]: "a" is there twice`,
		"{traps: {listen: ':162', users: [{user: a, community: {env: X}}]}}":   "users[0]: a user has no community",
	} {
		_, err := settingsOf(t, "events: "+text)
		if e, ok := errors.AsType[*devices.Error](err); !ok || e.Kind != devices.Usage || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s\n: %v, want %q", text, err, want)
		}
	}
	s, err := settingsOf(t, "events: {syslog: {udp: ':514', tcp: ':601', tls: {listen: ':6514', certificate: a, key: {file: b}, clients: c}}, "+
		"traps: {listen: ':162', communities: [{env: X}, {file: y}], users: [{version: 3, user: u, auth: {protocol: SHA, password: {env: A}}}]}, poll: 10m, hold_off: 90s, flood: 50}")
	if err != nil || time.Duration(s.Events.HoldOff) != 90*time.Second || len(s.Events.Traps.Communities) != 2 || s.Events.Traps.Communities[1].File != "y" {
		t.Errorf("%+v, %v", s, err)
	}
}

// listening opens the ears of a workspace whose settings name ports of their own.
func listening(t *testing.T, dir, set string) (*workspace, func(func(watch.Trigger)) (*hearing, error)) {
	t.Helper()
	for name, text := range map[string]string{
		"inventory.yaml": "devices:\n  - {name: acme/sw-1, address: 127.0.0.1, driver: ios}\n",
		settingsFile:     "data: data\ninventory: [inventory.yaml]\nmaster: {file: master}\nlogins: {default: {user: belay, password: {file: p}}}\n" + set,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := &program{in: strings.NewReader(""), out: io.Discard, err: io.Discard, now: time.Now, config: filepath.Join(dir, settingsFile)}
	w, err := p.open(t.Context(), openOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.close)
	return w, func(trigger func(watch.Trigger)) (*hearing, error) {
		return w.openEvents(t.Context(), trigger, &memory.Alarms{}, func(err error) { t.Error(err) })
	}
}

func TestAMessageOfADeviceTriggersItsCaptureBeforeAndAfterAReload(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := ownHost() + ":0"
	for round := range 2 {
		_, open := listening(t, dir, fmt.Sprintf("events: {syslog: {udp: %q}, hold_off: 100ms}\n", at))
		triggers := make(chan watch.Trigger, 1)
		h, err := open(func(g watch.Trigger) { triggers <- g })
		if err != nil {
			t.Fatal(err)
		}
		at = h.listeners.Addresses()[0].String()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- h.Run(ctx) }()
		c, err := net.Dial("udp", at)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(c, "<189>123: *Mar  1 00:01:02.003: %SYS-5-CONFIG_I: Configured from console by jm on vty0 (192.0.2.5)")
		c.Close()
		select {
		case g := <-triggers:
			if g.Device.String() != "acme/sw-1" || g.By != (configs.Person{Name: "jm (reported by syslog)", Claimed: true}) || g.Why != "a syslog message announced a change" {
				t.Errorf("round %d: %+v", round, g)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("round %d: nothing was triggered: %v", round, h.counts())
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if n := h.counts(); n["captures triggered"] != 1 || n["announced a change"] != 1 {
			t.Error(n)
		}
	}
}

func TestWhatCannotBeOpenedIsNamed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{"short": "canary", "good": "canary-password"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for set, want := range map[string]string{
		"{syslog: {tls: {listen: '127.0.0.1:0', certificate: none, key: {file: good}}}}":                       "certificate: open",
		"{syslog: {tls: {listen: '127.0.0.1:0', certificate: good, key: {file: good}}}}":                       "do not belong together",
		"{syslog: {udp: '192.0.2.1:0'}}":                                                                       "listen for syslog on 192.0.2.1:0",
		"{traps: {listen: '127.0.0.1:0', communities: [{file: none}]}}":                                        "communities[0]",
		"{traps: {listen: '127.0.0.1:0', communities: [{env: BELAY_NO_SUCH}]}}":                                "a community of 1 to 127 bytes",
		"{traps: {listen: '127.0.0.1:0', users: [{user: a, auth: {protocol: SHA, password: {file: short}}}]}}": "shorter than 8",
		"{traps: {listen: '127.0.0.1:0', users: [{user: a, auth: {protocol: CRC, password: {file: good}}}]}}":  `auth protocol "CRC"`,
	} {
		_, open := listening(t, dir, "events: "+set+"\n")
		h, err := open(nil)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error()+devices.HintOf(err), "canary") {
			t.Errorf("%s: %v, %v; want %q", set, h, err, want)
		}
	}
	w, open := listening(t, dir, "")
	if h, err := open(nil); h != nil || err != nil {
		t.Errorf("without events: %v, %v", h, err)
	}
	one, err := w.engineID(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if two, err := w.engineID(t.Context()); err != nil || len(one) != 17 || string(one) != string(two) {
		t.Errorf("%x, %x, %v", one, two, err)
	}
}

package ledger

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"belay/configs"
	"belay/devices"
)

func pin(host, key string) Pin {
	sum := sha256.Sum256([]byte(key))
	return Pin{Host: host, Fingerprint: "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:]), Type: "ssh-ed25519", Key: []byte(key),
		By: configs.Person{Name: "Ada Example", Claimed: true}, At: time.Date(2026, 3, 14, 2, 0, 0, 0, time.UTC), Reason: "installed today"}
}

func trusted(t *testing.T, l *Ledger) (events []configs.Event) {
	t.Helper()
	for e, err := range l.Events(t.Context(), configs.Filter{Act: "trust"}) {
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	return events
}

func TestATrustedKeyIsRememberedWithWhoTrustedIt(t *testing.T) {
	t.Parallel()
	l := open(t, t.TempDir())
	first, second, jump := pin("acme/fw-hq", "one"), pin("acme/fw-hq", "two"), pin("jump.example.net:22", "three")
	for _, p := range []Pin{first, second, first, jump} { // the first twice: once is enough
		if err := l.AddPin(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	got, err := l.Pins(t.Context(), "acme/fw-hq")
	if diff := cmp.Diff([]Pin{first, second}, got); err != nil || diff != "" {
		t.Errorf("error %v, pins (-want +got):\n%s", err, diff)
	}
	if none, err := l.Pins(t.Context(), "acme/ghost"); err != nil || len(none) != 0 {
		t.Errorf("an unknown host: %v, %v", none, err)
	}
	events := trusted(t, l)
	if len(events) != 3 {
		t.Fatalf("%d events, want 3: %+v", len(events), events)
	}
	if e := events[1]; e.Customer != "acme" || e.Device != "acme/fw-hq" || e.By != first.By ||
		e.Detail["before"] != first.Fingerprint || e.Detail["after"] != first.Fingerprint+" "+second.Fingerprint || e.Detail["reason"] != "installed today" {
		t.Errorf("the event: %+v", e)
	}
	if e := events[2]; e.Customer != "" || e.Device != "" || e.Detail["host"] != "jump.example.net:22" {
		t.Errorf("a jump host's event: %+v", e)
	}
}

func TestReplacedKeysAreTrustedNoMore(t *testing.T) {
	t.Parallel()
	l := open(t, t.TempDir())
	old, other := pin("acme/fw-hq", "old"), pin("acme/sw-1", "old")
	for _, p := range []Pin{old, other} {
		if err := l.AddPin(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	replacement := pin("acme/fw-hq", "new")
	if err := l.ReplacePins(t.Context(), "acme/fw-hq", []Pin{replacement}); err != nil {
		t.Fatal(err)
	}
	got, err := l.Pins(t.Context(), "acme/fw-hq")
	if diff := cmp.Diff([]Pin{replacement}, got); err != nil || diff != "" {
		t.Errorf("error %v, pins (-want +got):\n%s", err, diff)
	}
	if got, err := l.Pins(t.Context(), "acme/sw-1"); err != nil || len(got) != 1 {
		t.Errorf("another device's pins: %v, %v", got, err)
	}
	events := trusted(t, l)
	if e := events[len(events)-1]; len(events) != 3 || e.Detail["before"] != old.Fingerprint || e.Detail["after"] != replacement.Fingerprint {
		t.Errorf("events: %+v", events)
	}
}

func TestAKeyThatNobodyAnswersForIsNotTrusted(t *testing.T) {
	t.Parallel()
	l := open(t, t.TempDir())
	for name, change := range map[string]func(*Pin){
		"no person": func(p *Pin) { p.By.Name = "" }, "no key": func(p *Pin) { p.Key = nil }, "no host": func(p *Pin) { p.Host = "" },
		"no time": func(p *Pin) { p.At = time.Time{} }, "another key's fingerprint": func(p *Pin) { p.Key = []byte("other") },
	} {
		p := pin("acme/fw-hq", "one")
		change(&p)
		if err := l.AddPin(t.Context(), p); err == nil {
			t.Errorf("%s: added", name)
		}
		if err := l.ReplacePins(t.Context(), "acme/fw-hq", []Pin{p}); err == nil {
			t.Errorf("%s: replaced", name)
		}
	}
	if err := l.ReplacePins(t.Context(), "acme/fw-hq", nil); err == nil {
		t.Error("replaced by nothing")
	}
	if ps, err := l.Pins(t.Context(), "acme/fw-hq"); len(ps) != 0 || err != nil || len(trusted(t, l)) != 0 {
		t.Errorf("pins %v, error %v", ps, err)
	}
}

func TestOfTwoFirstUsesOnlyOneWins(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ls := []*Ledger{open(t, dir), open(t, dir)}
	var wg sync.WaitGroup
	errs := make([]error, 2)
	for i, l := range ls {
		wg.Go(func() {
			p := pin("acme/fw-hq", []string{"the device", "somebody else"}[i])
			p.FirstUse = true
			errs[i] = l.AddPin(t.Context(), p)
		})
	}
	wg.Wait()
	refused := errors.Join(errs...)
	if (errs[0] == nil) == (errs[1] == nil) || devices.KindOf(refused) != devices.NotAllowed && devices.KindOf(errs[0]) != devices.NotAllowed && devices.KindOf(errs[1]) != devices.NotAllowed {
		t.Errorf("got %v and %v, want one refused with NotAllowed", errs[0], errs[1])
	}
	if ps, err := ls[0].Pins(t.Context(), "acme/fw-hq"); len(ps) != 1 || err != nil {
		t.Errorf("%d pins, error %v; want 1", len(ps), err)
	}
}

func TestAProxysPasswordDoesNotReachTheDatabase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, dir)
	r := configs.Refusal{ID: "acme/fw-hq", Device: devices.Device{Customer: "acme", Name: "fw-hq", Proxy: "socks5://ada:kanarienvogel-7231@proxy.example.net:1080"}}
	if err := l.Hold(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	got, ok, err := l.Held(t.Context(), r.ID)
	if err != nil || !ok || got.Device.Proxy != "socks5://proxy.example.net:1080" {
		t.Errorf("held %t, error %v, proxy %q", ok, err, got.Device.Proxy)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		if b, err := os.ReadFile(f); err != nil || strings.Contains(string(b), "kanarienvogel") {
			t.Errorf("%s holds the password, or cannot be read: %v", f, err)
		}
	}
}

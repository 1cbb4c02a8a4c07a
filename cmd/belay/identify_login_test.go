package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"belay/devices"
	"belay/devices/simulator"
	"belay/devices/telnet"
	"belay/drivers"
)

// What says of a device that it is a Cisco, and not of which system; and what says
// of which system, and not that it is the vendor's.
const (
	someCisco = "  1.3.6.1.2.1.1.2.0: \"OID: .1.3.6.1.4.1.9.1.1208\"\n"
	someIOS   = "  1.3.6.1.2.1.1.1.0: Cisco IOS Software, C2960X Software (C2960X-UNIVERSALK9-M), Version 15.2(7)E7\n"
)

// behindSSH is a network with one device that can be logged in to, as the inventory
// has it with the rest of its entry.
func behindSSH(t *testing.T, address, objects, rest string, fault simulator.Fault) (*network, *simulator.Device) {
	t.Helper()
	tr, err := transcriptOf("cisco_ios-classic")
	if err != nil {
		t.Fatal(err)
	}
	dev := &simulator.Device{T: tr, Fault: fault}
	s := &simulator.Server{Device: dev, Version: "SSH-2.0-Cisco-1.25"}
	if err := s.Start(net.JoinHostPort(address, "0")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	_, port, err := net.SplitHostPort(s.Address())
	if err != nil {
		t.Fatal(err)
	}
	n := newNetwork(t, "", map[string]string{address: objects})
	settings := fmt.Sprintf("host_keys: first-use\ninventory: [devices.yaml]\nmaster: {file: master.age}\nlogins:\n  default: {user: belay, password: {file: password}, enable: {file: enable}}\nsnmp:\n  default: {version: 2c, community: {file: community}, port: %d}\n", n.port)
	for name, text := range map[string]string{
		"devices.yaml": fmt.Sprintf("devices:\n  - {name: acme/sw, address: %s, port: %s, %s}\n", address, port, rest), "belay.yaml": settings,
		"password": tr.Login.Password, "enable": tr.Login.Enable,
	} {
		if err := os.WriteFile(filepath.Join(n.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return n, dev
}

func (n *network) identify(args ...string) (r sightRow, errs string, status int) {
	n.t.Helper()
	out, errs, status := n.run(append([]string{"devices", "identify", "acme/sw", "--json"}, args...)...)
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		n.t.Fatalf("%v: %s%s", err, out, errs)
	}
	return r, errs, status
}

func TestNobodyLogsInUnlessAskedTo(t *testing.T) {
	t.Parallel()
	n, dev := behindSSH(t, "127.81.0.1", someCisco, "driver: cisco_ios", simulator.Fault{})
	if r, errs, status := n.identify(); r.Certainty != "likely" || status != 0 {
		t.Errorf("%+v, %d: %s", r, status, errs)
	}
	if s := dev.Seen(); s.Logins+s.Refused > 0 || len(s.Commands) > 0 {
		t.Errorf("%+v", s)
	}
}

func TestWhatIsNotCertainIsTriedByLoggingIn(t *testing.T) {
	t.Parallel()
	n, dev := behindSSH(t, "127.81.0.2", someCisco, "driver: cisco_ios, also: [startup]", simulator.Fault{})
	r, errs, status := n.identify("--login")
	if r.Driver != "cisco_ios" || r.Certainty != "certain" || status != 0 || !strings.Contains(fmt.Sprint(r.Why), "logged in") {
		t.Errorf("%+v, %d: %s", r, status, errs)
	}
	if s := dev.Seen(); s.Logins != 1 || slices.Contains(s.Commands, "show startup-config") {
		t.Errorf("%+v", s)
	}
}

// TestAReadingThatIsNotWholeProvesNoDriver: it was let in, and what it says ends early.
func TestAReadingThatIsNotWholeProvesNoDriver(t *testing.T) {
	t.Parallel()
	n, dev := behindSSH(t, "127.81.0.3", someIOS, "driver: cisco_ios", simulator.Fault{CutLine: 12})
	r, errs, status := n.identify("--login")
	if r.Certainty == "certain" || status != 0 || !strings.Contains(errs, "refused what it says") {
		t.Errorf("%+v, %d: %s", r, status, errs)
	}
	if n := dev.Seen().Logins; n != 1 {
		t.Errorf("%d logins", n)
	}
}

// TestARefusedLoginIsOfferedOnce: another driver would offer the same one.
func TestARefusedLoginIsOfferedOnce(t *testing.T) {
	t.Parallel()
	n, dev := behindSSH(t, "127.81.0.4", someIOS, "driver: cisco_ios", simulator.Fault{RefuseLogin: true})
	before := dev.Seen().Connections
	r, errs, status := n.identify("--login")
	if r.Certainty != "likely" || status != 5 || !strings.Contains(errs, "hint:") || strings.Contains(errs, "canary") {
		t.Errorf("%+v, %d: %s", r, status, errs)
	}
	if s := dev.Seen(); s.Connections-before > 2 || s.Logins > 0 { // its first line was read, then the login was offered
		t.Errorf("%+v", s)
	}
}

// TestALoginIsTriedOnNoOtherRoad: a device that is asked by SNMP to send its
// configuration is not told to, and its inventory has no login for a terminal.
func TestALoginIsTriedOnNoOtherRoad(t *testing.T) {
	t.Parallel()
	n, dev := behindSSH(t, "127.81.0.5", someCisco, "driver: cisco_ios_snmp, also: [transfer]", simulator.Fault{})
	if r, errs, status := n.identify("--login"); r.Certainty == "certain" || !strings.Contains(errs, "also: [transfer]") {
		t.Errorf("%+v, %d: %s", r, status, errs)
	}
	if s := dev.Seen(); s.Logins+s.Refused+s.Sets > 0 {
		t.Errorf("%+v", s)
	}
}

// TestADriverThatDoesNotGetThroughIsFollowedByTheNext: the pager of another system
// has it fall silent.
func TestADriverThatDoesNotGetThroughIsFollowedByTheNext(t *testing.T) {
	t.Parallel()
	tr, err := transcriptOf("cisco_ios-classic")
	if err != nil {
		t.Fatal(err)
	}
	box := &simulator.Telnet{Device: &simulator.Device{T: tr}}
	if err := box.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = box.Close() })
	c, err := drivers.Load("")
	if err != nil {
		t.Fatal(err)
	}
	at := netip.MustParseAddrPort(box.Address())
	w := &workspace{catalog: c, puller: &drivers.Puller{Catalog: c, Now: time.Now, Idle: 2 * time.Second,
		Dial: func(ctx context.Context, d devices.Device, _ *drivers.Driver) (drivers.Conn, devices.Login, error) {
			l := devices.Login{User: tr.Login.User, Password: devices.NewSecret(tr.Login.Password), Enable: devices.NewSecret(tr.Login.Enable)}
			c, err := (&telnet.Dialer{Via: (&net.Dialer{}).DialContext}).Dial(ctx, d, l)
			return c, l, err
		}}}
	s := sight{device: devices.Device{Customer: "acme", Name: "sw", Address: at.Addr().String(), Port: int(at.Port()), Driver: "cisco_asa", Also: []string{"telnet", "startup"}},
		guesses: c.Guess(drivers.Evidence{ObjectID: ".1.3.6.1.4.1.9.1.1208"})}
	if err := w.tryLogin(t.Context(), &s); err != nil || s.guesses[0].Driver.Name != "cisco_ios" || s.certainty() != drivers.Certain {
		t.Errorf("%v: %s, %s", err, s.guesses[0].Driver.Name, s.certainty())
	}
	if n := len(c.Guess(drivers.Evidence{ObjectID: ".1.3.6.1.4.1.9.1.1208"})); len(s.guesses) != n {
		t.Errorf("%d guesses of %d are left", len(s.guesses), n)
	}
}

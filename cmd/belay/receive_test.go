package main

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"belay/devices/simulator"
)

// sending plays a switch without SSH that sends its configuration when it is asked
// to, and gives the settings that go with it.
func sending(t *testing.T, fault simulator.Fault) (dev *simulator.Device, settings string) {
	t.Helper()
	const name = "hpe_comware_snmp-5130.txtar"
	text, err := os.ReadFile("../../drivers/testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	tr, err := simulator.Parse(name, text)
	if err != nil {
		t.Fatal(err)
	}
	tftp := freePort(t)
	dev = &simulator.Device{T: tr, Fault: fault}
	a := &simulator.Agent{Device: dev, Write: "canary-write", TFTPPort: tftp}
	if err := a.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	_, port, err := net.SplitHostPort(a.Address())
	if err != nil {
		t.Fatal(err)
	}
	return dev, fmt.Sprintf("inventory: [devices.yaml]\nreceive: {tftp: '127.0.0.1:%s'}\nsnmp: {default: {version: 2c, port: %s, community: {file: read}, write: {version: 2c, community: {file: write}}}}\n", strconv.Itoa(tftp), port)
}

const sendingDevice = "devices:\n  - {name: acme/sw-1, address: 127.0.0.1, driver: hpe_comware_snmp%s}\n"

func TestADeviceThatMayBeAskedSendsItsConfigurationAndNothingElseIsSet(t *testing.T) {
	t.Parallel()
	dev, settings := sending(t, simulator.Fault{})
	p := newPlay(t, settings, fmt.Sprintf(sendingDevice, ", also: [transfer]"))
	p.write("read", "public\n")
	p.write("write", "canary-write\n")
	p.wants(0, "capture", "acme/sw-1")
	if s := p.wants(0, "show", "acme/sw-1"); !strings.Contains(s.out, "sysname sw-hall-1") || strings.Contains(s.out, "canary") {
		t.Errorf("%s%s", s.out, s.err)
	}
	seen := dev.Seen()
	if seen.Sets != 2 || seen.SetsRefused != 0 { // one asks, one takes the row away
		t.Errorf("%d sets, %d of them refused", seen.Sets, seen.SetsRefused)
	}
	if s := p.belay("doctor", "--json"); !strings.Contains(s.out, "1 let us in") || strings.Contains(s.out, "find the login") {
		t.Errorf("%s%s", s.out, s.err)
	}
	if s := dev.Seen().Sets; s != 2 {
		t.Errorf("the doctor set something: %d", s)
	}
	if slices.ContainsFunc(p.all, func(s said) bool { return strings.Contains(s.out+s.err, "canary") }) {
		t.Error("a secret was shown")
	}
}

func TestNothingIsSetOnADeviceForWhichNobodyAllowedIt(t *testing.T) {
	t.Parallel()
	dev, settings := sending(t, simulator.Fault{})
	p := newPlay(t, settings, fmt.Sprintf(sendingDevice, ""))
	p.write("read", "public\n")
	p.write("write", "canary-write\n")
	s := p.wants(2, "capture", "acme/sw-1")
	if all := s.out + s.err; !strings.Contains(all, "also: [transfer]") || !strings.Contains(all, "right to write") {
		t.Errorf("%s", all)
	}
	p.write("belay.yaml", strings.Replace(settings, ", write: {version: 2c, community: {file: write}}", "", 1))
	p.write("devices.yaml", fmt.Sprintf(sendingDevice, ", also: [transfer]"))
	if s := p.wants(2, "capture", "acme/sw-1"); !strings.Contains(s.out+s.err, "add write:") {
		t.Errorf("%s%s", s.out, s.err)
	}
	if n := dev.Seen().Sets; n != 0 {
		t.Errorf("%d sets", n)
	}
}

func TestATransferThatFailsKeepsNothingAndSaysWhy(t *testing.T) {
	t.Parallel()
	_, settings := sending(t, simulator.Fault{Transfer: "failed"})
	p := newPlay(t, settings, fmt.Sprintf(sendingDevice, ", also: [transfer]"))
	p.write("read", "public\n")
	p.write("write", "canary-write\n")
	s := p.wants(5, "capture", "acme/sw-1")
	if !strings.Contains(s.out+s.err, "nobody answered in time: No route to the server") {
		t.Errorf("%s%s", s.out, s.err)
	}
}

// TestWhatShowsNoHostKeyHasNothingToPin: nobody is sent looking for an SSH server.
func TestWhatShowsNoHostKeyHasNothingToPin(t *testing.T) {
	t.Parallel()
	p := newPlay(t, "inventory: [devices.yaml]\n", `devices:
  - {name: acme/sw-1, address: 127.0.0.1, driver: hpe_comware_snmp, also: [transfer]}
  - {name: acme/sw-2, address: 127.0.0.1, port: 1, driver: cisco_ios, also: [telnet]}
`)
	for device, why := range map[string]string{"acme/sw-1": "asked by SNMP", "acme/sw-2": "read by telnet"} {
		if s := p.wants(0, "devices", "trust", device); !strings.Contains(s.out, why) || !strings.Contains(s.out, "there is no key to pin") {
			t.Errorf("%s: %s%s", device, s.out, s.err)
		}
	}
}

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"belay/devices/simulator"
)

// A network is a few agents on addresses of their own, asked at one port, and
// the settings of somebody who looks for them.
type network struct {
	t    *testing.T
	dir  string
	port int
}

func newNetwork(t *testing.T, inventory string, agents map[string]string) *network {
	t.Helper()
	n := &network{t: t, dir: t.TempDir()}
	for address, objects := range agents {
		text := "-- device.yaml --\ndriver: none\nlogin: {user: belay, password: canary-login}\nprompt: \"sw#\"\nsnmp:\n" + objects + "-- show version --\nx\n"
		tr, err := simulator.Parse("agent.txtar", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		a := &simulator.Agent{Device: &simulator.Device{T: tr}}
		if err := a.Start(net.JoinHostPort(address, fmt.Sprint(n.port))); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = a.Close() })
		if n.port == 0 {
			n.port = int(netip.MustParseAddrPort(a.Address()).Port())
		}
	}
	for name, text := range map[string]string{
		"devices.csv": inventory, "password": "canary", "community": "public",
		"belay.yaml": fmt.Sprintf("inventory: [devices.csv]\nmaster: {file: master.age}\nlogins:\n  default: {user: belay, password: {file: password}}\nsnmp:\n  default: {version: 2c, community: {file: community}, port: %d}\n", n.port),
	} {
		if err := os.WriteFile(filepath.Join(n.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

func (n *network) run(args ...string) (out, errs string, status int) {
	var o, e bytes.Buffer
	status = run(append([]string{"--config", filepath.Join(n.dir, "belay.yaml")}, args...), strings.NewReader(""), &o, &e)
	return o.String(), e.String(), status
}

// What a Catalyst and a Nexus say of themselves.
const (
	catalyst = `  1.3.6.1.2.1.1.1.0: Cisco IOS Software, C2960X Software (C2960X-UNIVERSALK9-M), Version 15.2(7)E7
  1.3.6.1.2.1.1.2.0: "OID: .1.3.6.1.4.1.9.1.1208"
  1.3.6.1.2.1.1.5.0: sw-core-1.acme.example
  1.3.6.1.2.1.47.1.1.1.1.5.1: 3
  1.3.6.1.2.1.47.1.1.1.1.11.1: FOC1234X0AB
  1.3.6.1.2.1.47.1.1.1.1.13.1: WS-C2960X-48
`
	nexus = `  1.3.6.1.2.1.1.1.0: Cisco NX-OS(tm) nxos.9.3.5.bin, Software (nxos), Version 9.3(5)
  1.3.6.1.2.1.1.2.0: "OID: .1.3.6.1.4.1.9.12.3.1.3.1955"
  1.3.6.1.2.1.1.5.0: sw-core-1.acme.example
`
	stranger = `  1.3.6.1.2.1.1.1.0: a kettle
  1.3.6.1.2.1.1.2.0: "OID: .1.3.6.1.4.1.4242.1"
`
)

func TestANetworkIsSearchedAndWhatIsCertainIsAdded(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, "name,customer,address,driver\nold,acme,127.78.0.4,junos\n", map[string]string{
		"127.78.0.1": catalyst, "127.78.0.2": nexus, "127.78.0.3": stranger, "127.78.0.4": catalyst,
	})
	out, errs, status := n.run("devices", "discover", "127.78.0.0/29", "--add", "acme/hq")
	if status != 0 {
		t.Fatalf("%d: %s%s", status, out, errs)
	}
	for _, want := range []string{"127.78.0.1", "WS-C2960X-48", "cisco_ios", "added acme/sw-core-1 (cisco_", "added acme/sw-core-1", "of 6 addresses answered"} {
		if !strings.Contains(out, want) {
			t.Errorf("it does not say %q:\n%s", want, out)
		}
	}
	for _, want := range []string{"1 are not certain", "acme/old: the inventory (", "names driver junos; write driver: cisco_ios there"} {
		if !strings.Contains(errs, want) {
			t.Errorf("it does not warn %q:\n%s", want, errs)
		}
	}
	list, err := os.ReadFile(filepath.Join(n.dir, "devices.csv"))
	if err != nil {
		t.Fatal(err)
	}
	text := string(list)
	if strings.Count(text, "\n") != 4 || !strings.Contains(text, "127.78.0.1,cisco_ios") || !strings.Contains(text, "127.78.0.2,cisco_nxos") || strings.Contains(text, "127.78.0.3") {
		t.Errorf("the inventory is now:\n%s", text)
	}
	// A second search adds nothing.
	if out, errs, status := n.run("devices", "discover", "127.78.0.0/29", "--add", "acme/hq"); status != 0 || strings.Contains(out, "added") {
		t.Errorf("%d: %s%s", status, out, errs)
	}
}

// TestADeviceIsAddedOnce: whichever of its addresses answer, and however often they
// are named.
func TestADeviceIsAddedOnce(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, "name,customer,address,driver\n", map[string]string{"127.82.0.1": catalyst, "127.82.0.2": catalyst, "127.82.0.3": nexus})
	out, errs, status := n.run("devices", "discover", "127.82.0.0/30", "127.82.0.1", "127.82.0.3", "127.82.0.3", "--add", "acme/hq")
	if status != 0 || strings.Count(out, "added ") != 2 || !strings.Contains(errs, "its serial number is that of acme/sw-core-1 (127.82.0.") {
		t.Errorf("%d: %s%s", status, out, errs)
	}
	list, err := os.ReadFile(filepath.Join(n.dir, "devices.csv"))
	if err != nil {
		t.Fatal(err)
	}
	if text := string(list); strings.Count(text, "\n") != 3 || strings.Count(text, "FOC1234X0AB") != 1 || strings.Count(text, "127.82.0.3,") != 1 {
		t.Errorf("the inventory is now:\n%s", text)
	}
}

func TestWhatADeviceIsIsToldWithoutALogin(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, "name,customer,address,driver\n", map[string]string{"127.79.0.1": catalyst})
	out, errs, status := n.run("devices", "identify", "127.79.0.1", "--json")
	var r sightRow
	if err := json.Unmarshal([]byte(out), &r); err != nil || status != 0 {
		t.Fatalf("%d, %v: %s%s", status, err, out, errs)
	}
	if r.Driver != "cisco_ios" || r.Certainty != "certain" || r.Identity.Serials[0] != "FOC1234X0AB" || len(r.Why) == 0 || r.Device != "" {
		t.Errorf("%+v", r)
	}
	if _, errs, status := n.run("devices", "identify", "127.79.0.9"); status != 5 || !strings.Contains(errs, "hint:") {
		t.Errorf("of an address that does not answer: %d %s", status, errs)
	}
}

func TestAWrongNetworkIsRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"192.0.2.0/33": "is no network", "office": "is no network", "10.0.0.0/8": "16777216 addresses", "2001:db8::/64": "18446744073709551616 addresses",
	} {
		if _, err := addressesOf(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	for text, want := range map[string]int{"192.0.2.0/24": 254, "192.0.2.77/24": 254, "192.0.2.4/31": 2, "192.0.2.4/32": 1, "192.0.2.4": 1, "2001:db8::/120": 256} {
		if list, err := addressesOf(text); err != nil || len(list) != want {
			t.Errorf("%s: %d addresses, %v; want %d", text, len(list), err, want)
		}
	}
}

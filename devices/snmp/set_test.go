package snmp

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"belay/devices"
)

const copies = ".1.3.6.1.4.1.9.9.96.1.1.1.1."

// aCopy asks for a running configuration as CISCO-CONFIG-COPY-MIB has it.
func aCopy() []Assignment {
	return []Assignment{
		{OID: copies + "2.7", Number: 1}, {OID: copies + "3.7", Number: 4}, {OID: copies + "4.7", Number: 1},
		{OID: copies + "5.7", Kind: Address, IP: netip.MustParseAddr("192.0.2.10")}, {OID: copies + "6.7", Kind: Text, Text: "file"},
		{OID: copies + "14.7", Number: 4},
	}
}

func TestOnlyASendingOfTheDevicesOwnConfigurationIsARequest(t *testing.T) {
	t.Parallel()
	if _, err := NewRequest(aCopy()); err != nil {
		t.Fatal(err)
	}
	change := func(i int, a Assignment) []Assignment {
		list := aCopy()
		list[i] = a
		return list
	}
	text := func(oid, s string) []Assignment { return []Assignment{{OID: oid, Kind: Text, Text: s}} }
	number := func(oid string, n int) []Assignment { return []Assignment{{OID: oid, Number: n}} }
	for name, list := range map[string][]Assignment{
		"nothing":                      nil,
		"the host name":                text(".1.3.6.1.2.1.1.5.0", "x"),
		"an interface":                 number(".1.3.6.1.2.1.2.2.1.7.1", 2),
		"a reload":                     number(".1.3.6.1.4.1.9.2.9.9.0", 2),
		"write memory":                 number(".1.3.6.1.4.1.9.2.1.54.0", 1),
		"a configuration from a host":  text(".1.3.6.1.4.1.9.2.1.53.192.0.2.1", "x"), // hostConfigSet
		"the other direction":          change(2, Assignment{OID: copies + "4.7", Number: 4}),
		"from the network":             change(1, Assignment{OID: copies + "3.7", Number: 1}),
		"into the startup":             change(2, Assignment{OID: copies + "4.7", Number: 3}),
		"no direction":                 aCopy()[3:],
		"half a direction":             append(aCopy()[:2], aCopy()[3:]...),
		"another column":               change(0, Assignment{OID: copies + "9.7", Number: 1}),
		"no row":                       change(0, Assignment{OID: copies + "2", Number: 1}),
		"no numbers":                   change(0, Assignment{OID: copies + "2.x", Number: 1}),
		"an address that is a text":    change(3, Assignment{OID: copies + "5.7", Kind: Text, Text: "192.0.2.10"}),
		"an address that is none":      change(3, Assignment{OID: copies + "5.7", Kind: Address}),
		"a text with a line end":       change(4, Assignment{OID: copies + "6.7", Kind: Text, Text: "a\nb"}),
		"two tables":                   append(aCopy(), number(".1.3.6.1.4.1.4526.10.1.2.9.1.6.0", 1)...),
		"RADLAN into the running one":  number(".1.3.6.1.4.1.9.6.1.101.87.2.1.12.1", 2),
		"RADLAN without direction":     number(".1.3.6.1.4.1.9.6.1.101.87.2.1.17.1", 4),
		"Comware from the net":         number(".1.3.6.1.4.1.25506.2.4.1.2.4.1.2.1", 4),
		"Comware reset":                number(".1.3.6.1.4.1.25506.2.4.1.2.7.0", 2),
		"Huawei from the net":          number(".1.3.6.1.4.1.2011.6.10.1.2.4.1.2.1", 4),
		"FASTPATH download":            number(".1.3.6.1.4.1.4526.10.1.2.9.2.8.0", 1),
		"FASTPATH upload of something": number(".1.3.6.1.4.1.4526.10.1.2.9.1.5.0", 7),
		"ICX download":                 number(".1.3.6.1.4.1.1991.1.1.2.1.9.0", 23),
		"ICX upload without a server":  number(".1.3.6.1.4.1.1991.1.1.2.1.9.0", 22),
		"ICX image":                    number(".1.3.6.1.4.1.1991.1.1.2.1.7.0", 20),
		"ICX reload":                   number(".1.3.6.1.4.1.1991.1.1.2.1.1.0", 3),
		"AOS-S get":                    number(".1.3.6.1.4.1.11.2.14.11.1.3.9.1.17.1", 1),
		"AOS-S reset afterwards":       number(".1.3.6.1.4.1.11.2.14.11.1.3.9.1.10.1", 2),
		"D-Link into the switch":       number(".1.3.6.1.4.1.171.14.14.1.2.1.2.1", 5),
		"D-Link within the switch":     number(".1.3.6.1.4.1.171.14.14.1.2.1.2.1", 1),
		"D-Link replacing":             number(".1.3.6.1.4.1.171.14.14.1.3.1.2.1", 2),
	} {
		if _, err := NewRequest(list); err == nil {
			t.Errorf("%s is a request", name)
		}
	}
}

func TestAWriterIsMadeForADeviceThatAllowsItOnly(t *testing.T) {
	t.Parallel()
	c := Credentials{Version: "2c", Community: devices.NewSecret("canary-write")}
	_, err := NewWriter(devices.Device{Customer: "acme", Name: "sw", Also: []string{"telnet", "startup"}}, c, "192.0.2.1", 0, 0)
	if devices.KindOf(err) != devices.Usage || !strings.Contains(devices.HintOf(err), "also: [transfer]") || !strings.Contains(devices.HintOf(err), "right to write") {
		t.Errorf("%v, hint %q", err, devices.HintOf(err))
	}
	may := devices.Device{Customer: "acme", Name: "sw", Also: []string{"transfer"}}
	if _, err := NewWriter(may, Credentials{Version: "2c"}, "192.0.2.1", 0, 0); devices.KindOf(err) != devices.Usage {
		t.Errorf("without a community: %v", err)
	}
	w, err := NewWriter(may, c, "192.0.2.1", 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	if said := fmt.Sprintf("%v %+v %#v", w, w, *w); strings.Contains(said, "canary") {
		t.Error("a Writer shows its community")
	}
	if w.Set(t.Context(), Request{}) == nil {
		t.Error("an empty request was sent")
	}
}

// TestTheRealAgentTakesOrRefusesARequest: net-snmp's agent with an object of a
// transfer that may be set by one community and not by another.
func TestTheRealAgentTakesOrRefusesARequest(t *testing.T) {
	t.Parallel()
	const object = ".1.3.6.1.4.1.4526.10.1.2.9.1.5.0"
	port, _ := startAgent(t, system+"rocommunity look 127.0.0.1\nrwcommunity change 127.0.0.1\noverride -rw "+object+" integer 10\n")
	device := devices.Device{Customer: "acme", Name: "sw", Also: []string{"transfer"}}
	r, err := NewRequest([]Assignment{{OID: object, Number: 2}})
	if err != nil {
		t.Fatal(err)
	}
	set := func(community string, wait time.Duration) error {
		w, err := NewWriter(device, Credentials{Version: "2c", Community: devices.NewSecret(community)}, "127.0.0.1", port, wait)
		if err != nil {
			t.Fatal(err)
		}
		return w.Set(t.Context(), r)
	}
	holds := func() uint64 {
		p := Probe{Credentials: []Credentials{{Version: "2c", Community: devices.NewSecret("look")}}}
		got, err := p.Ask(t.Context(), "127.0.0.1", port, object)
		if err != nil {
			t.Fatal(err)
		}
		return got.Values[object].Number
	}
	if err := set("look", 0); devices.KindOf(err) != devices.Denied || holds() != 10 {
		t.Errorf("a community that may only look: %v, and the object holds %d", err, holds())
	}
	if err := set("canary-wrong", 300*time.Millisecond); !errors.Is(err, ErrUnanswered) || strings.Contains(err.Error(), "canary") {
		t.Errorf("a community that the agent does not know: %v", err)
	}
	if err := set("change", 0); err != nil || holds() != 2 {
		t.Errorf("a community that may write: %v, and the object holds %d", err, holds())
	}
	rows, err := Probe{Credentials: []Credentials{{Version: "2c", Community: devices.NewSecret("look")}}}.Column(t.Context(), "127.0.0.1", port, ".1.3.6.1.4.1.4526.10.1.2.9.1.5")
	if err != nil || len(rows) != 1 || rows["0"] != 2 {
		t.Errorf("the column holds %v, %v", rows, err)
	}
}

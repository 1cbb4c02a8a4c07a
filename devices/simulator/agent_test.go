package simulator

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gosnmp/gosnmp"
)

func manager(t *testing.T, a *Agent, community string) *gosnmp.GoSNMP {
	t.Helper()
	host, port, err := net.SplitHostPort(a.Address())
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	g := &gosnmp.GoSNMP{Target: host, Port: uint16(n), Version: gosnmp.Version2c, Community: community, Timeout: 3 * time.Second, Retries: 0, MaxRepetitions: 2}
	if err := g.Connect(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Conn.Close() })
	return g
}

func agent(t *testing.T, d *Device) *Agent {
	t.Helper()
	a := &Agent{Device: d}
	if err := a.Start("127.12.0.5:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

func shown(v gosnmp.SnmpPDU) string {
	if b, ok := v.Value.([]byte); ok {
		return v.Name + " " + string(b)
	}
	return fmt.Sprint(v.Name, " ", v.Type, " ", v.Value)
}

var wholeAgent = []string{
	".1.3.6.1.2.1.1.1.0 Lab switch, version 15.20",
	".1.3.6.1.2.1.1.2.0 ObjectIdentifier .1.3.6.1.4.1.99999.1",
	".1.3.6.1.2.1.1.3.0 TimeTicks 123456",
	".1.3.6.1.2.1.1.5.0 lab-sw-1",
	".1.3.6.1.2.1.2.1.0 Integer 10",
	".1.3.6.1.2.1.47.1.1.1.1.11.1 LAB0001X0AB",
}

func TestTheAgentAnswersGetNextAndBulk(t *testing.T) {
	t.Parallel()
	g := manager(t, agent(t, lab(t, "")), "public")
	walks := map[string]func(string, gosnmp.WalkFunc) error{"walk": g.Walk, "bulk walk": g.BulkWalk}
	for what, walk := range walks {
		var got []string
		err := walk(".1.3.6.1.2.1", func(v gosnmp.SnmpPDU) error { got = append(got, shown(v)); return nil })
		if diff := cmp.Diff(wholeAgent, got); diff != "" || err != nil {
			t.Errorf("%s: %v %s", what, err, diff)
		}
	}
	r, err := g.Get([]string{".1.3.6.1.2.1.1.5.0", ".1.3.6.1.2.1.1.6.0"})
	if err != nil || len(r.Variables) != 2 || shown(r.Variables[0]) != wholeAgent[3] || r.Variables[1].Type != gosnmp.NoSuchObject {
		t.Errorf("%v, %+v", err, r)
	}
}

func TestTheAgentRefusesSetsAndIgnoresStrangers(t *testing.T) {
	t.Parallel()
	d := lab(t, "")
	a := agent(t, d)
	r, err := manager(t, a, "public").Set([]gosnmp.SnmpPDU{{Name: ".1.3.6.1.2.1.1.5.0", Type: gosnmp.OctetString, Value: "x"}})
	if err != nil || r.Error != gosnmp.NotWritable || d.Seen().Sets != 1 {
		t.Errorf("%v, %+v, counted %+v", err, r, d.Seen())
	}
	if _, err := manager(t, a, "private").Get([]string{".1.3.6.1.2.1.1.5.0"}); err == nil || !strings.Contains(err.Error(), "timeout") {
		t.Errorf("a stranger got %v", err)
	}
	c, err := net.Dial("udp", a.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, junk := range []string{"", "x", "0\x03\x02\x01\x01", "0\x82\xff\xff"} {
		if _, err := c.Write([]byte(junk)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := manager(t, a, "public").Get([]string{".1.3.6.1.2.1.1.5.0"}); err != nil {
		t.Errorf("after junk: %v", err)
	}
}

func TestTheWrongBoxNamesItselfOverSNMPToo(t *testing.T) {
	t.Parallel()
	r, err := manager(t, agent(t, lab(t, "wrong-box")), "public").Get([]string{".1.3.6.1.2.1.1.5.0", ".1.3.6.1.2.1.47.1.1.1.1.11.1"})
	if err != nil || len(r.Variables) != 2 || !strings.HasSuffix(shown(r.Variables[0]), " mbc-tx-2") || !strings.HasSuffix(shown(r.Variables[1]), " MBC1112Y1BC") {
		t.Errorf("%v, %+v", err, r)
	}
}

func TestValuesHaveTheTypesTheyName(t *testing.T) {
	t.Parallel()
	for value, want := range map[any]gosnmp.SnmpPDU{
		7:                       {Type: gosnmp.Integer, Value: 7},
		"7":                     {Type: gosnmp.OctetString, Value: "7"},
		"STRING: TimeTicks: 5":  {Type: gosnmp.OctetString, Value: "TimeTicks: 5"},
		"Hex-STRING: 00 1a FF":  {Type: gosnmp.OctetString, Value: []byte{0, 0x1a, 0xff}},
		"INTEGER: -3":           {Type: gosnmp.Integer, Value: -3},
		"Gauge32: 4294967295":   {Type: gosnmp.Gauge32, Value: uint32(4294967295)},
		"Counter32: 1":          {Type: gosnmp.Counter32, Value: uint32(1)},
		"Counter64: 5000000000": {Type: gosnmp.Counter64, Value: uint64(5000000000)},
		"IpAddress: 192.0.2.1":  {Type: gosnmp.IPAddress, Value: []byte{192, 0, 2, 1}},
		"Cisco IOS: a system":   {Type: gosnmp.OctetString, Value: "Cisco IOS: a system"},
	} {
		got, err := object(value)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%v: %v %s", value, err, diff)
		}
	}
	for _, bad := range []any{1.5, true, "OID: system", "IpAddress: ::1", "Counter32: -1", "Hex-STRING: 0"} {
		if got, err := object(bad); err == nil {
			t.Errorf("%v became %v", bad, got)
		}
	}
}

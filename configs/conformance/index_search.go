package conformance

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"belay/configs"
	"belay/devices"
)

func searchIndex(t *testing.T, x configs.Index) {
	old := indexedAt(t, "acme/sw-2", 1, 1, "snmp-server location gone\n")
	sw2 := indexedAt(t, "acme/sw-2", 2, 2, "hostname sw-2\n!\nsnmp-server location Rack 7\r\nno end", "vlan 7\n", "! rack 77\n")
	sw2.Version.Name = "renamed"
	sw10 := indexedAt(t, "acme/sw-10", 3, 3, "rack 7\nRACK 7\n\nraſk Straße K\nx\n")
	none := indexedAt(t, "acme/none", 4, 4)
	extend(t, x, "acme", "", commitOf(1), old)
	extend(t, x, "acme", commitOf(1), commitOf(4), sw2, sw10, none)
	extend(t, x, "acme0", "", commitOf(5), indexedAt(t, "acme0/a", 5, 5, "rack 7\n"))
	extend(t, x, "bolt", "", commitOf(6), indexedAt(t, "bolt/a", 6, 6, strings.Repeat("!\n", 40000)+"rack 7"))
	for _, c := range []struct {
		customer, pattern string
		want              string
	}{
		{"acme", `gone`, ``},
		{"acme", `rack`, `acme/sw-10 running.conf:1 acme/sw-2 a.conf:1`},
		{"", `rack \d$`, `acme/sw-10 running.conf:1 acme0/a running.conf:1 bolt/a running.conf:40001`},
		{"acme", `(?i)RACK 7`, `acme/sw-10 running.conf:1 acme/sw-10 running.conf:2 acme/sw-2 a.conf:1 acme/sw-2 running.conf:3`},
		{"acme", `(?i)(rack 77|VLAN|nothing)`, `acme/sw-2 a.conf:1 acme/sw-2 vlan.conf:1`},
		{"acme", `^(vlan|hostname)\b`, `acme/sw-2 running.conf:1 acme/sw-2 vlan.conf:1`},
		{"acme", `^$`, `acme/sw-10 running.conf:3`},
		{"acme", `end$`, `acme/sw-2 running.conf:4`},
		{"acme", `7\r`, `acme/sw-2 running.conf:3`},
		{"acme", `7\s*\n`, ``},
		{"acme", `(?i)rask|ß|kelvin`, `acme/sw-10 running.conf:4`},
		{"acme", `(?i)k$`, `acme/sw-10 running.conf:4`}, // the Kelvin sign is a k
		{"acme", `^x?$`, `acme/sw-10 running.conf:3 acme/sw-10 running.conf:5`},
		{"acme", `(location ){1,2}R`, `acme/sw-2 running.conf:3`},
		{"acme", `(location ){0,2}Rack`, `acme/sw-2 running.conf:3`},
		{"acme", `^(?:rack|)$`, `acme/sw-10 running.conf:3`},
		{"none", `rack`, ``},
	} {
		var got []string
		for _, f := range all(t, x.Search(t.Context(), configs.Query{Customer: c.customer, Pattern: regexp.MustCompile(c.pattern)})) {
			got = append(got, fmt.Sprintf("%s %s:%d", f.ID, f.File, f.Line))
		}
		if diff := cmp.Diff(c.want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%q of %q (-want +got):\n%s", c.pattern, c.customer, diff)
		}
	}
	got := all(t, x.Search(t.Context(), configs.Query{Pattern: regexp.MustCompile(`location`)}))
	want := []configs.Found{{ID: "acme/sw-2", Name: "renamed", Commit: commitOf(2), File: configs.MainFile, Line: 3, Text: "snmp-server location Rack 7\r"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	manyFound(t, x)
}

// The order holds also where much is looked through at once.
func manyFound(t *testing.T, x configs.Index) {
	var versions []configs.Indexed
	for n := range 300 {
		versions = append(versions, indexedAt(t, devices.ID(fmt.Sprintf("many/d%03d", n)), n, 1, strings.Repeat("line\n", 300-n), "line\n"))
	}
	extend(t, x, "many", "", commitOf(1), versions...)
	n, line, file := 0, 0, ""
	for f, err := range x.Search(t.Context(), configs.Query{Customer: "many", Pattern: regexp.MustCompile("i")}) {
		if err != nil {
			t.Fatal(err)
		}
		if line++; line > 300-n && file == configs.MainFile || file != f.File && file == configs.MainFile {
			line = 1
		}
		if file == "vlan.conf" {
			n, line = n+1, 1
		}
		if file = f.File; f.Line != line || f.ID != devices.ID(fmt.Sprintf("many/d%03d", n)) {
			t.Fatalf("%s %s:%d came where line %d of device %d should", f.ID, f.File, f.Line, line, n)
		}
	}
	if n != 299 || file != "vlan.conf" {
		t.Errorf("it ended at %s of device %d", file, n)
	}
}

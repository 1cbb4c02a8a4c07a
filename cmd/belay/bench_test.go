package main

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"belay/configs"
	"belay/devices"
	"belay/drivers"
	"belay/store/vault"
)

// benchSwitch is a small switch that needs enable and has no pager.
const benchSwitch = `a switch for benchmarks
-- device.yaml --
driver: cisco_ios
login: {user: belay, password: canary-bench, enable: canary-bench-enable}
prompt: "sw-bench#"
user_prompt: "sw-bench>"
enable: {run: enable, ask: "Password: "}
silent: [terminal length 0]
-- greeting --
-- show version --
Cisco IOS Software, C2960X Software (C2960X-UNIVERSALK9-M), Version 15.2(7)E7, RELEASE SOFTWARE (fc2)
Processor board ID FOC0000X000
-- show running-config --
`

func benchConfig(i, size int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "!\nversion 15.2\nhostname sw-bench\n!\nvtp mode transparent\n!\n")
	for port := 0; b.Len() < size-200; port++ {
		fmt.Fprintf(&b, "interface GigabitEthernet1/0/%d\n description ** port %d of switch %d **\n switchport access vlan %d\n switchport mode access\n!\n", port, port, i, port%200)
	}
	fmt.Fprintf(&b, "snmp-server community canary-%04d-ro RO 10\nline vty 0 4\n password 7 0822455D0A16\nend\n\n", i)
	return b.String()
}

func inProcess(args []string, said *bytes.Buffer) int {
	return run(args, strings.NewReader(""), said, said)
}

// BenchmarkCheckRedactSeal is all that is done to a text of 200 KB between
// reading and keeping: at most 10 ms.
func BenchmarkCheckRedactSeal(b *testing.B) {
	catalog, err := drivers.Load("")
	if err != nil {
		b.Fatal(err)
	}
	d, err := catalog.Find("cisco_ios")
	if err != nil {
		b.Fatal(err)
	}
	v, err := vault.New(b.TempDir(), vault.Master{File: filepath.Join(b.TempDir(), "master.age"), Create: true}, time.Now)
	if err != nil {
		b.Fatal(err)
	}
	key, err := v.FingerprintKey(b.Context(), "acme")
	if err != nil {
		b.Fatal(err)
	}
	text := []byte(benchConfig(1, 200<<10))
	c := configs.Capture{Device: devices.Device{Customer: "acme", Name: "sw"}, Driver: d.Name, Rules: d.Rules, Files: []configs.File{{Name: configs.MainFile, Raw: text, Text: text}}}
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		for _, check := range c.Check() {
			if !check.OK {
				b.Fatal(check)
			}
		}
		c.Grade()
		c.Rules.Redact.Apply(text, key)
		if _, err := v.Seal(b.Context(), "acme", text); err != nil {
			b.Fatal(err)
		}
	}
}

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"belay/configs"
	"belay/devices"
	"belay/devices/simulator"
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

// serveFleet is the child: so many switches of 8 KB, 50 ms a command.
func serveFleet() {
	n, err := strconv.Atoi(os.Args[1])
	if err != nil {
		panic(err)
	}
	for i := range n {
		t, err := simulator.Parse("bench.txtar", []byte(benchSwitch+benchConfig(i, 8<<10)))
		if err != nil {
			panic(err)
		}
		s := &simulator.Server{Device: &simulator.Device{T: t, Latency: 50 * time.Millisecond}}
		if err := s.Start("127.0.0.1:0"); err != nil {
			panic(err)
		}
		fmt.Println(s.Address())
	}
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func benchConfig(i, size int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "!\nversion 15.2\nhostname sw-bench\n!\nvtp mode transparent\n!\n")
	for port := 0; b.Len() < size-200; port++ {
		fmt.Fprintf(&b, "interface GigabitEthernet1/0/%d\n description ** port %d of switch %d **\n switchport access vlan %d\n switchport mode access\n!\n", port, port, i, port%200)
	}
	fmt.Fprintf(&b, "snmp-server community canary-%04d-ro RO 10\nline vty 0 4\n password 7 0822455D0A16\nend\n\n", i)
	return b.String()
}

// BenchmarkFleet captures 500 switches with 100 sessions at 50 ms a command,
// commits included: under 6 s and 6 ms of processor a device.
func BenchmarkFleet(b *testing.B) {
	const n = 500
	child := exec.Command(os.Args[0], strconv.Itoa(n))
	child.Args[0] = "belay-bench-fleet"
	child.Stderr = os.Stderr
	in, err := child.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := child.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { in.Close(); _ = child.Wait() })
	var rows strings.Builder
	rows.WriteString("name,address,port,driver\n")
	lines := bufio.NewScanner(out)
	for i := 0; lines.Scan() && lines.Text() != "ready"; i++ {
		host, port, _ := strings.Cut(lines.Text(), ":")
		fmt.Fprintf(&rows, "sw%04d,%s,%s,cisco_ios\n", i, host, port)
	}
	for _, kind := range []string{"first", "unchanged"} {
		dir := b.TempDir()
		for name, text := range map[string]string{
			"devices.csv": rows.String(), "password": "canary-bench", "enable": "canary-bench-enable",
			"belay.yaml": "inventory: [devices.csv]\nhost_keys: first-use\nmaster: {file: master.age}\nlogins:\n  default: {user: belay, password: {file: password}, enable: {file: enable}}\n",
		} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				b.Fatal(err)
			}
		}
		capture := func() {
			var said bytes.Buffer
			args := []string{"--config", filepath.Join(dir, "belay.yaml"), "capture", "--all", "--json", "--concurrency", "100"}
			if code := inProcess(args, &said); code != 0 {
				b.Fatalf("exit status %d: %.500s", code, said.String())
			}
		}
		if kind == "unchanged" {
			capture()
		}
		b.Run(kind, func(b *testing.B) {
			before := processorTime(b)
			for b.Loop() {
				if kind == "first" {
					if err := os.RemoveAll(filepath.Join(dir, "belay-data")); err != nil {
						b.Fatal(err)
					}
				}
				capture()
			}
			b.ReportMetric((processorTime(b)-before).Seconds()*1000/float64(b.N)/n, "cpu-ms/device")
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/fleet")
		})
	}
}

func inProcess(args []string, said *bytes.Buffer) int {
	return run(args, strings.NewReader(""), said, said)
}

func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
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

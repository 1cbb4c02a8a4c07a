package drivers_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"belay/configs"
	"belay/devices"
	"belay/devices/simulator"
	"belay/devices/telnet"
	"belay/drivers"
)

// overTelnet reads a simulated device as one is read that has nothing better.
func overTelnet(t *testing.T, c *drivers.Catalog, p played, fault simulator.Fault) (*drivers.Puller, devices.Device, *simulator.Telnet) {
	t.Helper()
	s := &simulator.Telnet{Device: &simulator.Device{T: p.Transcript, Fault: fault}}
	if err := s.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	login := devices.Login{Name: "test", User: p.Login.User, Password: devices.NewSecret(p.Login.Password), Enable: devices.NewSecret(p.Login.Enable)}
	pull, dev := telnetAt(t, c, s.Address(), login)
	dev.Serials, dev.Driver = p.Facts.Serials, p.Driver
	return pull, dev, s
}

func telnetAt(t *testing.T, c *drivers.Catalog, address string, login devices.Login) (*drivers.Puller, devices.Device) {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	dev := devices.Device{Customer: "acme", Name: "box", Address: host, Also: []string{"telnet"}}
	if dev.Port, err = strconv.Atoi(port); err != nil {
		t.Fatal(err)
	}
	dialer := telnet.Dialer{Via: (&net.Dialer{}).DialContext}
	return &drivers.Puller{Catalog: c, Now: time.Now, Idle: 10 * time.Second,
		Dial: func(ctx context.Context, d devices.Device, _ *drivers.Driver) (drivers.Conn, devices.Login, error) {
			c, err := dialer.Dial(ctx, d, login)
			return c, login, err
		}}, dev
}

// TestADeviceIsReadByTelnet: whole, whatever is done to it, and marked.
func TestADeviceIsReadByTelnet(t *testing.T) {
	t.Parallel()
	c := load(t)
	for _, p := range transcripts(t, c) {
		if p.Name != "cisco_ios-classic.txtar" && p.Name != "aruba_aoss-2930f.txtar" {
			continue
		}
		for _, f := range []simulator.Fault{{}, {Segment: 1}, {PageLines: 24}, {Noise: true}, {ANSI: true}} {
			pull, dev, server := overTelnet(t, c, p, f)
			b, r := backup(pull)
			res, texts := capture(t, b, r, dev)
			if res.Result != configs.Kept || texts[configs.MainFile] != p.Kept[configs.MainFile] {
				t.Errorf("%s %v: %s %s", p.Name, f, res.Result, res.Error)
			}
			if res.Reached.Unproven != telnet.Caution || len(res.Reached.Weak) == 0 || res.Reached.HostKey != "" {
				t.Errorf("%+v", res.Reached)
			}
			told := string(server.Told())
			for _, want := range []string{"\xff\xfd\x01", "\xff\xfd\x03", "\xff\xfb\x18", "\xff\xfb\x1f\xff\xfa\x1f", "\xff\xfc\x27", "VT100"} {
				if !strings.Contains(told, want) {
					t.Errorf("the client did not say %q: %q", want, told)
				}
			}
		}
		for fault, want := range map[simulator.Fault]configs.Outcome{
			{RefuseLogin: true}: configs.Denied, {CutLine: 7}: configs.Refused, {WrongBox: true}: configs.Refused,
			{Reset: true}: configs.Unreachable, {CloseChannel: true}: configs.Unreachable,
		} {
			pull, dev, server := overTelnet(t, c, p, fault)
			b, r := backup(pull)
			if res, texts := capture(t, b, r, dev); res.Result != want || len(texts) > 0 {
				t.Errorf("%s %v: %s %s", p.Name, fault, res.Result, res.Error)
			}
			if seen := server.Device.Seen(); fault.RefuseLogin && (seen.Connections != 1 || seen.Refused != 1) {
				t.Errorf("%+v", seen)
			}
		}
	}
}

// TestATelnetDeviceThatNamesNoNumberIsNotTaken: where a number is expected, no host
// key stands for the one it does not name.
func TestATelnetDeviceThatNamesNoNumberIsNotTaken(t *testing.T) {
	t.Parallel()
	c := load(t)
	for _, p := range transcripts(t, c) {
		if p.Name != "cisco_ios-classic.txtar" {
			continue
		}
		pull, dev, server := overTelnet(t, c, p, simulator.Fault{})
		server.Device.Say("show version", "Cisco IOS Software, Version 15.2(7)E7, nothing else\n")
		b, r := backup(pull)
		if res, _ := capture(t, b, r, dev); res.Result != configs.Refused || !strings.Contains(res.Error, "nothing else tells which one") {
			t.Errorf("%s %s", res.Result, res.Error)
		}
		dev.Serials = nil
		if res, _ := capture(t, b, r, dev); res.Result != configs.Kept || !strings.Contains(fmt.Sprint(res.Checks), telnet.Caution) {
			t.Errorf("%s %s %v", res.Result, res.Error, res.Checks)
		}
	}
}

// TestARealTelnetServer: GNU inetutils' telnetd, whose login program is a made-up device.
func TestARealTelnetServer(t *testing.T) {
	t.Parallel()
	const daemon = "/usr/sbin/telnetd"
	if _, err := os.Stat(daemon); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%v: install inetutils-telnetd", err)
		}
		t.Skipf("%v: install inetutils-telnetd", err)
	}
	who, err := user.Current()
	if err != nil || who.Uid != "0" {
		t.Skip("telnetd opens terminals as root only")
	}
	script := filepath.Join(t.TempDir(), "device")
	const device = `#!/bin/bash
read -r -p 'Username: ' user
read -r -s -p 'Password: ' password; echo
[ "$user/$password" = belay/canary-login ] || { echo '% Login invalid'; exit 1; }
[ "$TERM" = vt100 ] && [ "$(stty size)" = "1000 511" ] || { echo "% $TERM $(stty size)"; exit 1; }
while read -r -e -p 'fw# ' line; do
  case $line in
    '') ;;
    'show version') printf 'Acme OS 1.2\nSerial: ACME0001\n' ;;
    'show running-config') printf 'version 1.2\nhostname fw\npassword canary-one\n%s\nend\n' "$(seq 2000)" ;;
    exit) exit ;;
    *) echo '% Unknown command' ;;
  esac
done
`
	if err := os.WriteFile(script, []byte(device), 0o700); err != nil { //nolint:gosec // it is run
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			file, err := conn.(*net.TCPConn).File()
			_ = conn.Close()
			if err != nil {
				return
			}
			cmd := exec.Command(daemon, "-h", "-E", script)
			cmd.Stdin, cmd.Stdout = file, file
			_ = cmd.Run()
			_ = file.Close()
		}
	}()
	box := acmeBoxOf(t, plainAcme, boxText("", ""))
	login := devices.Login{User: "belay", Password: devices.NewSecret("canary-login")}
	for password, want := range map[string]configs.Outcome{"canary-login": configs.Kept, "wrong": configs.Denied} {
		login.Password = devices.NewSecret(password)
		pull, dev := telnetAt(t, box.c, l.Addr().String(), login)
		dev.Driver, dev.Serials = "acme_os", []string{"ACME0001"}
		b, r := backup(pull)
		res, texts := capture(t, b, r, dev)
		if res.Result != want {
			t.Errorf("%s: %s %s", password, res.Result, res.Error)
		}
		if text := texts[configs.MainFile]; want == configs.Kept && (!strings.Contains(text, "\n1999\n2000\nend\n") || strings.Contains(text, "canary")) {
			t.Errorf("kept %d bytes", len(text))
		}
	}
}

package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	gossh "golang.org/x/crypto/ssh"

	"belay/devices/simulator"
	"belay/drivers"
)

// The login that simulated devices let in, where a test does not say otherwise.
const (
	boxUser     = "belay"
	boxPassword = "canary-login-password"
	boxEnable   = "canary-enable-secret"
)

// A box is a simulated device behind real SSH on this machine.
type box struct {
	dev     *simulator.Device
	server  *simulator.Server
	address string
}

// ownHost is an address of this machine that nobody else has: while what listens
// there is away nobody answers in its place, or has its port when it comes back.
func ownHost() string {
	if runtime.GOOS != "linux" {
		return "127.0.0.1" // only Linux has addresses enough of its own
	}
	n := hosts.Add(1)
	return fmt.Sprintf("127.101.%d.%d", n/250%250, n%250+1)
}

var hosts atomic.Int64

// freePort is one that nobody listens on, for UDP and TCP alike, and that no system
// gives by itself to whoever asks for any.
func freePort(t testing.TB) int {
	t.Helper()
	for range 100 {
		port := 10000 + rand.IntN(20000)
		l, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
		if err != nil {
			continue
		}
		u, err := net.ListenPacket("udp", l.Addr().String())
		_ = l.Close()
		if err == nil {
			_ = u.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return 0
}

// sourceOf is a built-in transcript's text, by its name without .txtar.
func sourceOf(name string) (string, error) {
	catalog, err := drivers.Load("")
	if err != nil {
		return "", err
	}
	driver, _, _ := strings.Cut(name, "-")
	for _, s := range catalog.Transcripts(driver) {
		if s.Name == name+".txtar" {
			return string(s.Text), nil
		}
	}
	return "", fmt.Errorf("there is no transcript %s", name)
}

// transcriptOf is a built-in transcript by its name without .txtar.
func transcriptOf(name string) (*simulator.Transcript, error) {
	text, err := sourceOf(name)
	if err != nil {
		return nil, err
	}
	return simulator.Parse(name+".txtar", []byte(text))
}

// startBox serves a device made from a transcript, with a fault.
func startBox(t *simulator.Transcript, fault string) (*box, error) {
	f, err := simulator.ParseFault(fault)
	if err != nil {
		return nil, err
	}
	return serveBox(&simulator.Device{T: t, Fault: f, Login: &simulator.Login{User: boxUser, Password: boxPassword, Enable: boxEnable}})
}

func serveBox(d *simulator.Device) (*box, error) {
	b := &box{dev: d, server: &simulator.Server{Device: d}}
	if err := b.server.Start(ownHost() + ":0"); err != nil {
		return nil, err
	}
	b.address = b.server.Address()
	return b, nil
}

// serveRoad serves a device as its driver asks for it: by SSH, or its API.
func serveRoad(driver *drivers.Driver, d *simulator.Device) (b *box, stop func() error, err error) {
	if _, _, api := driver.HTTPS(); !api {
		b, err := serveBox(d)
		if err != nil {
			return nil, nil, err
		}
		return b, func() error { return b.server.Close() }, nil
	}
	s := &simulator.WebServer{Device: d}
	if err := s.Start(ownHost() + ":0"); err != nil {
		return nil, nil, err
	}
	return &box{dev: d, address: s.Address()}, s.Close, nil
}

// rekey replaces the device by one with the same address and another host key.
func (b *box) rekey() error {
	if err := b.server.Close(); err != nil {
		return err
	}
	b.server = &simulator.Server{Device: b.dev}
	return b.server.Start(b.address)
}

func (b *box) fingerprint() string { return gossh.FingerprintSHA256(b.server.HostKey.PublicKey()) }

// command is the one that shows the configuration.
func (b *box) command() string { return b.dev.T.Configurations()[0] }

// change replaces a text in the configuration wherever it stands.
func (b *box) change(old, now string) error {
	text := b.dev.Configuration(b.command())
	if !strings.Contains(text, old) {
		return fmt.Errorf("the configuration does not hold %q", old)
	}
	b.dev.Say(b.command(), strings.ReplaceAll(text, old, now))
	return nil
}

// entry is the device's line in an inventory. Nothing but the fault decides
// whether it is the box that the inventory means.
func (b *box) entry(customer, name string) string {
	host, port, _ := net.SplitHostPort(b.address)
	if _, err := strconv.Atoi(port); err != nil {
		host, port = b.address, "22"
	}
	serial := ""
	if s := b.dev.T.Facts.Serials; len(s) > 0 {
		serial = ", serial: ['" + strings.Join(s, "', '") + "']"
	}
	return fmt.Sprintf("  - {name: %s, customer: %s, address: %s, port: %s, driver: %s%s}\n", name, customer, host, port, b.dev.T.Driver, serial)
}

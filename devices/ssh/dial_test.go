package ssh

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"belay/devices"
)

func TestASilentServerIsGivenUp(t *testing.T) {
	t.Parallel()
	address, hungUp := silent(t)
	began := time.Now()
	failsWith(t, &Dialer{HostKeys: &pins{}, Handshake: 2 * time.Second}, device(t, address), with(login("default", rightPassword)),
		devices.Unreachable, "no SSH handshake within 2s", address)
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
	waitFor(t, "the TCP connection is closed", hungUp)
}

func TestAServerThatStopsInTheLoginIsGivenUp(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	p := startPeer(t, func(p *peer) {
		p.config.PasswordCallback = func(ssh.ConnMetadata, []byte) (*ssh.Permissions, error) {
			<-release
			return nil, nil
		}
	})
	defer close(release)
	d := &Dialer{HostKeys: trusting(p.address, p.key.PublicKey()), Handshake: 2 * time.Second}
	failsWith(t, d, device(t, p.address), with(login("a", rightPassword), login("b", rightPassword+"2")), devices.Unreachable, "no answer to the login within 2s")
	if n := p.accepted.Load(); n != 1 {
		t.Errorf("%d connections: the next login was tried though none was refused", n)
	}
}

func TestCancelingEndsADialAtOnce(t *testing.T) {
	t.Parallel()
	address, hungUp := silent(t)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	began := time.Now()
	c, err := (&Dialer{HostKeys: &pins{}}).Dial(ctx, device(t, address), with(login("default", rightPassword)))
	if err == nil {
		c.Close()
		t.Fatal("the dial succeeded")
	}
	if !errors.Is(err, context.Canceled) || time.Since(began) > 10*time.Second {
		t.Errorf("after %s: %v", time.Since(began), err)
	}
	waitFor(t, "the TCP connection is closed", hungUp)
}

func TestARefusedConnectionHasAHint(t *testing.T) {
	t.Parallel()
	const address = "127.0.0.1:1"
	failsWith(t, &Dialer{HostKeys: &pins{}}, device(t, address), with(login("default", rightPassword)),
		devices.Unreachable, "reach acme/fw-hq", "connection refused", "is SSH enabled", address)
}

func TestSomethingElseThanSSHIsSaidToBe(t *testing.T) {
	t.Parallel()
	chatty := listen(t, func(c net.Conn) {
		if _, err := io.WriteString(c, strings.Repeat("HTTP/1.1 400 Bad Request\r\n", 4000)); err != nil {
			return
		}
		io.Copy(io.Discard, c)
	})
	failsWith(t, &Dialer{HostKeys: &pins{}}, device(t, chatty), with(login("default", rightPassword)), devices.Unreachable)
	shut := listen(t, func(net.Conn) {})
	failsWith(t, &Dialer{HostKeys: &pins{}}, device(t, shut), with(login("default", rightPassword)), devices.Unreachable, "hung up during the handshake")
}

func TestTheInventoryIsHeldToSense(t *testing.T) {
	t.Parallel()
	d := &Dialer{HostKeys: &pins{}}
	l := with(login("default", rightPassword))
	for name, dev := range map[string]devices.Device{
		"no address":      {Customer: "acme", Name: "fw"},
		"jump host":       {Customer: "acme", Name: "fw", Address: "127.0.0.1", Jump: []string{"bastion:port"}},
		"is not a SOCKS5": {Customer: "acme", Name: "fw", Address: "127.0.0.1", Proxy: "http://u:canary@127.0.0.1:1"},
		"not an address":  {Customer: "acme", Name: "fw", Address: "127.0.0.1", Proxy: "socks5://u:canary%zz@[::1"},
	} {
		failsWith(t, d, dev, l, devices.Usage, name)
	}
	bad := l
	bad.Auth = []string{"magic"}
	failsWith(t, d, devices.Device{Customer: "acme", Name: "fw", Address: "127.0.0.1"}, bad, devices.Usage, `"magic"`)
	failsWith(t, &Dialer{}, devices.Device{Customer: "acme", Name: "fw", Address: "127.0.0.1"}, l, devices.Broken, "host keys")
}

func TestAddressesOfJumpHostsAreCompleted(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"bastion": "bastion:22", "bastion:2222": "bastion:2222", "10.0.0.1": "10.0.0.1:22",
		"2001:db8::1": "[2001:db8::1]:22", "[2001:db8::1]": "[2001:db8::1]:22", "[2001:db8::1]:23": "[2001:db8::1]:23",
		"": "", "a:b:c": "", "host:0": "", "host:99999": "", ":22": "",
	} {
		got, err := withPort(in)
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%q becomes %q, %v; want %q", in, got, err, want)
		}
	}
}

func TestAJumpHostOutsideTheSettingsUsesTheDevicesLogins(t *testing.T) {
	t.Parallel()
	d := &Dialer{Hosts: map[string]Hop{
		"bare": {Address: "10.0.0.1"},
		"own":  {Address: "10.0.0.2:2222", Login: []devices.Login{{User: "hop"}}, Legacy: true, HostKeys: []string{"SHA256:x"}},
	}}
	logins := []devices.Login{login("a", rightPassword), login("b", wrongPassword)}
	for jump, want := range map[string]struct{ address, users string }{
		"bare":         {"10.0.0.1:22", "backup backup"},
		"own":          {"10.0.0.2:2222", "hop"},
		"eve@10.0.0.3": {"10.0.0.3:22", "eve eve"},
		"10.0.0.4:24":  {"10.0.0.4:24", "backup backup"},
	} {
		s, err := d.hop(jump, logins)
		if err != nil {
			t.Fatal(err)
		}
		var users []string
		for _, l := range s.logins {
			users = append(users, l.User)
		}
		if got := strings.Join(users, " "); s.host.Address != want.address || got != want.users {
			t.Errorf("%s: %s as %s, want %s as %s", jump, s.host.Address, got, want.address, want.users)
		}
		if s.legacy != (jump == "own") || (len(s.host.Expected) == 1) != (jump == "own") {
			t.Errorf("%s: legacy %t, expected keys %v", jump, s.legacy, s.host.Expected)
		}
	}
	if logins[0].User != "backup" {
		t.Error("the device's own logins were changed")
	}
}

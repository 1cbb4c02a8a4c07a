package ssh

import (
	"io"
	"net"
	"slices"
	"testing"

	"belay/devices"
)

// TestATunnelGoesWhereTheSessionWouldGo: what is not SSH passes the same proxy.
func TestATunnelGoesWhereTheSessionWouldGo(t *testing.T) {
	t.Parallel()
	address := listen(t, func(c net.Conn) { io.WriteString(c, "hello") })
	proxy := socks5(t, "u", "canary-proxy")
	dev := devices.Device{Customer: "acme", Name: "fw", Address: "192.0.2.1", Proxy: "socks5://u:canary-proxy@" + proxy}
	d := &Dialer{HostKeys: trusting("192.0.2.1:22")}
	tunnel, err := d.Tunnel(t.Context(), dev, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := tunnel.Via(), []string{"socks5://" + proxy}; !slices.Equal(got, want) {
		t.Errorf("via %v, want %v", got, want)
	}
	c, err := tunnel.DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	if said, err := io.ReadAll(io.LimitReader(c, 5)); err != nil || string(said) != "hello" {
		t.Errorf("%q, %v", said, err)
	}
	c.Close()
	if err := tunnel.Close(); err != nil {
		t.Error(err)
	}
	dev.Proxy = "http://canary@proxy"
	if _, err := d.Tunnel(t.Context(), dev, Options{}); devices.KindOf(err) != devices.Usage {
		t.Error(err)
	}
}

// TestOpenSSHJumpHostsCarryATunnel: and what is opened through one ends with it.
func TestOpenSSHJumpHostsCarryATunnel(t *testing.T) {
	t.Parallel()
	key := pemKey(t, "")
	bastion := sshdFor(t, key, "AllowTcpForwarding yes")
	address := listen(t, func(c net.Conn) {
		io.WriteString(c, "hello")
		io.Copy(io.Discard, c)
	})
	dev := device(t, address)
	dev.Jump = []string{"bastion"}
	d := &Dialer{HostKeys: trustingAll(bastion), Hosts: map[string]Hop{"bastion": {Address: bastion.address, Login: []devices.Login{bastion.login(key.private)}}}}
	tunnel, err := d.Tunnel(t.Context(), dev, Options{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := tunnel.DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	if said, err := io.ReadAll(io.LimitReader(c, 5)); err != nil || string(said) != "hello" || !slices.Equal(tunnel.Via(), dev.Jump) {
		t.Errorf("%q, %v, via %v", said, err, tunnel.Via())
	}
	if err := tunnel.Close(); err != nil {
		t.Error(err)
	}
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("the connection outlives its tunnel")
	}
}

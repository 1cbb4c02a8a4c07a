package ssh

import (
	"context"
	"net"
	"slices"

	"belay/devices"
)

// A Tunnel is the way to a device without a session with it: for what is not
// spoken over SSH but stands behind the same jump hosts and proxies.
type Tunnel struct{ way *way }

// Tunnel passes the jump hosts and the proxy before dev. The logins of o are for
// jump hosts that the settings do not know; the device itself is not reached yet.
func (d *Dialer) Tunnel(ctx context.Context, dev devices.Device, o Options) (*Tunnel, error) {
	w, _, err := d.begin(ctx, dev, o)
	if err != nil {
		return nil, err
	}
	return &Tunnel{w}, nil
}

// DialContext opens a connection from where the tunnel ends.
func (t *Tunnel) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if t.way.last != nil {
		return t.way.last.DialContext(ctx, network, address)
	}
	return t.way.dial(ctx, network, address)
}

// Via lists jump hosts and proxies, in order.
func (t *Tunnel) Via() []string { return slices.Clone(t.way.via) }

// Close ends the tunnel, and with it what was opened through a jump host.
func (t *Tunnel) Close() error {
	t.way.close()
	return nil
}

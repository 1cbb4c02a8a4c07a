package ssh

import (
	"context"
	"io"
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

// DialContext opens a connection from where the tunnel ends, within the
// handshake's limit.
func (t *Tunnel) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	limit, cancel := context.WithTimeout(ctx, t.way.dialer.handshake())
	defer cancel()
	if t.way.last == nil {
		return t.way.dial(limit, network, address)
	}
	far, err := t.way.last.DialContext(limit, network, address)
	if err != nil {
		return nil, err
	}
	b := &beyond{Conn: far}
	var in *io.PipeWriter
	b.in, in = io.Pipe()
	go func() {
		_, err := io.Copy(in, far)
		in.CloseWithError(err)
	}()
	return b, nil
}

// A beyond is a connection behind a jump host. x/crypto's own goes on reading
// after it was closed until the jump host agrees, and one that has died never
// does; here Close ends Read at once.
type beyond struct {
	net.Conn
	in *io.PipeReader
}

func (b *beyond) Read(p []byte) (int, error) { return b.in.Read(p) }

func (b *beyond) Close() error {
	_ = b.in.Close()
	return b.Conn.Close()
}

// Via lists jump hosts and proxies, in order.
func (t *Tunnel) Via() []string { return slices.Clone(t.way.via) }

// Close ends the tunnel, and with it what was opened through a jump host.
func (t *Tunnel) Close() error {
	t.way.close()
	return nil
}

package receive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"syscall"
	"time"

	"github.com/pin/tftp/v3"

	"belay/devices"
)

// A door is a port that is open while files are expected through it.
type door struct {
	port  int
	users int
	close func()
}

// enter opens a door, or goes in by one that is open.
func (r *Receiver) enter(ctx context.Context, by Protocol) (*door, error) {
	at, open := r.TFTP, r.openTFTP
	if by == SFTP {
		at, open = r.SFTP, r.openSFTP
	}
	if at == "" {
		return nil, &devices.Error{Kind: devices.Usage, Op: "receive by " + string(by), Err: errors.New("the settings say nowhere to listen"), Hint: fmt.Sprintf("add receive: {%s: …} to the settings", by)}
	}
	patience := time.NewTimer(cmp.Or(r.Patience, 10*time.Second))
	defer patience.Stop()
	for {
		d, err := r.tryDoor(by, at, open)
		switch {
		case err == nil:
			return d, nil
		case !errors.Is(err, syscall.EADDRINUSE):
			return nil, shut(by, at, err)
		}
		// Another Belay may be at it: it will not take long.
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-patience.C:
			return nil, shut(by, at, err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func shut(by Protocol, at string, err error) error {
	hint := "another program listens there: stop it, or choose another address under receive: in the settings"
	if errors.Is(err, syscall.EACCES) {
		hint = "a port below 1024 needs a right: setcap cap_net_bind_service=+ep on the program, AmbientCapabilities=CAP_NET_BIND_SERVICE for the service, or another port under receive: with a port map before it"
	}
	return &devices.Error{Kind: devices.Usage, Op: fmt.Sprintf("listen for %s at %s", by, at), Hint: hint, Err: err}
}

func (r *Receiver) tryDoor(by Protocol, at string, open func(at string) (port int, close func(), err error)) (*door, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if d := r.doors[by]; d != nil {
		d.users++
		return d, nil
	}
	port, shut, err := open(at)
	if err != nil {
		return nil, err
	}
	if r.doors == nil {
		r.doors = map[Protocol]*door{}
	}
	d := &door{port: port, users: 1, close: shut}
	r.doors[by] = d
	return d, nil
}

// leave closes the door behind the last one.
func (r *Receiver) leave(by Protocol) {
	r.mu.Lock()
	defer r.mu.Unlock()
	d := r.doors[by]
	if d.users--; d.users == 0 {
		delete(r.doors, by)
		d.close()
	}
}

func portOf(a net.Addr) int {
	_, port, _ := net.SplitHostPort(a.String())
	n, _ := strconv.Atoi(port)
	return n
}

func (r *Receiver) openTFTP(at string) (int, func(), error) {
	conn, err := devices.Listen(context.Background(), func() (net.PacketConn, error) { return net.ListenPacket("udp", at) })
	if err != nil {
		return 0, nil, err
	}
	s := tftp.NewServer(func(string, io.ReaderFrom) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.count(NotAWrite)
		return errRefused
	}, r.takeTFTP)
	s.SetTimeout(cmp.Or(r.Pause, 3*time.Second))
	s.SetRetries(5)
	s.SetBackoff(func(int) time.Duration { return 0 }) // the timeout is pause enough
	served := make(chan struct{})
	r.ending.Go(func() {
		defer close(served)
		_ = s.Serve(conn) // until the door closes
	})
	return portOf(conn.LocalAddr()), func() {
		_ = conn.Close() // at once: the port is free
		r.ending.Go(s.Shutdown)
		<-served
	}, nil
}

// takeTFTP takes one file. The last packet is acknowledged after it returns: what
// the device calls sent is here.
func (r *Receiver) takeTFTP(name string, in io.WriterTo) error {
	transfer, ok := in.(tftp.IncomingTransfer)
	if !ok {
		return errRefused
	}
	peer := transfer.RemoteAddr()
	from, _ := netip.AddrFromSlice(peer.IP)
	f, err := r.begin(TFTP, name, from)
	if err != nil {
		return err
	}
	if n, ok := transfer.Size(); ok && n > f.most {
		r.mu.Lock()
		f.tooLarge()
		r.mu.Unlock()
		f.end("")
		return errRefused
	}
	if _, err := in.WriteTo(f); err != nil {
		f.end("the device broke off sending the file")
		return errRefused
	}
	f.end("")
	return nil
}

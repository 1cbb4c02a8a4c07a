package simulator

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	"belay/devices"
)

// A service is what listens for a device: that which every kind of server here
// has in common.
type service struct {
	ctx     context.Context // until Close
	cancel  context.CancelFunc
	at      net.Addr
	shut    func() error
	running sync.WaitGroup
}

// begin opens a service at an address; shut ends what waits there.
func (s *service) begin(at net.Addr, shut func() error) {
	s.at, s.shut = at, shut
	s.ctx, s.cancel = context.WithCancel(context.Background())
}

// accept listens on TCP and serves each connection by itself. A device that is
// ordered to be unreachable takes an address and leaves it.
func (s *service) accept(d *Device, address string, connection func(net.Conn)) error {
	listener, err := listen(address)
	if err != nil {
		return fmt.Errorf("serve %s: %w", d.T.Name, err)
	}
	s.begin(listener.Addr(), listener.Close)
	if d.fault().RefuseTCP {
		return s.Close()
	}
	s.running.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			s.running.Go(func() { connection(c) })
		}
	})
	return nil
}

// listen opens a TCP address, which a device that was switched off may have had.
func listen(address string) (net.Listener, error) {
	return devices.Listen(context.Background(), func() (net.Listener, error) { return net.Listen("tcp", address) })
}

// Address is host:port; empty before Start.
func (s *service) Address() string {
	if s.at == nil {
		return ""
	}
	return s.at.String()
}

// Close ends every session and returns when nothing of the server runs.
func (s *service) Close() error {
	if s.at == nil {
		return nil
	}
	s.cancel()
	err := s.shut()
	s.running.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

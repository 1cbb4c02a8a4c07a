package events

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// A troubled listener and socket fail so many times before they are closed.
type troubled struct {
	net.Listener
	net.PacketConn
	left int
}

func (t *troubled) fail() error {
	if t.left--; t.left < 0 {
		return net.ErrClosed
	}
	return syscall.EMFILE
}

func (t *troubled) Accept() (net.Conn, error)              { return nil, t.fail() }
func (t *troubled) ReadFrom([]byte) (int, net.Addr, error) { return 0, nil, t.fail() }
func (t *troubled) Close() error                           { return nil }
func (t *troubled) take(netip.AddrPort, []byte)            {}
func (t *troubled) both(ctx context.Context) (stream, pack error) {
	var all sync.WaitGroup
	var l Listeners
	again := *t
	return l.accept(ctx, t, &all), packets{&again, t.take}.read(ctx)
}

func TestWhatPassesDoesNotEndTheListening(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		if stream, pack := (&troubled{left: 150}).both(t.Context()); stream != nil || pack != nil {
			t.Errorf("a minute without open files ended it: %v, %v", stream, pack)
		}
		if took := time.Since(began); took < 2*time.Minute {
			t.Errorf("it ran hot: 300 failures in %s", took)
		}
		if stream, pack := (&troubled{left: 5000}).both(t.Context()); !errors.Is(stream, syscall.EMFILE) || !errors.Is(pack, syscall.EMFILE) {
			t.Errorf("what never works again is not told: %v, %v", stream, pack)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		began = time.Now()
		_, _ = (&troubled{left: 500}).both(ctx)
		if took := time.Since(began); took > time.Second {
			t.Errorf("it was waited for although it was to end: %s", took)
		}
	})
}

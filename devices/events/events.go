// Package events hears what devices say of their own accord: syslog, traps and
// informs. It says who sent what, in one form, to one queue; what a message means,
// and to which device of the inventory it belongs, others decide. Nobody who
// sends can make it wait, grow without bound or end: see the limits below.
package events

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"belay/devices"
	"belay/devices/snmp"
)

// The kinds of events.
const (
	Syslog = "syslog"
	Trap   = "trap"
)

// An Event is one message of a device.
type Event struct {
	At   time.Time
	From netip.Addr // who sent it, as the network says
	Kind string
	Host string     // syslog: as the message itself names its sender; empty: it does not
	Text string     // syslog: all of it behind the priority, without control characters
	Trap string     // trap: object identifier of what happened
	Vars []snmp.Var // trap: what came with it
}

// Limits of what senders may ask of us.
const (
	longest     = 64 << 10         // bytes of a message; what is behind is cut off
	connections = 1000             // at once, TCP and TLS together
	fromOne     = 20               // of them from one address
	idle        = time.Hour        // between two messages of a connection: a quiet device says nothing for long
	slow        = 30 * time.Second // for one message, once it has begun; for a handshake, too
	waiting     = 10_000           // events in the queue
)

// Ears say what is listened to, and whom. Addresses are host:port; an empty one
// is not listened to.
type Ears struct {
	UDP, TCP, TLS string
	Secure        *tls.Config // for TLS
	Traps         string
	Receiver      *snmp.Receiver // for Traps

	// Known tells whether a connection from an address is taken; nil: all are.
	Known func(netip.Addr) bool
	// Admit tells whether a message from an address is looked at, before it is
	// parsed; nil: all are. It must not wait.
	Admit func(netip.Addr) bool

	Now func() time.Time
}

// Counts are how many messages came to what end.
type Counts struct {
	Heard    uint64 // put into the queue
	Refused  uint64 // not admitted
	Overflow uint64 // the queue was full
	Foreign  uint64 // traps that did not prove who sent them, and what is none
	Closed   uint64 // connections that were too many, or unknown, or too slow
}

// Listeners are open ears.
type Listeners struct {
	ears    Ears
	events  chan Event
	packets []packets
	streams []net.Listener
	traps   net.PacketConn

	mu    sync.Mutex
	open  map[net.Conn]netip.Addr
	count struct{ heard, refused, overflow, foreign, closed atomic.Uint64 }
}

// packets is a socket for datagrams, and what is done with each.
type packets struct {
	socket net.PacketConn
	take   func(from netip.AddrPort, datagram []byte)
}

// Open takes the ports. Nothing is read from them until Run.
func Open(ctx context.Context, e Ears) (l *Listeners, err error) {
	l = &Listeners{ears: e, events: make(chan Event, waiting), open: map[net.Conn]netip.Addr{}}
	defer func(opened *Listeners) { // not l: it is nil by then
		if err != nil {
			opened.close()
		}
	}(l)
	if e.UDP != "" {
		if _, err := l.datagrams(ctx, "syslog", e.UDP, l.syslogDatagram); err != nil {
			return nil, err
		}
	}
	if e.TCP != "" {
		if err := l.stream(ctx, e.TCP, nil); err != nil {
			return nil, err
		}
	}
	if e.TLS != "" {
		if err := l.stream(ctx, e.TLS, e.Secure); err != nil {
			return nil, err
		}
	}
	if e.Traps != "" {
		if l.traps, err = l.datagrams(ctx, "traps", e.Traps, l.trapDatagram); err != nil {
			return nil, err
		}
	}
	return l, nil
}

func (l *Listeners) datagrams(ctx context.Context, what, at string, take func(netip.AddrPort, []byte)) (net.PacketConn, error) {
	var c net.ListenConfig
	socket, err := devices.Listen(ctx, func() (net.PacketConn, error) { return c.ListenPacket(ctx, "udp", at) })
	if err != nil {
		return nil, taken(what, at, err)
	}
	if u, ok := socket.(*net.UDPConn); ok {
		_ = u.SetReadBuffer(4 << 20) // the kernel may give less: then more is lost in a burst
	}
	l.packets = append(l.packets, packets{socket, take})
	return socket, nil
}

func (l *Listeners) stream(ctx context.Context, at string, secure *tls.Config) error {
	var c net.ListenConfig
	s, err := devices.Listen(ctx, func() (net.Listener, error) { return c.Listen(ctx, "tcp", at) })
	if err != nil {
		return taken("syslog", at, err)
	}
	if secure != nil {
		s = tls.NewListener(s, secure)
	}
	l.streams = append(l.streams, s)
	return nil
}

func taken(what, at string, err error) error {
	hint := ""
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		hint = "another program has this port: give events: another one, or end that program"
	case errors.Is(err, syscall.EACCES):
		hint = "ports below 1024 need CAP_NET_BIND_SERVICE, or a port of 1024 and above with a redirection before it"
	}
	return &devices.Error{Kind: devices.Usage, Op: "listen for " + what + " on " + at, Err: err, Hint: hint}
}

// Events is the queue of what was heard. It is closed when Run has ended.
func (l *Listeners) Events() <-chan Event { return l.events }

// Addresses are where is listened: UDP, TCP, TLS and traps, those that are open.
func (l *Listeners) Addresses() []net.Addr {
	var all []net.Addr
	for _, p := range l.packets {
		if p.socket != l.traps {
			all = append(all, p.socket.LocalAddr())
		}
	}
	for _, s := range l.streams {
		all = append(all, s.Addr())
	}
	if l.traps != nil {
		all = append(all, l.traps.LocalAddr())
	}
	return all
}

// Counts are those up to now.
func (l *Listeners) Counts() Counts {
	return Counts{l.count.heard.Load(), l.count.refused.Load(), l.count.overflow.Load(), l.count.foreign.Load(), l.count.closed.Load()}
}

// Run listens until ctx ends, gives the ports back and returns when nobody reads
// or writes any more. It is called once.
func (l *Listeners) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(ctx, l.close)
	defer stop()
	var all sync.WaitGroup
	for _, p := range l.packets {
		all.Go(func() {
			if err := p.read(ctx); err != nil {
				cancel(fmt.Errorf("listen on %s: %w", p.socket.LocalAddr(), err))
			}
		})
	}
	for _, s := range l.streams {
		all.Go(func() {
			if err := l.accept(ctx, s, &all); err != nil {
				cancel(fmt.Errorf("listen on %s: %w", s.Addr(), err))
			}
		})
	}
	<-ctx.Done()
	l.close()
	all.Wait()
	close(l.events)
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

// close gives the ports back.
func (l *Listeners) close() {
	for _, p := range l.packets {
		_ = p.socket.Close()
	}
	for _, s := range l.streams {
		_ = s.Close()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.open {
		_ = c.Close()
	}
	l.open = nil // none is taken any more
}

// admit tells whether a message from an address is looked at.
func (l *Listeners) admit(from netip.Addr) bool {
	if l.ears.Admit == nil || l.ears.Admit(from) {
		return true
	}
	l.count.refused.Add(1)
	return false
}

// say puts an event into the queue; where that is full it is lost, and counted.
func (l *Listeners) say(e Event) {
	e.At = l.ears.Now()
	select {
	case l.events <- e:
		l.count.heard.Add(1)
	default:
		l.count.overflow.Add(1)
	}
}

// read takes datagrams until the socket is closed. An error that passes, as of
// a network that is down, is no end of it.
func (p packets) read(ctx context.Context) error {
	buffer := make([]byte, longest+1)
	for failed := 0; ; {
		n, from, err := p.socket.ReadFrom(buffer)
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil
		case err != nil:
			if failed++; failed > tolerated {
				return err
			}
			pause(ctx, failed)
			continue
		}
		failed = 0
		if u, ok := from.(*net.UDPAddr); ok && n > 0 {
			p.take(u.AddrPort(), buffer[:n])
		}
	}
}

// tolerated is how many failures in a row are taken for ones that pass: a minute
// without files that can be opened, or without a network, is not the end.
const tolerated = 1000

// pause waits after a failure, a little longer each time, and no longer than ctx.
func pause(ctx context.Context, failed int) {
	t := time.NewTimer(min(time.Duration(failed)*10*time.Millisecond, time.Second))
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// plain is an address as inventories write it.
func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// Package ssh holds a session with a device over SSH: it finds the way there
// (direct, through jump hosts, through a SOCKS5 proxy), checks every host key
// on it, logs in without ever offering one secret twice, and hands out a shell
// or the output of a command.
//
// It knows nothing of prompts, commands or configurations. Where keys are
// pinned is the business of whoever implements HostKeys. Algorithms that are no
// longer safe are offered only to a device whose inventory entry says so, and
// always last; what was negotiated is reported.
//
// Every wait has an end: the dialer's Handshake covers each connection from TCP
// to login and the opening of each channel, a context covers all of it and
// closes the TCP connection itself, and keepalives find a peer that has died.
package ssh

import (
	"context"
	"errors"
	"net"
	"slices"
	"time"

	"golang.org/x/crypto/ssh"

	"belay/devices"
)

// The limits where a Dialer names none.
const (
	DefaultHandshake = 15 * time.Second
	DefaultKeepalive = 30 * time.Second
)

// A Dialer reaches devices. It holds no connections, only the private keys it
// has read, and may be used by many goroutines at once. It is not to be copied.
type Dialer struct {
	HostKeys  HostKeys         // the pinned keys; must not be nil
	Handshake time.Duration    // for TCP, handshake and login of each connection, and for opening a channel; 0: DefaultHandshake
	Keepalive time.Duration    // a session silent for so long is asked for a sign of life, and closed after as long again; 0: DefaultKeepalive
	Hosts     map[string]Hop   // jump hosts by their name in the settings
	Now       func() time.Time // for the validity of certificates; nil: it is left to the server

	keys keyCache
}

// A Hop is a jump host of the settings.
type Hop struct {
	Address  string          // host or host:port
	Login    []devices.Login // in the order they are tried; empty: those of the device behind it
	HostKeys []string        // expected "SHA256:…" fingerprints; empty: the pinned ones
	Legacy   bool            // may be spoken to with algorithms that are no longer safe
}

// Options are what a driver and the settings know of one device.
type Options struct {
	Port        int             // the driver's own, where the device has none; 0: 22
	Auth        []string        // order of "publickey", "password", "keyboard-interactive"; what is left out is not tried; empty: that order
	NoKeepalive bool            // the device does not bear keepalive requests
	Logins      []devices.Login // the next is tried, on a new connection, only when one was refused
}

// Dial reaches dev and logs in. Its context covers no more than that; the
// session goes on until Close. The error is a *devices.Error: Unreachable,
// Denied when every login was refused, NotAllowed when a host key is not the
// expected one, Usage when the inventory or a login cannot be right.
func (d *Dialer) Dial(ctx context.Context, dev devices.Device, o Options) (*Client, error) {
	w, target, err := d.begin(ctx, dev, o)
	if err != nil {
		return nil, err
	}
	l, err := w.enter(ctx, target)
	if err != nil {
		w.close()
		return nil, err
	}
	r := reached(l)
	r.Address, r.Via = target.host.Address, w.via
	every := d.Keepalive
	if every <= 0 {
		every = DefaultKeepalive
	}
	if o.NoKeepalive {
		every = 0
	}
	return newClient(l, w.root, r, d.handshake(), every), nil
}

// begin passes all the jump hosts, so that only the device itself is left.
func (d *Dialer) begin(ctx context.Context, dev devices.Device, o Options) (*way, step, error) {
	w := &way{dialer: d, device: dev}
	hops, target, err := d.route(dev, o)
	if err != nil {
		return nil, step{}, err
	}
	if err := w.through(dev.Proxy); err != nil {
		return nil, step{}, err
	}
	for _, hop := range hops {
		l, err := w.enter(ctx, hop)
		if err != nil {
			w.close()
			return nil, step{}, err
		}
		w.last = ssh.NewClient(l.conn, l.chans, l.reqs)
		w.via = append(w.via, hop.name)
	}
	return w, target, nil
}

func (d *Dialer) handshake() time.Duration {
	if d.Handshake <= 0 {
		return DefaultHandshake
	}
	return d.Handshake
}

// A line is one SSH connection that was let in.
type line struct {
	conn  ssh.Conn
	chans <-chan ssh.NewChannel
	reqs  <-chan *ssh.Request
	seen  *sighting
	login devices.Login
}

// enter logs in at one step, with one login after the other as they are
// refused.
func (w *way) enter(ctx context.Context, s step) (*line, error) {
	known, err := w.dialer.HostKeys.Known(ctx, s.host)
	if err != nil {
		return nil, w.failure(s, devices.KindOf(err), "look up the host key of", err)
	}
	s.known = known
	if len(s.logins) == 0 {
		return nil, w.failure(s, devices.Usage, "log in to", errNoLogin)
	}
	var denied []*refusal
	for i, login := range s.logins {
		if slices.ContainsFunc(s.logins[:i], func(o devices.Login) bool { return sameProof(o, login) }) {
			continue // it was just refused: asking again may lock the account
		}
		l, err := w.prove(ctx, s, login)
		if err == nil {
			return l, nil
		}
		r, refused := errors.AsType[*refusal](err)
		if !refused {
			return nil, err
		}
		denied = append(denied, r)
		if r.final {
			break
		}
	}
	return nil, w.denied(s, denied)
}

// prove tries one login. Where the inventory knows only the fingerprint of the
// expected key, not its type, and the server shows a key of another type, it
// asks for the other types in turn; no login is offered meanwhile.
func (w *way) prove(ctx context.Context, s step, login devices.Login) (*line, error) {
	a, err := newAttempt(s, login, &w.dialer.keys, w.dialer.Now)
	if err != nil {
		return nil, w.failure(s, devices.Usage, "log in to", err)
	}
	if a.expired != nil {
		return nil, a.expired
	}
	var first error
	for {
		l, seen, err := w.shake(ctx, s, a)
		if err == nil {
			return l, nil
		}
		if _, none := errors.AsType[*ssh.AlgorithmNegotiationError](err); none && first != nil {
			return nil, first
		}
		if _, wrong := errors.AsType[*WrongKey](err); !wrong || len(s.host.Expected) == 0 || seen == nil {
			return nil, err
		}
		if first == nil {
			first = err
		}
		s.skip = append(s.skip, seen.Type())
	}
}

// shake makes one connection: TCP or tunnel, handshake, login. The key it
// returns is the one the server showed, if it came so far.
func (w *way) shake(ctx context.Context, s step, a *attempt) (*line, ssh.PublicKey, error) {
	limit, cancel := context.WithTimeout(ctx, w.dialer.handshake())
	defer cancel()
	defer a.close()
	a.reset(limit)

	conn, err := w.reach(limit, s.host.Address)
	if err != nil {
		return nil, nil, w.unreachable(ctx, limit, s, a, err)
	}
	direct := w.root == nil
	if direct {
		w.root = conn
	}
	// A tunnelled connection ends only when the jump host says so; closing the
	// TCP connection under it all always works.
	root := w.root
	stop := context.AfterFunc(limit, func() { root.Close() })

	a.stage = "SSH handshake"
	seen := &sighting{keys: w.dialer.HostKeys, ctx: limit, host: s.host}
	config := s.config()
	config.User = a.login.User
	config.AuthCallback = a.next
	config.HostKeyCallback = seen.check
	sc, chans, reqs, err := ssh.NewClientConn(conn, s.host.Address, config)
	if !stop() && err == nil {
		sc.Close()
		err = limit.Err()
	}
	if err == nil {
		return &line{conn: sc, chans: chans, reqs: reqs, seen: seen, login: a.login}, seen.key(), nil
	}
	if direct {
		w.root.Close()
		w.root = nil
	}
	return nil, seen.key(), w.judge(ctx, limit, s, a, seen, err)
}

func (w *way) close() {
	if w.root != nil {
		w.root.Close()
		w.root = nil
	}
}

// A way is what has been passed so far on the way to a device. All of it rests
// on one TCP connection.
type way struct {
	dialer *Dialer
	device devices.Device
	dial   func(ctx context.Context, network, address string) (net.Conn, error)
	via    []string
	root   net.Conn    // nil until the first connection stands
	last   *ssh.Client // the last jump host passed; nil before
}

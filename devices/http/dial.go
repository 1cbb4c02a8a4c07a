// Package http holds a session with a device's, or a cloud service's, HTTPS API:
// it finds the way there (direct, or through the jump hosts and the proxy that an
// SSH dialer passes), checks who answers, sends requests one after the other at
// the pace they may come, waits where it is told to wait, and hands back whole
// answers.
//
// Devices have certificates that nobody signed. So, as for SSH, the public key is
// what is trusted: pinned on first use by a named person, refused when it is
// another one. Only of a public service (Options.Public) the certificate itself
// is verified. Nothing is ever sent to a server that was not recognized.
//
// It knows nothing of vendors, of signing in or of configurations, and what it
// is given to send it shows nowhere: no error holds a header, a body or a query.
package http

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/cookiejar"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"belay/devices"
)

// The limits where nothing else is said.
const (
	DefaultPort      = 443
	DefaultHandshake = 15 * time.Second
	DefaultIdle      = 30 * time.Second
	DefaultNap       = 30 * time.Second
	maxAnswer        = 128 << 20 // bytes; the largest configurations known are of some 20 MB
)

// A Dialer reaches devices. It may be used by many goroutines at once and is not
// to be copied: sessions with one public service share its pace.
type Dialer struct {
	Keys      Keys           // the pinned keys; must not be nil
	Route     Route          // nil: straight, without jump hosts and proxies
	Roots     *x509.CertPool // who may sign a public service's certificate; nil: whom the system trusts
	Handshake time.Duration  // for TCP and TLS together; 0: DefaultHandshake
	Nap       time.Duration  // the longest that is waited because a server says so; 0: DefaultNap

	mu    sync.Mutex
	paces map[string]*rate.Limiter // of public services, by address
}

// A Route passes what stands between us and a device, and hands out how
// connections are opened from there. Close ends it.
type Route func(ctx context.Context, dev devices.Device) (Way, error)

// A Way is a route that was taken.
type Way interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
	Via() []string // jump hosts and proxies, in order
	Close() error
}

// Options are what a driver knows of a device's API.
type Options struct {
	Port   int     // the driver's own, where the device has none; 0: DefaultPort
	Public bool    // a public service, whose certificate is verified instead of pinned
	Pace   float64 // most requests a second; 0: as fast as answers come
}

// Dial reaches dev and checks who it is, without asking anything of it yet. Its
// context covers no more than that; the session goes on until Close. The error is
// a *devices.Error: Unreachable, NotAllowed when it is not whom it should be,
// Usage when the inventory cannot be right.
func (d *Dialer) Dial(ctx context.Context, dev devices.Device, o Options) (*Session, error) {
	s, err := d.begin(ctx, dev, o, d.trust)
	if err != nil {
		return nil, err
	}
	first, err := s.connect(ctx)
	if err != nil {
		_ = s.Close()
		return nil, err
	}
	s.seen(first.ConnectionState())
	s.spare <- first
	return s, nil
}

// begin takes the route, so that only the device itself is left.
func (d *Dialer) begin(ctx context.Context, dev devices.Device, o Options, check func(*Session) func(tls.ConnectionState) error) (*Session, error) {
	usage := func(err error) (*Session, error) {
		return nil, &devices.Error{Kind: devices.Usage, Op: "reach", Device: dev.String(), Err: err, Hint: at(dev, "correct the device's entry in the inventory")}
	}
	switch {
	case d.Keys == nil:
		return nil, &devices.Error{Kind: devices.Broken, Op: "reach", Device: dev.String(), Err: errors.New("the dialer has no store of keys")}
	case dev.Address == "":
		return usage(errors.New("it has no address"))
	case strings.ContainsAny(dev.Address, "/?#@ "):
		return usage(errors.New("its address is more than a host name or an IP address"))
	case d.Route == nil && (len(dev.Jump) > 0 || dev.Proxy != ""):
		return usage(errors.New("it stands behind a jump host or a proxy, through which HTTPS has no way here"))
	}
	port := DefaultPort
	for _, p := range []int{o.Port, dev.Port} {
		if p != 0 {
			port = p
		}
	}
	name := strings.Trim(dev.Address, "[]")
	s := &Session{
		device: dev, public: o.Public, nap: d.Nap, limit: d.Handshake,
		host:  Host{Device: dev.ID(), Address: net.JoinHostPort(name, strconv.Itoa(port)), Expected: dev.HostKeys},
		spare: make(chan *tls.Conn, 1), way: straight{},
	}
	if s.nap <= 0 {
		s.nap = DefaultNap
	}
	if s.limit <= 0 {
		s.limit = DefaultHandshake
	}
	if d.Route != nil {
		way, err := d.Route(ctx, dev)
		if err != nil {
			return nil, err
		}
		s.way = way
	}
	s.ctx, s.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	s.pace = d.pace(s.host.Address, o)
	s.tls = d.config(dev, name, o.Public)
	if !o.Public {
		s.tls.VerifyConnection = check(s)
	}
	jar, err := cookiejar.New(nil) // one host only: no list of public suffixes is needed
	if err != nil {
		return nil, &devices.Error{Kind: devices.Broken, Op: "reach", Device: dev.String(), Err: err}
	}
	s.client = &http.Client{Transport: s.transport(), Jar: jar, CheckRedirect: s.redirect}
	return s, nil
}

// pace is the limiter of a session: that of the service where others ask it, too.
func (d *Dialer) pace(address string, o Options) *rate.Limiter {
	if o.Pace <= 0 {
		return rate.NewLimiter(rate.Inf, 1)
	}
	fresh := rate.NewLimiter(rate.Limit(o.Pace), 1)
	if !o.Public {
		return fresh
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if l, ok := d.paces[address]; ok {
		return l
	}
	if d.paces == nil {
		d.paces = map[string]*rate.Limiter{}
	}
	d.paces[address] = fresh
	return fresh
}

// config is how TLS is spoken. A device that is marked as old may be spoken to as
// it was done before 2018; what was agreed on is reported.
func (d *Dialer) config(dev devices.Device, name string, public bool) *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: name, RootCAs: d.Roots}
	if public {
		return c
	}
	c.InsecureSkipVerify = true // VerifyConnection does it: see begin
	if dev.Legacy {
		c.MinVersion = tls.VersionTLS10
		for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
			c.CipherSuites = append(c.CipherSuites, suite.ID)
		}
	}
	return c
}

// connect opens one connection and agrees on TLS.
func (s *Session) connect(ctx context.Context) (*tls.Conn, error) {
	limit, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	raw, err := s.way.DialContext(limit, "tcp", s.host.Address)
	if err != nil {
		return nil, s.unreachable(ctx, limit, "TCP connection", err)
	}
	c := tls.Client(raw, s.tls)
	if err := c.HandshakeContext(limit); err != nil {
		_ = raw.Close()
		return nil, s.judge(ctx, limit, err)
	}
	return c, nil
}

// straight is the way to a device that nothing stands before.
type straight struct{ net.Dialer }

func (straight) Via() []string { return nil }
func (straight) Close() error  { return nil }

func (s straight) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return s.Dialer.DialContext(ctx, network, address)
}

// at adds the place in the inventory to a hint.
func at(dev devices.Device, hint string) string {
	if p := dev.Where.String(); p != "" {
		return fmt.Sprintf("%s (%s)", hint, p)
	}
	return hint
}

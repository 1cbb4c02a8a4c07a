package ssh

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/net/proxy"

	"belay/devices"
)

const defaultPort = 22

// A step is one SSH server on the way: a jump host, or the device.
type step struct {
	name   string // of a jump host, as the inventory says it; empty for the device
	host   Host
	logins []devices.Login
	auth   []string
	legacy bool
	known  []ssh.PublicKey
	skip   []string // types of host key not to ask for
}

// route lists the jump hosts to pass and the device itself.
func (d *Dialer) route(dev devices.Device, o Options) (hops []step, target step, err error) {
	usage := func(err error) ([]step, step, error) {
		return nil, step{}, &devices.Error{Kind: devices.Usage, Op: "reach", Device: dev.String(), Hint: at(dev, "correct the device's entry in the inventory"), Err: err}
	}
	if d.HostKeys == nil {
		return nil, step{}, &devices.Error{Kind: devices.Broken, Op: "reach", Device: dev.String(), Err: errors.New("the dialer has no store of host keys")}
	}
	if dev.Address == "" {
		return usage(errors.New("it has no address"))
	}
	for _, m := range o.Auth {
		if m != publicKey && m != password && m != interactive {
			return usage(fmt.Errorf("%q is no way to log in", m))
		}
	}
	for _, jump := range dev.Jump {
		hop, err := d.hop(jump, o.Logins)
		if err != nil {
			return usage(err)
		}
		hops = append(hops, hop)
	}
	port := defaultPort
	if o.Port != 0 {
		port = o.Port
	}
	if dev.Port != 0 {
		port = dev.Port
	}
	host := Host{Device: dev.ID(), Address: net.JoinHostPort(strings.Trim(dev.Address, "[]"), strconv.Itoa(port)), Expected: dev.HostKeys}
	return hops, step{host: host, logins: o.Logins, auth: o.Auth, legacy: dev.Legacy}, nil
}

// hop is the jump host that the inventory calls jump. One that is not in the
// settings is logged in to as the device is, except for a user of its own.
func (d *Dialer) hop(jump string, logins []devices.Login) (step, error) {
	s := step{name: jump, logins: logins}
	address := jump
	if h, ok := d.Hosts[jump]; ok {
		address = h.Address
		s.legacy, s.host.Expected = h.Legacy, h.HostKeys
		if len(h.Login) > 0 {
			s.logins = h.Login
		}
	} else if i := strings.LastIndexByte(jump, '@'); i >= 0 {
		address = jump[i+1:]
		s.logins = nil
		for _, l := range logins {
			l.User = jump[:i]
			s.logins = append(s.logins, l)
		}
	}
	var err error
	if s.host.Address, err = withPort(address); err != nil {
		return step{}, fmt.Errorf("jump host %q: %w", jump, err)
	}
	return s, nil
}

// withPort completes host, host:port, [v6]:port or a bare IPv6 address.
func withPort(address string) (string, error) {
	host, port := address, strconv.Itoa(defaultPort)
	if h, p, err := net.SplitHostPort(address); err == nil {
		host, port = h, p
	}
	host = strings.Trim(host, "[]")
	if n, err := strconv.ParseUint(port, 10, 16); host == "" || err != nil || n == 0 {
		return "", fmt.Errorf("%q is not a host or host:port", address)
	}
	if strings.Contains(host, ":") && net.ParseIP(strings.SplitN(host, "%", 2)[0]) == nil {
		return "", fmt.Errorf("%q is not a host or host:port", address)
	}
	return net.JoinHostPort(host, port), nil
}

// through sets how the first connection is made: straight, or by a proxy. The
// proxy's address may hold a password, so it is never part of an error.
func (w *way) through(proxyURL string) error {
	straight := &net.Dialer{}
	w.dial = straight.DialContext
	if proxyURL == "" {
		return nil
	}
	bad := func(why string) error {
		return &devices.Error{Kind: devices.Usage, Op: "reach", Device: w.device.String(), Hint: at(w.device, "write the proxy as socks5://[user:password@]host:port"), Err: errors.New(why)}
	}
	u, err := url.Parse(proxyURL)
	if err != nil {
		return bad("its proxy is not an address")
	}
	if u.Scheme != "socks5" && u.Scheme != "socks5h" || u.Hostname() == "" {
		return bad("its proxy is not a SOCKS5 proxy")
	}
	port := u.Port()
	if port == "" {
		port = "1080"
	}
	var auth *proxy.Auth
	if u.User != nil {
		pw, _ := u.User.Password()
		auth = &proxy.Auth{User: u.User.Username(), Password: pw}
	}
	address := net.JoinHostPort(u.Hostname(), port)
	p, err := proxy.SOCKS5("tcp", address, auth, straight)
	if err != nil {
		return bad("its proxy cannot be used")
	}
	by, ok := p.(proxy.ContextDialer)
	if !ok {
		return bad("its proxy cannot be used")
	}
	w.dial = by.DialContext
	w.via = append(w.via, "socks5://"+address)
	return nil
}

// reach opens a connection to address from where the way has come to.
func (w *way) reach(ctx context.Context, address string) (net.Conn, error) {
	if w.last != nil {
		return w.last.DialContext(ctx, "tcp", address)
	}
	return w.dial(ctx, "tcp", address)
}

// at adds the place in the inventory to a hint.
func at(dev devices.Device, hint string) string {
	if p := dev.Where.String(); p != "" {
		return hint + " (" + p + ")"
	}
	return hint
}

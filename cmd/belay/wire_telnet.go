package main

import (
	"context"

	"belay/devices"
	"belay/devices/ssh"
	"belay/devices/telnet"
	"belay/drivers"
)

// byTelnet tells whether a device is read by telnet: the inventory says so, and its
// driver types commands. SSH is not tried then, and telnet never instead of SSH:
// whoever can break a connection would choose what a password is sent over.
func byTelnet(d devices.Device, with *drivers.Driver) bool {
	return d.May("telnet") && with.Road() == "shell"
}

// connectTelnet reaches a device by telnet, behind the same jump hosts; leave is
// called when the session is closed. The first login is the one that is typed.
func (w *workspace) connectTelnet(ctx context.Context, d devices.Device, logins []devices.Login, leave func()) (drivers.Conn, error) {
	tunnel, err := w.dialer.Tunnel(ctx, d, ssh.Options{Logins: logins})
	if err != nil {
		return nil, err
	}
	dialer := telnet.Dialer{Via: tunnel.DialContext, Passed: tunnel.Via()}
	c, err := dialer.Dial(ctx, d, logins[0])
	if err != nil {
		_ = tunnel.Close()
		return nil, err
	}
	return &telnetSession{c, func() { _ = tunnel.Close(); leave() }}, nil
}

// A telnetSession counts among those that may be open until it is closed.
type telnetSession struct {
	*telnet.Client
	done func()
}

func (s *telnetSession) Close() error {
	defer s.done()
	return s.Client.Close()
}

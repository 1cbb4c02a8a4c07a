package main

import (
	"context"
	"errors"
	"strings"
	"sync"

	gossh "golang.org/x/crypto/ssh"

	"belay/devices"
	"belay/devices/http"
	"belay/devices/ssh"
	"belay/drivers"
	"belay/store/ledger"
)

// apis is how APIs are reached: by the keys of keys, and through the jump hosts
// and proxies that SSH goes through.
func (w *workspace) apis(keys *pins) *http.Dialer {
	return &http.Dialer{Keys: tlsPins{keys}, Route: func(ctx context.Context, d devices.Device) (http.Way, error) {
		o := ssh.Options{}
		if len(d.Jump) > 0 { // whose logins may be the device's own
			var err error
			if o.Logins, err = w.secrets.logins(ctx, d); err != nil {
				return nil, err
			}
		}
		return w.dialer.Tunnel(ctx, d, o)
	}}
}

// optionsFor are what a driver knows of its API.
func optionsFor(with *drivers.Driver) http.Options {
	public, pace, _ := with.HTTPS()
	return http.Options{Port: with.Port, Public: public, Pace: pace}
}

// dialHTTPS gives the road to APIs, by one dialer: those who ask one service
// share its pace. An API is signed in to once, with the first login that has a
// password or a key.
func (w *workspace) dialHTTPS(dialer *http.Dialer) func(context.Context, devices.Device, *drivers.Driver) (drivers.Asker, devices.Login, error) {
	return func(ctx context.Context, d devices.Device, with *drivers.Driver) (drivers.Asker, devices.Login, error) {
		none := devices.Login{}
		logins, err := w.secrets.logins(ctx, d)
		if err != nil {
			return nil, none, err
		}
		for _, l := range logins {
			if l.Password.IsZero() {
				continue
			}
			leave, err := w.seat(ctx)
			if err != nil {
				return nil, none, err
			}
			s, err := dialer.Dial(ctx, d, optionsFor(with))
			if err != nil {
				leave()
				return nil, none, err
			}
			return &apiSession{s, l.Name, leave}, l, nil
		}
		return nil, none, &devices.Error{Kind: devices.Usage, Op: "log in to", Device: d.String(), Err: errors.New("no login with a password is given for it"), Hint: "write the password, or the API's key, into the login's password"}
	}
}

// seat waits until one more session may be open; it is given back by leave.
func (w *workspace) seat(ctx context.Context) (leave func(), err error) {
	if aPersonWaits(ctx) {
		return func() {}, nil
	}
	select {
	case w.sessions <- struct{}{}:
		return sync.OnceFunc(func() { <-w.sessions }), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// An apiSession counts among those that may be open until it is closed.
type apiSession struct {
	*http.Session
	login string
	done  func()
}

func (s *apiSession) Reached() devices.Reached {
	r := s.Session.Reached()
	r.Login = s.login
	return r
}

func (s *apiSession) Close() error {
	defer s.done()
	return s.Session.Close()
}

// tlsPins is the ledger's keys as those ask who speak HTTPS.
type tlsPins struct{ *pins }

var _ http.Keys = tlsPins{}

// Check compares the key of a device's certificate with those expected, and pins
// the first one where that is allowed, as it is done with SSH host keys.
func (p tlsPins) Check(ctx context.Context, h http.Host, key http.Key) (bool, error) {
	rows, err := p.ledger.Pins(ctx, string(h.Device))
	if err != nil {
		return false, err
	}
	var known []string
	for _, r := range rows {
		if strings.HasPrefix(r.Type, http.KeyType) {
			known = append(known, r.Fingerprint)
		}
	}
	err = h.Compare(known, key)
	wrong, unlike := errors.AsType[*http.WrongKey](err)
	heard := err
	if unlike {
		heard = &ssh.WrongKey{Shown: wrong.Shown, Want: wrong.Want}
	}
	if bad := p.hear(ctx, ssh.Host{Device: h.Device}, heard); bad != nil {
		return false, errors.Join(err, bad)
	}
	if err == nil || !p.firstUse || !unlike || len(wrong.Want) > 0 {
		return false, err
	}
	return true, p.ledger.AddPin(ctx, ledger.Pin{
		Host: string(h.Device), Fingerprint: key.Fingerprint, Type: key.Type, Key: key.Info,
		By: p.by, At: p.now(), Reason: "first use", FirstUse: true,
	})
}

// shown is the key that a device shows now, ready to be pinned, and what its
// server calls itself: its SSH host key or, where its driver asks an API, that of
// its certificate. Where there is none to be pinned server says why.
func (w *workspace) shown(ctx context.Context, d devices.Device) (pin ledger.Pin, server string, pinned bool, err error) {
	pin = ledger.Pin{Host: string(d.ID()), At: w.now()}
	o := ssh.Options{}
	if with, err := w.catalog.Find(d.Driver); err == nil {
		public, _, api := with.HTTPS()
		switch {
		case public:
			return pin, "is read at a public service, whose certificate is verified", false, nil
		case byTelnet(d, with):
			return pin, "is read by telnet, which shows no host key", false, nil
		case with.Road() == "snmp":
			return pin, "is asked by SNMP to send its configuration, and shows no host key", false, nil
		case api:
			key, err := w.apis(nil).Key(ctx, d, optionsFor(with))
			pin.Fingerprint, pin.Type, pin.Key = key.Fingerprint, key.Type, key.Info
			return pin, "HTTPS", true, err
		}
		o.Port = with.Port
	}
	if len(d.Jump) > 0 {
		if o.Logins, err = w.secrets.logins(ctx, d); err != nil {
			return pin, "", true, err
		}
	}
	key, server, err := w.dialer.HostKey(ctx, d, o)
	if err != nil {
		return pin, "", true, err
	}
	pin.Fingerprint, pin.Type, pin.Key = gossh.FingerprintSHA256(key), key.Type(), key.Marshal()
	return pin, server, true, nil
}

package drivers_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"

	"belay/configs"
	"belay/devices"
	"belay/devices/http"
	"belay/devices/simulator"
	"belay/drivers"
)

// anyTLSKey trusts every key: which one a device has is tested elsewhere.
type anyTLSKey struct{}

func (anyTLSKey) Check(context.Context, http.Host, http.Key) (bool, error) { return false, nil }

// A served is a session with a simulated API that goes with it.
type served struct {
	*http.Session
	server *simulator.WebServer
}

func (s *served) Close() error { return errors.Join(s.Session.Close(), s.server.Close()) }

// overTLS reaches a simulated API over real TLS, a server for each session.
func overTLS(dev *simulator.Device, login devices.Login) func(context.Context, devices.Device, *drivers.Driver) (drivers.Asker, devices.Login, error) {
	return func(ctx context.Context, d devices.Device, with *drivers.Driver) (drivers.Asker, devices.Login, error) {
		s := &simulator.WebServer{Device: dev}
		if err := s.Start("127.0.0.1:0"); err != nil {
			return nil, devices.Login{}, err
		}
		roots := x509.NewCertPool()
		roots.AddCert(s.Certificate.Leaf)
		host, port, err := net.SplitHostPort(s.Address())
		if err != nil {
			return nil, devices.Login{}, err
		}
		d.Address = host
		if d.Port, err = strconv.Atoi(port); err != nil {
			return nil, devices.Login{}, err
		}
		public, _, _ := with.HTTPS()
		session, err := (&http.Dialer{Keys: anyTLSKey{}, Roots: roots}).Dial(ctx, d, http.Options{Public: public})
		if err != nil {
			return nil, devices.Login{}, errors.Join(err, s.Close())
		}
		return &served{session, s}, login, nil
	}
}

// askFaults are what goes wrong with an API alone.
func askFaults(add func(want verdict, name string, f simulator.Fault)) {
	for _, status := range []int{301, 400, 401, 403, 404, 500, 503} {
		add(mustRefuse, fmt.Sprintf("status %d", status), simulator.Fault{Status: status})
	}
	add(mustRefuse, "a login page", simulator.Fault{LoginPage: true})
	add(mustRefuse, "an error document", simulator.Fault{Error: `{"errors": ["no"], "status": "error"}`})
	add(mustRefuse, "an XML error document", simulator.Fault{Error: `<response status="error" code="403"><msg>no</msg></response>`})
	add(mustKeep, "asked to come again twice", simulator.Fault{Busy: 2})
	add(mustRefuse, "asked to come again for ever", simulator.Fault{Busy: 1000})
	add(wholeOrNot, "the session is forgotten", simulator.Fault{Expire: 1})
	add(mustRefuse, "refused", simulator.Fault{RefuseLogin: true})
	add(mustKeep, "no length", simulator.Fault{OpenEnded: true})
	add(mustKeep, "no length in segments", simulator.Fault{OpenEnded: true, Segment: 7})
}

// TestARefusedLoginOfAnAPIIsOfferedOnceAndIsDenied: a second wrong one may lock the account.
func TestARefusedLoginOfAnAPIIsOfferedOnceAndIsDenied(t *testing.T) {
	t.Parallel()
	c := load(t)
	for _, p := range byRoad(t, c, 4, "https") {
		dev := &simulator.Device{T: p.Transcript, Fault: simulator.Fault{RefuseLogin: true}}
		b, r := backup(puller(c, dev))
		res, texts := capture(t, b, r, p.device())
		if len(texts) > 0 || devices.KindOf(res.Err) != devices.Denied {
			t.Errorf("%s: %s %s", p.Name, res.Result, res.Error)
		}
		if n := dev.Seen().Refused; n != 1 {
			t.Errorf("%s: the login was offered %d times", p.Name, n)
		}
		for _, secret := range p.Gone {
			if strings.Contains(fmt.Sprintf("%+v", res), secret) {
				t.Errorf("%s: the result shows %q", p.Name, secret)
			}
		}
	}
}

// TestEverySessionIsSignedOutOf, whatever became of it: devices have few seats.
func TestEverySessionIsSignedOutOf(t *testing.T) {
	t.Parallel()
	c := load(t)
	n := 0
	for _, p := range byRoad(t, c, 4, "https") {
		if p.HTTP.SignOut == "" {
			continue
		}
		n++
		for _, f := range []simulator.Fault{{}, {LoginPage: true}, {Reset: true}, {Error: "no"}} {
			dev := &simulator.Device{T: p.Transcript, Fault: f}
			b, r := backup(puller(c, dev))
			capture(t, b, r, p.device())
			seen := dev.Seen()
			if seen.Logins == 0 || seen.Open != 0 {
				t.Errorf("%s, %s: %d logins, %d sessions are open still", p.Name, f, seen.Logins, seen.Open)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		dev := &simulator.Device{T: p.Transcript, Fault: simulator.Fault{Silence: true}}
		pull := puller(c, dev)
		dial := pull.DialHTTPS
		pull.DialHTTPS = func(ctx context.Context, d devices.Device, with *drivers.Driver) (drivers.Asker, devices.Login, error) {
			a, l, err := dial(ctx, d, with)
			return &stopped{a, cancel}, l, err
		}
		if _, err := pull.Pull(ctx, p.device()); err == nil {
			t.Errorf("%s: read, though it was canceled", p.Name)
		}
		if seen := dev.Seen(); seen.Logins != 1 || seen.Open != 0 {
			t.Errorf("%s, canceled: %d logins, %d sessions are open still", p.Name, seen.Logins, seen.Open)
		}
	}
	if n == 0 {
		t.Error("no transcript has a sign_out")
	}
}

// stopped is a session whose person presses Ctrl-C once something is asked.
type stopped struct {
	drivers.Asker
	cancel context.CancelFunc
}

func (s *stopped) Do(ctx context.Context, r http.Request) (http.Answer, error) {
	if r.Method == "GET" {
		s.cancel()
	}
	return s.Asker.Do(ctx, r)
}

// TestABusyServiceIsAskedAgainLater, and what it says then is kept.
func TestABusyServiceIsAskedAgainLater(t *testing.T) {
	t.Parallel()
	c := load(t)
	for _, p := range byRoad(t, c, 4, "https") {
		dev := &simulator.Device{T: p.Transcript, Fault: simulator.Fault{Busy: 1}}
		b, r := backup(puller(c, dev))
		res, texts := capture(t, b, r, p.device())
		if res.Result != configs.Kept || texts[configs.MainFile] != p.Kept[configs.MainFile] {
			t.Errorf("%s: %s %s", p.Name, res.Result, res.Error)
		}
		n := 0
		for _, line := range dev.Seen().Commands {
			if slices.Contains(p.Configurations(), line) {
				n++
			}
		}
		if n < 2 {
			t.Errorf("%s: asked %d times", p.Name, n)
		}
	}
}

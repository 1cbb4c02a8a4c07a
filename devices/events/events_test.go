package events

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"belay/devices"
	"belay/devices/snmp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// local is where everything in these tests listens.
const local = "127.0.0.1:0"

// hear opens ears and runs them for as long as the test lasts.
func hear(t *testing.T, e Ears) *Listeners {
	t.Helper()
	e.Now = time.Now
	l, err := Open(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l
}

// next is the next event heard.
func next(t *testing.T, l *Listeners) Event {
	t.Helper()
	select {
	case e := <-l.Events():
		return e
	case <-time.After(10 * time.Second):
		t.Fatalf("nothing was heard: %+v", l.Counts())
		return Event{}
	}
}

// program finds a real sender.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not installed", name)
		}
		t.Skipf("%s is not installed", name)
	}
	return path
}

func run(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	c := exec.CommandContext(t.Context(), program(t, name), args...)
	dir := t.TempDir()
	c.Env = append(os.Environ(), "SNMP_PERSISTENT_DIR="+dir, "SNMPCONFPATH="+dir, "MIBS=", "MIBDIRS="+dir)
	out, err := c.CombinedOutput()
	return string(out), err
}

func split(t *testing.T, a net.Addr) (host, port string) {
	t.Helper()
	host, port, err := net.SplitHostPort(a.String())
	if err != nil {
		t.Fatal(err)
	}
	return host, port
}

func TestWhatLoggerSendsIsHeardInEveryFormAndOverEveryTransport(t *testing.T) {
	t.Parallel()
	l := hear(t, Ears{UDP: local, TCP: local})
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	name, _, _ = strings.Cut(name, ".")
	for i, transport := range []string{"--udp", "--tcp"} {
		host, port := split(t, l.Addresses()[i])
		for _, form := range []string{"--rfc3164", "--rfc5424"} {
			for _, counted := range []bool{false, true} {
				args := []string{transport, form, "--server", host, "--port", port, "--tag", "belay-test"}
				if counted {
					if transport == "--udp" {
						continue
					}
					args = append(args, "--octet-count")
				}
				if out, err := run(t, "logger", append(args, "%SYS-5-CONFIG_I: Configured from console by jm on vty0")...); err != nil {
					t.Fatal(err, out)
				}
				e := next(t, l)
				got, _, _ := strings.Cut(e.Host, ".")
				if e.From != netip.MustParseAddr("127.0.0.1") || e.Kind != Syslog || got != name || e.At.IsZero() ||
					!strings.Contains(e.Text, "belay-test") || !strings.HasSuffix(e.Text, "%SYS-5-CONFIG_I: Configured from console by jm on vty0") || strings.HasPrefix(e.Text, "<") {
					t.Errorf("%v: %+v", args, e)
				}
			}
		}
	}
}

func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	about := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, about, about, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func TestOverTLSOnlyWhoHasACertificateIsHeardWhereOneIsAskedFor(t *testing.T) {
	t.Parallel()
	ours := certificate(t)
	trusted := x509.NewCertPool()
	trusted.AddCert(ours.Leaf)
	l := hear(t, Ears{TLS: local, Secure: &tls.Config{Certificates: []tls.Certificate{ours}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: trusted}})
	at := l.Addresses()[0].String()
	send := func(c *tls.Config, text string) error {
		s, err := tls.Dial("tcp", at, c)
		if err != nil {
			return err
		}
		defer s.Close()
		if _, err := io.WriteString(s, text); err != nil {
			return err
		}
		_ = s.CloseWrite()
		_, err = io.Copy(io.Discard, s) // in TLS 1.3 a refusal comes after the handshake
		return err
	}
	text := "<189>1 2026-11-22T01:02:03Z sw-1 app - - - saved"
	if err := send(&tls.Config{RootCAs: trusted}, fmt.Sprintf("%d %s", len(text), text)); err == nil {
		t.Error("without a certificate it is heard")
	}
	if err := send(&tls.Config{RootCAs: trusted, Certificates: []tls.Certificate{ours}}, fmt.Sprintf("%d %s", len(text), text)); err != nil {
		t.Fatal(err)
	}
	if e := next(t, l); e.Host != "sw-1" || !strings.HasSuffix(e.Text, "saved") {
		t.Errorf("%+v", e)
	}
	if n := l.Counts(); n.Closed != 1 || n.Heard != 1 {
		t.Errorf("%+v", n)
	}
}

func receiver(t *testing.T) *snmp.Receiver {
	t.Helper()
	r, err := snmp.NewReceiver([]devices.Secret{devices.NewSecret("canary-community"), devices.NewSecret("second")}, []snmp.Credentials{
		{Version: "3", User: "one", AuthProtocol: "SHA256", AuthPassword: devices.NewSecret("canary-auth-one"), PrivacyProtocol: "AES", PrivacyPassword: devices.NewSecret("canary-priv-one")},
		{Version: "3", User: "two", AuthProtocol: "SHA", AuthPassword: devices.NewSecret("canary-auth-two"), PrivacyProtocol: "AES", PrivacyPassword: devices.NewSecret("canary-priv-two")},
		{Version: "3", User: "plain", AuthProtocol: "SHA", AuthPassword: devices.NewSecret("canary-auth-three")},
	}, []byte("\x80\x00\x00\x00\x05belay-test"))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTrapsAndInformsOfNetSNMPAreHeardAndInformsAnswered(t *testing.T) {
	t.Parallel()
	l := hear(t, Ears{Traps: local, Receiver: receiver(t)})
	at := l.Addresses()[0].String()
	const what = "1.3.6.1.4.1.9.9.43.2.0.1"
	user := func(name, auth, secret, privacy string, level string) []string {
		a := []string{"-v3", "-u", name, "-l", level, "-a", auth, "-A", secret}
		if privacy != "" {
			a = append(a, "-x", "AES", "-X", privacy)
		}
		return a
	}
	one := user("one", "SHA-256", "canary-auth-one", "canary-priv-one", "authPriv")
	two := user("two", "SHA", "canary-auth-two", "canary-priv-two", "authPriv")
	engine := []string{"-e", "0x8000000001020304"}
	for name, c := range map[string]struct {
		args  []string
		heard bool
	}{
		"2c":                       {[]string{"-v2c", "-c", "canary-community"}, true},
		"2c, the second community": {[]string{"-v2c", "-c", "second"}, true},
		"2c, another community":    {[]string{"-v2c", "-c", "wrong"}, false},
		"3":                        {one, true},
		"3, the second user":       {two, true},
		"3, without privacy":       {user("plain", "SHA", "canary-auth-three", "", "authNoPriv"), true},
		"3, the privacy left out":  {user("one", "SHA-256", "canary-auth-one", "", "authNoPriv"), false},
		"3, all of it left out":    {[]string{"-v3", "-u", "one", "-l", "noAuthNoPriv"}, false},
		"3, another auth":          {user("one", "SHA-256", "canary-auth-two", "canary-priv-one", "authPriv"), false},
		"3, another privacy":       {user("one", "SHA-256", "canary-auth-one", "canary-priv-two", "authPriv"), false},
		"3, another user":          {user("three", "SHA", "canary-auth-two", "canary-priv-two", "authPriv"), false},
	} {
		for _, inform := range []bool{false, true} {
			before := l.Counts()
			patience := "0.5"
			if c.heard { // it is answered, on a busy machine late
				patience = "10"
			}
			args, program := append([]string{"-r", "0", "-t", patience}, c.args...), "snmptrap"
			if inform {
				program = "snmpinform"
			} else if c.args[0] == "-v3" {
				args = append(args, engine...)
			}
			args = append(args, at, "4711", what, "1.3.6.1.2.1.1.5.0", "s", "sw-\x1b1")
			out, err := run(t, program, args...)
			if (err == nil) != (c.heard || !inform) {
				t.Errorf("%s, inform %v: %v, %s", name, inform, err, out)
			}
			if !c.heard {
				for n := range 500 { // until it was looked at, where it came at all
					if l.Counts() != before {
						break
					}
					if n%50 == 49 { // who is asked too late for its patience sends nothing
						_, _ = run(t, program, args...)
					}
					time.Sleep(10 * time.Millisecond)
				}
				if n := l.Counts(); n.Heard != before.Heard || n.Foreign == before.Foreign {
					t.Errorf("%s, inform %v: %+v, before %+v", name, inform, n, before)
				}
				continue
			}
			e := next(t, l)
			if e.Kind != Trap || e.Trap != what || e.From != netip.MustParseAddr("127.0.0.1") || len(e.Vars) != 3 || e.Vars[0].Text != "4711" || e.Vars[2] != (snmp.Var{OID: "1.3.6.1.2.1.1.5.0", Text: "sw-1"}) {
				t.Errorf("%s, inform %v: %+v", name, inform, e)
			}
		}
	}
}

func TestATrapOfVersion1IsNamedAsInVersion2(t *testing.T) {
	t.Parallel()
	l := hear(t, Ears{Traps: local, Receiver: receiver(t)})
	at := l.Addresses()[0].String()
	for want, args := range map[string][]string{
		"1.3.6.1.4.1.12356.101.6.0.1003": {"1.3.6.1.4.1.12356.101.6", "", "6", "1003", ""},
		"1.3.6.1.6.3.1.1.5.1":            {"1.3.6.1.4.1.8072", "", "0", "0", ""},
	} {
		if out, err := run(t, "snmptrap", append([]string{"-v1", "-c", "second", at}, args...)...); err != nil {
			t.Fatal(err, out)
		}
		if e := next(t, l); e.Trap != want {
			t.Errorf("%+v, want %s", e, want)
		}
	}
}

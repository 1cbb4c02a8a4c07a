package http

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"belay/devices"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// standin is a device's API over real TLS, with a key of its own.
func standin(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{selfSigned(t, time.Now().Add(-time.Hour))}}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// selfSigned makes a certificate that has expired since long, as devices' have.
func selfSigned(t *testing.T, until time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	of := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "fw"}, NotAfter: until, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	raw, err := x509.CreateCertificate(rand.Reader, of, of, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key, Leaf: leaf}
}

func keyShownBy(t *testing.T, s *httptest.Server) Key {
	t.Helper()
	leaf, err := x509.ParseCertificate(s.TLS.Certificates[0].Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	return keyOf(leaf)
}

// pinned is a store of keys in memory.
type pinned struct {
	mu       sync.Mutex
	known    []string
	firstUse bool
	asked    int
}

func (p *pinned) Check(_ context.Context, h Host, key Key) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked++
	err := h.Compare(p.known, key)
	if err != nil && p.firstUse && len(p.known) == 0 {
		p.known = append(p.known, key.Fingerprint)
		return true, nil
	}
	return false, err
}

// device is the inventory's entry for what listens there.
func device(t *testing.T, address string) devices.Device {
	t.Helper()
	host, port, err := net.SplitHostPort(strings.TrimPrefix(address, "https://"))
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return devices.Device{Customer: "acme", Name: "fw", Address: host, Port: n}
}

// dial opens a session with a stand-in whose key is pinned.
func dial(t *testing.T, s *httptest.Server, o Options) *Session {
	t.Helper()
	d := &Dialer{Keys: &pinned{known: []string{keyShownBy(t, s).Fingerprint}}}
	session, err := d.Dial(t.Context(), device(t, s.URL), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := session.Close(); err != nil {
			t.Error(err)
		}
	})
	return session
}

// wants checks what kind of error came, and that it shows no secret.
func wants(t *testing.T, err error, kind devices.Kind, words ...string) {
	t.Helper()
	if err == nil || devices.KindOf(err) != kind {
		t.Errorf("error %v of kind %d, want kind %d", err, devices.KindOf(err), kind)
		return
	}
	text := err.Error() + " " + devices.HintOf(err)
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%q does not say %q", text, w)
		}
	}
	if strings.Contains(text, "canary") {
		t.Errorf("%q shows a secret", text)
	}
}

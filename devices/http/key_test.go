package http

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"testing"
	"time"

	"belay/devices"
)

func TestAKeyIsPinnedOnFirstUseAndAnotherIsRefused(t *testing.T) {
	t.Parallel()
	asked := 0
	s := standin(t, func(http.ResponseWriter, *http.Request) { asked++ })
	keys := &pinned{}
	d := &Dialer{Keys: keys}
	_, err := d.Dial(t.Context(), device(t, s.URL), Options{})
	wants(t, err, devices.NotAllowed, "not pinned yet", "belay devices trust acme/fw", keyShownBy(t, s).Fingerprint)

	keys.firstUse = true
	session, err := d.Dial(t.Context(), device(t, s.URL), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if r := session.Reached(); !r.NewHostKey || r.HostKey != keyShownBy(t, s).Fingerprint || r.HostKeyType != "tls-ecdsa-P-256" || r.Server != "TLS 1.3" {
		t.Errorf("reached %+v", r)
	}
	if err := session.Close(); err != nil {
		t.Error(err)
	}

	other := standin(t, func(http.ResponseWriter, *http.Request) { asked++ })
	_, err = d.Dial(t.Context(), device(t, other.URL), Options{})
	wants(t, err, devices.NotAllowed, "has changed", "belay devices trust acme/fw")

	// The inventory outranks what was pinned.
	dev := device(t, s.URL)
	dev.HostKeys = []string{keyShownBy(t, other).Fingerprint}
	_, err = d.Dial(t.Context(), dev, Options{})
	wants(t, err, devices.NotAllowed, "has changed", "inventory")
	if asked > 0 {
		t.Error("something was asked of a device that was not recognized")
	}
}

// TestAnotherKeyInMidSessionIsRefused: between two requests another box took the
// address.
func TestAnotherKeyInMidSessionIsRefused(t *testing.T) {
	t.Parallel()
	asked := 0
	s := standin(t, func(w http.ResponseWriter, _ *http.Request) {
		asked++
		w.Header().Set("Connection", "close")
	})
	session := dial(t, s, Options{})
	if _, err := session.Do(t.Context(), Request{Path: "/a"}); err != nil {
		t.Fatal(err)
	}
	session.key.Info = []byte("another")
	_, err := session.Do(t.Context(), Request{Path: "/b"})
	wants(t, err, devices.NotAllowed, "has changed")
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
}

func TestAStoreThatCannotTellIsNoYes(t *testing.T) {
	t.Parallel()
	s := standin(t, func(http.ResponseWriter, *http.Request) { t.Error("it was asked") })
	d := &Dialer{Keys: failing{}}
	_, err := d.Dial(t.Context(), device(t, s.URL), Options{})
	wants(t, err, devices.Damaged, "the disk is gone")
}

type failing struct{ Keys }

func (failing) Check(_ context.Context, _ Host, _ Key) (bool, error) {
	return false, &devices.Error{Kind: devices.Damaged, Err: errors.New("the disk is gone")}
}

func TestThePublicServicesCertificateIsVerified(t *testing.T) {
	t.Parallel()
	s := standin(t, func(http.ResponseWriter, *http.Request) {})
	d := &Dialer{Keys: &pinned{firstUse: true}}
	_, err := d.Dial(t.Context(), device(t, s.URL), Options{Public: true})
	wants(t, err, devices.NotAllowed, "certificate")

	roots := x509.NewCertPool()
	roots.AddCert(s.TLS.Certificates[0].Leaf)
	d.Roots = roots
	_, err = d.Dial(t.Context(), device(t, s.URL), Options{Public: true})
	wants(t, err, devices.NotAllowed, "expired") // trusted, but out of date

	good := selfSigned(t, time.Now().Add(time.Hour))
	s2 := standin(t, func(http.ResponseWriter, *http.Request) {})
	s2.TLS.Certificates[0] = good
	roots.AddCert(good.Leaf)
	session, err := d.Dial(t.Context(), device(t, s2.URL), Options{Public: true})
	if err != nil {
		t.Fatal(err)
	}
	if d.Keys.(*pinned).asked != 0 || session.Reached().HostKey != "" {
		t.Error("the key of a public service was looked up")
	}
	if err := session.Close(); err != nil {
		t.Error(err)
	}
	dev := device(t, s2.URL)
	dev.Address = "localhost"
	_, err = d.Dial(t.Context(), dev, Options{Public: true})
	wants(t, err, devices.NotAllowed, "localhost")
}

func TestTheKeyIsShownWithoutBeingPinned(t *testing.T) {
	t.Parallel()
	s := standin(t, func(http.ResponseWriter, *http.Request) { t.Error("it was asked") })
	keys := &pinned{}
	key, err := (&Dialer{Keys: keys}).Key(t.Context(), device(t, s.URL), Options{})
	if err != nil || key.Fingerprint != keyShownBy(t, s).Fingerprint || keys.asked != 0 {
		t.Errorf("key %+v, %v", key, err)
	}
}

func TestOldTLSIsSpokenOnlyWhereTheInventorySaysSo(t *testing.T) {
	t.Parallel()
	s := standin(t, func(http.ResponseWriter, *http.Request) {})
	s.TLS.MinVersion, s.TLS.MaxVersion = tls.VersionTLS10, tls.VersionTLS10
	d := &Dialer{Keys: &pinned{firstUse: true}}
	dev := device(t, s.URL)
	_, err := d.Dial(t.Context(), dev, Options{})
	wants(t, err, devices.Unreachable, "legacy: true")
	dev.Legacy = true
	session, err := d.Dial(t.Context(), dev, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if w := session.Reached().Weak; len(w) == 0 || w[0] != "TLS 1.0" {
		t.Errorf("weak: %v", w)
	}
	if err := session.Close(); err != nil {
		t.Error(err)
	}
}

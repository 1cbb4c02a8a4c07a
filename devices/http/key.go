package http

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"belay/devices"
)

// Keys remembers which public key belongs to which device. It may be used by many
// goroutines at once.
type Keys interface {
	// Check tells whether key is the one expected of host: nil, or a *WrongKey
	// (Host.Compare makes one), or another error when it could not tell. It may
	// pin the key of a host that has none, and says so.
	Check(ctx context.Context, host Host, key Key) (pinned bool, err error)
}

// A Host is a device whose key is to be checked.
type Host struct {
	Device   devices.ID
	Address  string   // host:port
	Expected []string // "SHA256:…" fingerprints from the inventory; they outrank pinned keys
}

// KeyType begins the type of every key of this package, so that a store that has
// SSH host keys too can tell them apart.
const KeyType = "tls-"

// A Key is the public key of a certificate. Renewing the certificate does not
// change it where the device keeps its key.
type Key struct {
	Type        string // "tls-rsa-2048", "tls-ecdsa-P-256", "tls-ed25519"
	Fingerprint string // "SHA256:…", of the SubjectPublicKeyInfo, in base64 without padding
	Info        []byte // the SubjectPublicKeyInfo itself (RFC 5280 section 4.1), DER
}

// keyOf is the key of a certificate.
func keyOf(cert *x509.Certificate) Key {
	kind := strings.ToLower(cert.PublicKeyAlgorithm.String())
	switch k := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		kind = fmt.Sprintf("rsa-%d", k.N.BitLen())
	case *ecdsa.PublicKey:
		kind = "ecdsa-" + k.Curve.Params().Name
	case ed25519.PublicKey:
		kind = "ed25519"
	}
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return Key{Type: KeyType + kind, Fingerprint: "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:]), Info: cert.RawSubjectPublicKeyInfo}
}

// Compare is the rule for every store of keys: the key must be one of those the
// inventory expects or, where it expects none, one of the fingerprints pinned.
func (h Host) Compare(pinned []string, key Key) error {
	want := h.Expected
	if len(want) == 0 {
		want = pinned
	}
	if slices.Contains(want, key.Fingerprint) {
		return nil
	}
	return &WrongKey{Shown: key.Fingerprint, Want: want}
}

// A WrongKey says that a device did not show the key that was expected of it.
type WrongKey struct {
	Shown string   // "SHA256:…"
	Want  []string // empty: no key is pinned yet
}

func (e *WrongKey) Error() string {
	if len(e.Want) == 0 {
		return "the key of its certificate is not pinned yet: it shows " + e.Shown
	}
	return fmt.Sprintf("the key of its certificate has changed: it shows %s, expected is %s", e.Shown, strings.Join(e.Want, " or "))
}

// trust is the check of every connection of a session: the first one asks the
// store, the others must show the same key.
func (d *Dialer) trust(s *Session) func(tls.ConnectionState) error {
	return func(state tls.ConnectionState) error {
		if len(state.PeerCertificates) == 0 {
			return errors.New("it showed no certificate")
		}
		key := keyOf(state.PeerCertificates[0])
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.key.Info != nil {
			if !bytes.Equal(s.key.Info, key.Info) {
				return &WrongKey{Shown: key.Fingerprint, Want: []string{s.key.Fingerprint}}
			}
			return nil
		}
		pinned, err := d.Keys.Check(s.ctx, s.host, key)
		if err != nil {
			return &unknown{err}
		}
		s.key, s.pinned = key, pinned
		return nil
	}
}

// unknown is what a check of a key came to: nothing of TLS.
type unknown struct{ err error }

func (e *unknown) Error() string { return e.err.Error() }
func (e *unknown) Unwrap() error { return e.err }

// Key fetches the key that a device shows now, without asking anything of it;
// nothing is pinned. The device has proven that it holds the key.
func (d *Dialer) Key(ctx context.Context, dev devices.Device, o Options) (Key, error) {
	o.Public = false
	var shown Key
	s, err := d.begin(ctx, dev, o, func(*Session) func(tls.ConnectionState) error {
		return func(state tls.ConnectionState) error {
			if len(state.PeerCertificates) == 0 {
				return errors.New("it showed no certificate")
			}
			shown = keyOf(state.PeerCertificates[0])
			return nil
		}
	})
	if err != nil {
		return Key{}, err
	}
	defer s.Close()
	c, err := s.connect(ctx)
	if err != nil {
		return Key{}, err
	}
	return shown, c.Close()
}

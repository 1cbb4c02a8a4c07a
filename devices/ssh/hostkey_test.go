package ssh

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"testing"

	"golang.org/x/crypto/ssh"

	"belay/devices"
)

func TestAChangedHostKeyIsRefused(t *testing.T) {
	t.Parallel()
	p := startPeer(t, nil)
	old := ed25519Signer(t).PublicKey()
	err := failsWith(t, &Dialer{HostKeys: trusting(p.address, old)}, device(t, p.address), with(login("a", rightPassword), login("b", rightPassword+"2")),
		devices.NotAllowed, ssh.FingerprintSHA256(old), ssh.FingerprintSHA256(p.key.PublicKey()), "belay devices trust acme/fw-hq")
	if wrong, ok := errors.AsType[*WrongKey](err); !ok || len(wrong.Want) != 1 {
		t.Errorf("not a WrongKey: %v", err)
	}
	if len(p.seen()) != 0 || p.accepted.Load() != 1 {
		t.Errorf("%d passwords were sent on %d connections", len(p.seen()), p.accepted.Load())
	}
	eventually(t, "the connection is closed", func() bool { return p.open.Load() == 0 })
}

func TestAnUnpinnedHostKeyIsRefused(t *testing.T) {
	t.Parallel()
	p := startPeer(t, nil)
	failsWith(t, &Dialer{HostKeys: &pins{}}, device(t, p.address), with(login("a", rightPassword)),
		devices.NotAllowed, "not pinned yet", ssh.FingerprintSHA256(p.key.PublicKey()), "belay devices trust acme/fw-hq")
}

func TestAKeyPinnedOnFirstUseIsReported(t *testing.T) {
	t.Parallel()
	p := startPeer(t, nil)
	d := &Dialer{HostKeys: &pins{firstUse: true}}
	if !open(t, p, d, with(login("a", rightPassword))).Reached().NewHostKey {
		t.Error("the first session does not say that it pinned the key")
	}
	if open(t, p, d, with(login("a", rightPassword))).Reached().NewHostKey {
		t.Error("the second session says that it pinned the key")
	}
}

func TestAStoreOfKeysThatFailsStopsTheDial(t *testing.T) {
	t.Parallel()
	p := startPeer(t, nil)
	failsWith(t, &Dialer{HostKeys: brokenPins{}}, device(t, p.address), with(login("a", rightPassword)), devices.Broken, "disk full")
	if len(p.seen()) != 0 {
		t.Error("a password was sent")
	}
}

type brokenPins struct{}

func (brokenPins) Known(context.Context, Host) ([]ssh.PublicKey, error) { return nil, nil }
func (brokenPins) Check(context.Context, Host, ssh.PublicKey) (bool, error) {
	return false, errors.New("disk full")
}

// A server with several keys must show the pinned one, or every device with
// two keys would look like an impostor.
func TestThePinnedTypeOfKeyIsAskedForFirst(t *testing.T) {
	t.Parallel()
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	keys := []ssh.Signer{rsaSigner(t, 2048), signer(t, ec, err)}
	p := startPeer(t, func(p *peer) {
		for _, k := range keys {
			p.config.AddHostKey(k)
		}
	})
	for _, k := range append(keys, p.key) {
		c := open(t, p, &Dialer{HostKeys: trusting(p.address, k.PublicKey())}, with(login("a", rightPassword)))
		if got := c.Reached().HostKeyType; got != k.PublicKey().Type() {
			t.Errorf("pinned %s, shown %s", k.PublicKey().Type(), got)
		}
		// The inventory knows only fingerprints, of which type is not said.
		dev := device(t, p.address)
		dev.HostKeys = []string{ssh.FingerprintSHA256(k.PublicKey())}
		e, err := (&Dialer{HostKeys: &pins{}}).Dial(soon(t), dev, with(login("a", rightPassword)))
		if err != nil {
			t.Errorf("expected a key of type %s: %v", k.PublicKey().Type(), err)
			continue
		}
		e.Close()
	}
	dev := device(t, p.address)
	dev.HostKeys = []string{"SHA256:someone-else"}
	sent := len(p.seen())
	failsWith(t, &Dialer{HostKeys: &pins{}}, dev, with(login("a", rightPassword)), devices.NotAllowed, "SHA256:someone-else", ssh.FingerprintSHA256(p.key.PublicKey()), "inventory")
	if len(p.seen()) != sent {
		t.Error("a password was sent to a server with the wrong key")
	}
}

func TestNewSessionKeysDoNotAskTheStoreAgain(t *testing.T) {
	t.Parallel()
	p := startPeer(t, func(p *peer) {
		p.config.RekeyThreshold = 256
		p.session = func(ch ssh.Channel, reqs <-chan *ssh.Request) {
			answerAll(reqs, "exec")
			for range 200 {
				if _, err := ch.Write(make([]byte, 512)); err != nil {
					return
				}
			}
			sendStatus(ch, 0)
		}
	})
	keys := trusting(p.address, p.key.PublicKey())
	c := open(t, p, &Dialer{HostKeys: keys}, with(login("a", rightPassword)))
	// An exchange begun in one command is over by the end of the next.
	for range 3 {
		var got lockedBuffer
		status, err := c.Run(soon(t), "show", &got)
		if err != nil || status != 0 || len(got.String()) != 200*512 {
			t.Errorf("status %d, %d bytes, %v", status, len(got.String()), err)
		}
	}
	if len(keys.checked) != 1 {
		t.Errorf("the store was asked %d times", len(keys.checked))
	}
}

func TestTheHostKeyIsFetchedWithoutALogin(t *testing.T) {
	t.Parallel()
	p := startPeer(t, func(p *peer) { p.config.ServerVersion = "SSH-2.0-Cisco-1.25" })
	key, version, err := (&Dialer{HostKeys: &pins{}}).HostKey(soon(t), device(t, p.address), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if ssh.FingerprintSHA256(key) != ssh.FingerprintSHA256(p.key.PublicKey()) || version != "SSH-2.0-Cisco-1.25" {
		t.Errorf("got %s, %q", ssh.FingerprintSHA256(key), version)
	}
	if len(p.seen()) != 0 {
		t.Error("a password was sent")
	}
	eventually(t, "the connection is closed", func() bool { return p.open.Load() == 0 })

	address, hungUp := silent(t)
	_, _, err = (&Dialer{HostKeys: &pins{}, Handshake: handshakeForTests}).HostKey(soon(t), device(t, address), Options{})
	if err == nil {
		t.Fatal("a silent server has a host key")
	}
	mustSay(t, err, devices.Unreachable, "no SSH handshake")
	waitFor(t, "the TCP connection is closed", hungUp)
}

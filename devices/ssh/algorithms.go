package ssh

import (
	"crypto/rsa"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"belay/devices"
)

// config is what is offered at this step. The lists are given in full: x/crypto
// leaves diffie-hellman-group-exchange-sha256 and group16 out of its defaults,
// and lets SHA-1 in.
func (s step) config() *ssh.ClientConfig {
	safe := ssh.SupportedAlgorithms()
	config := &ssh.ClientConfig{
		ClientVersion:     "SSH-2.0-Belay",
		HostKeyAlgorithms: hostKeyAlgorithms(s.known, s.skip, s.legacy),
	}
	config.KeyExchanges, config.Ciphers, config.MACs = safe.KeyExchanges, safe.Ciphers, safe.MACs
	if s.legacy {
		old := ssh.InsecureAlgorithms()
		config.KeyExchanges = append(config.KeyExchanges, old.KeyExchanges...)
		config.Ciphers = append(config.Ciphers, old.Ciphers...)
		config.MACs = append(config.MACs, old.MACs...)
	}
	return config
}

// hostKeyAlgorithms lists the signatures to ask of a server: those of the known
// keys first, so that a server with several keys shows the pinned one. Host
// certificates are not asked for: it is keys that are pinned, and a server with
// a certificate shows its plain key too.
func hostKeyAlgorithms(known []ssh.PublicKey, skip []string, legacy bool) []string {
	list := []string{ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
	for _, a := range ssh.SupportedAlgorithms().HostKeys {
		if !slices.Contains(list, a) {
			list = append(list, a)
		}
	}
	if legacy {
		list = append(list, ssh.InsecureAlgorithms().HostKeys...)
	}
	var first, rest []string
	for _, a := range list {
		t := keyType(a)
		switch {
		case strings.Contains(a, "-cert-") || slices.Contains(skip, t):
		case slices.ContainsFunc(known, func(k ssh.PublicKey) bool { return k.Type() == t }):
			first = append(first, a)
		default:
			rest = append(rest, a)
		}
	}
	return append(first, rest...)
}

// keyType is the type of the key that makes signatures of this algorithm.
func keyType(algorithm string) string {
	if algorithm == ssh.KeyAlgoRSASHA256 || algorithm == ssh.KeyAlgoRSASHA512 {
		return ssh.KeyAlgoRSA
	}
	return algorithm
}

// reached reports what a line negotiated.
func reached(l *line) devices.Reached {
	key := l.seen.key()
	r := devices.Reached{
		Login:       l.login.Name,
		HostKey:     ssh.FingerprintSHA256(key),
		HostKeyType: key.Type(),
		Server:      string(l.conn.ServerVersion()),
		NewHostKey:  l.seen.pinned,
	}
	if r.Login == "" {
		r.Login = l.login.User
	}
	with, ok := l.conn.(ssh.AlgorithmsConnMetadata)
	if !ok {
		return r
	}
	a := with.Algorithms()
	r.KeyExchange = a.KeyExchange
	r.Cipher = both(a.Read.Cipher, a.Write.Cipher)
	r.MAC = both(a.Read.MAC, a.Write.MAC)
	for _, used := range []string{a.KeyExchange, a.HostKey, a.Read.Cipher, a.Write.Cipher, a.Read.MAC, a.Write.MAC} {
		if isWeak(used) && !slices.Contains(r.Weak, used) {
			r.Weak = append(r.Weak, used)
		}
	}
	if bits := rsaBits(key); bits > 0 && bits < 2048 {
		r.Weak = append(r.Weak, fmt.Sprintf("%d-bit RSA host key", bits))
	}
	return r
}

// both names the algorithms of the two directions, which are nearly always one.
func both(read, write string) string {
	if read == write {
		return read
	}
	return read + " " + write
}

// isWeak tells whether an algorithm is no longer safe: what x/crypto calls
// insecure, and HMAC-SHA1, which it still lists among the supported.
func isWeak(algorithm string) bool {
	return algorithm == ssh.HMACSHA1 || isOld(algorithm)
}

// isOld tells whether an algorithm is offered to legacy devices only.
func isOld(algorithm string) bool {
	old := ssh.InsecureAlgorithms()
	return slices.Contains(slices.Concat(old.KeyExchanges, old.Ciphers, old.MACs, old.HostKeys), algorithm)
}

func rsaBits(key ssh.PublicKey) int {
	c, ok := key.(ssh.CryptoPublicKey)
	if !ok {
		return 0
	}
	k, ok := c.CryptoPublicKey().(*rsa.PublicKey)
	if !ok {
		return 0
	}
	return k.N.BitLen()
}

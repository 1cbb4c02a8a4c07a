package ssh

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/crypto/ssh"

	"belay/devices"
)

// A keyCache reads each private key once. A passphrase is made to be slow to
// try (a tenth of a second of processor), and a fleet shares its keys.
type keyCache struct {
	mu   sync.Mutex
	read map[[sha256.Size]byte]func() (ssh.Signer, error)
}

func (k *keyCache) signer(l devices.Login) (ssh.Signer, error) {
	key, passphrase := sha256.Sum256([]byte(l.Key.Reveal())), sha256.Sum256([]byte(l.Passphrase.Reveal()))
	which := sha256.Sum256(append(key[:], passphrase[:]...))
	k.mu.Lock()
	once, ok := k.read[which]
	if !ok {
		once = sync.OnceValues(func() (ssh.Signer, error) { return parseKey(l) })
		if k.read == nil {
			k.read = map[[sha256.Size]byte]func() (ssh.Signer, error){}
		}
		k.read[which] = once
	}
	k.mu.Unlock()
	return once()
}

func parseKey(l devices.Login) (ssh.Signer, error) {
	pem := []byte(l.Key.Reveal())
	if !l.Passphrase.IsZero() {
		signer, err := ssh.ParsePrivateKeyWithPassphrase(pem, []byte(l.Passphrase.Reveal()))
		if err == nil {
			return signer, nil
		}
		// A passphrase beside a key that has none does no harm.
		if plain, err := ssh.ParsePrivateKey(pem); err == nil {
			return plain, nil
		}
		return nil, fmt.Errorf("read its key: %w", err)
	}
	signer, err := ssh.ParsePrivateKey(pem)
	if _, locked := errors.AsType[*ssh.PassphraseMissingError](err); locked {
		return nil, errors.New("its key has a passphrase, and none is given")
	}
	if err != nil {
		return nil, fmt.Errorf("read its key: %w", err)
	}
	return signer, nil
}

func parseCertificate(l devices.Login) (*ssh.Certificate, error) {
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(l.Certificate.Reveal()))
	if err != nil {
		return nil, fmt.Errorf("login %q: read its certificate: %w", l.Name, err)
	}
	cert, ok := key.(*ssh.Certificate)
	if !ok || cert.CertType != ssh.UserCert {
		return nil, fmt.Errorf("login %q: its certificate is not an OpenSSH user certificate", l.Name)
	}
	return cert, nil
}

// prepare makes signers fit to be shown: RSA without SHA-1 but, as a second
// choice, for legacy devices, and the certificate before the key it is for.
func (a *attempt) prepare(signers []ssh.Signer) []ssh.Signer {
	var certified, plain []ssh.Signer
	for _, held := range signers {
		for _, s := range a.forms(held) {
			if a.cert != nil && bytes.Equal(a.cert.Key.Marshal(), s.PublicKey().Marshal()) {
				if c, err := ssh.NewCertSigner(a.cert, s); err == nil {
					certified = append(certified, c)
				}
			}
			plain = append(plain, s)
		}
	}
	return append(certified, plain...)
}

// forms are the signers to show for one key. Where the server does not say
// which signatures it takes, x/crypto can only try what each of them allows.
func (a *attempt) forms(s ssh.Signer) []ssh.Signer {
	if t := s.PublicKey().Type(); t != ssh.KeyAlgoRSA && t != ssh.CertAlgoRSAv01 {
		return []ssh.Signer{s}
	}
	by, ok := s.(ssh.AlgorithmSigner)
	if !ok {
		a.notes = append(a.notes, "an RSA key that cannot sign with SHA-2 was left out")
		return nil
	}
	sets := [][]string{{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}}
	if a.legacy {
		sets = append(sets, []string{ssh.KeyAlgoRSA})
	}
	var forms []ssh.Signer
	for _, algorithms := range sets {
		if form, err := ssh.NewSignerWithAlgorithms(by, algorithms); err == nil {
			forms = append(forms, form)
		}
	}
	return forms
}

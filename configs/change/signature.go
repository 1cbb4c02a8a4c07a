package change

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"

	"belay/devices"
)

// SignatureNamespace keeps a signature on a receipt from being taken for one on
// anything else (PROTOCOL.sshsig of OpenSSH).
const SignatureNamespace = "belay-receipt"

// Sign is the armored SSH signature of a message in a namespace (PROTOCOL.sshsig of
// OpenSSH): one in another says nothing of it.
func Sign(message []byte, with crypto.Signer, namespace string) (string, error) {
	s, err := ssh.NewSignerFromSigner(with)
	if err != nil {
		return "", err
	}
	signature, err := sshsig.Sign(bytes.NewReader(message), s, sshsig.HashSHA512, namespace)
	if err != nil {
		return "", err
	}
	return string(sshsig.Armor(signature)), nil
}

// ErrNoSignature says that what stands in place of a signature is none.
var ErrNoSignature = errors.New("there is no SSH signature in it")

// SignedWith is the key that made an armored signature of the message in a namespace.
// Whether that key is anybody's is for the caller to say. What is no signature at all
// is ErrNoSignature.
func SignedWith(message []byte, armored, namespace string) (ssh.PublicKey, error) {
	signature, err := sshsig.Unarmor([]byte(armored))
	if err != nil {
		return nil, ErrNoSignature
	}
	// An armor has room for bytes that no signature covers.
	if string(sshsig.Armor(signature)) != armored {
		return nil, errors.New("the signature is not as it was written")
	}
	if err := sshsig.Verify(bytes.NewReader(message), signature, signature.PublicKey, signature.HashAlgorithm, namespace); err != nil {
		return nil, errors.New("the signature does not fit what is signed")
	}
	return signature.PublicKey, nil
}

// A Signatory is somebody whose signature is believed.
type Signatory struct {
	Name string // a principal of allowed_signers, or the comment behind a key
	key  ssh.PublicKey
}

// Fingerprint is that of the key, as ssh-keygen -l prints it.
func (s Signatory) Fingerprint() string { return ssh.FingerprintSHA256(s.key) }

// ReadSignatories reads lines as in allowed_signers (ssh-keygen(1)), or as in
// authorized_keys. Of the options only namespaces is known: what restricts a key
// and is not understood must not be passed over.
func ReadSignatories(text string) (list []Signatory, err error) {
	n := 0
	for line := range strings.Lines(text) {
		n++
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		wrong := func(why string) error {
			return &devices.Error{Kind: devices.Usage, Op: "read the keys of signatories", Err: fmt.Errorf("line %d: %s", n, why),
				Hint: "write NAME ssh-ed25519 KEY, as in the allowed_signers file of ssh-keygen"}
		}
		name := ""
		if first, rest, _ := strings.Cut(line, " "); !strings.HasPrefix(first, "ssh-") && !strings.HasPrefix(first, "ecdsa-") && !strings.HasPrefix(first, "sk-") {
			name, line = strings.Trim(first, `"`), rest
		}
		key, comment, options, _, err := ssh.ParseAuthorizedKey([]byte(line))
		if err != nil {
			return nil, wrong("there is no key in it")
		}
		if name == "" {
			if name = comment; name == "" {
				name = ssh.FingerprintSHA256(key)
			}
		}
		ours := true
		for _, o := range options {
			what, value, _ := strings.Cut(o, "=")
			if !strings.EqualFold(what, "namespaces") {
				return nil, wrong(fmt.Sprintf("the option %s is not known", what))
			}
			ours = slices.ContainsFunc(strings.Split(strings.Trim(value, `"`), ","), func(pattern string) bool {
				ok, err := path.Match(pattern, SignatureNamespace)
				return ok && err == nil
			})
		}
		if ours {
			list = append(list, Signatory{Name: name, key: key})
		}
	}
	return list, nil
}

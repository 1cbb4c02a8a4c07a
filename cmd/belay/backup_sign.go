package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	gossh "golang.org/x/crypto/ssh"

	"belay/configs/change"
	"belay/devices"
	"belay/store/spare"
	"belay/store/vault"
)

// backupNamespace keeps a signature on a backup from being taken for one on
// anything else (PROTOCOL.sshsig of OpenSSH).
const backupNamespace = "belay-backup"

// signBackup is what signs manifests, with the key of receipts. Where that cannot be
// had the backup is made all the same.
func (w *workspace) signBackup(ctx context.Context, warned func(string)) func(sum string) (string, error) {
	key, err := w.vault.Signer(ctx)
	if err != nil {
		warned(fmt.Sprintf("the backup is not signed, so nobody can tell later that it was made here: %v", err))
		return nil
	}
	return func(sum string) (string, error) { return change.Sign([]byte(sum), key, backupNamespace) }
}

// A signed backup is one whose signature fits. Believed is whose key it was compared
// with, "" where none was known: then it is unaltered since somebody signed it, and
// nothing more.
type signed struct {
	Key      string `json:"key,omitempty"` // its fingerprint; "": nobody has signed the backup
	Believed string `json:"believed,omitempty"`
}

// checkSigned holds the signature of a backup to the fingerprint that a person names,
// or else to this installation's own key. What lies in the backup proves nothing of
// it: whoever forged the one would forge the other.
func checkSigned(m spare.Manifest, named string, s *settings) (signed, error) {
	const op = "check who made the backup"
	wrong := func(err error, hint string) (signed, error) {
		return signed{}, &devices.Error{Kind: devices.Damaged, Op: op, Err: err, Hint: hint}
	}
	want, whose := named, "the one that was named"
	if named != "" && !strings.HasPrefix(named, "SHA256:") {
		return signed{}, &devices.Error{Kind: devices.Usage, Op: op, Err: fmt.Errorf("%q is no fingerprint of a key", named), Hint: "--signer SHA256:…, as belay backup prints it, and ssh-keygen -l"}
	}
	if named == "" && s != nil {
		line, err := vault.KnownSigner(s.Data)
		if err != nil {
			return signed{}, err
		}
		if line != "" {
			key, _, _, _, err := gossh.ParseAuthorizedKey([]byte(line))
			if err != nil {
				return wrong(fmt.Errorf("signer.pub in %s: %w", s.Data, err), "belay doctor")
			}
			want, whose = gossh.FingerprintSHA256(key), "this installation's own key"
		}
	}
	if m.Signature == "" {
		if named != "" {
			return wrong(errors.New("it is not signed"), "an older Belay signed none; without --signer it is taken as it is")
		}
		return signed{}, nil
	}
	const altered = "take an older backup: --number; and find out who can write to this folder"
	key, err := change.SignedWith([]byte(m.Sum), m.Signature, backupNamespace)
	if errors.Is(err, change.ErrNoSignature) {
		return wrong(errors.New("what stands in place of its signature is none"), altered)
	}
	if err != nil {
		return wrong(errors.New("its signature does not fit: it was altered after it was signed"), altered)
	}
	by := signed{Key: gossh.FingerprintSHA256(key)}
	switch {
	case want == "":
		return by, nil
	case by.Key != want:
		return wrong(fmt.Errorf("it is signed with %s; %s is %s", by.Key, whose, want), "if it is another installation's, name the key that you know of it: --signer SHA256:…; if not, "+altered)
	}
	by.Believed = whose
	return by, nil
}

// tellSigned says what can be believed of a backup.
func (p *program) tellSigned(by signed) error {
	switch {
	case by.Key == "":
		return p.say("it is not signed (an older Belay signed none): that it was made here was not checked\n")
	case by.Believed == "":
		return p.say("it is signed with %s: whether that is your key was not checked, for none is known here; --signer names the one you noted\n", by.Key)
	}
	return p.say("it is signed with %s, %s\n", by.Key, by.Believed)
}

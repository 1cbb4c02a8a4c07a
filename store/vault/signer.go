package vault

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"belay/devices"
)

// signerComment stands behind the public key, for whoever finds it in a list.
const signerComment = "belay-receipts"

func (v *Vault) signerFile() string { return filepath.Join(v.dir, "signer.age") }
func (v *Vault) publicFile() string { return filepath.Join(v.dir, "signer.pub") }

// A signer signs with a key that no way of printing looks into.
type signer struct{ key func() ed25519.PrivateKey }

func (s *signer) Public() crypto.PublicKey { return s.key().Public() }

func (s *signer) Sign(random io.Reader, message []byte, opts crypto.SignerOpts) ([]byte, error) {
	return s.key().Sign(random, message, opts)
}

// Signer is the ed25519 key that receipts are signed with, made at first use.
func (v *Vault) Signer(ctx context.Context) (crypto.Signer, error) {
	s, err := v.signer(ctx)
	if err != nil {
		return nil, failed("open the key that signs receipts", err)
	}
	return s, nil
}

// SignerKey is the public half of Signer: a line for authorized_keys.
func (v *Vault) SignerKey(ctx context.Context) (string, error) {
	s, err := v.signer(ctx)
	if err != nil {
		return "", failed("read the public key of receipts", err)
	}
	return s.line(), nil
}

// KnownSigner is the public line of the key that a data folder signs with, as it
// stands beside the sealed one; "" where there is none. It needs no master identity.
func KnownSigner(dir string) (string, error) {
	line, err := os.ReadFile((&Vault{dir: dir}).publicFile())
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return string(line), failed("read the public key of receipts", err)
}

// signer reads or makes the key. The public half is written last: while it is
// there, a missing key was lost, and is not made anew behind anybody's back.
func (v *Vault) signer(ctx context.Context) (*signer, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s, err := v.keptSigner(ctx); s != nil || err != nil {
		return s, err
	}
	done, err := v.alone(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	s, err := v.readSigner(ctx) // somebody may have made it meanwhile
	if errors.Is(err, fs.ErrNotExist) {
		s, err = v.makeSigner(ctx)
	}
	if err != nil {
		return nil, err
	}
	return s, writeFile(v.publicFile(), []byte(s.line()+"\n"))
}

// keptSigner is the key that is kept with its public half, nil where one of the two
// is still to be made.
func (v *Vault) keptSigner(ctx context.Context) (*signer, error) {
	done, err := v.take(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	s, err := v.readSigner(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	public, err := os.ReadFile(v.publicFile())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case string(public) != s.line()+"\n":
		return nil, &devices.Error{Kind: devices.Damaged, Op: "read " + v.publicFile(), Err: errors.New("it is another key's"), Hint: "restore signer.age and signer.pub from one backup of the data folder"}
	}
	return s, nil
}

// readSigner fails with fs.ErrNotExist only where the key's own file is missing.
func (v *Vault) readSigner(ctx context.Context) (*signer, error) {
	sealed, err := os.ReadFile(v.signerFile())
	if err != nil {
		return nil, err
	}
	plain, err := v.openWithMaster(ctx, sealed)
	if errors.Is(err, fs.ErrNotExist) { // the master's file
		return nil, &devices.Error{Kind: devices.KindOf(err), Op: "open " + v.signerFile(), Err: errors.New("the master identity is missing"), Hint: devices.HintOf(err)}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", v.signerFile(), err)
	}
	damaged := &devices.Error{Kind: devices.Damaged, Op: "read " + v.signerFile(), Err: errors.New("what is sealed in it is no ed25519 key"), Hint: "restore the file from a backup of the data folder"}
	block, _ := pem.Decode(plain)
	if block == nil {
		return nil, damaged
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if private, ok := key.(ed25519.PrivateKey); err == nil && ok {
		return &signer{func() ed25519.PrivateKey { return private }}, nil
	}
	return nil, damaged
}

// makeSigner makes the key; the caller holds the lock.
func (v *Vault) makeSigner(ctx context.Context) (*signer, error) {
	if _, err := os.Lstat(v.publicFile()); !errors.Is(err, fs.ErrNotExist) {
		return nil, &devices.Error{Kind: devices.Damaged, Op: "make a key that signs receipts", Err: fmt.Errorf("%s is missing, and there has been one", v.signerFile()),
			Hint: "restore signer.age from a backup; if it is lost for good, keep signer.pub elsewhere to verify older receipts and take it away here"}
	}
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, errors.New("an ed25519 key cannot be written")
	}
	if v.master, err = v.readMaster(ctx, true); err != nil {
		return nil, err
	}
	sealed, err := encrypt(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), v.master.recipient)
	if err != nil {
		return nil, err
	}
	if err := writeFile(v.signerFile(), sealed); err != nil {
		return nil, err
	}
	return &signer{func() ed25519.PrivateKey { return private }}, nil
}

// line is the public key as authorized_keys has it (RFC 4253, section 6.6, and
// RFC 8709, section 4): the name and the key, each behind its length.
func (s *signer) line() string {
	const name = "ssh-ed25519"
	public := s.key().Public().(ed25519.PublicKey)
	var blob bytes.Buffer
	for _, field := range [][]byte{[]byte(name), public} {
		blob.Write(binary.BigEndian.AppendUint32(nil, uint32(len(field))))
		blob.Write(field)
	}
	return name + " " + base64.StdEncoding.EncodeToString(blob.Bytes()) + " " + signerComment
}

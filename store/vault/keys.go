package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"filippo.io/age"
	"filippo.io/age/armor"

	"belay/devices"
)

// A Key is what may be told of a customer's identity.
type Key struct {
	Customer  string
	PublicKey string // age1…
	Created   time.Time
}

// List is every customer's key, by customer.
func (v *Vault) List(ctx context.Context) ([]Key, error) {
	names, err := v.customers()
	if err != nil {
		return nil, failed("list the keys", err)
	}
	var keys []Key
	for _, name := range names {
		c, err := v.customer(ctx, name, false)
		if err != nil {
			return nil, failed("list the keys", err)
		}
		keys = append(keys, Key{name, c.recipient.String(), c.created})
	}
	return keys, nil
}

// Sealed is every file of the vault as it lies, encrypted, by its path in the folder
// with slashes: customers' keys, the logins, and the signer's key with its public
// half. None of them is being replaced while they are read; nothing is opened, and the
// master identity is not needed.
func (v *Vault) Sealed(ctx context.Context) (map[string][]byte, error) {
	const op = "read the sealed keys"
	unlock, err := v.lock(ctx)
	if err != nil {
		return nil, failed(op, err)
	}
	defer unlock()
	names, err := v.customers()
	if err != nil {
		return nil, failed(op, err)
	}
	paths := []string{v.loginsFile(), v.signerFile(), v.publicFile()}
	for _, name := range names {
		paths = append(paths, v.keyFile(name))
	}
	sealed := map[string][]byte{}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, failed(op, err)
		}
		name, err := filepath.Rel(v.dir, path)
		if err != nil {
			return nil, failed(op, err)
		}
		sealed[filepath.ToSlash(name)] = data
	}
	return sealed, nil
}

// Unlock reads the master identity, and makes it at first use where that is
// allowed.
func (v *Vault) Unlock(ctx context.Context) error {
	done, err := v.alone(ctx)
	if err != nil {
		return failed("read the master identity", err)
	}
	defer done()
	v.master, err = v.readMaster(ctx, true)
	return failed("read the master identity", err)
}

// Make makes a customer's key, where there is none yet.
func (v *Vault) Make(ctx context.Context, name string) (Key, error) {
	c, err := v.customer(ctx, name, true)
	if err != nil {
		return Key{}, failed("make a key for "+name, err)
	}
	return Key{name, c.recipient.String(), c.created}, nil
}

// Recipient reads an age recipient, age1….
func Recipient(s string) (age.Recipient, error) {
	rs, err := age.ParseRecipients(strings.NewReader(s))
	if err != nil || len(rs) != 1 {
		return nil, &devices.Error{Kind: devices.Usage, Op: "read an age recipient", Err: errors.New("want one age1… (the public key)")}
	}
	return rs[0], nil
}

// Passphrase is a recipient that a person opens by typing.
func Passphrase(s devices.Secret) (age.Recipient, error) {
	r, err := age.NewScryptRecipient(s.Reveal())
	if err != nil {
		return nil, &devices.Error{Kind: devices.Usage, Op: "take a passphrase", Err: errors.New("it is empty")}
	}
	return r, nil
}

// Export is a customer's identity file, encrypted to the recipient and in
// letters that can be printed: for escrow, or for a customer who leaves. The
// caller writes to the ledger who asked.
func (v *Vault) Export(ctx context.Context, name string, to age.Recipient) ([]byte, error) {
	op := "export the key of " + name
	c, err := v.customer(ctx, name, false)
	if err != nil {
		return nil, failed(op, err)
	}
	text, err := armored(identityFile(c.identity(), c.created), to)
	return text, failed(op, err)
}

// ExportMaster is the master identity, encrypted likewise.
func (v *Vault) ExportMaster(ctx context.Context, to age.Recipient) ([]byte, error) {
	const op = "export the master identity"
	done, err := v.take(ctx)
	if err != nil {
		return nil, failed(op, err)
	}
	defer done()
	ids, err := v.readMaster(ctx, false)
	if err != nil {
		return nil, failed(op, err)
	}
	var file bytes.Buffer
	for _, i := range ids.all() {
		fmt.Fprintln(&file, i) // an identity's String is the identity; a buffer takes all
	}
	text, err := armored(file.Bytes(), to)
	return text, failed(op, err)
}

func armored(plain []byte, to age.Recipient) ([]byte, error) {
	sealed, err := encrypt(plain, to)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	w := armor.NewWriter(&text)
	_, err = w.Write(sealed)
	if err := errors.Join(err, w.Close()); err != nil {
		return nil, err
	}
	return text.Bytes(), nil
}

// Reseal writes every key anew, to the master's first identity and the Escrow of
// today.
func (v *Vault) Reseal(ctx context.Context) error { return v.ReplaceMaster(ctx, v.source) }

// ReplaceMaster writes every key, the logins and the signer anew, to another
// master identity, which must exist (or be one to create). Each file is replaced
// whole; after a crash those not yet done still open with the old master, and
// calling it again finishes the rest. From then on the vault uses the new one;
// the settings must name it before the next start.
func (v *Vault) ReplaceMaster(ctx context.Context, to Master) error {
	const op = "replace the master identity"
	done, err := v.alone(ctx)
	if err != nil {
		return failed(op, err)
	}
	defer done()
	if _, err := os.Lstat(to.File); to.File != "" && to.Create && errors.Is(err, fs.ErrNotExist) {
		if err := newIdentityFile(to.File, v.now()); err != nil {
			return failed(op, err)
		}
	}
	target, err := to.read(ctx)
	if err != nil {
		return failed(op, err)
	}
	names, err := v.customers()
	if err != nil {
		return failed(op, err)
	}
	for _, name := range names {
		plain, err := v.openWithEither(ctx, v.keyFile(name), target)
		if err == nil {
			err = v.writeKey(name, plain, target.recipient)
		}
		if err != nil {
			return failed(op, err)
		}
	}
	for _, path := range []string{v.loginsFile(), v.signerFile()} {
		// Who keeps no logins here, or never signed, has no such file. That of
		// the old master may be missing too, which is a failure.
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		plain, err := v.openWithEither(ctx, path, target)
		var sealed []byte
		if err == nil {
			sealed, err = encrypt(plain, target.recipient)
		}
		if err == nil {
			err = writeFile(path, sealed)
		}
		if err != nil {
			return failed(op, err)
		}
	}
	v.source, v.master = to, target
	return nil
}

// openWithEither opens a file that is encrypted to the new master already, or
// to the old one still.
func (v *Vault) openWithEither(ctx context.Context, path string, target *identities) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	sealed, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if plain, err := decrypt(sealed, target.all()...); err == nil {
		return plain, nil
	}
	plain, err := v.openWithMaster(ctx, sealed)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return plain, nil
}

// customers are the names of those who have a key.
func (v *Vault) customers() ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(v.dir, "customers"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if _, err := os.Lstat(v.keyFile(e.Name())); err == nil {
			names = append(names, e.Name())
		} else if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
			return nil, err
		}
	}
	return names, nil
}

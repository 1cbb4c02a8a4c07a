// Package vault keeps keys: one age identity for each customer, which seals that
// customer's originals and no other's; the logins of devices that Belay is asked
// to keep; and the key that signs receipts. All of it is encrypted to one master
// identity, which lies elsewhere. There is no cryptography of our own here: age
// encrypts, zstd compresses, HKDF derives.
//
// # The files
//
// In the data folder, each an ordinary age file, written atomically, mode 0600:
//
//	customers/CUSTOMER/key.age   the customer's identity file as age-keygen writes
//	                             one, encrypted to the master and to whoever is
//	                             set up for escrow
//	logins.age                   JSON, {"name": {"field": "value"}}, encrypted to
//	                             the master
//	signer.age                   the ed25519 key that signs receipts, as PKCS #8 in
//	                             PEM, encrypted to the master
//	signer.pub                   its public half, a line as in authorized_keys; not
//	                             secret, and no age file. While it is there, a
//	                             missing signer.age is a loss and not a first use
//	vault.lock                   empty; locked (flock) by the process that writes
//
// What is sealed is the zstd compression of the plain bytes, encrypted to the
// customer's recipient. Without Belay:
//
//	age -d -i master.txt customers/acme/key.age > acme.txt
//	age -d -i acme.txt original.age | zstd -d
//
// A customer's fingerprint key is HKDF-SHA256 without salt, info "belay
// fingerprint v1", of the line AGE-SECRET-KEY-1… of its identity.
package vault

import (
	"bytes"
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"

	"belay/configs"
	"belay/configs/redact"
	"belay/devices"
)

// mostPlain is the size up to which sealed bytes are opened: far above any
// configuration, far below a machine's memory.
const mostPlain = 1 << 30

// A Vault holds the keys of one data folder. It is safe for concurrent use, and
// several processes may use one folder.
type Vault struct {
	// Escrow are recipients that can open each customer's key besides the
	// master. It is set before the vault is used; Reseal brings older keys up to it.
	Escrow []age.Recipient
	// Made, where set, is told once when a master identity was made at first
	// use: it wants a copy in a safe place.
	Made func(file string)

	dir    string
	source Master
	now    func() time.Time
	pack   *zstd.Encoder
	unpack *zstd.Decoder

	patience time.Duration // with other processes, and with others of this one

	turn   chan struct{} // has room for one: who reads or writes the files
	master *identities   // nil: not read yet; of who has the turn

	mu    sync.Mutex           // held for no longer than a look
	known map[string]*customer // opened in this process
}

var _ configs.Sealer = (*Vault)(nil)

// A customer is one customer's identity, opened. What is secret is behind
// functions: unlike pointers, no way of printing a vault looks into those.
type customer struct {
	identity    func() *age.X25519Identity
	recipient   *age.X25519Recipient
	fingerprint func() redact.Key
	created     time.Time
}

// New is a vault in the data folder dir under the master identity m. Nothing is
// read or made before it is needed.
func New(dir string, m Master, now func() time.Time) (*Vault, error) {
	return newVault(dir, m, now, mostPlain)
}

func newVault(dir string, m Master, now func() time.Time, most uint64) (*Vault, error) {
	// One state for all callers: a state takes megabytes, sealing a millisecond.
	pack, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true), zstd.WithZeroFrames(true))
	if err != nil {
		return nil, fmt.Errorf("open the vault: %w", err)
	}
	unpack, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(most))
	if err != nil {
		return nil, fmt.Errorf("open the vault: %w", err)
	}
	return &Vault{dir: dir, source: m, now: now, pack: pack, unpack: unpack, patience: patience, turn: make(chan struct{}, 1), known: map[string]*customer{}}, nil
}

// Seal compresses plain and encrypts it to the customer's key.
func (v *Vault) Seal(ctx context.Context, name string, plain []byte) ([]byte, error) {
	op := "seal for " + name
	c, err := v.customer(ctx, name, true)
	if err != nil {
		return nil, failed(op, err)
	}
	sealed, err := encrypt(v.pack.EncodeAll(plain, make([]byte, 0, len(plain)/4+64)), c.recipient)
	return sealed, failed(op, err)
}

// Open is the reverse of Seal. What does not open is devices.Damaged.
func (v *Vault) Open(ctx context.Context, name string, sealed []byte) ([]byte, error) {
	op := "open what is sealed for " + name
	c, err := v.customer(ctx, name, false)
	if err != nil {
		return nil, failed(op, err)
	}
	packed, err := decrypt(sealed, c.identity())
	if err != nil {
		return nil, &devices.Error{Kind: devices.Damaged, Op: op, Err: err, Hint: "it was altered, or sealed with another key than this customer's"}
	}
	if len(packed) == 0 {
		return nil, &devices.Error{Kind: devices.Damaged, Op: op, Err: errors.New("nothing compressed is in it")}
	}
	plain, err := v.unpack.DecodeAll(packed, nil)
	if err != nil {
		return nil, &devices.Error{Kind: devices.Damaged, Op: op, Err: fmt.Errorf("decompress: %w", err)}
	}
	return plain, nil
}

// FingerprintKey is the key of the customer's fingerprints.
func (v *Vault) FingerprintKey(ctx context.Context, name string) (redact.Key, error) {
	c, err := v.customer(ctx, name, true)
	if err != nil {
		return redact.Key{}, failed("derive the fingerprint key of "+name, err)
	}
	return c.fingerprint(), nil
}

// customer opens a customer's key. Where there is none it is made, if asked for.
// One that is known is had without waiting for anybody.
func (v *Vault) customer(ctx context.Context, name string, create bool) (*customer, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := devices.CheckName(name); err != nil {
		return nil, &devices.Error{Kind: devices.Usage, Op: "name a customer", Err: err}
	}
	if c := v.knows(name); c != nil {
		return c, nil
	}
	c, found, err := v.openCustomer(ctx, name)
	switch {
	case err != nil:
		return nil, err
	case !found && !create:
		return nil, &devices.Error{Kind: devices.Damaged, Op: "open a key", Err: fmt.Errorf("%s is missing", v.keyFile(name)), Hint: "restore it from a backup or from escrow"}
	case !found:
		if c, err = v.makeCustomer(ctx, name); err != nil {
			return nil, err
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.known[name] = c
	return c, nil
}

func (v *Vault) knows(name string) *customer {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.known[name]
}

// openCustomer is readCustomer for who has not the turn.
func (v *Vault) openCustomer(ctx context.Context, name string) (_ *customer, found bool, err error) {
	done, err := v.take(ctx)
	if err != nil {
		return nil, false, err
	}
	defer done()
	if c := v.knows(name); c != nil { // somebody opened it meanwhile
		return c, true, nil
	}
	return v.readCustomer(ctx, name)
}

func (v *Vault) keyFile(name string) string {
	return filepath.Join(v.dir, "customers", name, "key.age")
}

// readCustomer tells found only of the key's own file: a master that is missing
// must never make a key look missing. The caller has the turn.
func (v *Vault) readCustomer(ctx context.Context, name string) (_ *customer, found bool, err error) {
	sealed, err := os.ReadFile(v.keyFile(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	plain, err := v.openWithMaster(ctx, sealed)
	if err != nil {
		return nil, true, fmt.Errorf("%s: %w", v.keyFile(name), err)
	}
	c, err := parseCustomer(plain)
	return c, true, err
}

// makeCustomer makes a key under the lock, unless another process has just done so.
func (v *Vault) makeCustomer(ctx context.Context, name string) (*customer, error) {
	done, err := v.alone(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	if c, found, err := v.readCustomer(ctx, name); found || err != nil {
		return c, err
	}
	if v.hasHistory(name) {
		return nil, &devices.Error{Kind: devices.Damaged, Op: "make a key", Err: fmt.Errorf("%s is missing though the customer has a history", v.keyFile(name)),
			Hint: "restore key.age from a backup or from escrow: a new key could not open the old originals"}
	}
	// Read anew: another process may have replaced the master since.
	if v.master, err = v.readMaster(ctx, true); err != nil {
		return nil, err
	}
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, err
	}
	plain := identityFile(identity, v.now())
	if err := v.writeKey(name, plain, v.master.recipient); err != nil {
		return nil, err
	}
	return parseCustomer(plain)
}

// hasHistory tells whether something may have been sealed for the customer
// already: its repository holds packs.
func (v *Vault) hasHistory(name string) bool {
	packs, err := os.ReadDir(filepath.Join(filepath.Dir(v.keyFile(name)), "history.git", "objects", "pack"))
	return len(packs) > 0 || err != nil && !errors.Is(err, fs.ErrNotExist)
}

// writeKey encrypts an identity file to a master and the escrow.
func (v *Vault) writeKey(name string, plain []byte, master age.Recipient) error {
	sealed, err := encrypt(plain, append([]age.Recipient{master}, v.Escrow...)...)
	if err != nil {
		return fmt.Errorf("encrypt the key of %s: %w", name, err)
	}
	return writeFile(v.keyFile(name), sealed)
}

func parseCustomer(plain []byte) (*customer, error) {
	ids, err := parseIdentities(plain)
	if err != nil {
		return nil, &devices.Error{Kind: devices.Damaged, Op: "read a customer's key", Err: err}
	}
	x, ok := ids.all()[0].(*age.X25519Identity)
	if !ok {
		return nil, &devices.Error{Kind: devices.Damaged, Op: "read a customer's key", Err: errors.New("it is of another kind than X25519")}
	}
	var key redact.Key
	derived, err := hkdf.Key(sha256.New, []byte(x.String()), nil, "belay fingerprint v1", len(key))
	if err != nil {
		return nil, fmt.Errorf("derive the fingerprint key: %w", err)
	}
	copy(key[:], derived)
	return &customer{identity: func() *age.X25519Identity { return x }, recipient: x.Recipient(),
		fingerprint: func() redact.Key { return key }, created: ids.created}, nil
}

func encrypt(plain []byte, to ...age.Recipient) ([]byte, error) {
	var sealed bytes.Buffer
	sealed.Grow(len(plain) + 1024)
	w, err := age.Encrypt(&sealed, to...)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(plain); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return sealed.Bytes(), nil
}

// errForeign is of what is encrypted, but not to these identities.
var errForeign = errors.New("it is encrypted to another key")

// decrypt says in its own words why it could not: age's errors may quote bytes of
// what was to be decrypted, and that may be anything.
func decrypt(sealed []byte, with ...age.Identity) ([]byte, error) {
	r, err := age.Decrypt(bytes.NewReader(sealed), with...)
	if _, foreign := errors.AsType[*age.NoIdentityMatchError](err); foreign {
		return nil, errForeign
	}
	if err != nil {
		return nil, errors.New("it is no age file, or a damaged one")
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		return nil, errors.New("it is cut short or altered")
	}
	return plain, nil
}

// failed says what was being done, and keeps the kind.
func failed(op string, err error) error {
	if err == nil {
		return nil
	}
	return &devices.Error{Kind: devices.KindOf(err), Op: op, Err: err}
}

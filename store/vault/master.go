package vault

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"

	"belay/devices"
)

// A Master says where the master identity is: one of File, Value and Command. It
// is an identity file as age-keygen writes one. Where it holds several
// identities, each of them opens, and the first is what is encrypted to.
type Master struct {
	File    string         // mode 0600
	Create  bool           // make File at first use
	Value   devices.Secret // the text itself, from the environment
	Command []string       // a program and its arguments; its standard output is the text
	Environ []string       // of that program; nil: ours

	within time.Duration // how long Command may take; 0: patience
}

// identities are what an identity file holds, behind a function as a customer's is.
type identities struct {
	all       func() []age.Identity // at least one
	recipient age.Recipient         // of the first
	created   time.Time             // zero where the file does not say
}

// mostMaster is the size up to which an identity file is read.
const mostMaster = 1 << 20

// openWithMaster decrypts with the master identity. One that was replaced since
// it was read is read again. The caller has the turn.
func (v *Vault) openWithMaster(ctx context.Context, sealed []byte) ([]byte, error) {
	for range 2 {
		fresh := v.master == nil
		if fresh {
			var err error
			if v.master, err = v.readMaster(ctx, false); err != nil {
				return nil, err
			}
		}
		plain, err := decrypt(sealed, v.master.all()...)
		if err == nil {
			return plain, nil
		}
		if !errors.Is(err, errForeign) {
			return nil, &devices.Error{Kind: devices.Damaged, Op: "decrypt", Err: err, Hint: "restore the file from a backup of the data folder"}
		}
		if fresh {
			break
		}
		v.master = nil
	}
	return nil, &devices.Error{Kind: devices.Damaged, Op: "decrypt", Err: errors.New("the master identity does not open it"),
		Hint: "the settings name another master identity than the one this data folder was made with"}
}

// readMaster reads the master identity. It is made only where create is set, the
// settings allow it, and nothing in the data folder is encrypted yet.
func (v *Vault) readMaster(ctx context.Context, create bool) (*identities, error) {
	ids, err := v.source.read(ctx)
	if !errors.Is(err, fs.ErrNotExist) || v.source.File == "" {
		return ids, err
	}
	hint := "restore it from where it was put in escrow: nothing can be opened without it"
	if !create || !v.source.Create {
		return nil, &devices.Error{Kind: devices.Usage, Op: "read the master identity", Err: err, Hint: hint}
	}
	names, err := v.customers()
	if err != nil {
		return nil, err
	}
	used := len(names) > 0
	for _, path := range []string{v.loginsFile(), v.signerFile()} {
		_, err := os.Lstat(path)
		used = used || !errors.Is(err, fs.ErrNotExist)
	}
	if used {
		return nil, &devices.Error{Kind: devices.Damaged, Op: "make a master identity", Err: fmt.Errorf("%s is missing, and this data folder was encrypted to it", v.source.File), Hint: hint}
	}
	if err := newIdentityFile(v.source.File, v.now()); err != nil {
		return nil, fmt.Errorf("make the master identity: %w", err)
	}
	if v.Made != nil {
		v.Made(v.source.File)
	}
	return v.source.read(ctx)
}

func (m Master) read(ctx context.Context) (*identities, error) {
	const op = "read the master identity"
	var text []byte
	var err error
	switch {
	case len(m.Command) > 0:
		text, err = m.run(ctx)
	case m.File != "":
		text, err = readPrivate(m.File)
	case !m.Value.IsZero():
		text = []byte(m.Value.Reveal())
	default:
		err = &devices.Error{Kind: devices.Usage, Op: op, Err: errors.New("the settings name none, or its variable is empty"), Hint: "set master: {file: …} in belay.yaml"}
	}
	if err != nil {
		return nil, err
	}
	ids, err := parseIdentities(text)
	if err != nil {
		return nil, &devices.Error{Kind: devices.Usage, Op: op, Err: err, Hint: "it must be as age-keygen writes it"}
	}
	return ids, nil
}

// run tells nothing of what the command printed: that may be the identity.
func (m Master) run(ctx context.Context) ([]byte, error) {
	var out bytes.Buffer
	limit := cmp.Or(m.within, patience)
	within, done := context.WithTimeout(ctx, limit)
	defer done()
	c := exec.CommandContext(within, m.Command[0], m.Command[1:]...)
	c.Stdout, c.Env = &out, m.Environ
	c.WaitDelay = time.Second
	if err := c.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if within.Err() != nil {
			err = fmt.Errorf("it was not done after %v", limit)
		}
		return nil, &devices.Error{Kind: devices.Usage, Op: "run " + m.Command[0] + " for the master identity", Err: err, Hint: "run it by hand and see what it says"}
	}
	return out.Bytes(), nil
}

// readPrivate reads a file that is its owner's alone.
func readPrivate(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if mode := info.Mode(); mode.Perm()&0o077 != 0 {
		return nil, &devices.Error{Kind: devices.NotAllowed, Op: "read " + path, Err: fmt.Errorf("others may use it: its mode is %04o", mode.Perm()), Hint: "chmod 600 " + path}
	}
	return io.ReadAll(io.LimitReader(f, mostMaster))
}

// parseIdentities reads an identity file. Its errors are our own words: those of
// a parser may quote the line.
func parseIdentities(text []byte) (*identities, error) {
	all, err := age.ParseIdentities(bytes.NewReader(text))
	if err != nil || len(all) == 0 {
		return nil, errors.New("it holds no age identity")
	}
	ids := &identities{all: func() []age.Identity { return all }}
	switch first := all[0].(type) {
	case *age.X25519Identity:
		ids.recipient = first.Recipient()
	case *age.HybridIdentity:
		ids.recipient = first.Recipient()
	default:
		return nil, errors.New("its first identity is of an unknown kind")
	}
	for line := range strings.Lines(string(text)) {
		if at, ok := strings.CutPrefix(line, "# created: "); ok {
			if ids.created, err = time.Parse(time.RFC3339, strings.TrimSpace(at)); err != nil {
				return nil, errors.New("its date of creation cannot be read")
			}
			break
		}
	}
	return ids, nil
}

// identityFile is what age-keygen would have written.
func identityFile(i *age.X25519Identity, now time.Time) []byte {
	return fmt.Appendf(nil, "# created: %s\n# public key: %s\n%s\n", now.Format(time.RFC3339), i.Recipient(), i)
}

// newIdentityFile makes an identity and its file, unless there is one by now.
func newIdentityFile(path string, now time.Time) error {
	i, err := age.GenerateX25519Identity()
	if err != nil {
		return err
	}
	if err := makeFolder(filepath.Dir(path)); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".belay-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(identityFile(i, now))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	// A link, not a rename: it never takes the place of a file that is there.
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

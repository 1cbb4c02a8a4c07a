package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"belay/devices"
)

// Fields are what belongs to one login: "user", "password", "enable", "key",
// "passphrase", "certificate", "community", ….
type Fields map[string]devices.Secret

// Login is the fields that log in to a device.
func (f Fields) Login(name string) devices.Login {
	return devices.Login{Name: name, User: f["user"].Reveal(), Password: f["password"], Enable: f["enable"],
		Key: f["key"], Passphrase: f["passphrase"], Certificate: f["certificate"]}
}

var (
	loginForm = devices.Pattern(`^[A-Za-z0-9][A-Za-z0-9._/@-]{0,199}$`)
	fieldForm = devices.Pattern(`^[a-z][a-z0-9_]{0,49}$`)
)

func (v *Vault) loginsFile() string { return filepath.Join(v.dir, "logins.age") }

// Get is a login's fields; ok is false where there is no such login.
func (v *Vault) Get(ctx context.Context, name string) (_ Fields, ok bool, err error) {
	all, err := v.logins(ctx)
	if err != nil {
		return nil, false, failed("read login "+name, err)
	}
	f, ok := all[name]
	return f, ok, nil
}

// Names are the names of all logins, sorted.
func (v *Vault) Names(ctx context.Context) ([]string, error) {
	all, err := v.logins(ctx)
	return slices.Sorted(maps.Keys(all)), failed("list the logins", err)
}

// Set keeps one field of a login; an empty secret removes the field.
func (v *Vault) Set(ctx context.Context, name, field string, value devices.Secret) error {
	op := "keep login " + name
	if !loginForm().MatchString(name) || !fieldForm().MatchString(field) {
		return failed(op, &devices.Error{Kind: devices.Usage, Err: errors.New("a login's name is of letters, digits and . _ / @ -, its field of small letters, digits and _")})
	}
	return failed(op, v.changeLogins(ctx, func(all map[string]Fields) {
		if all[name] == nil {
			all[name] = Fields{}
		}
		if all[name][field] = value; value.IsZero() {
			delete(all[name], field)
		}
	}))
}

// Remove forgets a login; an unknown one is no error.
func (v *Vault) Remove(ctx context.Context, name string) error {
	return failed("remove login "+name, v.changeLogins(ctx, func(all map[string]Fields) { delete(all, name) }))
}

func (v *Vault) logins(ctx context.Context) (map[string]Fields, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	done, err := v.take(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	return v.readLogins(ctx)
}

func (v *Vault) readLogins(ctx context.Context) (map[string]Fields, error) {
	all := map[string]Fields{}
	sealed, err := os.ReadFile(v.loginsFile())
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	if err != nil {
		return nil, err
	}
	plain, err := v.openWithMaster(ctx, sealed)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", v.loginsFile(), err)
	}
	var bare map[string]map[string]string
	if json.Unmarshal(plain, &bare) != nil { // whose error may quote what it read
		return nil, &devices.Error{Kind: devices.Damaged, Op: "read " + v.loginsFile(), Err: errors.New("what is sealed in it is not as it was written")}
	}
	for name, fields := range bare {
		all[name] = Fields{}
		for field, value := range fields {
			all[name][field] = devices.NewSecret(value)
		}
	}
	return all, nil
}

// changeLogins reads, changes and writes under the lock, so that two processes
// do not undo each other's changes.
func (v *Vault) changeLogins(ctx context.Context, change func(map[string]Fields)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	done, err := v.alone(ctx)
	if err != nil {
		return err
	}
	defer done()
	all, err := v.readLogins(ctx)
	if err != nil {
		return err
	}
	change(all)
	if v.master, err = v.readMaster(ctx, true); err != nil {
		return err
	}
	bare := map[string]map[string]string{}
	for name, fields := range all {
		bare[name] = map[string]string{}
		for field, value := range fields {
			bare[name][field] = value.Reveal()
		}
	}
	plain, err := json.Marshal(bare)
	if err != nil {
		return errors.New("a login cannot be written as JSON")
	}
	sealed, err := encrypt(plain, v.master.recipient)
	if err != nil {
		return err
	}
	return writeFile(v.loginsFile(), sealed)
}

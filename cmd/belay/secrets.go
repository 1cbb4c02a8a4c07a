package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"belay/devices"
	"belay/store/vault"
)

// secrets resolves what the settings say about secrets, each source once a run,
// or once in a while in a service, which a changed password must reach.
type secrets struct {
	s     *settings
	vault func(ctx context.Context, name string) (vault.Fields, bool, error)
	now   func() time.Time
	good  time.Duration // how long a secret is taken for the same; 0: for the whole run

	mu   sync.Mutex
	seen map[string]*resolved
}

// A resolved secret is waited for by those who want this one, and by no others:
// the program that prints it may take its time.
type resolved struct {
	mu     sync.Mutex
	at     time.Time // zero: not read yet
	secret devices.Secret
}

// get is the secret of a source; the zero Secret where src is nil or an
// environment variable is not set.
func (r *secrets) get(ctx context.Context, src *secretSource, field string) (devices.Secret, error) {
	if src == nil {
		return devices.Secret{}, nil
	}
	key := fmt.Sprintf("%+v %s", *src, field)
	r.mu.Lock()
	one := r.seen[key]
	if one == nil {
		if r.seen == nil {
			r.seen = map[string]*resolved{}
		}
		one = &resolved{}
		r.seen[key] = one
	}
	r.mu.Unlock()
	one.mu.Lock()
	defer one.mu.Unlock()
	now := r.now()
	if !one.at.IsZero() && (r.good == 0 || now.Sub(one.at) < r.good && !now.Before(one.at)) {
		return one.secret, nil
	}
	text, err := r.read(ctx, src, field)
	if err != nil {
		return devices.Secret{}, err
	}
	one.at, one.secret = now, devices.NewSecret(text)
	return one.secret, nil
}

func (r *secrets) read(ctx context.Context, src *secretSource, field string) (string, error) {
	switch {
	case src.Env != "":
		return os.Getenv(src.Env), nil
	case src.File != "":
		text, err := os.ReadFile(r.s.path(src.File))
		return strings.TrimRight(string(text), "\r\n"), err
	case len(src.Command) > 0:
		return output(ctx, src.Command, r.s.environ())
	default:
		fields, err := r.fields(ctx, src.Vault)
		return fields[field].Reveal(), err
	}
}

// fields are those of a login in the vault.
func (r *secrets) fields(ctx context.Context, name string) (vault.Fields, error) {
	f, ok, err := r.vault(ctx, name)
	if err == nil && !ok {
		err = &devices.Error{Kind: devices.Usage, Op: "open the vault", Err: fmt.Errorf("there is no login %q in it", name), Hint: "belay keys login " + name}
	}
	return f, err
}

// output runs a program that prints a secret. Its standard error is shown to
// nobody: it may hold the secret too.
func output(ctx context.Context, command, environ []string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env, cmd.WaitDelay = environ, time.Second
	text, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("ended with %s", exit.ProcessState)
		}
		return "", fmt.Errorf("command %s: %w", command[0], err)
	}
	return strings.TrimRight(string(text), "\r\n"), nil
}

// logins are the ways into a device, in the order in which they are tried.
func (r *secrets) logins(ctx context.Context, d devices.Device) ([]devices.Login, error) {
	key, list, ok := d.Login, loginList(nil), false
	if key != "" {
		if list, ok = r.s.Logins[key]; !ok {
			return nil, &devices.Error{Kind: devices.Usage, Op: "find the login of", Device: d.String(), Err: fmt.Errorf("the inventory names login %q, the settings have none", key), Hint: "add it to logins in " + r.s.file}
		}
	} else if key, list, ok = forDevice(r.s.Logins, d); !ok {
		return nil, &devices.Error{Kind: devices.Usage, Op: "find the login of", Device: d.String(), Err: errors.New("the settings have none for it"), Hint: "add logins: default: … to " + r.s.file}
	}
	return r.named(ctx, key, list)
}

// named resolves a login list of the settings.
func (r *secrets) named(ctx context.Context, key string, list loginList) ([]devices.Login, error) {
	var out []devices.Login
	for i, set := range list {
		l := devices.Login{Name: key, User: set.User}
		if len(list) > 1 {
			l.Name = fmt.Sprintf("%s[%d]", key, i)
		}
		for _, f := range []struct {
			to    *devices.Secret
			from  *secretSource
			field string
		}{
			{&l.Password, set.Password, "password"}, {&l.Enable, set.Enable, "enable"}, {&l.Key, set.Key, "key"},
			{&l.Passphrase, set.Passphrase, "passphrase"}, {&l.Certificate, set.Certificate, "certificate"},
		} {
			if f.from == nil && set.Vault != "" {
				f.from = &secretSource{Vault: set.Vault}
			}
			var err error
			if *f.to, err = r.get(ctx, f.from, f.field); err != nil {
				return nil, &devices.Error{Kind: devices.Usage, Op: "resolve login " + l.Name, Err: fmt.Errorf("%s: %w", f.field, err)}
			}
		}
		if l.User == "" && set.Vault != "" {
			fields, err := r.fields(ctx, set.Vault)
			if err != nil {
				return nil, err
			}
			l.User = fields["user"].Reveal()
		}
		switch set.Agent {
		case "", "env":
		default:
			l.Agent = r.s.path(set.Agent)
		}
		if set.Agent == "env" {
			l.Agent = os.Getenv("SSH_AUTH_SOCK")
		}
		if l.Password.IsZero() && l.Key.IsZero() && l.Agent == "" {
			hint := "give it a password, key or agent"
			if set.Password != nil && set.Password.Env != "" {
				hint = "set the environment variable " + set.Password.Env
			}
			return nil, &devices.Error{Kind: devices.Usage, Op: "resolve login " + l.Name, Err: errors.New("it holds no password, key or agent"), Hint: hint}
		}
		out = append(out, l)
	}
	return out, nil
}

package ssh

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"belay/devices"
)

// The ways to log in (RFC 4252, RFC 4256).
const (
	publicKey   = "publickey"
	password    = "password"
	interactive = "keyboard-interactive"
)

// mostKeys is how many keys are shown to a server: OpenSSH ends a connection
// after six refusals, and a password may have to follow.
const mostKeys = 5

// An attempt is one login at one server. Devices lock accounts after a few
// wrong passwords, so the password leaves at most once: by the one method or by
// the other, and never again on any connection of this attempt.
type attempt struct {
	login   devices.Login
	order   []string
	legacy  bool
	signers []ssh.Signer     // of the login's own key
	cert    *ssh.Certificate // may belong to a key of the agent
	expired *refusal

	ctx      context.Context // of the handshake
	stage    string          // what is being waited for
	tried    []string
	accepted []string // methods the server found right, but not enough
	offered  []string // methods the server accepts
	sent     bool     // the password has left
	rounds   int
	stop     error // why no other method may be tried
	notes    []string
	agent    net.Conn
}

func newAttempt(s step, l devices.Login, keys *keyCache, now func() time.Time) (*attempt, error) {
	a := &attempt{login: l, order: s.auth, legacy: s.legacy}
	if len(a.order) == 0 {
		a.order = []string{publicKey, password, interactive}
	}
	if l.User == "" {
		return nil, fmt.Errorf("login %q has no user", l.Name)
	}
	if !l.Certificate.IsZero() {
		cert, err := parseCertificate(l)
		if err != nil {
			return nil, err
		}
		a.cert = cert
		if now != nil {
			a.expired = a.outdated(now())
		}
	}
	if l.Key.IsZero() {
		return a, nil
	}
	signer, err := keys.signer(l)
	if err != nil {
		return nil, fmt.Errorf("login %q: %w", l.Name, err)
	}
	a.signers = a.prepare([]ssh.Signer{signer})
	if len(a.signers) == 0 {
		return nil, fmt.Errorf("login %q: its key cannot be used", l.Name)
	}
	if a.cert != nil && a.signers[0].PublicKey().Type() != a.cert.Type() {
		return nil, fmt.Errorf("login %q: its certificate is for another key", l.Name)
	}
	return a, nil
}

// outdated refuses a certificate that no server can accept now.
func (a *attempt) outdated(now time.Time) *refusal {
	at := uint64(now.Unix())
	if at >= a.cert.ValidBefore && a.cert.ValidBefore != ssh.CertTimeInfinity {
		return &refusal{login: a.login, why: "its certificate has expired"}
	}
	if at < a.cert.ValidAfter {
		return &refusal{login: a.login, why: "its certificate is not valid yet"}
	}
	return nil
}

// reset readies the attempt for a new connection. What was sent stays sent.
func (a *attempt) reset(ctx context.Context) {
	a.ctx, a.stage = ctx, "TCP connection"
	a.tried, a.accepted, a.offered, a.stop, a.rounds = nil, nil, nil, nil, 0
}

func (a *attempt) close() {
	if a.agent != nil {
		a.agent.Close()
		a.agent = nil
	}
}

// next is asked by x/crypto which method to try, after "none" was refused and
// after every refusal since.
func (a *attempt) next(c *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
	a.stage = "answer to the login"
	a.offered, a.accepted = c.AllowedMethods, c.PartialSuccessMethods
	if a.stop != nil {
		return nil, a.stop
	}
	for _, m := range a.order {
		if slices.Contains(a.tried, m) || len(a.offered) > 0 && !slices.Contains(a.offered, m) {
			continue
		}
		method := a.method(m)
		if method == nil {
			continue
		}
		a.tried = append(a.tried, m)
		return method, nil
	}
	return nil, errRefused
}

// method is how this login answers to a method; nil when it cannot.
func (a *attempt) method(name string) ssh.AuthMethod {
	switch name {
	case publicKey:
		if len(a.signers) > 0 || a.login.Agent != "" {
			return ssh.PublicKeysCallback(a.keys)
		}
	case password:
		if a.mayAnswer() {
			return ssh.PasswordCallback(func() (string, error) {
				a.sent = true
				return a.login.Password.Reveal(), nil
			})
		}
	case interactive:
		if a.mayAnswer() {
			return ssh.KeyboardInteractive(a.answer)
		}
	}
	return nil
}

// mayAnswer tells whether there is a password that has not been sent. A login
// with no proof at all has the empty password: some devices are delivered so.
func (a *attempt) mayAnswer() bool {
	if a.sent {
		return false
	}
	return !a.login.Password.IsZero() || len(a.signers) == 0 && a.login.Agent == ""
}

func (a *attempt) keys() ([]ssh.Signer, error) {
	if a.login.Agent == "" {
		return a.signers, nil
	}
	conn, err := (&net.Dialer{}).DialContext(a.ctx, "unix", a.login.Agent)
	if err != nil {
		a.notes = append(a.notes, "its SSH agent does not answer")
		return a.signers, nil //nolint:nilerr // the login's other proofs are still offered
	}
	a.close()
	a.agent = conn
	// It is asked to sign, too, and may wait for somebody to touch a key.
	context.AfterFunc(a.ctx, func() { conn.Close() })
	held, err := agent.NewClient(conn).Signers()
	if err != nil {
		a.notes = append(a.notes, "its SSH agent does not tell its keys")
		return a.signers, nil //nolint:nilerr // likewise
	}
	signers := slices.Concat(a.signers, a.prepare(held))
	if len(signers) > mostKeys {
		a.notes = append(a.notes, fmt.Sprintf("of its %d keys the first %d were shown", len(signers), mostKeys))
		signers = signers[:mostKeys]
	}
	return signers, nil
}

var errRefused = errors.New("the server accepts nothing more that this login has")

// A refusal is a login that the server did not accept, or could not.
type refusal struct {
	login devices.Login
	why   string
	final bool // the next login may not be tried
	err   error
}

func (r *refusal) Error() string { return fmt.Sprintf("login %s refused: %s", nameOf(r.login), r.why) }
func (r *refusal) Unwrap() error { return r.err }

func nameOf(l devices.Login) string {
	if l.Name == "" {
		return fmt.Sprintf("of user %q", l.User)
	}
	return fmt.Sprintf("%q (user %q)", l.Name, l.User)
}

// explain tells a person what was tried and what the server would accept.
func (a *attempt) explain() string {
	var parts []string
	switch {
	case len(a.accepted) > 0:
		parts = append(parts, "the server accepted "+strings.Join(a.accepted, " and ")+" but also wants "+strings.Join(a.offered, " or "))
	case len(a.tried) > 0:
		parts = append(parts, "the server refused "+strings.Join(a.tried, " and "))
	case len(a.offered) > 0:
		parts = append(parts, "the server accepts only "+strings.Join(a.offered, " or ")+", for which this login has nothing")
	default:
		parts = append(parts, "the server accepts nothing that this login has")
	}
	return strings.Join(append(parts, a.notes...), "; ")
}

// sameProof tells whether two logins would prove themselves alike.
func sameProof(a, b devices.Login) bool {
	same := func(x, y devices.Secret) bool { return x.Reveal() == y.Reveal() }
	return a.User == b.User && a.Agent == b.Agent && same(a.Password, b.Password) &&
		same(a.Key, b.Key) && same(a.Certificate, b.Certificate)
}

package devices

// A Secret is a password, key or community. It holds a pointer so that no way
// of printing a struct around it can show what it is; only Reveal does.
type Secret struct{ p *string }

// NewSecret makes a secret of s; that of an empty string is the zero Secret.
func NewSecret(s string) Secret {
	if s == "" {
		return Secret{}
	}
	return Secret{&s}
}

// Reveal is the secret itself. Whoever calls it answers for where it goes.
func (s Secret) Reveal() string {
	if s.p == nil {
		return ""
	}
	return *s.p
}

// IsZero tells whether there is no secret at all.
func (s Secret) IsZero() bool { return s.p == nil }

func (s Secret) String() string               { return "<secret>" }
func (s Secret) GoString() string             { return "<secret>" }
func (s Secret) MarshalText() ([]byte, error) { return []byte("<secret>"), nil }

// A Login is one way to be let in: every form of proof it has may be offered.
type Login struct {
	Name        string // for people: where it comes from
	User        string
	Password    Secret
	Enable      Secret // for privileged mode; empty: Password is tried
	Key         Secret // private key, PEM or OpenSSH form
	Passphrase  Secret // of Key
	Certificate Secret // OpenSSH certificate for Key, authorized_keys form
	Agent       string // socket of an SSH agent; empty: none
}

// EnableSecret is what is typed at the enable prompt.
func (l Login) EnableSecret() Secret {
	if l.Enable.IsZero() {
		return l.Password
	}
	return l.Enable
}

// A Terminal is the pseudo-terminal asked for with a shell.
type Terminal struct {
	Type          string // TERM; empty: "vt100"
	Width, Height int    // characters; 0: 511 and 1000
}

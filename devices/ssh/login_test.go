package ssh

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"

	"belay/devices"
)

func TestAPasswordLogsInAndTheReportNamesTheLogin(t *testing.T) {
	t.Parallel()
	p := startPeer(t, nil)
	c := open(t, p, &Dialer{}, with(login("default", rightPassword)))
	r := c.Reached()
	if r.Login != "default" || r.Address != p.address || r.HostKey != ssh.FingerprintSHA256(p.key.PublicKey()) ||
		r.HostKeyType != ssh.KeyAlgoED25519 || r.Server != "SSH-2.0-Go" || r.KeyExchange == "" || r.Cipher == "" || r.NewHostKey {
		t.Errorf("reached: %+v", r)
	}
	if len(r.Weak) != 0 {
		t.Errorf("weak: %v", r.Weak)
	}
}

// Peers lock accounts after three wrong passwords; a server that offers both
// methods must not get the same wrong one by each.
func TestOneWrongPasswordCostsOneAttempt(t *testing.T) {
	t.Parallel()
	for _, order := range [][]string{nil, {interactive, password}} {
		p := startPeer(t, func(p *peer) {
			p.config.KeyboardInteractiveCallback = p.questions("", map[string]string{"Password: ": rightPassword}, "Password: ")
		})
		d := &Dialer{HostKeys: trusting(p.address, p.key.PublicKey())}
		o := with(login("default", wrongPassword))
		o.Auth = order
		failsWith(t, d, device(t, p.address), o, devices.Denied, "log in to acme/fw-hq", `"default"`, "backup")
		if diff := cmp.Diff([]string{wrongPassword}, p.seen()); diff != "" {
			t.Errorf("passwords received with order %v (-want +got):\n%s", order, diff)
		}
		if n := p.accepted.Load(); n != 1 {
			t.Errorf("%d connections for one login", n)
		}
		eventually(t, "the connection is closed", func() bool { return p.open.Load() == 0 })
	}
}

func TestTheNextLoginIsTriedWhenOneIsRefused(t *testing.T) {
	t.Parallel()
	p := startPeer(t, nil)
	c := open(t, p, &Dialer{}, with(login("old", wrongPassword), login("the same again", wrongPassword), login("new", rightPassword)))
	if got := c.Reached().Login; got != "new" {
		t.Errorf("logged in as %q", got)
	}
	if diff := cmp.Diff([]string{wrongPassword, rightPassword}, p.seen()); diff != "" {
		t.Errorf("passwords received (-want +got):\n%s", diff)
	}
	if n := p.accepted.Load(); n != 2 {
		t.Errorf("%d connections, want one for each login", n)
	}
}

func TestARefusalNamesEveryLogin(t *testing.T) {
	t.Parallel()
	p := startPeer(t, nil)
	d := &Dialer{HostKeys: trusting(p.address, p.key.PublicKey())}
	failsWith(t, d, device(t, p.address), with(login("old", wrongPassword), login("new", wrongPassword+"2")),
		devices.Denied, `"old"`, `"new"`, "refused password")
}

func TestSeveralQuestionsAreAnswered(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"User Name:": "backup",
		"Password:":  rightPassword,
		"Do you accept the terms of use? (yes/no)":      "yes",
		"Favorite color?":                               "",
		"Enter one-time password (leave empty if none)": "",
	}
	p := startPeer(t, func(p *peer) {
		p.config.PasswordCallback = nil
		p.config.KeyboardInteractiveCallback = p.questions("Authorized use only", want,
			"User Name:", "Enter one-time password (leave empty if none)", "Password:", "Favorite color?", "Do you accept the terms of use? (yes/no)")
	})
	open(t, p, &Dialer{}, with(login("default", rightPassword)))
}

func TestAPasswordIsNeverChanged(t *testing.T) {
	t.Parallel()
	for _, ask := range []string{"New password:", "Current password:", "Retype new password:", "Do you want to change your password now? (yes/no)"} {
		answered := make(chan []string, 1)
		p := startPeer(t, func(p *peer) {
			p.config.PasswordCallback = nil
			p.config.KeyboardInteractiveCallback = func(_ ssh.ConnMetadata, c ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
				if _, err := c("", "", []string{"Password: "}, []bool{false}); err != nil {
					return nil, err
				}
				answers, err := c("", "Your password has expired", []string{ask}, []bool{false})
				if err == nil {
					answered <- answers
				}
				return nil, err
			}
		})
		d := &Dialer{HostKeys: trusting(p.address, p.key.PublicKey())}
		failsWith(t, d, device(t, p.address), with(login("default", rightPassword), login("other", rightPassword+"2")), devices.Denied, "change")
		eventually(t, "the connection is closed", func() bool { return p.open.Load() == 0 })
		select {
		case a := <-answered:
			t.Errorf("%q was answered with %d answers", ask, len(a))
		default:
		}
		if n := p.accepted.Load(); n != 1 {
			t.Errorf("%q: %d connections: another login was tried", ask, n)
		}
	}
}

func TestAPasswordAskedForAgainIsARefusal(t *testing.T) {
	t.Parallel()
	p := startPeer(t, func(p *peer) {
		p.config.PasswordCallback = nil
		p.config.KeyboardInteractiveCallback = func(_ ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
			for {
				answers, err := ask("", "", []string{"Password: "}, []bool{false})
				if err != nil {
					return nil, err
				}
				p.saw(answers[0])
			}
		}
	})
	d := &Dialer{HostKeys: trusting(p.address, p.key.PublicKey())}
	failsWith(t, d, device(t, p.address), with(login("default", wrongPassword)), devices.Denied, "again")
	if diff := cmp.Diff([]string{wrongPassword}, p.seen()); diff != "" {
		t.Errorf("passwords received (-want +got):\n%s", diff)
	}
}

func TestAServerThatHangsUpOnAWrongPasswordHasRefusedIt(t *testing.T) {
	t.Parallel()
	p := startPeer(t, func(p *peer) { p.config.MaxAuthTries = 1 })
	d := &Dialer{HostKeys: trusting(p.address, p.key.PublicKey())}
	failsWith(t, d, device(t, p.address), with(login("default", wrongPassword)), devices.Denied)
}

func TestALoginWithNothingTheServerAcceptsSaysSo(t *testing.T) {
	t.Parallel()
	p := startPeer(t, func(p *peer) {
		p.config.PasswordCallback = nil
		p.config.PublicKeyCallback = func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) { return nil, nil }
	})
	d := &Dialer{HostKeys: trusting(p.address, p.key.PublicKey())}
	failsWith(t, d, device(t, p.address), with(login("default", rightPassword)), devices.Denied, "accepts only publickey")
	failsWith(t, d, device(t, p.address), Options{}, devices.Usage, "no login")
	failsWith(t, d, device(t, p.address), with(devices.Login{Name: "k", User: "u", Key: devices.NewSecret("canary-no-key")}), devices.Usage, `login "k"`)
}

func TestTheDriversOrderOfMethodsHolds(t *testing.T) {
	t.Parallel()
	key := pemKey(t, "")
	for _, c := range []struct {
		order []string
		keys  int
	}{{nil, 1}, {[]string{password}, 0}} {
		offered := 0
		p := startPeer(t, func(p *peer) {
			p.config.PublicKeyCallback = func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) {
				offered++
				return nil, errRefused
			}
		})
		l := login("default", rightPassword)
		l.Key = devices.NewSecret(key.private)
		o := with(l)
		o.Auth = c.order
		open(t, p, &Dialer{}, o)
		if offered != c.keys {
			t.Errorf("order %v: %d keys offered, want %d", c.order, offered, c.keys)
		}
	}
}

func TestQuestionsAreUnderstood(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]question{
		"Password: ":                        passwordQuestion,
		"password for admin@new-york-fw:":   passwordQuestion,
		"(backup@change-me) Password: ":     passwordQuestion,
		"Kennwort:":                         passwordQuestion,
		"Login password:":                   passwordQuestion,
		"User name: ":                       userQuestion,
		"Username:":                         userQuestion,
		"login as: ":                        userQuestion,
		"Please enter your user ID:":        userQuestion,
		"New password:":                     changeQuestion,
		"Re-enter password:":                changeQuestion,
		"Password expired. Old password:":   changeQuestion,
		"Password change required [yes/no]": changeQuestion,
		"Accept? (yes/no)":                  consentQuestion,
		"Do you agree? Type yes or no":      consentQuestion,
		"Continue (Y/N)?":                   consentKey,
		"Passcode:":                         unknownQuestion,
		"One-time password (OATH):":         unknownQuestion,
		"Verification code: ":               unknownQuestion,
		"What is this?":                     unknownQuestion,
		"":                                  unknownQuestion,
	} {
		if got := sort(text); got != want {
			t.Errorf("%q is taken for %d, want %d", text, got, want)
		}
	}
}

func TestAKeyIsReadOnceForAFleet(t *testing.T) {
	t.Parallel()
	var cache keyCache
	l := devices.Login{Key: devices.NewSecret(pemKey(t, "canary-p").private), Passphrase: devices.NewSecret("canary-p")}
	first, err := cache.signer(l)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := cache.signer(l); err != nil || again != first {
		t.Errorf("it was read again: %v", err)
	}
	l.Passphrase = devices.NewSecret("canary-other")
	if _, err := cache.signer(l); err == nil {
		t.Error("a wrong passphrase opens a key that was read before")
	}
}

package drivers

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"belay/devices"
)

// Credentials are how a device asks in the terminal who we are.
type credentials struct {
	user     *regexp.Regexp // nil: it asks for a password only
	password *regexp.Regexp
}

func (c *compiler) signIn(s loginSpec) *credentials {
	all := &credentials{password: c.tail("login.password", s.Password)}
	if s.User != "" {
		all.user = c.tail("login.user", s.User)
	}
	return all
}

// commonly is how most devices ask by telnet, where the driver says nothing else.
var commonly = sync.OnceValue(func() *credentials {
	return &credentials{
		user:     regexp.MustCompile(`(?i)\b(?:user(?: ?name| ?id)?|login(?: name| id)?) ?: ?\z`),
		password: regexp.MustCompile(`(?i)\bpass(?:word|code|wd)(?: for \S+)? ?: ?\z`),
	}
})

// reported is what many devices begin a line with behind a login: when there was
// one before. As far as the colon it reads like a question.
var reported = devices.Pattern(`(?i)\b(?:last|previous|successful|unsuccessful|failed) login ?: ?\z`)

// A stranger is a connection on which nobody has logged in yet.
type stranger interface{ AsksInTerminal() bool }

// A whois is the answers to a device that asks who we are, each given once.
type whois struct {
	*credentials
	login    devices.Login
	due      *bool // what is typed when the device stays quiet behind its question
	user     bool  // told
	password bool
}

// asked tells whether the device asks who we are, and has the answer typed when
// it stays quiet behind the question: a banner may well speak of a password.
func (w *whois) asked(tail string, p *presser) (bool, error) {
	if w.credentials == nil || reported().MatchString(tail) {
		return false, nil
	}
	keys, told, in := w.login.Password.Reveal(), &w.password, asking
	switch {
	case w.credentials.password.MatchString(tail):
		if w.login.Password.IsZero() {
			return false, &devices.Error{Kind: devices.Denied, Op: "log in", Err: errors.New("the device asks for a password in the terminal, and the login has none"), Hint: "give the login a password"}
		}
	case w.credentials.user != nil && w.credentials.user.MatchString(tail):
		keys, told, in = w.login.User, &w.user, quiet
	default:
		return false, nil
	}
	if *told {
		return false, refusedInTerminal("the device asked for it once more")
	}
	if strings.ContainsAny(keys, "\r\n") {
		return false, &devices.Error{Kind: devices.Usage, Op: "log in", Err: errors.New("the user or the password holds a line end: what follows it would be typed as a command"), Hint: "write the login anew"}
	}
	w.due = told
	p.enterIn(in, keys)
	return true, nil
}

// typed notes that what was due has been typed.
func (w *whois) typed() { *w.due = true }

// settled tells whether the device has no more to ask: Enter at a question for a
// password would be a wrong one.
func (w *whois) settled() bool { return w.credentials == nil || w.password }

// lost is what a connection that ended means before the first prompt: many
// devices hang up or fall silent instead of refusing, and to call that
// unreachable would have the password tried again.
func (w *whois) lost(err error) error {
	if !w.password || devices.KindOf(err) != devices.Broken {
		return err
	}
	return refusedInTerminal(fmt.Sprintf("no prompt of this driver came after it: %v", err))
}

func refusedInTerminal(why string) error {
	return &devices.Error{Kind: devices.Denied, Op: "log in", Err: fmt.Errorf("the login was refused in the terminal: %s", why), Hint: "check the login's user and password"}
}

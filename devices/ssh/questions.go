package ssh

import (
	"errors"
	"regexp"
	"strings"

	"belay/devices"
)

// mostRounds is how often a server may ask: more is a loop.
const mostRounds = 8

// What a question of a keyboard-interactive login is about.
type question uint8

const (
	unknownQuestion question = iota
	userQuestion
	passwordQuestion
	consentQuestion // a disclaimer to accept: yes/no
	consentKey      // the same, answered by one letter: y/n
	changeQuestion  // a password to be set anew
)

var (
	errChange = errors.New("the device wants its password changed")
	errAgain  = errors.New("the device asked for the password again")
	errLoop   = errors.New("the device asks without end")
)

// secretWord is what a password is called.
const secretWord = `pass ?(?:word|wort|phrase)|kennwort|mot de passe|contrase|senha|wachtwoord|密码|パスワード`

// meanings are tried in order, on lower-case text. The order matters: "New
// password:" is also a question for a password, and "Enter one-time password:"
// is none that the login's password could answer.
var meanings = []struct {
	of      question
	pattern func() *regexp.Regexp
}{
	{changeQuestion, devices.Pattern(`\b(?:new|old|current|change|changed|retype|re-?enter|re-?type|repeat|confirm|again|verify|update|neues|altes|nouveau|nueva)\b.*(?:` + secretWord + `)`)},
	{changeQuestion, devices.Pattern(`(?:` + secretWord + `)(?:.*\b(?:again|expired)\b| change| confirmation)`)},
	{unknownQuestion, devices.Pattern(`one.?time|\botp\b|\btoken\b|\bpin\b|passcode|verification|two.?factor|2fa|\bduo\b`)},
	{passwordQuestion, devices.Pattern(secretWord)},
	{consentQuestion, devices.Pattern(`\byes\b\W+no\b|\byes\b.*\bor\b.*\bno\b|\b(?:accept|agree|acknowledge|consent)\b.*\byes\b`)},
	{consentKey, devices.Pattern(`\by\s*[/|]\s*n\b`)},
	{userQuestion, devices.Pattern(`^(?:enter |your |please enter )*(?:the |your )?(?:user(?:\s?name|\s?id)?|login(?:\s?(?:name|as|id))?|account(?: name)?|benutzer(?:name)?|usuario|utilisateur|identifiant)\b`)},
}

// address is user@host as some prompts name it; its words say nothing.
var address = devices.Pattern(`\S*@\S*`)

// sort tells what a question is about.
func sort(text string) question {
	text = strings.TrimSpace(address().ReplaceAllString(strings.ToLower(text), ""))
	for _, m := range meanings {
		if m.pattern().MatchString(text) {
			return m.of
		}
	}
	return unknownQuestion
}

// answer is keyboard-interactive: the user to a question for the user, the
// password, once, to a question for the password, consent to a disclaimer,
// nothing to anything else. A password is never changed.
func (a *attempt) answer(_, instruction string, questions []string, _ []bool) ([]string, error) {
	a.rounds++
	if a.rounds > mostRounds {
		a.stop = errLoop
		return nil, a.stop
	}
	answers := make([]string, len(questions))
	send := false
	for i, text := range questions {
		switch sort(text) {
		case changeQuestion:
			a.stop = errChange
			return nil, a.stop
		case passwordQuestion:
			if a.sent || send {
				a.stop = errAgain
				if a.wantsChange(instruction) {
					a.stop = errChange
				}
				return nil, a.stop
			}
			answers[i], send = a.login.Password.Reveal(), true
		case userQuestion:
			answers[i] = a.login.User
		case consentQuestion:
			answers[i] = "yes"
		case consentKey:
			answers[i] = "y"
		}
	}
	a.sent = a.sent || send
	return answers, nil
}

// wantsChange reads the text above the questions.
func (a *attempt) wantsChange(instruction string) bool {
	text := strings.ToLower(instruction)
	return strings.Contains(text, "password") && (strings.Contains(text, "change") || strings.Contains(text, "expired"))
}

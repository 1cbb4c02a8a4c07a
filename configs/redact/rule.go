package redact

import "regexp"

// A Rule finds one kind of secret in a configuration.
type Rule struct {
	Name   string         // what it is, for the report: "enable secret"
	Find   *regexp.Regexp // multi-line mode; the group named "secret" is what is replaced, or all of it without one
	Near   []string       // one of these stands in every match, in lower case: looked for first. Empty: derived from Find
	Salted bool           // the device salts it anew at each reading: no fingerprint
}

// Rules are what one driver knows of its texts.
type Rules struct {
	Volatile []*regexp.Regexp // what matches is left out; a pattern that ends in \n takes its whole line
	Secrets  []Rule
}

// A Key makes fingerprints; each customer has one of its own, so that equal
// secrets of two customers cannot be compared. 32 bytes.
type Key [32]byte

// A Gap is something that still looked like a secret after the driver's own
// rules: it was hidden, and the driver wants a rule.
type Gap struct {
	Line int    // from 1, in the clean text
	Kind string // "private key", "password", …; never the text
}

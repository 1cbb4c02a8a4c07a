package redact

import (
	"errors"
	"fmt"
	"regexp"
)

// A Rule finds one kind of secret in a configuration.
type Rule struct {
	Name   string         // what it is, for the report: "enable secret"
	Find   *regexp.Regexp // multi-line mode; the groups named "secret…" are what is replaced, or all of it without one
	Near   []string       // one of these stands in every match, in its first line: looked for first. Empty: derived from Find
	Salted bool           // the device salts it anew at each reading: no fingerprint
	Table  *Table         // in place of Find: secrets that are known by their column
}

// Rules are what one driver knows of its texts. Those that Compile made are
// prepared once and may be applied by many at the same time; others are
// prepared at every use.
type Rules struct {
	Volatile []*regexp.Regexp // what matches is left out, or its group named moves alone; a pattern that ends in \n takes its whole line
	Secrets  []Rule
	Harmless Harmless // lines that the generic look leaves alone

	plan *plan
}

// Compile makes the rules of one driver. All patterns are read in multi-line
// mode. The error names every pattern that cannot be used.
func Compile(volatile []string, rules []Rule) (Rules, error) {
	var r Rules
	var errs []error
	for i, p := range volatile {
		re, err := compilePattern(p)
		if err != nil {
			errs = append(errs, fmt.Errorf("volatile[%d]: %w", i, err))
			continue
		}
		r.Volatile = append(r.Volatile, re)
	}
	for i, rule := range rules {
		if t := rule.Table; t != nil {
			if t.Section == nil || t.Heading == nil || t.Row == nil || t.Secret == nil {
				errs = append(errs, fmt.Errorf("secret %d (%s): a table wants section, heading, row and secret", i, rule.Name))
			}
			r.Secrets = append(r.Secrets, rule)
			continue
		}
		if rule.Find == nil {
			errs = append(errs, fmt.Errorf("secret %d (%s): no pattern", i, rule.Name))
			continue
		}
		re, err := compilePattern(rule.Find.String())
		if err != nil {
			errs = append(errs, fmt.Errorf("secret %d (%s): %w", i, rule.Name, err))
			continue
		}
		rule.Find = re
		r.Secrets = append(r.Secrets, rule)
	}
	if err := errors.Join(errs...); err != nil {
		return Rules{}, err
	}
	p, err := newPlan(r)
	if err != nil {
		return Rules{}, err
	}
	r.plan = p
	return r, nil
}

func compilePattern(p string) (*regexp.Regexp, error) {
	re, err := regexp.Compile("(?m)" + p)
	if err != nil {
		return nil, err
	}
	if re.MatchString("") {
		return nil, fmt.Errorf("%q matches nothing at all, and so everything", p)
	}
	return re, nil
}

// Slow names the patterns in which no literal could be found to look for: they
// are run over the whole text.
func (r Rules) Slow() []string {
	p := r.plan
	if p == nil {
		var err error
		if p, err = newPlan(r); err != nil {
			return nil
		}
	}
	return append(p.volatile.slow(), p.secrets.slow()...)
}

// A Key makes fingerprints; each customer has one of its own, so that equal
// secrets of two customers cannot be compared. 32 bytes.
type Key [32]byte

// A Report says what Apply did.
type Report struct {
	Secrets  int // replaced by the driver's rules, repetitions elsewhere included
	Volatile int // passages left out
	Gaps     []Gap
}

// A Gap is something that still looked like a secret after the driver's own
// rules: it was hidden, and the driver wants a rule.
type Gap struct {
	Line int    // from 1, in the clean text
	Kind string // "private key", "password", …; never the text
}

package redact

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"unicode"
)

// A Harmless knows lines that hold no secret though the generic look takes one of
// their values for one by the value's name: `"key": "mgmt"`. What a driver's own
// rule finds, a hash, a private key or an address with a password in it is hidden
// there all the same.
type Harmless []*regexp.Regexp

// NewHarmless reads patterns. Each is for a whole line (^…$), names the line with
// letters, and says what a value may be made of: a pattern that any value fits is
// none. The error names every pattern that cannot be used.
func NewHarmless(patterns []string) (Harmless, error) {
	var h Harmless
	var errs []error
	for _, p := range patterns {
		re, err := regexp.Compile("(?m)" + p)
		if err == nil {
			err = narrow(p)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%q: %w", p, err))
			continue
		}
		h = append(h, re)
	}
	return h, errors.Join(errs...)
}

// narrow refuses a pattern that could match what its writer did not think of.
func narrow(pattern string) error {
	tree, err := syntax.Parse("(?m)"+pattern, syntax.Perl)
	if err != nil {
		return err
	}
	if tree.Op != syntax.OpConcat || tree.Sub[0].Op != syntax.OpBeginLine || tree.Sub[len(tree.Sub)-1].Op != syntax.OpEndLine {
		return errors.New("wants to be for a whole line: ^…$")
	}
	if !named3(tree) {
		return errors.New("wants to name the line with three letters at least")
	}
	if wide(tree) {
		return errors.New("says too little of the value: write what it is made of ([a-z_]+), without ., \\S, [^…] and the like")
	}
	return nil
}

// named3 tells whether letters must stand in every match.
func named3(tree *syntax.Regexp) bool {
	return slices.ContainsFunc(tree.Sub, func(sub *syntax.Regexp) bool {
		letters := 0
		for _, c := range sub.Rune {
			if unicode.IsLetter(c) {
				letters++
			}
		}
		return sub.Op == syntax.OpLiteral && letters >= 3
	})
}

// wide tells whether a part of a pattern takes nearly every character.
func wide(tree *syntax.Regexp) bool {
	const most = 75 // letters, digits and a few signs
	switch tree.Op {
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return true
	case syntax.OpCharClass:
		n := 0
		for i := 0; i < len(tree.Rune); i += 2 {
			if tree.Rune[i] < ' ' && tree.Rune[i] != '\t' || tree.Rune[i+1] > '~' {
				return true
			}
			n += int(tree.Rune[i+1]-tree.Rune[i]) + 1
		}
		return n > most
	}
	return slices.ContainsFunc(tree.Sub, wide)
}

// outside leaves out the spans that the generic look found by a name in harmless
// lines. A line in which it found anything else is not one.
func (h Harmless) outside(text []byte, spans []span) []span {
	if len(h) == 0 {
		return spans
	}
	byName := func(s span) bool { return s.kind == kindPassword || s.kind == kindCommunity || s.kind == kindShared }
	other := slices.DeleteFunc(slices.Clone(spans), byName)
	return slices.DeleteFunc(spans, func(s span) bool {
		if !byName(s) {
			return false
		}
		start, end := lineAround(text, s.start)
		return s.end <= end && slices.ContainsFunc(h, func(re *regexp.Regexp) bool { return re.Match(text[start:end]) }) &&
			!slices.ContainsFunc(other, func(o span) bool { return o.start < end && start < o.end })
	})
}

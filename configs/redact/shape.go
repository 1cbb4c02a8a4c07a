package redact

import (
	"regexp/syntax"
	"slices"
	"strings"
)

// What can be known of a pattern before it is run: literals of which one stands
// in every match, and how many lines a match can reach over.

// unbounded is more lines than any text has.
const unbounded = 1 << 20

// A shape is what was found out about a pattern.
type shape struct {
	near  []string // lower case, ASCII: one stands in the first line of every match that is not blank. nil: unknown
	lines int      // non-blank lines a match can go on for after its first one
	ends  bool     // has \A or \z: only the whole text will do
	head  bool     // begins with \A: soon done with the whole text
}

func shapeOf(re *syntax.Regexp) shape {
	s := shape{lines: crossings(re), ends: anchored(re), head: headed(re)}
	if s.lines == 0 {
		s.near = literals(re)
	} else {
		s.near = firstLiterals(re, false)
	}
	return s
}

// anchored tells whether a pattern asks for an end of the text.
func anchored(re *syntax.Regexp) bool {
	if re.Op == syntax.OpBeginText || re.Op == syntax.OpEndText {
		return true
	}
	for _, sub := range re.Sub {
		if anchored(sub) {
			return true
		}
	}
	return false
}

// headed tells whether all of a pattern stands after \A.
func headed(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpBeginText:
		return true
	case syntax.OpConcat, syntax.OpCapture:
		return headed(re.Sub[0])
	}
	return false
}

// crossings is how many times a match can go on to the next line that is not
// blank. A run of white space counts once, however many blank lines it holds.
func crossings(re *syntax.Regexp) int {
	switch re.Op {
	case syntax.OpLiteral:
		return strings.Count(string(re.Rune), "\n")
	case syntax.OpCharClass:
		for i := 0; i < len(re.Rune); i += 2 {
			if re.Rune[i] <= '\n' && '\n' <= re.Rune[i+1] {
				return 1
			}
		}
		return 0
	case syntax.OpAnyChar:
		return 1
	case syntax.OpStar, syntax.OpPlus, syntax.OpRepeat:
		n := crossings(re.Sub[0])
		switch {
		case n == 0 || isSpace(re.Sub[0]):
			return n
		case re.Op == syntax.OpRepeat && re.Max >= 0:
			return min(n*re.Max, unbounded)
		}
		return unbounded
	case syntax.OpConcat:
		sum := 0
		for _, sub := range re.Sub {
			sum += crossings(sub)
		}
		return min(sum, unbounded)
	}
	most := 0
	for _, sub := range re.Sub {
		most = max(most, crossings(sub))
	}
	return most
}

// isSpace tells whether a pattern matches white space and nothing else.
func isSpace(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpLiteral:
		return strings.Trim(string(re.Rune), blanks) == ""
	case syntax.OpCharClass:
		for i := 0; i < len(re.Rune); i += 2 {
			for r := re.Rune[i]; r <= re.Rune[i+1]; r++ {
				if !strings.ContainsRune(blanks, r) {
					return false
				}
			}
		}
		return true
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest, syntax.OpRepeat, syntax.OpCapture:
		return isSpace(re.Sub[0])
	case syntax.OpEmptyMatch, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return true
	}
	return false
}

// blanks are the bytes of which a blank line is made.
const blanks = " \t\n\v\f\r"

// mostRepeats is how many times a literal that is repeated is looked for in a row.
const mostRepeats = 64

// literals are strings of which one stands somewhere in every match.
func literals(re *syntax.Regexp) []string {
	switch re.Op {
	case syntax.OpLiteral:
		if l := longestASCII(re.Rune); l != "" {
			return []string{l}
		}
	case syntax.OpCapture, syntax.OpPlus:
		return literals(re.Sub[0])
	case syntax.OpRepeat:
		if sub := re.Sub[0]; sub.Op == syntax.OpLiteral && re.Min > 1 && len(longestASCII(sub.Rune)) == len(string(sub.Rune)) {
			return []string{strings.Repeat(longestASCII(sub.Rune), min(re.Min, mostRepeats))}
		}
		if re.Min > 0 {
			return literals(re.Sub[0])
		}
	case syntax.OpConcat:
		var best []string
		for _, sub := range re.Sub {
			best = better(best, literals(sub))
		}
		return best
	case syntax.OpAlternate:
		return union(re.Sub, literals)
	}
	return nil
}

// firstLiterals are the same for the first line of a match that is not blank.
// started says that something may stand in that line already.
func firstLiterals(re *syntax.Regexp, started bool) []string {
	switch re.Op {
	case syntax.OpLiteral:
		l := string(re.Rune)
		if !started {
			l = strings.TrimLeft(l, blanks)
		}
		line, _, _ := strings.Cut(l, "\n")
		if l := longestASCII([]rune(line)); l != "" {
			return []string{l}
		}
	case syntax.OpCapture, syntax.OpPlus:
		return firstLiterals(re.Sub[0], started)
	case syntax.OpRepeat:
		if re.Min > 0 {
			return firstLiterals(re.Sub[0], started)
		}
	case syntax.OpConcat:
		var best, margin []string // margin: of the white space that the line begins with
		for _, sub := range re.Sub {
			switch {
			case !started && isSpace(sub) && crossings(sub) == 0:
				margin = better(margin, literals(sub))
				continue
			case !started && isSpace(sub):
				margin = nil
				continue
			case !started && (sub.Op == syntax.OpCharClass || sub.Op == syntax.OpAnyChar):
				// One character: white space before that line, or in it.
			case crossings(sub) > 0:
				return better(best, firstLiterals(sub, started))
			}
			l := literals(sub)
			if !started && l != nil && !slices.ContainsFunc(l, func(s string) bool { return strings.Trim(s, blanks) == "" }) {
				best = margin // it is in the line of what comes now, which is not blank
			}
			started = true
			best = better(best, l)
		}
		return best
	case syntax.OpAlternate:
		return union(re.Sub, func(sub *syntax.Regexp) []string { return firstLiterals(sub, started) })
	}
	return nil
}

// union is what all alternatives need together, or nothing.
func union(alternatives []*syntax.Regexp, need func(*syntax.Regexp) []string) []string {
	var all []string
	for _, sub := range alternatives {
		l := need(sub)
		if l == nil {
			return nil
		}
		all = append(all, l...)
	}
	return all
}

// better chooses the set that will be met more rarely: the one whose shortest
// literal is longer.
func better(a, b []string) []string {
	if shortest(b) > shortest(a) {
		return b
	}
	return a
}

func shortest(set []string) int {
	n := 0
	for i, l := range set {
		if i == 0 || len(l) < n {
			n = len(l)
		}
	}
	return n
}

// longestASCII is the longest part of a literal that is ASCII and in one line.
func longestASCII(runes []rune) string {
	best, from := "", 0
	for i := 0; i <= len(runes); i++ {
		if i == len(runes) || runes[i] >= 0x80 || runes[i] == '\n' {
			if part := string(runes[from:i]); len(part) > len(best) {
				best = part
			}
			from = i + 1
		}
	}
	return strings.ToLower(best)
}

package ledger

import (
	"bytes"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"
)

// A look is a pattern that is held to the lines of many texts. Most lines hold
// none of the words that every match has, or no such stretch, and are passed over.
// Where there are neither, every line is looked at.
type look struct {
	pattern *regexp.Regexp
	words   [][]byte // each match holds one of them
	fold    bool     // words are lower case, and so must the text be
	stretch stretch
}

func newLook(pattern *regexp.Regexp) *look {
	l := &look{pattern: pattern}
	parsed, err := syntax.Parse(pattern.String(), syntax.Perl)
	if err != nil { // of another syntax: every line is looked at
		return l
	}
	words := required(parsed.Simplify())
	// A word of one letter is everywhere, seven digits in a row are not.
	if s := longest(parsed); s.least > 2*shortest(words) {
		l.stretch = s
		return l
	}
	l.fold = slices.ContainsFunc(words, func(w word) bool { return w.fold })
	for _, w := range words {
		if l.fold {
			w.text = strings.ToLower(w.text)
		}
		if w.text == "" || l.fold && !ascii([]byte(w.text)) {
			return &look{pattern: pattern}
		}
		l.words = append(l.words, []byte(w.text))
	}
	return l
}

type word struct {
	text string
	fold bool // in upper or lower case
}

const mostWords = 8

// required are words of which each match holds one; none where there are none.
func required(re *syntax.Regexp) []word {
	switch re.Op {
	case syntax.OpLiteral:
		if slices.Contains(re.Rune, utf8.RuneError) { // also matches what is no UTF-8
			return nil
		}
		return []word{{string(re.Rune), re.Flags&syntax.FoldCase != 0}}
	case syntax.OpCapture, syntax.OpPlus:
		return required(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return required(re.Sub[0])
		}
	case syntax.OpConcat:
		var best []word
		for _, sub := range re.Sub {
			if words := required(sub); shortest(words) > shortest(best) {
				best = words
			}
		}
		return best
	case syntax.OpAlternate:
		var all []word
		for _, sub := range re.Sub {
			words := required(sub)
			if all = append(all, words...); len(words) == 0 || len(all) > mostWords {
				return nil
			}
		}
		return all
	}
	return nil
}

func shortest(words []word) int {
	if len(words) == 0 {
		return 0
	}
	return len(slices.MinFunc(words, func(a, b word) int { return len(a.text) - len(b.text) }).text)
}

// lines tells of each line that the pattern matches, with its number. Folded is
// room to work in, which it returns.
func (l *look) lines(text, folded []byte, found func(n int, line []byte)) []byte {
	words := l.words
	in := text
	if l.fold {
		// Beyond ASCII a letter may have other cases of another length.
		var ok bool
		if folded, ok = lower(folded, text); ok {
			in = folded
		} else {
			words = nil
		}
	}
	next := make([]int, len(words)) // where each word is found next
	for i := range next {
		next[i] = -1
	}
	n, counted := 1, 0
	for at := 0; at < len(text); {
		hit := at
		switch {
		case l.stretch.least > 0:
			hit += l.stretch.find(text[at:])
		case words != nil:
			hit = len(text)
			for i, w := range words {
				if next[i] < at {
					if next[i] = bytes.Index(in[at:], w); next[i] < 0 {
						next[i] = len(text)
					} else {
						next[i] += at
					}
				}
				hit = min(hit, next[i])
			}
		}
		if hit == len(text) {
			return folded
		}
		at += bytes.LastIndexByte(text[at:hit], '\n') + 1
		end := bytes.IndexByte(text[at:], '\n')
		if end < 0 {
			end = len(text)
		} else {
			end += at
		}
		n += bytes.Count(text[counted:at], []byte{'\n'})
		counted = at
		if l.pattern.Match(text[at:end]) {
			found(n, text[at:end])
		}
		at = end + 1
	}
	return folded
}

func ascii(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// lower is b in lower case, in the room of to where it fits; false where b is
// not ASCII.
func lower(to, b []byte) ([]byte, bool) {
	to = slices.Grow(to[:0], len(b))[:len(b)]
	var all byte
	for i, c := range b {
		all |= c
		if c-'A' < 26 {
			c |= 0x20
		}
		to[i] = c
	}
	return to, all < utf8.RuneSelf
}

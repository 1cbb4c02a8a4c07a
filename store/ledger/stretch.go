package ledger

import (
	"regexp/syntax"
	"unicode/utf8"
)

// A stretch is so many bytes of a set in a row, which each match of a pattern has:
// seven of 0 to 9, where that is \d{7}.
type stretch struct {
	of    *[256]bool
	least int // 0: there is none
}

// longest is the longest stretch of a pattern as it was parsed, not yet simplified.
func longest(re *syntax.Regexp) stretch {
	switch re.Op {
	case syntax.OpCharClass:
		return stretch{bytesOf(re.Rune), 1}
	case syntax.OpCapture, syntax.OpPlus:
		return longest(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min == 0 {
			break
		}
		s := longest(re.Sub[0])
		if re.Sub[0].Op == syntax.OpCharClass {
			s.least = re.Min
		}
		return s
	case syntax.OpConcat:
		var best stretch
		for _, sub := range re.Sub {
			if s := longest(sub); s.least > best.least {
				best = s
			}
		}
		return best
	}
	return stretch{}
}

// bytesOf are the bytes that characters of a class are made of. Beyond ASCII they are
// at least as many as the characters; there all count as one.
func bytesOf(class []rune) *[256]bool {
	var of [256]bool
	for i := 0; i < len(class); i += 2 {
		for c := class[i]; c <= class[i+1] && c < utf8.RuneSelf; c++ {
			of[c] = true
		}
		for c := utf8.RuneSelf; c < len(of) && class[i+1] >= utf8.RuneSelf; c++ {
			of[c] = true
		}
	}
	of['\n'] = false // lines are looked at without
	return &of
}

// find is where the first such stretch begins; the length of b where there is none.
// It looks at the end of where one could be, and seldom at every byte.
func (s stretch) find(b []byte) int {
	for end := s.least - 1; end < len(b); {
		at := end
		for at > end-s.least && s.of[b[at]] {
			at--
		}
		if at == end-s.least {
			return at + 1
		}
		end = at + s.least
	}
	return len(b)
}

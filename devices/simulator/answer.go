package simulator

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// An Answer is what the device says to one command, in pages: between two of
// them it waits for a key. One page is the rule.
type Answer []string

// Text is the answer without its waits.
func (a Answer) Text() string { return strings.Join(a, "") }

// head is the first n bytes of the text, with the waits between them.
func (a Answer) head(n int) Answer {
	var out Answer
	for _, page := range a {
		if n < len(page) {
			return append(out, page[:n])
		}
		out = append(out, page)
		if n -= len(page); n == 0 {
			break
		}
	}
	return out
}

// afterLine is the offset in the text right after its n-th line end, or the
// whole length.
func (a Answer) afterLine(n int) int {
	text, at := a.Text(), 0
	for ; n > 0; n-- {
		i := strings.IndexByte(text[at:], '\n')
		if i < 0 {
			return len(text)
		}
		at += i + 1
	}
	return at
}

// middle is the offset of the first line that begins in the second half of the
// text but does not begin a page; the whole length where there is none.
func (a Answer) middle() int {
	text, starts, at := a.Text(), map[int]bool{}, 0
	for _, page := range a {
		starts[at] = true
		at += len(page)
	}
	for at := len(text) / 2; at < len(text); {
		i := strings.IndexByte(text[at:], '\n')
		if i < 0 {
			break
		}
		if at += i + 1; !starts[at] {
			return at
		}
	}
	return len(text)
}

// insert puts s at an offset of the text.
func (a Answer) insert(at int, s string) Answer {
	out := make(Answer, 0, len(a))
	for _, page := range a {
		if at >= 0 && at <= len(page) {
			page = page[:at] + s + page[at:]
			out = append(out, page)
			at = -1
			continue
		}
		out = append(out, page)
		if at >= 0 {
			at -= len(page)
		}
	}
	return out
}

// paged puts a pager into an answer that has none: after every so many lines it
// asks, and the next page begins by wiping the question away.
func (a Answer) paged(every int, more More) Answer {
	if len(a) != 1 || every <= 0 {
		return a
	}
	var out Answer
	rest, wipe := a[0], ""
	for {
		n := Answer{rest}.afterLine(every)
		if n == len(rest) {
			return append(out, wipe+rest)
		}
		out = append(out, wipe+rest[:n]+more.Say)
		rest, wipe = rest[n:], more.Erase
	}
}

// Pictures with a meaning of their own.
const (
	waitPicture  = "␅" // the device waits for a key
	endPicture   = "␄" // at the end: the last line end is not sent
	blankPicture = "␠"
	lineFeed     = "␊"
)

// decode undoes the pictures of a section.
func decode(s string) (Answer, error) {
	if body, ok := strings.CutSuffix(s, endPicture+"\n"); ok {
		s = body
	} else if body, ok := strings.CutSuffix(s, endPicture); ok {
		s = body
	}
	switch {
	case strings.Contains(s, endPicture):
		return nil, errors.New("␄ stands before the end")
	case strings.Contains(s, lineFeed):
		return nil, errors.New("␊ has no place here: a line end is written as a line end")
	}
	answer := Answer(strings.Split(s, waitPicture))
	for i, page := range answer {
		answer[i] = unpicture(page)
	}
	return answer, nil
}

func unpicture(s string) string {
	if !strings.Contains(s, "\xe2\x90") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r >= 0x2400 && r <= 0x2420:
			b.WriteByte(byte(r - 0x2400))
		case r == 0x2421:
			b.WriteByte(0x7f)
		default:
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String()
}

// encode writes an answer with pictures, as the data of a section.
func encode(a Answer) string {
	pages := make([]string, len(a))
	for i, page := range a {
		pages[i] = picture(page)
	}
	s := strings.Join(pages, waitPicture)
	if s != "" && !strings.HasSuffix(s, "\n") {
		s += endPicture + "\n"
	}
	if !strings.Contains(s, "-- ") {
		return s
	}
	var b strings.Builder
	for line := range strings.Lines(s) {
		if strings.HasPrefix(line, "-- ") && strings.HasSuffix(line, " --\n") {
			line = "--" + blankPicture + line[3:]
		}
		b.WriteString(line)
	}
	return b.String()
}

// picture writes the control characters of s as pictures, but for line ends,
// tabs, and the two whose pictures have a meaning of their own.
func picture(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return r < ' ' && r != '\n' || r == 0x7f }) < 0 {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\n' || c == '\t' || c == 4 || c == 5 || c >= ' ' && c != 0x7f:
			b.WriteByte(c)
		case c == 0x7f:
			b.WriteRune(0x2421)
		default:
			b.WriteRune(0x2400 + rune(c))
		}
	}
	return b.String()
}

package redact

import (
	"bytes"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
)

// A finder runs one pattern on the lines where it can match, and finds what the
// pattern would find in the whole text.
type finder struct {
	re     *regexp.Regexp
	groups []int // the groups that are secret, or that move; the whole match where there is none
	salted bool
	kind   string // of the gap, for a pattern of the generic look
	shape

	// For a pattern that can go over a line end: for the beginning of the text, and
	// for a passage that begins one byte early, so that ^ and \b see what comes
	// before. Both match only where a match begins in the first line that is not
	// blank or in the white space before it; group 1 is the match.
	first, after *regexp.Regexp
}

func newFinder(re *regexp.Regexp, near []string) (*finder, error) {
	tree, err := syntax.Parse(re.String(), syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("pattern %q: %w", re, err)
	}
	f := &finder{re: re, shape: shapeOf(tree)}
	for i, name := range re.SubexpNames() {
		if strings.HasPrefix(name, "secret") || name == "moves" {
			f.groups = append(f.groups, i)
		}
	}
	if len(f.groups) == 0 {
		f.groups = []int{0}
	}
	if len(near) > 0 {
		f.near = nil
		for _, l := range near {
			if l != "" {
				f.near = append(f.near, strings.ToLower(l))
			}
		}
	}
	if f.lines == 0 || f.near == nil || f.ends {
		return f, nil
	}
	const start = `(?:[\s\v]*?|[\s\v]*[^\n]*?)(`
	if f.first, err = regexp.Compile(`\A` + start + re.String() + `)`); err != nil {
		return nil, fmt.Errorf("pattern %q: %w", re, err)
	}
	if f.after, err = regexp.Compile(`\A(?s:.)` + start + re.String() + `)`); err != nil {
		return nil, fmt.Errorf("pattern %q: %w", re, err)
	}
	return f, nil
}

// A scan is a set of patterns that look at one text together.
type scan struct {
	finders []*finder
	words   *words
	users   [][]int // per literal, the finders that want it
	whole   []int   // finders for which no literal is known
}

func newScan(finders []*finder) *scan {
	s := &scan{finders: finders}
	number := map[string]int{}
	var all []string
	for i, f := range finders {
		if f.near == nil || f.ends {
			s.whole = append(s.whole, i)
			continue
		}
		for _, l := range f.near {
			n, known := number[l]
			if !known {
				n = len(all)
				number[l] = n
				all = append(all, l)
				s.users = append(s.users, nil)
			}
			s.users[n] = append(s.users[n], i)
		}
	}
	s.words = newWords(all)
	return s
}

func (s *scan) slow() []string {
	var out []string
	for _, i := range s.whole {
		if f := s.finders[i]; !f.head {
			out = append(out, f.re.String())
		}
	}
	return out
}

// each calls found for every match of every pattern; m is as from
// FindSubmatchIndex, with offsets into text.
func (s *scan) each(text []byte, found func(f *finder, m []int)) {
	s.until(text, make([]bool, len(s.finders)), found)
}

// until does so but for patterns that are full, or become so in found.
func (s *scan) until(text []byte, full []bool, found func(f *finder, m []int)) {
	// Two letters outside ASCII are k and s to (?i), and the words do not know it.
	if bytes.Contains(text, []byte("\u212a")) || bytes.Contains(text, []byte("\u017f")) {
		for _, f := range s.finders {
			f.all(text, 0, found)
		}
		return
	}
	for _, i := range s.whole {
		if !full[i] {
			s.finders[i].all(text, 0, found)
		}
	}
	done := make([]int, len(s.finders)) // up to where each has looked
	lineStart, lineEnd := 0, -1
	s.words.each(text, func(literal, end int) {
		if end-1 > lineEnd {
			lineStart, lineEnd = lineAround(text, end-1)
		}
		for _, i := range s.users[literal] {
			if f := s.finders[i]; done[i] <= lineEnd && !full[i] {
				done[i] = f.line(text, lineStart, lineEnd, done[i], found)
			}
		}
	})
}

// lineAround is where the line that at is in begins, and where its LF is.
func lineAround(text []byte, at int) (start, end int) {
	start = bytes.LastIndexByte(text[:at], '\n') + 1
	if end = bytes.IndexByte(text[at:], '\n'); end < 0 {
		return start, len(text)
	}
	return start, at + end
}

// all looks at a passage that begins at a line start.
func (f *finder) all(passage []byte, at int, found func(f *finder, m []int)) {
	for _, m := range f.re.FindAllSubmatchIndex(passage, -1) {
		if m[1] > m[0] {
			found(f, shift(m, at))
		}
	}
}

func shift(m []int, by int) []int {
	if by != 0 {
		for i := range m {
			if m[i] >= 0 {
				m[i] += by
			}
		}
	}
	return m
}

// line looks for matches whose first line that is not blank is this one, and
// which begin at done or later. It returns up to where it has looked.
func (f *finder) line(text []byte, start, end, done int, found func(f *finder, m []int)) int {
	if f.lines == 0 {
		f.all(text[start:end], start, found)
		return end + 1
	}
	from := max(len(bytes.TrimRight(text[:start], blanks)), done)
	stop := f.reach(text, end)
	for from <= end {
		re, base := f.first, 0
		if from > 0 {
			re, base = f.after, from-1
		}
		m := re.FindSubmatchIndex(text[base:stop])
		if m == nil {
			return end + 1
		}
		m = shift(m[2:], base)
		if m[1] == m[0] {
			return end + 1
		}
		found(f, m)
		from = m[1]
	}
	return from
}

// reach is the end of the last line that a match beginning in the line that
// ends at end can touch.
func (f *finder) reach(text []byte, end int) int {
	if f.lines >= unbounded {
		return len(text)
	}
	for n := f.lines; n > 0 && end < len(text); {
		next := len(text)
		if i := bytes.IndexByte(text[end+1:], '\n'); i >= 0 {
			next = end + 1 + i
		}
		if len(bytes.Trim(text[end+1:next], blanks)) > 0 {
			n--
		}
		end = next
	}
	return end
}

package redact

import "regexp"

// A Search looks for several patterns in one text together, for each by a
// literal first, and finds what the patterns themselves would find. It may be
// used by many at once.
type Search struct{ scan *scan }

// NewSearch prepares patterns, which are in multi-line mode.
func NewSearch(patterns []*regexp.Regexp) (*Search, error) {
	var list []*finder
	for _, re := range patterns {
		f, err := newFinder(re, nil)
		if err != nil {
			return nil, err
		}
		list = append(list, f)
	}
	return &Search{newScan(list)}, nil
}

// Matches tells, in the order of the patterns, which of them match text.
func (s *Search) Matches(text []byte) []bool {
	hit := make([]bool, len(s.scan.finders))
	s.Each(text, func(pattern int, _ []int) bool {
		hit[pattern] = true
		return false
	})
	return hit
}

// Each calls found for the matches of every pattern, as FindSubmatchIndex gives
// them, until found wants no more of that pattern.
func (s *Search) Each(text []byte, found func(pattern int, m []int) (more bool)) {
	number := make(map[*finder]int, len(s.scan.finders))
	for i, f := range s.scan.finders {
		number[f] = i
	}
	full := make([]bool, len(s.scan.finders))
	s.scan.until(text, full, func(f *finder, m []int) {
		if i := number[f]; !full[i] {
			full[i] = !found(i, m)
		}
	})
}

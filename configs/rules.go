package configs

import (
	"regexp"

	"belay/configs/redact"
)

// Prepare makes ready what is looked for in every text, so that it is looked for
// together. Rules that were not prepared work as well, but slower.
func (r *Rules) Prepare() error {
	all := append(append([]*regexp.Regexp(nil), r.Complete.Sections...), r.Grading.Masks...)
	for _, c := range r.Grading.Lower {
		for _, re := range []*regexp.Regexp{c.When, c.Unless} {
			if re != nil {
				all = append(all, re)
			}
		}
	}
	search, err := redact.NewSearch(all)
	if err != nil {
		return err
	}
	r.search, r.at = search, map[*regexp.Regexp]int{}
	for i, re := range all {
		r.at[re] = i
	}
	return nil
}

// matcher tells of sections, masks and conditions whether they match text.
func (r Rules) matcher(text []byte) func(*regexp.Regexp) bool {
	if r.search == nil {
		return func(re *regexp.Regexp) bool { return re.Match(text) }
	}
	hit := r.search.Matches(text)
	return func(re *regexp.Regexp) bool { return hit[r.at[re]] }
}

// Completeness says how a system's text proves that it is whole.
type Completeness struct {
	Starts   *regexp.Regexp   // must match at the beginning of the text, after blank lines; may be nil
	Ends     *regexp.Regexp   // the vendor's end mark, at the end of the text; nil where there is none
	Agree    int              // readings that must agree where a text is new or has changed: 1, or 2 without an end mark
	Sections []*regexp.Regexp // each must match somewhere
	Balance  Structure        // how the text is nested
	Failure  []*regexp.Regexp // error texts: none may stand at the head or the tail of the text
}

// A Structure is a form whose nesting can be proven closed.
type Structure string

// The structures.
const (
	NoStructure Structure = ""
	Braces      Structure = "braces" // { } outside quotes and comments
	XML         Structure = "xml"    // well-formed, one root
	JSON        Structure = "json"
	ConfigEnd   Structure = "config-end" // FortiOS: config … end, edit … next
	Gzip        Structure = "gzip"       // of binary artifacts: it opens to its end, and its sums are right
	Zip         Structure = "zip"
)

// Grading says what a copy of this system is good for.
type Grading struct {
	Level   Level  // when no condition below applies
	Missing string // what is missing at that level, and what to do
	Lower   []Condition
	Masks   []*regexp.Regexp // betray that the login may not see everything
}

// A Condition lowers the grade where When matches the text and Unless does not.
type Condition struct {
	When    *regexp.Regexp // nil: always
	Unless  *regexp.Regexp // nil: never
	Level   Level          // Partial or Audit
	Missing string
}

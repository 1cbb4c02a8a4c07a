package redact

import (
	"bytes"
	"errors"
	"slices"
)

// A plan is a driver's rules ready for use. Nothing in it changes.
type plan struct {
	volatile, secrets *scan
	tables            []*Table
}

func newPlan(r Rules) (*plan, error) {
	var errs []error
	finders := func(n int, at func(i int) Rule) *scan {
		list := make([]*finder, 0, n)
		for i := range n {
			rule := at(i)
			if rule.Table != nil {
				continue
			}
			f, err := newFinder(rule.Find, rule.Near)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			f.salted = rule.Salted
			list = append(list, f)
		}
		return newScan(list)
	}
	p := &plan{
		volatile: finders(len(r.Volatile), func(i int) Rule { return Rule{Find: r.Volatile[i]} }),
		secrets:  finders(len(r.Secrets), func(i int) Rule { return r.Secrets[i] }),
	}
	for _, rule := range r.Secrets {
		if rule.Table != nil {
			p.tables = append(p.tables, rule.Table)
		}
	}
	return p, errors.Join(errs...)
}

// Hides tells whether there is something left to hide in a text that is said to be
// clean. What is volatile by these rules may stand in it: other rules may have made it.
func (r Rules) Hides(text []byte) bool {
	r.Volatile, r.plan = nil, nil
	again, _ := r.Apply(text, Key{}) // what it finds is of account, not its fingerprint
	return !bytes.Equal(again.Bytes(), text)
}

// Apply makes text clean. Text must have LF line ends and no terminal sequences.
//
// What a volatile pattern matches is left out first. Then each secret that a
// rule finds becomes `<redacted:27dc47b8>`, the beginning of HMAC-SHA256(key,
// secret), or `<redacted>` where the device salts it; secrets that overlap become
// one. Such a secret is hidden wherever else it stands as well (see repeats).
// Last comes a generic look for whatever the rules missed, reported as gaps.
// Applied to its own result it changes nothing. It may be called by many at once.
func (r Rules) Apply(text []byte, key Key) (Clean, Report) {
	p := r.plan
	if p == nil {
		// Only a pattern that regexp/syntax cannot read again is left out here, and
		// it was read once to become a Regexp.
		p, _ = newPlan(r)
	}
	var report Report
	text, report.Volatile = p.leaveOut(text)
	prints := newFingerprints(key)

	spans := p.find(text)
	spans = settle(text, append(spans, repeats(text, spans)...))
	report.Secrets = len(spans)
	text, _ = prints.replace(text, spans)

	spans = look(text)
	for _, t := range p.tables {
		spans = t.outside(text, spans)
	}
	if spans = settle(text, r.Harmless.outside(text, spans)); len(spans) > 0 {
		spans = settle(text, append(spans, repeats(text, spans)...))
		text, report.Gaps = prints.replace(text, spans)
	}
	return Clean{text}, report
}

// leaveOut removes what moves by itself. Where a removal joined the two parts of
// a line, the result is looked at again.
func (p *plan) leaveOut(text []byte) (kept []byte, removed int) {
	const rounds = 8
	for range rounds {
		var spans []span
		p.volatile.each(text, func(f *finder, m []int) {
			for _, g := range f.groups {
				if m[2*g] < m[2*g+1] {
					spans = append(spans, span{start: m[2*g], end: m[2*g+1]})
				}
			}
		})
		if len(spans) == 0 {
			break
		}
		removed += len(spans)
		slices.SortFunc(spans, func(a, b span) int { return a.start - b.start })
		out := make([]byte, 0, len(text))
		at, joined := 0, false
		for _, s := range spans {
			if s.start > at {
				out = append(out, text[at:s.start]...)
			}
			at = max(at, s.end)
			joined = joined || text[s.end-1] != '\n' || s.start > 0 && text[s.start-1] != '\n'
		}
		text = append(out, text[at:]...)
		if !joined {
			break
		}
	}
	return text, removed
}

// find is what the driver's rules say is secret.
func (p *plan) find(text []byte) []span {
	var spans []span
	p.secrets.each(text, func(f *finder, m []int) {
		for _, g := range f.groups {
			if m[2*g] >= 0 {
				spans = append(spans, span{start: m[2*g], end: m[2*g+1], salted: f.salted})
			}
		}
	})
	for _, t := range p.tables {
		spans = append(spans, t.find(text)...)
	}
	return spans
}

// repeats finds secrets where they stand a second time, in a line that no rule
// knows: a community in a trap receiver's line, a password in a comment. Only
// what is long enough and does not read like a word or an address is looked for
// (see distinctive), and only where it does not continue a longer word.
func repeats(text []byte, spans []span) []span {
	const prefix = 8
	known := map[[prefix]byte][]span{}
	var seen [1 << 10]uint64 // which hashes of prefixes there are: most places need no look into the map
	for _, s := range spans {
		s = s.trim(text)
		if !distinctive(text[s.start:s.end]) {
			continue
		}
		p := [prefix]byte(text[s.start:])
		same := func(k span) bool { return bytes.Equal(text[k.start:k.end], text[s.start:s.end]) }
		if i := slices.IndexFunc(known[p], same); i < 0 {
			known[p] = append(known[p], s)
			h := prefixHash(text[s.start:])
			seen[h>>6] |= 1 << (h & 63)
		} else {
			known[p][i].salted = known[p][i].salted || s.salted
		}
	}
	if len(known) == 0 {
		return nil
	}
	var out []span
	for i := 0; i+prefix <= len(text); i++ {
		h := prefixHash(text[i:])
		if seen[h>>6]&(1<<(h&63)) == 0 {
			continue
		}
		for _, s := range known[[prefix]byte(text[i:])] {
			end := i + s.end - s.start
			if i != s.start && end <= len(text) && bytes.Equal(text[i:end], text[s.start:s.end]) && alone(text, i, end) {
				out = append(out, span{start: i, end: end, salted: s.salted, kind: s.kind})
			}
		}
	}
	return out
}

func prefixHash(b []byte) uint32 {
	return (uint32(b[0]) | uint32(b[2])<<8 | uint32(b[5])<<16 | uint32(b[7])<<24) * 2654435761 >> 16
}

// alone tells whether a passage neither begins nor ends within a word.
func alone(text []byte, start, end int) bool {
	return !(start > 0 && isWord(text[start-1]) && isWord(text[start])) &&
		!(end < len(text) && isWord(text[end]) && isWord(text[end-1]))
}

// distinctive tells whether a secret may be looked for all over the text: 8
// characters in one line, and more than letters of one case (with or without a
// capital at the front), which might be a word, or digits, dots and colons,
// which might be an address. Hiding those everywhere would make other lines
// unreadable and change them with every change of the password.
func distinctive(s []byte) bool {
	if len(s) < 8 || bytes.IndexByte(s, '\n') >= 0 {
		return false
	}
	word, upper, address := true, true, true
	for i, c := range s {
		capital, small := c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z'
		word = word && (small || capital && i == 0)
		upper = upper && capital
		address = address && (c >= '0' && c <= '9' || c == '.' || c == ':' || c == '/')
	}
	return !word && !upper && !address
}

package redact

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"regexp"
	"slices"
	"sync"
)

// token is what stands in a clean text where a secret was.
var token = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`<redacted(?::[0-9a-f]{8})?>`) })

// tokenStart begins every token.
const tokenStart = "<redacted"

// A span is a passage of a text that must not be seen.
type span struct {
	start, end int
	salted     bool
	kind       string // of a gap; empty for a rule's secret
}

// fingerprints makes tokens with one customer's key.
type fingerprints struct {
	mac hash.Hash
	sum []byte
}

func newFingerprints(key Key) *fingerprints {
	return &fingerprints{mac: hmac.New(sha256.New, key[:])}
}

// append writes the token of a secret.
func (f *fingerprints) append(out, secret []byte, salted bool) []byte {
	out = append(out, tokenStart...)
	if !salted {
		f.mac.Reset()
		f.mac.Write(secret)
		f.sum = f.mac.Sum(f.sum[:0])
		out = append(out, ':')
		out = hex.AppendEncode(out, f.sum[:4])
	}
	return append(out, '>')
}

// trim narrows a span to the secret itself: blanks around it and one pair of
// quotes belong to the device's way of writing, so that x, "x" and 'x' have one
// fingerprint and stay quoted or not in the clean text.
func (s span) trim(text []byte) span {
	for s.start < s.end && isBlank(text[s.start]) {
		s.start++
	}
	for s.end > s.start && isBlank(text[s.end-1]) {
		s.end--
	}
	if s.end-s.start >= 2 {
		if q := text[s.start]; (q == '"' || q == '\'') && text[s.end-1] == q {
			s.start++
			s.end--
		}
	}
	return s
}

func isBlank(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// settle brings spans in order: trimmed, without what is a token already, and
// where several overlap one over all of them.
func settle(text []byte, spans []span) []span {
	if len(spans) == 0 {
		return nil
	}
	var tokens [][]int
	if bytes.Contains(text, []byte(tokenStart)) {
		tokens = token().FindAllIndex(text, -1)
	}
	kept := spans[:0:0]
	for _, s := range spans {
		if s = s.trim(text); s.end > s.start {
			kept = appendOutside(kept, text, s, tokens)
		}
	}
	slices.SortFunc(kept, func(a, b span) int {
		if a.start != b.start {
			return a.start - b.start
		}
		return b.end - a.end
	})
	out := kept[:0]
	for _, s := range kept {
		if n := len(out); n > 0 && s.start < out[n-1].end {
			last := &out[n-1]
			last.end = max(last.end, s.end)
			last.salted = last.salted || s.salted
			continue
		}
		out = append(out, s)
	}
	return out
}

// appendOutside appends the parts of s that are not tokens. What is left beside
// a token must hold a letter or a digit to be worth one of its own. After a token
// and a blank comes another word, which a rule reached only because the token is
// shorter than what it stands for.
func appendOutside(out []span, text []byte, s span, tokens [][]int) []span {
	first, _ := slices.BinarySearchFunc(tokens, s.start, func(t []int, at int) int {
		if t[1] <= at {
			return -1
		}
		return 1
	})
	if first == len(tokens) || tokens[first][0] >= s.end {
		return append(out, s)
	}
	part := s
	for _, t := range tokens[first:] {
		if t[0] >= s.end {
			break
		}
		part.end = max(t[0], part.start)
		out = appendPart(out, text, part)
		part.start, part.end = t[1], s.end
		if t[1] < s.end && isBlank(text[t[1]]) {
			return out
		}
	}
	if part.start < s.end {
		out = appendPart(out, text, part)
	}
	return out
}

func appendPart(out []span, text []byte, s span) []span {
	s = s.trim(text)
	if s.end > s.start && bytes.ContainsFunc(text[s.start:s.end], func(r rune) bool { return r >= 0x80 || isWord(byte(r)) }) {
		return append(out, s)
	}
	return out
}

// replace puts tokens where the spans are, which must be settled. Each gap is
// reported with its line in what it returns.
func (f *fingerprints) replace(text []byte, spans []span) (out []byte, gaps []Gap) {
	out = make([]byte, 0, len(text)+32*len(spans))
	at, line := 0, 1
	for _, s := range spans {
		line += bytes.Count(text[at:s.start], []byte{'\n'})
		out = append(out, text[at:s.start]...)
		out = f.append(out, text[s.start:s.end], s.salted)
		at = s.end
		if s.kind != "" {
			gaps = append(gaps, Gap{Line: line, Kind: s.kind})
		}
	}
	return append(out, text[at:]...), gaps
}

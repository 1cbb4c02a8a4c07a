package redact

import (
	"bytes"
	"strings"
)

// A form is how a value is joined to its name.
type form int

const (
	noValue  form = iota
	spaced        // name value
	assigned      // name=value
	mapped        // name: value, to the end of the line where it is not quoted
)

func isQuote(c byte) bool { return c == '"' || c == '\'' }

// separator finds what stands between a name that ends at at and its value.
func separator(text []byte, at, lineEnd int) (int, form) {
	closed := at < lineEnd && isQuote(text[at])
	if closed {
		at++
	}
	blank := at
	for at < lineEnd && isBlank(text[at]) {
		at++
	}
	switch {
	case at == lineEnd:
		return 0, noValue
	case text[at] == '=':
		return at + 1, assigned
	case text[at] == ':':
		if bytes.HasPrefix(text[at:lineEnd], []byte("://")) {
			return 0, noValue
		}
		return at + 1, mapped
	case closed || at == blank:
		return 0, noValue
	}
	return at, spaced
}

// content is the text of an XML element whose name ends at at.
func content(text []byte, at, lineEnd int, kind string) (span, bool) {
	if kind == kindAlgorithm {
		return span{}, false
	}
	open := bytes.IndexByte(text[at:lineEnd], '>')
	if open < 0 || text[at+open-1] == '/' {
		return span{}, false
	}
	at += open + 1
	s := span{start: at, kind: kind}
	if cdata := []byte("<![CDATA["); bytes.HasPrefix(text[at:], cdata) {
		s.start += len(cdata)
		length := bytes.Index(text[s.start:], []byte("]]>"))
		s.end = s.start + length
		return s, length > 0 && secret(text[s.start:s.end])
	}
	length := bytes.IndexByte(text[at:], '<')
	if length < 0 || !bytes.HasPrefix(text[at+length:], []byte("</")) {
		return span{}, false
	}
	s.end = at + length
	return s, secret(text[s.start:s.end]) && (s.end-s.start > 1 || text[s.start] > '1') // 0 and 1 are switches
}

// value is the value that begins at at or after it. In the spaced form words and
// short numbers that say how it is encrypted may come first, if more follows.
func value(text []byte, at, lineEnd int, form form, kind string) (span, bool) {
	between, number := false, span{}
	for {
		for at < lineEnd && isBlank(text[at]) {
			at++
		}
		if at == lineEnd {
			number.kind = kind
			return number, number.end-number.start > 2 && kind == kindPassword
		}
		s := wordAt(text, at, lineEnd, form)
		word := text[s.start:s.end]
		if form == spaced && !isQuote(text[at]) {
			if digits := len(bytes.Trim(word, "0123456789")) == 0; digits && len(word) <= 5 {
				number, at = s, s.end
				continue
			}
			if len(word) <= 20 && betweenWords[lowered(word)] {
				between, at = true, s.end
				continue
			}
		}
		if form == spaced && ordinary(word) && bytes.Contains(text[s.end:lineEnd], []byte(tokenStart)) {
			return span{}, false // a rule has found the secret of this line, farther on
		}
		s.kind = kind
		switch {
		case !secret(word), kind == kindToken && len(word) < 16, kind == kindHash && len(word) < 8:
			return span{}, false
		case form == mapped && bytes.Contains(word[:min(len(word), 16)], []byte("://")):
			return span{}, false // only what credentials finds in it
		case kind == kindAlgorithm:
			s.kind = kindShared
			s.end = overHex(text, s.end, lineEnd) // FSOS: a key for each algorithm
			return s, between
		}
		return s, true
	}
}

// ordinary tells a word or an address from what may be a secret: letters and
// digits mixed are not ordinary.
func ordinary(word []byte) bool {
	const address = "0123456789.:/"
	return len(word) <= 40 && len(bytes.Trim(word, address)) == 0 ||
		len(word) <= 20 && bytes.IndexFunc(word, func(r rune) bool { return r != '-' && (r < 'a' || r > 'z') }) < 0
}

// overHex goes on over words that are long hexadecimal numbers.
func overHex(text []byte, at, lineEnd int) int {
	for rest := text[at:lineEnd]; ; rest = text[at:lineEnd] {
		word := bytes.TrimLeft(rest, " ")
		blank := len(rest) - len(word)
		digits := len(word) - len(bytes.TrimLeft(word, "0123456789abcdefABCDEF"))
		if blank == 0 || digits < 16 || digits < len(word) && !isBlank(word[digits]) {
			return at
		}
		at += blank + digits
	}
}

// wordAt is the word or the inside of the quotes that begins at at.
func wordAt(text []byte, at, lineEnd int, form form) span {
	if q := text[at]; isQuote(q) {
		for i := at + 1; i < lineEnd; i++ {
			switch text[i] {
			case '\\':
				i++
			case q:
				return span{start: at + 1, end: i}
			}
		}
		return span{start: at + 1, end: lineEnd} // goes on in the next line
	}
	end := lineEnd
	if form != mapped {
		for end = at; end < lineEnd && !isBlank(text[end]) && !bytes.HasPrefix(text[end:], []byte("</")); end++ {
		}
	}
	for end > at+1 && (isBlank(text[end-1]) || strings.IndexByte(",;", text[end-1]) >= 0) {
		end--
	}
	return span{start: at, end: end}
}

// secret tells whether a value may be one: not a token, not a mask (*****), not
// the name of a file, not a word of the command language or of prose.
func secret(value []byte) bool {
	value = bytes.TrimLeft(bytes.Trim(value, blanks), `\"'`)
	if bytes.HasPrefix(value, []byte(tokenStart)) {
		return false
	}
	if fileName(value) {
		return false
	}
	first, _, _ := bytes.Cut(value, []byte{' '})
	if len(first) <= 24 && plainWords[strings.Trim(lowered(first), `.,;:()[]{}"'`)] {
		return false
	}
	if bytes.HasPrefix(first, []byte("minimum-")) || bytes.HasPrefix(first, []byte("maximum-")) { // a policy
		return false
	}
	return bytes.ContainsFunc(value, func(r rune) bool { return r >= 0x80 || isWord(byte(r)) && r != '_' })
}

// fileName tells whether a value names the file of a key or a certificate.
func fileName(value []byte) bool {
	for _, ending := range []string{".key", ".pem", ".crt", ".cer", ".pfx"} {
		if name, ok := bytes.CutSuffix(value, []byte(ending)); ok {
			return !bytes.ContainsFunc(name, func(r rune) bool { return r < 0x80 && !isName(byte(r)) && r != '.' && r != '/' })
		}
	}
	return false
}

package change

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// folded is a text without what mail programs do to it: white space and line
// wraps, typographic quotes and dashes, and what nobody sees.
func folded(s string) string {
	s = strings.Map(func(r rune) rune {
		switch r {
		case '\u2018', '\u2019', '\u201a', '\u201b', '\u2032', '\u02bc', '`', '\u00b4':
			return '\''
		case '\u201c', '\u201d', '\u201e', '\u201f', '\u2033', '\u00ab', '\u00bb':
			return '"'
		case '\u2010', '\u2011', '\u2012', '\u2013', '\u2014', '\u2015', '\u2212':
			return '-'
		case '\u00ad', '\u200b', '\u200c', '\u200d', '\u2060', '\ufeff':
			return -1
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

// names tells whether a text has a phrase word for word, as words of their own:
// FGT60F1 is not named by FGT60F12, nor by FGT60F1-2. Serial numbers and tickets
// are one word, and their case does not matter; that of a sentence does.
func names(text, phrase string) bool {
	text, phrase = folded(text), folded(phrase)
	if phrase == "" {
		return false
	}
	if !strings.Contains(phrase, " ") {
		text, phrase = strings.ToUpper(text), strings.ToUpper(phrase)
	}
	first, _ := utf8.DecodeRuneInString(phrase)
	last, _ := utf8.DecodeLastRuneInString(phrase)
	for from := 0; ; {
		at := strings.Index(text[from:], phrase)
		if at < 0 {
			return false
		}
		at += from
		before, after := text[:at], text[at+len(phrase):]
		if !(wordRune(first) && joinsLeft(before)) && !(wordRune(last) && joinsRight(after)) {
			return true
		}
		_, size := utf8.DecodeRuneInString(text[at:])
		from = at + size
	}
}

func wordRune(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// joinsLeft tells whether the word before a phrase goes on into it. A phrase
// after a tilde is struck out, as people write that in plain text.
func joinsLeft(before string) bool {
	r, size := utf8.DecodeLastRuneInString(before)
	if r == '~' {
		return true
	}
	if r == '-' || r == '_' {
		r, _ = utf8.DecodeLastRuneInString(before[:len(before)-size])
	}
	return wordRune(r)
}

func joinsRight(after string) bool {
	r, size := utf8.DecodeRuneInString(after)
	if r == '-' || r == '_' {
		r, _ = utf8.DecodeRuneInString(after[size:])
	}
	return wordRune(r)
}

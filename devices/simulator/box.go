package simulator

import (
	"maps"
	"slices"
	"strings"

	"belay/devices"
)

// otherName is a name of the same form, never the same: each letter and digit
// becomes the next one.
func otherName(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == 'z', r == 'Z':
			return r - 25
		case r == '9':
			return '0'
		case r >= 'a' && r < 'z', r >= 'A' && r < 'Z', r >= '0' && r < '9':
			return r + 1
		}
		return r
	}, s)
}

// otherBox is another device of the same kind: other serials and another
// hostname, wherever they stand as whole words.
func (t *Transcript) otherBox() *Transcript {
	var words []string
	for _, word := range append(slices.Clone(t.Facts.Serials), t.Facts.Hostname) {
		if word != "" {
			words = append(words, word)
		}
	}
	swap := func(s string) string {
		for _, word := range words {
			s = replaceWord(s, word, otherName(word))
		}
		return s
	}
	at := func(command string) string {
		if strings.ContainsAny(command, "#>") { // at a prompt of its own
			command = swap(command)
		}
		return command
	}
	swapAnswer := func(a Answer) Answer {
		out := make(Answer, len(a))
		for i, page := range a {
			out[i] = swap(page)
		}
		return out
	}
	swapAnswers := func(answers map[string]Answer) map[string]Answer {
		out := make(map[string]Answer, len(answers))
		for command, a := range answers {
			out[at(command)] = swapAnswer(a)
		}
		return out
	}
	o := *t
	o.Facts = devices.Identity{Hostname: swap(t.Facts.Hostname), Model: t.Facts.Model, Version: t.Facts.Version, ObjectID: t.Facts.ObjectID}
	for _, serial := range t.Facts.Serials {
		o.Facts.Serials = append(o.Facts.Serials, swap(serial))
	}
	o.Prompt, o.UserPrompt, o.Greeting = swap(t.Prompt), swap(t.UserPrompt), swapAnswer(t.Greeting)
	o.Answers, o.Again = swapAnswers(t.Answers), swapAnswers(t.Again)
	o.Modes = map[string]string{}
	for command, prompt := range t.Modes {
		o.Modes[at(command)] = swap(prompt)
	}
	o.Config = nil
	for _, command := range t.Config {
		o.Config = append(o.Config, at(command))
	}
	o.SNMP = maps.Clone(t.SNMP)
	for oid, value := range o.SNMP {
		if s, ok := value.(string); ok {
			o.SNMP[oid] = swap(s)
		}
	}
	return &o
}

// replaceWord replaces word where no letter or digit stands beside it.
func replaceWord(s, word, by string) string {
	var b strings.Builder
	for at := 0; ; {
		i := strings.Index(s[at:], word)
		if i < 0 {
			b.WriteString(s[at:])
			return b.String()
		}
		i += at
		end := i + len(word)
		b.WriteString(s[at:i])
		if i > 0 && isWord(s[i-1]) || end < len(s) && isWord(s[end]) {
			b.WriteString(word)
		} else {
			b.WriteString(by)
		}
		at = end
	}
}

func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

package watch

import (
	"strings"
	"unicode"

	"belay/configs"
)

// longestName are the runes of a name that a message gave.
const longestName = 60

// author is who made a change, as messages claim.
func author(users []string) configs.Person {
	if len(users) == 0 {
		return configs.Person{}
	}
	return configs.Person{Name: strings.Join(users, ", ") + " (reported by syslog)", Claimed: true}
}

// cleanName makes a name fit for a commit, a terminal and a page: a message may
// hold anything.
func cleanName(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return r
		case !unicode.IsPrint(r), strings.ContainsRune("<>\"'`,;()|&$", r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	if r := []rune(s); len(r) > longestName {
		s = string(r[:longestName])
	}
	return strings.Trim(strings.Join(strings.Fields(s), " "), ".:")
}

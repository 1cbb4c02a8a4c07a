package change

import (
	"strings"

	"belay/devices"
)

// What stands above a quote, in the languages that mail programs speak most. It
// only ever makes a text count as quoted, never the other way round.
var (
	attribution = devices.Pattern(`(?i)^(on\b.{6,}\bwrote|am\b.{6,}\bschrieb\b.*|le\b.{6,}\ba écrit|el\b.{6,}\bescribió|il\b.{6,}\bha scritto|op\b.{6,}\bschreef\b.*|em\b.{6,}\bescreveu)\s*:$`)
	separator   = devices.Pattern(`(?i)^(-{2,}.*\b(original|originalnachricht|ursprüngliche|forwarded|weitergeleitete|d'origine|transféré|original message)\b.*-{2,}|begin forwarded message:)$`)
	rule        = devices.Pattern(`^[-_=*]{3,}\s*\pL.*[-_=*]{3,}$`)     // around a few words of any language
	headField   = devices.Pattern(`^\*?\pL[\pL .'-]{0,20}\s?:\*?\s+\S`) // of any language: three in a row, with an address
	headFrom    = devices.Pattern(`(?i)^\*?(from|von|de|da|van|fra|från)\s?:\*?\s+\S`)
	headSent    = devices.Pattern(`(?i)^\*?(sent|date|gesendet|datum|envoyé|fecha|enviado|enviada|inviato|data|verzonden|sendt|skickat)\s?:\*?\s+\S`)
)

// apart parts what a sender wrote from what is quoted. A doubtful line counts as
// quoted: the worst that happens is that a contact is asked again.
func apart(text string) (own, quoted string) {
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	var mine, theirs []string
	for i, line := range lines {
		bare := strings.TrimSpace(folded(line))
		if strings.HasPrefix(bare, ">") || strings.HasPrefix(bare, "|") {
			theirs = append(theirs, strings.TrimLeft(bare, ">| "))
			continue
		}
		if quoteBegins(lines[i:]) {
			return strings.Join(mine, "\n"), strings.Join(append(theirs, lines[i:]...), "\n")
		}
		mine = append(mine, line)
	}
	return strings.Join(mine, "\n"), strings.Join(theirs, "\n")
}

// quoteBegins tells whether all that follows is quoted.
func quoteBegins(lines []string) bool {
	first := strings.TrimSpace(folded(lines[0]))
	switch {
	case first == "":
		return false
	case replyBegins(lines), separator().MatchString(first), rule().MatchString(first):
		return true
	case headField().MatchString(first) && strings.Contains(first, "@") && len(lines) > 2 && headField().MatchString(strings.TrimSpace(lines[1])) && headField().MatchString(strings.TrimSpace(lines[2])):
		return true
	case headFrom().MatchString(first):
		for _, l := range lines[1:min(5, len(lines))] {
			if headSent().MatchString(strings.TrimSpace(folded(l))) {
				return true
			}
		}
	}
	for n := 1; n <= min(4, len(lines)); n++ { // long ones are wrapped
		if attribution().MatchString(strings.TrimSpace(folded(strings.Join(lines[:n], " ")))) {
			// A program that marks each quoted line leaves what follows the quote
			// to the sender; one that marks none leaves nothing.
			next := firstWords(lines[n:])
			return !strings.HasPrefix(next, ">")
		}
	}
	return false
}

// replyBegins tells whether the line that our form begins with begins in the
// first of lines: it may have been wrapped, and its dashes lost.
func replyBegins(lines []string) bool {
	bare := strings.Trim(replyAbove, "- ")
	for n := 1; n <= min(4, len(lines)); n++ {
		if names(strings.Join(lines[:n], " "), bare) {
			return !names(strings.Join(lines[1:n], " "), bare)
		}
	}
	return false
}

// firstWords is the first line with something on it.
func firstWords(lines []string) string {
	for _, l := range lines {
		if l = strings.TrimSpace(l); l != "" {
			return l
		}
	}
	return ""
}

package change

import (
	"regexp"
	"strings"

	"golang.org/x/net/html"
)

// What stands above a quote, in the languages that mail programs speak most. It
// only ever makes a text count as quoted, never the other way round.
var (
	attribution = regexp.MustCompile(`(?i)^(on\b.{6,}\bwrote|am\b.{6,}\bschrieb\b.*|le\b.{6,}\ba écrit|el\b.{6,}\bescribió|il\b.{6,}\bha scritto|op\b.{6,}\bschreef\b.*|em\b.{6,}\bescreveu)\s*:$`)
	separator   = regexp.MustCompile(`(?i)^(-{2,}.*\b(original|originalnachricht|ursprüngliche|forwarded|weitergeleitete|d'origine|transféré|original message)\b.*-{2,}|begin forwarded message:)$`)
	headFrom    = regexp.MustCompile(`(?i)^\*?(from|von|de|da|van|fra|från)\s?:\*?\s+\S`)
	headSent    = regexp.MustCompile(`(?i)^\*?(sent|date|gesendet|datum|envoyé|fecha|enviado|enviada|inviato|data|verzonden|sendt|skickat)\s?:\*?\s+\S`)
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
	case names(first, replyAbove), separator.MatchString(first):
		return true
	case headFrom.MatchString(first):
		for _, l := range lines[1:min(5, len(lines))] {
			if headSent.MatchString(strings.TrimSpace(folded(l))) {
				return true
			}
		}
	}
	for n := 1; n <= min(4, len(lines)); n++ { // long ones are wrapped
		if attribution.MatchString(strings.TrimSpace(folded(strings.Join(lines[:n], " ")))) {
			// A program that marks each quoted line leaves what follows the quote
			// to the sender; one that marks none leaves nothing.
			next := firstWords(lines[n:])
			return !strings.HasPrefix(next, ">")
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

// plainText is the text of an HTML body as a mail program would show it, with
// "> " before the lines of a quote.
func plainText(body string) string {
	var b strings.Builder
	quotes, unseen, start := 0, 0, true
	newline := func() {
		if !start {
			b.WriteByte('\n')
		}
		start = true
	}
	for z := html.NewTokenizer(strings.NewReader(body)); ; {
		kind := z.Next()
		if kind == html.ErrorToken {
			return b.String()
		}
		t := z.Token()
		switch kind {
		case html.TextToken:
			if unseen > 0 {
				continue
			}
			words := strings.Join(strings.Fields(t.Data), " ")
			if words == "" {
				if !start {
					b.WriteByte(' ')
				}
				continue
			}
			if start {
				b.WriteString(strings.Repeat("> ", quotes))
			} else if strings.TrimLeft(t.Data, " \t\r\n") != t.Data {
				b.WriteByte(' ')
			}
			b.WriteString(words)
			if strings.TrimRight(t.Data, " \t\r\n") != t.Data {
				b.WriteByte(' ')
			}
			start = false
		case html.StartTagToken, html.SelfClosingTagToken, html.EndTagToken:
			step := 1
			if kind == html.EndTagToken {
				step = -1
			}
			switch t.Data {
			case "style", "script", "title", "template":
				if kind != html.SelfClosingTagToken {
					unseen = max(0, unseen+step)
				}
			case "blockquote":
				newline()
				quotes = max(0, quotes+step)
			case "br", "p", "div", "li", "ul", "ol", "tr", "table", "hr", "pre", "body", "h1", "h2", "h3", "h4", "h5", "h6":
				newline()
			case "td", "th":
				if !start {
					b.WriteByte(' ')
				}
			}
		}
	}
}

package report

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	width    = 100 // columns
	mostText = 400 // exceptions that a text spells out
	named    = 6   // devices that a line names
)

// Text is the digest as plain text of at most 100 columns, but for commands,
// which stay whole. Nothing in it says anything to a terminal.
func (d Digest) Text() string {
	var b strings.Builder
	b.WriteString(tame(d.Subject) + "\n")
	if len(d.Lines) == 0 {
		b.WriteString(d.quiet() + "\n")
		return b.String()
	}
	customer, site := "\x00", "\x00"
	for i, l := range d.Lines {
		if i == mostText {
			fmt.Fprintf(&b, "\nand %d more: belay digest --json shows all\n", len(d.Lines)-i)
			break
		}
		if l.Customer != customer {
			customer, site = l.Customer, "\x00"
			b.WriteByte('\n')
			if customer != "" {
				b.WriteString(tame(customer) + "\n")
			}
		}
		indent := ""
		if customer != "" {
			indent = "  "
		}
		if l.Site != site && l.Site != "" {
			b.WriteString(wrap(indent, "site "+l.Site+":"))
		}
		if site = l.Site; site != "" {
			indent += "  "
		}
		b.WriteString(wrap(indent, l.sentence()))
		for line := range strings.Lines(l.Diff) {
			b.WriteString(indent + "    " + tame(strings.TrimRight(line, "\n")) + "\n")
		}
		if l.Next != "" {
			b.WriteString(indent + "    " + tame(l.Next) + "\n")
		}
	}
	return b.String()
}

// quiet is the second line of a digest without exceptions.
func (d Digest) quiet() string {
	if d.Since.IsZero() {
		return "Nothing to look at."
	}
	return "Nothing to look at since " + d.Since.In(d.At.Location()).Format("2 Jan 2006 15:04 MST") + "."
}

// sentence is whom a line is about, and what about them.
func (l Line) sentence() string {
	var names []string
	for _, n := range l.Devices {
		names = append(names, strings.TrimPrefix(n, l.Customer+"/"))
	}
	switch n := len(names); {
	case n == 0:
		return l.What
	case n == 1:
		return names[0] + ": " + l.What
	case n > named:
		return fmt.Sprintf("%d devices: %s (%s, …)", n, l.What, strings.Join(names[:named], ", "))
	default:
		return fmt.Sprintf("%d devices: %s (%s)", n, l.What, strings.Join(names, ", "))
	}
}

// wrap breaks a sentence into lines.
func wrap(indent, text string) string {
	var b strings.Builder
	line := indent
	hang := indent + "  "
	for _, word := range strings.Fields(tame(text)) {
		if full := utf8.RuneCountInString(line) + 1 + utf8.RuneCountInString(word); full > width && strings.TrimSpace(line) != "" {
			b.WriteString(line + "\n")
			line = hang
		}
		if strings.TrimSpace(line) != "" {
			line += " "
		}
		line += cut(word, width-len(hang))
	}
	b.WriteString(line + "\n")
	return b.String()
}

// cut shortens a line to so many columns.
func cut(s string, columns int) string {
	if utf8.RuneCountInString(s) <= columns {
		return s
	}
	r := []rune(s)
	return string(r[:columns-1]) + "…"
}

// oneLine is a text as part of a sentence.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// tame is a line without what a terminal obeys.
func tame(s string) string { return Tame(s, "") }

// Tame is a text without what a terminal obeys or shows in another order than it
// is written; what is to be kept of it, such as line ends, stays.
func Tame(s, keep string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case strings.ContainsRune(keep, r):
			return r
		case unicode.IsControl(r), r == '\u2028', r == '\u2029':
			return ' '
		case unicode.Is(unicode.Bidi_Control, r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
}

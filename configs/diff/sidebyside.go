package diff

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"belay/configs/redact"
)

// SideBySide is the difference in two columns; empty where the texts are equal.
// Between the columns stands < where a line was removed, > where one was added,
// | where one was replaced. What is too long for its column goes on in the next
// row, so that nothing that differs is cut off.
func (o Options) SideBySide(a, b redact.Clean) string {
	if a.Equal(b) {
		return ""
	}
	t := table{writer: writer{color: o.Color}, column: (max(o.Width, 20) - 3) / 2}
	before, after := split(a), split(b)
	for _, h := range hunks(before, after, o.Context) {
		t.line(cyan, fmt.Sprintf("@@ -%s +%s @@", lineRange(h.a0, h.a1), lineRange(h.b0, h.b1)))
		i, j := h.a0, h.b0
		for _, c := range h.changes {
			t.same(before[i:c.a0])
			t.replaced(before[c.a0:c.a1], after[c.b0:c.b1])
			i, j = c.a1, c.b1
		}
		t.same(after[j:h.b1])
	}
	return t.String()
}

// A table is two columns of equal width and a mark between them.
type table struct {
	writer
	column int
}

func (t *table) same(lines []string) {
	for _, l := range lines {
		t.row("", l, ' ', l, "")
	}
}

func (t *table) replaced(before, after []string) {
	for i := range max(len(before), len(after)) {
		switch {
		case i >= len(after):
			t.row(red, before[i], '<', "", "")
		case i >= len(before):
			t.row("", "", '>', after[i], green)
		default:
			t.row(red, before[i], '|', after[i], green)
		}
	}
}

func (t *table) row(leftColor, left string, mark rune, right, rightColor string) {
	l, r := t.fold(left), t.fold(right)
	for i := range max(len(l), len(r)) {
		var a, b string
		if i < len(l) {
			a = l[i]
		}
		if i < len(r) {
			b = r[i]
		}
		t.paint(leftColor, a)
		gap := strings.Repeat(" ", t.column-utf8.RuneCountInString(a)) + " " + string(mark)
		if b == "" {
			t.line("", strings.TrimRight(gap, " "))
			continue
		}
		t.WriteString(gap + " ")
		t.line(rightColor, b)
	}
}

// fold breaks a line where its column ends. A tab goes to the next eighth place.
func (t *table) fold(line string) []string {
	line = strings.TrimSuffix(line, "\n")
	var out []string
	var piece strings.Builder
	n := 0
	add := func(r rune) {
		if n == t.column {
			out = append(out, piece.String())
			piece.Reset()
			n = 0
		}
		piece.WriteRune(r)
		n++
	}
	for _, r := range line {
		if r != '\t' {
			add(r)
			continue
		}
		add(' ')
		for n%8 != 0 && n < t.column {
			add(' ')
		}
	}
	return append(out, piece.String())
}

package diff

import (
	"fmt"
	"strings"

	"belay/configs/redact"
)

// Colors of a terminal, as git uses them.
const (
	bold  = "\x1b[1m"
	red   = "\x1b[31m"
	green = "\x1b[32m"
	cyan  = "\x1b[36m"
	plain = "\x1b[m"
)

// Options say how a difference is shown.
type Options struct {
	Color   bool // with the sequences of a terminal
	Context int  // unchanged lines around a change
	Width   int  // columns of both sides together; below 20 it is 20
}

// Unified is the difference in the unified format, which patch and git read;
// empty where the texts are equal. context is the unchanged lines around a
// change.
func Unified(oldName, newName string, a, b redact.Clean, context int) string {
	return Options{Context: context}.Unified(oldName, newName, a, b)
}

// Unified is the difference in the unified format.
func (o Options) Unified(oldName, newName string, a, b redact.Clean) string {
	if a.Equal(b) {
		return ""
	}
	w := writer{color: o.Color}
	w.line(bold, "--- "+oldName)
	w.line(bold, "+++ "+newName)
	before, after := split(a), split(b)
	for _, h := range hunks(before, after, o.Context) {
		w.line(cyan, fmt.Sprintf("@@ -%s +%s @@", lineRange(h.a0, h.a1), lineRange(h.b0, h.b1)))
		at := h.a0
		for _, c := range h.changes {
			w.lines("", " ", before[at:c.a0])
			w.lines(red, "-", before[c.a0:c.a1])
			w.lines(green, "+", after[c.b0:c.b1])
			at = c.a1
		}
		w.lines("", " ", before[at:h.a1])
	}
	return w.String()
}

// lineRange is a hunk's place: the first line from 1 and the number of lines; an
// empty one names the line before it.
func lineRange(from, to int) string {
	switch to - from {
	case 0:
		return fmt.Sprintf("%d,0", from)
	case 1:
		return fmt.Sprintf("%d", from+1)
	}
	return fmt.Sprintf("%d,%d", from+1, to-from)
}

// A writer collects lines, in color or not.
type writer struct {
	strings.Builder
	color bool
}

func (w *writer) line(color, text string) {
	w.paint(color, text)
	w.WriteByte('\n')
}

func (w *writer) paint(color, text string) {
	if !w.color || color == "" {
		w.WriteString(text)
		return
	}
	w.WriteString(color)
	w.WriteString(text)
	w.WriteString(plain)
}

func (w *writer) lines(color, mark string, lines []string) {
	for _, l := range lines {
		text, ended := strings.CutSuffix(l, "\n")
		w.line(color, mark+text)
		if !ended {
			w.line("", `\ No newline at end of file`)
		}
	}
}

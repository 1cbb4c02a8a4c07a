// Package diff shows what changed between two clean texts, for people: unified
// as git does, or side by side. It takes redact.Clean and nothing else, so that
// no secret can reach a screen through it. It is pure.
package diff

import (
	"cmp"
	"slices"
	"strings"

	"github.com/aymanbagabas/go-udiff/lcs"

	"belay/configs/redact"
)

// A change replaces the lines a0 to a1 of the old text by b0 to b1 of the new
// one; both are half open and one of them may be empty.
type change struct{ a0, a1, b0, b1 int }

// split cuts a text into lines, line ends included, so that a last line without
// one differs from one with it.
func split(c redact.Clean) []string {
	lines := strings.SplitAfter(c.String(), "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

// changes are the differences of two texts, in order.
//
// The library's search stops at some hundred differences and calls all between
// changed, so the texts are first cut where a line stands exactly once in both
// (as in a patience diff), and only the pieces between are searched.
func changes(a, b []string) []change {
	var out []change
	from := change{}
	for _, at := range append(anchors(a, b), [2]int{len(a), len(b)}) {
		out = appendChanges(out, a, b, change{from.a1, at[0], from.b1, at[1]})
		from.a1, from.b1 = at[0], at[1]
	}
	return out
}

// appendChanges searches one piece.
func appendChanges(out []change, a, b []string, piece change) []change {
	for piece.a0 < piece.a1 && piece.b0 < piece.b1 && a[piece.a0] == b[piece.b0] {
		piece.a0++
		piece.b0++
	}
	for piece.a0 < piece.a1 && piece.b0 < piece.b1 && a[piece.a1-1] == b[piece.b1-1] {
		piece.a1--
		piece.b1--
	}
	if piece.a0 == piece.a1 && piece.b0 == piece.b1 {
		return out
	}
	for _, d := range lcs.DiffLines(a[piece.a0:piece.a1], b[piece.b0:piece.b1]) {
		c := change{piece.a0 + d.Start, piece.a0 + d.End, piece.b0 + d.ReplStart, piece.b0 + d.ReplEnd}
		if n := len(out); n > 0 && out[n-1].a1 == c.a0 && out[n-1].b1 == c.b0 {
			out[n-1].a1, out[n-1].b1 = c.a1, c.b1
			continue
		}
		out = append(out, c)
	}
	return out
}

// anchors are pairs of places in a and b of lines that stand once in each, as
// many as can be had in ascending order in both.
func anchors(a, b []string) [][2]int {
	type seen struct{ a, b, inA, inB int }
	lines := make(map[string]*seen, len(a))
	for i, l := range a {
		s := lines[l]
		if s == nil {
			s = &seen{}
			lines[l] = s
		}
		s.a = i
		s.inA++
	}
	for i, l := range b {
		if s := lines[l]; s != nil {
			s.b = i
			s.inB++
		}
	}
	var pairs [][2]int
	for i, l := range a {
		if s := lines[l]; s.a == i && s.inA == 1 && s.inB == 1 {
			pairs = append(pairs, [2]int{i, s.b})
		}
	}
	return ascending(pairs)
}

// ascending is the longest selection of pairs that ascends in the second place
// too; they ascend in the first.
func ascending(pairs [][2]int) [][2]int {
	var ends []int // ends[n]: the pair with the lowest second place that ends a selection of n+1
	before := make([]int, len(pairs))
	for i, p := range pairs {
		n, _ := slices.BinarySearchFunc(ends, p[1], func(e, to int) int { return cmp.Compare(pairs[e][1], to) })
		before[i] = -1
		if n > 0 {
			before[i] = ends[n-1]
		}
		if n == len(ends) {
			ends = append(ends, i)
		} else {
			ends[n] = i
		}
	}
	out := make([][2]int, len(ends))
	for n, i := len(ends)-1, -1; n >= 0; n-- {
		if i < 0 {
			i = ends[n]
		} else {
			i = before[i]
		}
		out[n] = pairs[i]
	}
	return out
}

// Stat counts the lines that were added and removed.
func Stat(a, b redact.Clean) (added, removed int) {
	if a.Equal(b) {
		return 0, 0
	}
	for _, c := range changes(split(a), split(b)) {
		added += c.b1 - c.b0
		removed += c.a1 - c.a0
	}
	return added, removed
}

// A hunk is changes that are shown together, with the lines around them.
type hunk struct {
	change
	changes []change
}

// hunks groups changes whose context would touch.
func hunks(a, b []string, context int) []hunk {
	context = max(context, 0)
	var out []hunk
	for _, c := range changes(a, b) {
		before := min(context, c.a0)
		after := min(context, len(a)-c.a1)
		h := change{c.a0 - before, c.a1 + after, c.b0 - before, c.b1 + after}
		if n := len(out); n > 0 && h.a0 <= out[n-1].a1 {
			last := &out[n-1]
			last.a1, last.b1 = h.a1, h.b1
			last.changes = append(last.changes, c)
			continue
		}
		out = append(out, hunk{h, []change{c}})
	}
	return out
}

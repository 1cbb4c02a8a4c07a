package devices

import (
	"cmp"
	"slices"
	"strings"
)

// nearest is up to three of names that a person who wrote s may have meant, the
// nearest first: those that hold s or differ by few letters.
func nearest(s string, names []string) []string {
	type guess struct {
		name     string
		distance int
	}
	s = strings.ToLower(s)
	if len(s) > 100 {
		return nil
	}
	var guesses []guess
	seen := map[string]bool{}
	for _, name := range names {
		if seen[name] {
			continue
		}
		seen[name] = true
		low := strings.ToLower(name)
		distance := edits(s, low)
		if _, last, ok := strings.Cut(low, "/"); ok && !strings.Contains(s, "/") {
			distance = edits(s, last)
		}
		if len(s) > 2 && strings.Contains(low, s) {
			distance = min(distance, 1)
		}
		if distance <= max(1, min(3, len(s)/3)) {
			guesses = append(guesses, guess{name, distance})
		}
	}
	slices.SortStableFunc(guesses, func(a, b guess) int { return cmp.Compare(a.distance, b.distance) })
	var near []string
	for _, g := range guesses[:min(3, len(guesses))] {
		near = append(near, g.name)
	}
	return near
}

// edits counts the bytes to insert, remove or replace to make b of a.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}

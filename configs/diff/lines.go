package diff

import "belay/configs/redact"

// Kept tells of each line of a new text which line of the old one it was,
// counted from 0, or -1 where it is new. A block that could begin at several
// places, all with the same result, is taken where git takes it: as far down as
// it goes. So lines are told apart as git blame does.
func Kept(was, is redact.Clean) []int {
	a, b := split(was), split(is)
	gone, come := make([]bool, len(a)), make([]bool, len(b))
	for _, c := range changes(a, b) {
		for i := c.a0; i < c.a1; i++ {
			gone[i] = true
		}
		for i := c.b0; i < c.b1; i++ {
			come[i] = true
		}
	}
	slide(a, gone, come)
	slide(b, come, gone)
	kept := make([]int, len(b))
	i := 0
	for j := range b {
		if come[j] {
			kept[j] = -1
			continue
		}
		for gone[i] {
			i++
		}
		kept[j] = i
		i++
	}
	return kept
}

// slide moves each group of marked lines down as long as the line above it is
// the same as the one below, unless that would part it from lines that are marked
// in the other text at the same place.
func slide(lines []string, marked, other []bool) {
	o := 0 // how far the other text is: the unmarked lines of both go together
	for end := 0; end < len(lines); {
		if !marked[end] {
			for o < len(other) && other[o] {
				o++
			}
			o++
			end++
			continue
		}
		start := end
		for end < len(lines) && marked[end] {
			end++
		}
		if o < len(other) && other[o] {
			continue // a line was replaced: it stays beside what it was
		}
		for end < len(lines) && !marked[end] && lines[start] == lines[end] {
			marked[start], marked[end] = false, true
			start++
			end++
			o++
			for end < len(lines) && marked[end] { // it has met the next group
				end++
			}
			if o < len(other) && other[o] {
				break
			}
		}
	}
}

package redact

// words finds many literals in one pass over a text (Aho and Corasick), without
// regard to the case of ASCII letters. It never changes once made.
type words struct {
	class   [256]uint32 // of a byte; bytes that are in no literal share class 0
	width   uint32      // number of classes
	next    []uint32    // state+class → state; a state is its offset in here
	firstIn uint32      // states from here on end a literal
	ends    [][]int32   // per such state, the literals that end there
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// newWords prepares literals; a literal's number is its place in the list.
func newWords(literals []string) *words {
	w := &words{width: 1}
	for _, l := range literals {
		for i := range len(l) {
			if c := lower(l[i]); w.class[c] == 0 {
				w.class[c] = w.width
				w.width++
			}
		}
	}
	for c := byte('A'); c <= 'Z'; c++ {
		w.class[c] = w.class[lower(c)]
	}
	// The trie, in the order in which states were met.
	trie := [][]int32{make([]int32, w.width)}
	out := [][]int32{nil}
	for n, l := range literals {
		s := int32(0)
		for i := range len(l) {
			c := w.class[lower(l[i])]
			if trie[s][c] == 0 {
				trie[s][c] = int32(len(trie))
				trie = append(trie, make([]int32, w.width))
				out = append(out, nil)
			}
			s = trie[s][c]
		}
		out[s] = append(out[s], int32(n))
	}
	// Breadth first: each missing edge becomes that of the longest suffix.
	fail := make([]int32, len(trie))
	queue := []int32{0}
	for i := 0; i < len(queue); i++ {
		s := queue[i]
		for c, to := range trie[s] {
			switch {
			case to == 0:
				trie[s][c] = trie[fail[s]][c]
			default:
				if s != 0 {
					fail[to] = trie[fail[s]][c]
				}
				out[to] = append(out[to], out[fail[to]]...)
				queue = append(queue, to)
			}
		}
	}
	w.lay(trie, out)
	return w
}

// lay writes the states down, those that end a literal last, so that one
// comparison per byte tells whether there is anything to report.
func (w *words) lay(trie, out [][]int32) {
	place := make([]uint32, len(trie))
	var n uint32
	for _, ending := range []bool{false, true} {
		if ending {
			w.firstIn = n * w.width
		}
		for s := range trie {
			if (len(out[s]) > 0) == ending {
				place[s] = n * w.width
				n++
				if ending {
					w.ends = append(w.ends, out[s])
				}
			}
		}
	}
	w.next = make([]uint32, len(trie)*int(w.width))
	for s, edges := range trie {
		for c, to := range edges {
			w.next[int(place[s])+c] = place[to]
		}
	}
}

// each calls found with the number of every literal in text and where it ends.
func (w *words) each(text []byte, found func(literal, end int)) {
	if len(w.ends) == 0 {
		return
	}
	var s uint32
	for i, c := range text {
		s = w.next[s+w.class[c]]
		if s >= w.firstIn {
			for _, l := range w.ends[(s-w.firstIn)/w.width] {
				found(int(l), i+1)
			}
		}
	}
}

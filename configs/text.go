package configs

import (
	"bytes"
	"unicode/utf8"
)

// Plain is what a person would read of raw on a terminal that scrolls for ever:
// lines that end in LF, no control bytes but TAB, no terminal sequences. What a
// device overwrote or erased itself (its pager's question, an echo drawn again)
// is gone; everything else stays as it was sent, trailing blanks, empty lines
// and bytes above 0x7f included. Plain of plain text changes nothing.
//
// The terminal is a simple one:
//   - CR goes to the first column, BS and the cursor sequences move within the
//     line, what is written there replaces what stood there. Where less is
//     written than stood there, the rest stays, as on any terminal.
//   - Blanks that only wipe out (the first things written after moving back, over
//     or just past something) leave nothing at the end of the line: pagers clear
//     their question so, and the next line may be shorter than the question.
//   - A sequence that goes to another row begins a new line, because rows that
//     have scrolled away cannot be written any more; one that stays in the row, or
//     may do so for all that is known, does not. Clearing the screen likewise.
//   - A TAB is one column. Lines never wrap.
//   - A sequence that a line end cuts short is dropped, never the text after it.
func Plain(raw []byte) []byte {
	out := make([]byte, 0, len(raw))
	var t terminal
	for len(raw) > 0 {
		line, rest, fed := bytes.Cut(raw, []byte{'\n'})
		raw = rest
		line = bytes.Trim(line, "\r") // there a CR moves nothing
		if calm(line) {
			out = append(out, line...)
			t.newLine()
		} else {
			out = t.draw(out, line)
		}
		if fed {
			out = append(out, '\n')
			t.feed()
		}
	}
	return out
}

// calm tells whether a line holds nothing that a terminal would act upon.
func calm(line []byte) bool {
	for _, c := range line {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// A cell is one character of the line being drawn.
type cell struct {
	char  [utf8.UTFMax]byte
	size  uint8
	wiped bool // a blank that only removed what stood here
}

// A terminal is the line being drawn and where the cursor stands.
type terminal struct {
	cells     []cell
	column    int
	saved     int
	wiping    bool // moved back, and nothing but blanks written since
	low, high int  // the rows this line may be in; 0: nothing is known
}

// maxColumn bounds how far a sequence can move beyond what is written, and how
// much text a few bytes of a device can become.
const maxColumn = 1024

func (t *terminal) newLine() {
	t.cells, t.column, t.saved, t.wiping = t.cells[:0], 0, 0, false
}

// feed follows a line end: one row further down, or the same at the bottom.
func (t *terminal) feed() {
	t.newLine()
	if t.low > 0 {
		t.high++
	}
}

// draw acts upon one line without its line end and appends what remains.
func (t *terminal) draw(out, line []byte) []byte {
	t.newLine()
	for i := 0; i < len(line); {
		switch c := line[i]; {
		case c == 0x1b:
			s, size := parseSequence(line[i:])
			i += size
			if ends, column := t.obey(s); ends {
				out = append(t.flush(out), '\n')
				t.newLine()
				t.column = column
			}
			continue
		case c == '\r':
			t.moveTo(0)
		case c == '\b':
			t.moveTo(t.column - 1)
		case c == '\v', c == '\f':
			out = append(t.flush(out), '\n')
			t.feed()
		case c < ' ' && c != '\t', c == 0x7f: // NUL, BEL and the like show nothing
		default:
			_, size := utf8.DecodeRune(line[i:])
			t.write(line[i : i+size])
			i += size
			continue
		}
		i++
	}
	return t.flush(out)
}

func (t *terminal) moveTo(column int) {
	column = max(column, 0)
	if column < t.column {
		t.wiping = true
	}
	t.column = min(column, max(len(t.cells), maxColumn))
}

func (t *terminal) write(char []byte) {
	for len(t.cells) < t.column {
		t.cells = append(t.cells, blank(false))
	}
	c := cell{size: uint8(len(char))}
	copy(c.char[:], char)
	fresh := t.column == len(t.cells)
	if char[0] != ' ' {
		t.wiping = false
	} else if t.wiping {
		// Where all was wiped before, a blank is text again.
		c.wiped = t.column > 0 && t.cells[t.column-1].wiped || !fresh && !t.cells[t.column].wiped
	}
	if fresh {
		t.cells = append(t.cells, c)
	} else {
		t.cells[t.column] = c
	}
	t.column++
	if c.wiped {
		t.wipeTail()
	}
}

// wipeTail counts blanks that end the line beside wiped ones as wiped too: a
// pager that asks " --More-- " often clears it but for the last blank.
func (t *terminal) wipeTail() {
	end := t.column
	for end < min(len(t.cells), t.column+16) && t.cells[end] == blank(false) {
		end++
	}
	if end == len(t.cells) {
		t.wipe(t.column, end)
	}
}

func blank(wiped bool) cell { return cell{char: [utf8.UTFMax]byte{' '}, size: 1, wiped: wiped} }

// cut removes everything from a column on.
func (t *terminal) cut(column int) {
	if column < len(t.cells) {
		t.cells = t.cells[:column]
	}
}

// wipe blanks out n columns from a column on.
func (t *terminal) wipe(column, n int) {
	for i := column; i < min(column+n, len(t.cells)); i++ {
		t.cells[i] = blank(true)
	}
}

func (t *terminal) flush(out []byte) []byte {
	end := len(t.cells)
	for end > 0 && t.cells[end-1].wiped {
		end--
	}
	for _, c := range t.cells[:end] {
		out = append(out, c.char[:c.size]...)
	}
	return out
}

// shows tells whether anything stands in the line.
func (t *terminal) shows() bool {
	for _, c := range t.cells {
		if !c.wiped {
			return true
		}
	}
	return false
}

// obey does what a sequence says. It tells where a sequence ends the line, and
// in which column the next one begins.
func (t *terminal) obey(s sequence) (ends bool, column int) {
	if !s.control {
		switch s.final {
		case '7':
			t.saved = t.column
		case '8':
			t.moveTo(t.saved)
		case 'D', 'E', 'M', 'c': // index, next line, reverse index, reset
			t.low, t.high = 0, 0
			return t.shows(), 0
		}
		return false, 0
	}
	switch n := s.number(0, 1); s.final {
	case 'G', '`':
		t.moveTo(n - 1)
	case 'C', 'a':
		t.moveTo(t.column + n)
	case 'D':
		t.moveTo(t.column - n)
	case 's':
		t.saved = t.column
	case 'u':
		t.moveTo(t.saved)
	case 'H', 'f':
		return t.goTo(n, s.number(1, 1)-1)
	case 'd':
		return t.goTo(n, t.column)
	case 'A', 'B', 'E', 'F', 'S', 'T', 'L', 'M':
		t.low, t.high = 0, 0
		return t.shows(), 0
	case 'K':
		t.erase(s.number(0, 0))
	case 'J':
		if s.number(0, 0) >= 2 {
			return t.shows(), 0
		}
		t.erase(s.number(0, 0))
	case 'X':
		t.wipe(t.column, n)
	case 'P':
		if t.column < len(t.cells) {
			end := min(t.column+n, len(t.cells))
			t.cells = append(t.cells[:t.column], t.cells[end:]...)
		}
	case '@':
		if t.column < len(t.cells) {
			tail := append([]cell(nil), t.cells[t.column:]...)
			t.cells = t.cells[:t.column]
			for range min(n, max(0, maxColumn-len(tail)-t.column)) {
				t.cells = append(t.cells, blank(false))
			}
			t.cells = append(t.cells, tail...)
		}
	}
	return false, 0
}

// goTo moves to a row and a column; true where that is surely another row.
func (t *terminal) goTo(row, column int) (ends bool, at int) {
	same := row >= t.low && row <= t.high
	if t.low == 0 { // row 1 is the top: a device draws a screen
		same = row != 1
	}
	t.low, t.high = row, row
	column = min(column, maxColumn)
	if !same && t.shows() {
		return true, column
	}
	t.moveTo(column)
	return false, 0
}

func (t *terminal) erase(how int) {
	switch how {
	case 0:
		t.cut(t.column)
	case 1:
		t.wipe(0, t.column+1)
	case 2:
		t.cut(0)
	}
}

// A sequence is one escape sequence (ECMA-48, and xterm's strings).
type sequence struct {
	control bool   // ESC [ …
	params  []byte // digits and semicolons
	final   byte   // 0: nothing to do
}

// number is the i-th parameter, or what it is by default; 0 counts as that.
func (s sequence) number(i, byDefault int) int {
	part := s.params
	for ; i > 0; i-- {
		_, after, found := bytes.Cut(part, []byte{';'})
		if !found {
			return byDefault
		}
		part = after
	}
	n := 0
	for _, c := range part {
		if c < '0' || c > '9' {
			break
		}
		n = min(n*10+int(c-'0'), maxColumn)
	}
	if n == 0 {
		return byDefault
	}
	return n
}

// parseSequence reads the sequence that begins with the ESC at in[0] and says
// how many bytes it takes.
func parseSequence(in []byte) (sequence, int) {
	if len(in) < 2 {
		return sequence{}, len(in)
	}
	switch in[1] {
	case '[':
		i := 2
		for i < len(in) && in[i] >= 0x20 && in[i] <= 0x3f {
			i++
		}
		if i == len(in) || in[i] < 0x40 || in[i] > 0x7e {
			return sequence{}, i
		}
		s := sequence{control: true, params: in[2:i], final: in[i]}
		if i > 2 && (in[2] >= '<' || in[i-1] < '0') { // private, or with an intermediate: a mode, never a move
			s.final = 0
		}
		return s, i + 1
	case ']', 'P', '_', '^', 'X': // a string until BEL or ST
		for i := 2; i < len(in); i++ {
			if in[i] == 0x07 {
				return sequence{}, i + 1
			}
			if in[i] == 0x1b && i+1 < len(in) && in[i+1] == '\\' {
				return sequence{}, i + 2
			}
		}
		return sequence{}, 2 // no end: the text after it stays
	}
	i := 1
	for i < len(in) && in[i] >= 0x20 && in[i] <= 0x2f {
		i++
	}
	if i == len(in) || in[i] < 0x30 || in[i] > 0x7e {
		return sequence{}, i
	}
	if i > 1 { // a character set
		return sequence{}, i + 1
	}
	return sequence{final: in[i]}, i + 1
}

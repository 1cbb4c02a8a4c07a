package redact

import (
	"bytes"
	"path"
	"regexp"
	"slices"
	"strings"
)

// A Table finds secrets that are known by the column they stand in, or by the
// name of the setting, in scripts of lines like
//
//	cd /Setup/WAN/PPP
//	tab Peer Authent.request Key Time
//	add "INTERNET" none "secret" 5
//	set /Setup/Mail/Password "secret"
//
// Each of the first four matches a whole line and has one group. Cells are bare
// words or stand in double quotes, {Name} before a cell says its column. A row
// that is written otherwise, that has more cells than the heading, or that has
// no heading above it in its section, is hidden whole: in which cell the secret
// is cannot be told. So is every row of a table whose own path Secret matches.
type Table struct {
	Section *regexp.Regexp // a path that the lines after it belong to
	Heading *regexp.Regexp // the names of the columns
	Row     *regexp.Regexp // the cells of a row
	Setting *regexp.Regexp // the cells of a row, or a name (or path) and its value; may be nil
	Secret  *regexp.Regexp // matches /path/column, /path/setting or a table's /path, where that is secret
	Plain   *regexp.Regexp // matches /path of tables that hold no secret even where their heading is missing; may be nil
}

// A reading is where one goes through a text by a Table.
type reading struct {
	*Table
	text    []byte
	path    string      // of the section
	columns []string    // of the heading, or nil
	lost    bool        // a line may have been taken for the rest of another: nothing is clear up to the next section
	spans   []span      // what is secret
	open    map[int]int // where a cell that is known not to be secret begins and ends
}

// find is what a Table says is secret in a text.
func (t *Table) find(text []byte) []span { return t.read(text).spans }

func (t *Table) read(text []byte) *reading {
	r := &reading{Table: t, text: text, open: map[int]int{}}
	continued, open := false, false // the line before ended in a backslash, or within quotes
	for start := 0; start < len(text); {
		end := start + lineLength(text[start:])
		line := text[start:end]
		odd := oddQuotes(line)
		switch {
		case continued:
			r.hide(start, end)
			r.lost, open = true, open != odd
		case r.take(start, end):
			open = odd || oddQuotes(bytes.ReplaceAll(line, []byte(`\"`), nil))
		case open:
			r.hide(start, end)
			open = !odd
		}
		continued = (continued || r.isRow(line)) && bytes.HasSuffix(line, []byte{'\\'})
		start = end + 1
	}
	return r
}

func oddQuotes(line []byte) bool { return bytes.Count(line, []byte{'"'})%2 == 1 }

func lineLength(text []byte) int {
	if i := bytes.IndexByte(text, '\n'); i >= 0 {
		return i
	}
	return len(text)
}

// hide hides all of text[start:end] but for tokens in it, and the blanks and quotes
// around those.
func (r *reading) hide(start, end int) {
	at := start
	part := func(to int) {
		if at == start && to == end || len(bytes.Trim(r.text[at:to], " \t\"'")) > 0 {
			r.spans = append(r.spans, span{start: at, end: to})
		}
	}
	for _, t := range token().FindAllIndex(r.text[start:end], -1) {
		part(start + t[0])
		at = start + t[1]
	}
	part(end)
}

func (t *Table) isRow(line []byte) bool {
	return t.Row.Match(line) || t.Setting != nil && t.Setting.Match(line)
}

// take reads a line, and tells whether it is one of the script's.
func (r *reading) take(start, end int) bool {
	line := r.text[start:end]
	if m := r.Section.FindSubmatch(line); m != nil {
		r.columns, r.lost = nil, false
		r.path = r.below(strings.Trim(string(m[1]), `" `))
		return true
	}
	if m := r.Heading.FindSubmatch(line); m != nil {
		r.columns = columnNames(string(m[1]))
		return true
	}
	add := true
	m := r.Row.FindSubmatchIndex(line)
	if m == nil && r.Setting != nil {
		add, m = false, r.Setting.FindSubmatchIndex(line)
	}
	switch {
	case m == nil:
		return false
	case m[2] < 0:
		r.hide(start, end)
	default:
		r.cellsOf(start+m[2], start+m[3], add)
	}
	return true
}

// below is a path, relative to the section's.
func (r *reading) below(p string) string {
	if strings.HasPrefix(p, "/") {
		return path.Clean(p)
	}
	return path.Join("/", r.path, p)
}

// columnNames are those of a heading, or nil where they say nothing: quoted,
// continued in another line, or only numbers.
func columnNames(heading string) []string {
	names := strings.Fields(heading)
	numbers := true
	for i, n := range names {
		if strings.ContainsAny(n, `"'\`) {
			return nil
		}
		names[i] = strings.Trim(n, "{}")
		numbers = numbers && strings.Trim(n, "0123456789.{}") == ""
	}
	if numbers {
		return nil
	}
	return names
}

// cellsOf hides what is secret in a row, or where add is false in a setting, whose
// cells are text[start:end].
func (r *reading) cellsOf(start, end int, add bool) {
	cells, ok := r.cells(start, end)
	if !ok || len(cells) == 0 || r.lost {
		r.hide(start, end)
		return
	}
	name, table := "", r.path // of a setting, or the path of a row
	values := cells
	if cells[0].column == "" {
		name = r.word(cells[0])
		if byPath := strings.HasPrefix(name, "/"); byPath || r.columns == nil && !add {
			table = path.Dir(r.below(name))
			values = cells[1:]
		}
	}
	headed := r.columns != nil && len(values) == len(cells)
	positions, strange := 0, false
	for _, c := range values {
		if c.column == "" {
			positions++
		} else if headed && !slices.Contains(r.columns, c.column) {
			strange = true
		}
	}
	unclear := !headed && (r.Plain == nil || !r.Plain.MatchString(table))
	switch {
	case len(values) == 0:
		return
	case strange, headed && positions > len(r.columns),
		unclear && add && positions > 0, unclear && positions > 1,
		!add && name != "" && positions > 0 && r.Secret.MatchString(r.below(name)),
		r.Secret.MatchString(table):
		r.hide(values[0].start, end)
		return
	}
	for i, c := range values {
		column := c.column
		if column == "" && headed {
			column = r.columns[i]
		}
		if column != "" && r.Secret.MatchString(path.Join(table, strings.ReplaceAll(column, "/", "-"))) {
			r.hide(c.start, c.end)
		} else if column != "" {
			s := span{start: c.start, end: c.end}.trim(r.text)
			r.open[s.start] = s.end
		}
	}
}

// A cell is one of a row; column is set where {Name} stands before it.
type cell struct {
	start, end int
	column     string
}

func (r *reading) word(c cell) string { return strings.Trim(string(r.text[c.start:c.end]), `"`) }

// cells reads text[start:end]. It is not ok where that can be read in two ways:
// quotes that are escaped, doubled, not closed or within a word, single quotes, a
// backslash before a blank, names that are not followed by one cell each, a cell
// without a name after one with.
func (r *reading) cells(start, end int) (cells []cell, ok bool) {
	column := ""
	for at := start; ; {
		for at < end && isBlank(r.text[at]) {
			at++
		}
		if at == end {
			return cells, column == ""
		}
		from := at
		if r.text[at] == '"' {
			length := bytes.IndexByte(r.text[at+1:end], '"')
			if length < 0 || length > 0 && r.text[at+length] == '\\' {
				return cells, false
			}
			at += length + 2
			if at < end && !isBlank(r.text[at]) {
				return cells, false
			}
		} else {
			for at < end && !isBlank(r.text[at]) {
				at++
			}
			word := r.text[from:at]
			named := word[0] == '{' && word[len(word)-1] == '}' && len(word) > 2
			if bytes.ContainsAny(word, "\"`") || word[0] == '\'' || word[len(word)-1] == '\\' || !named && bytes.ContainsAny(word, "{}") && word[0] == '{' {
				return cells, false
			}
			if named {
				if column != "" {
					return cells, false
				}
				column = string(word[1 : len(word)-1])
				continue
			}
		}
		if column == "" && len(cells) > 0 && cells[len(cells)-1].column != "" {
			return cells, false
		}
		cells = append(cells, cell{start: from, end: at, column: column})
		column = ""
	}
}

// outside is what of the generic look's spans is not in a heading, nor a cell that
// only looks like the value of a word in the cell before it: "PSK Domain-Name".
func (t *Table) outside(text []byte, spans []span) []span {
	if len(spans) == 0 {
		return nil
	}
	known := t.read(text).open
	kept := spans[:0]
	for _, s := range spans {
		start, end := lineAround(text, s.start)
		switch s.kind {
		case kindPassword, kindCommunity, kindShared:
			if at := s.trim(text); at.end > at.start && known[at.start] == at.end || s.end <= end && t.Heading.Match(text[start:end]) {
				continue
			}
		}
		kept = append(kept, s)
	}
	return kept
}

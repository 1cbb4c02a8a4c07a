package devices

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"strings"
)

// appendCSV adds rows, and columns for what the header does not have.
func appendCSV(f editable, added []Device) ([]byte, error) {
	table, err := parseCSV(f.name, f.data)
	if err != nil {
		return nil, err
	}
	titles, rows := map[int]string{}, []map[int]string{}
	columns := map[string]int{}
	for i, c := range table.columns {
		if c.field != "" {
			columns[c.field] = i
		}
	}
	_, driver := columns["driver"]
	model, ambiguous := columns["model"]
	ambiguous = ambiguous && !driver
	if ambiguous {
		columns["driver"] = model
		delete(columns, "model")
	}
	for _, d := range added {
		texts := map[int]string{}
		for _, p := range written(d) {
			i, ok := columns[p.field]
			switch {
			case !ok && p.field == "customer" && d.Customer == "default":
				continue
			case !ok && p.field == "model" && ambiguous:
				return nil, errors.New("the column model holds the driver here: name that column driver, then the hardware's model has a place")
			case !ok:
				i = len(table.columns) + len(titles)
				columns[p.field], titles[i] = i, p.field
			}
			texts[i] = strings.Join(p.values, ";")
		}
		rows = append(rows, texts)
	}
	comma, width := string(table.comma), len(table.columns)+len(titles)
	line := func(texts map[int]string) string {
		cells := make([]string, width)
		for i, text := range texts {
			cells[i] = table.quote(text)
		}
		return strings.Join(cells, comma) + f.newline()
	}
	var out []byte
	if len(table.rows) == 0 {
		out = append(endLine(f.data, f.newline()), line(titles)...)
	} else {
		out = endLine(spliced(table.data, table.set(table.rows[0], titles)...), f.newline())
	}
	for _, texts := range rows {
		out = append(out, line(texts)...)
	}
	return out, nil
}

// renameCSV changes the name's cell and that of the first name, for which it adds
// a column where there is none.
func renameCSV(f editable, old, renamed Device) ([]byte, error) {
	table, err := parseCSV(f.name, f.data)
	if err != nil {
		return nil, err
	}
	name, address, id := table.column("name"), table.column("address"), table.column("id")
	for _, row := range table.rows[1:] {
		if name >= len(row.cells) || row.cells[name].at != old.Where {
			continue
		}
		titles, texts := map[int]string{}, map[int]string{name: renamed.Name}
		if strings.Contains(row.cells[name].text, "/") {
			texts[name] = renamed.String()
		}
		width := len(table.columns)
		if id < 0 {
			id = width
			titles[id] = "id"
		}
		texts[id] = renamed.FirstID
		if address < 0 { // The name was the address too, and that has not changed.
			address = width + len(titles)
			titles[address] = "address"
		}
		if address >= len(row.cells) || row.cells[address].text == "" {
			texts[address] = renamed.Address
		}
		return spliced(table.data, append(table.set(table.rows[0], titles), table.set(row, texts)...)...), nil
	}
	return nil, errors.New("its row was not found")
}

// set are the changes that give a row these texts, by column, with as many empty
// cells before them as the row lacks.
func (f *csvFile) set(row csvRow, texts map[int]string) []splice {
	var changes []splice
	var tail strings.Builder
	next := len(row.cells)
	for _, i := range slices.Sorted(maps.Keys(texts)) {
		if i < len(row.cells) {
			from := f.offset(row.cells[i].at)
			changes = append(changes, splice{from, f.cellEnd(from), f.quote(texts[i])})
			continue
		}
		for ; next <= i; next++ {
			tail.WriteRune(f.comma)
		}
		tail.WriteString(f.quote(texts[i]))
	}
	end := len(bytes.TrimRight(f.data[:row.end], "\r\n"))
	return append(changes, splice{end, end, tail.String()})
}

// offset is where a position is, whose column counts bytes.
func (f *csvFile) offset(at Position) int {
	offset, line := 0, 1
	for text := range bytes.Lines(f.data) {
		if line == at.Line {
			break
		}
		offset += len(text)
		line++
	}
	return offset + at.Column - 1
}

// cellEnd is where the cell that begins at from ends, its closing quote included.
func (f *csvFile) cellEnd(from int) int {
	rest := f.data[from:]
	if !bytes.HasPrefix(rest, []byte{'"'}) {
		if n := bytes.IndexAny(rest, string(f.comma)+"\r\n"); n >= 0 {
			return from + n
		}
		return len(f.data)
	}
	for i := 1; i < len(rest); i++ {
		if rest[i] != '"' {
			continue
		}
		if i+1 == len(rest) || rest[i+1] != '"' {
			return from + i + 1
		}
		i++
	}
	return len(f.data)
}

func (f *csvFile) quote(s string) string {
	if strings.ContainsAny(s, string(f.comma)+"\"\r\n") || strings.TrimSpace(s) != s || strings.HasPrefix(s, "#") {
		return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
	}
	return s
}

// endLine ends the last line of data, where it has one.
func endLine(data []byte, newline string) []byte {
	if len(data) > 0 && data[len(data)-1] != '\n' {
		return append(data[:len(data):len(data)], newline...)
	}
	return data[:len(data):len(data)]
}

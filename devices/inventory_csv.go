package devices

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"
)

// A csvFile is a CSV file taken apart, each text with the place where it begins.
type csvFile struct {
	comma   rune
	data    []byte // without a byte order mark; offsets count in it
	columns []csvColumn
	rows    []csvRow // the header is the first
}

// A csvColumn is what a column means; field is empty where it is not known.
type csvColumn struct {
	title, field string
}

type csvRow struct {
	cells []cell
	end   int64 // offset behind the row and its line end
}

// csv reads a list with a header.
func (r *reader) csv(name string, data []byte) {
	f, err := parseCSV(name, data)
	if err != nil {
		at := Position{File: name, Line: 1, Column: 1}
		if e, ok := errors.AsType[*csv.ParseError](err); ok {
			at.Line, at.Column, err = e.Line, e.Column, e.Err
		}
		r.fault(at, "put a value that holds a quote or the separator in double quotes", "%w", err)
		return
	}
	if len(f.rows) == 0 {
		return
	}
	header := f.rows[0].cells
	known, ignored := 0, []string{}
	for _, c := range f.columns {
		if c.field != "" {
			known++
		} else if c.title != "" {
			ignored = append(ignored, c.title)
		}
	}
	if f.column("name") < 0 {
		hint := "the first line names the columns: name, address, driver"
		if known > 0 {
			hint = "name one column: name"
		}
		r.fault(header[0].at, hint, "no column for the devices' names")
		return
	}
	if len(ignored) > 0 {
		r.warn(header[0].at, "columns not used: %s", strings.Join(ignored, ", "))
	}
	for _, row := range f.rows[1:] {
		before := r.count()
		if e, ok := r.csvEntry(f, row); ok {
			r.device(e, nil, before)
		}
	}
}

func (r *reader) csvEntry(f *csvFile, row csvRow) (entry, bool) {
	e := entry{at: row.cells[0].at, fields: map[string][]cell{}}
	empty := true
	for i, c := range row.cells {
		empty = empty && c.text == ""
		if i >= len(f.columns) {
			if c.text != "" {
				r.fault(c.at, "put a value that holds the separator in double quotes", "more values than the %d columns", len(f.columns))
			}
			continue
		}
		if field := f.columns[i].field; field != "" && c.text != "" {
			e.fields[field] = []cell{c}
		} else if field != "" {
			e.fields[field] = []cell{}
		}
	}
	for _, c := range f.columns {
		if _, ok := e.fields[c.field]; !ok && c.field != "" {
			e.fields[c.field] = []cell{}
		}
	}
	return e, !empty
}

func (f *csvFile) column(field string) int {
	return slices.IndexFunc(f.columns, func(c csvColumn) bool { return c.field == field })
}

// parseCSV finds the separator under which the header makes most sense.
func parseCSV(name string, data []byte) (*csvFile, error) {
	best, most := ',', -1
	for _, comma := range ",;\t|:" {
		header, err := csvReader(data, comma).Read()
		if err != nil {
			continue
		}
		known := 0
		for _, c := range csvColumns(header) {
			if c.field != "" {
				known++
			}
		}
		if known > most {
			best, most = comma, known
		}
	}
	f := &csvFile{comma: best, data: data}
	records := csvReader(data, best)
	for {
		record, err := records.Read()
		if errors.Is(err, io.EOF) {
			return f, nil
		}
		if err != nil {
			return nil, err
		}
		row := csvRow{end: records.InputOffset()}
		for i, text := range record {
			line, column := records.FieldPos(i)
			row.cells = append(row.cells, cell{strings.TrimSpace(text), Position{name, line, column}})
		}
		if len(f.rows) == 0 {
			f.columns = csvColumns(record)
		}
		f.rows = append(f.rows, row)
	}
}

// csvReader passes over lines that begin with '#', and over the line with which
// spreadsheets tell the separator.
func csvReader(data []byte, comma rune) *csv.Reader {
	if bytes.HasPrefix(data, []byte("sep=")) {
		data = append([]byte("#"), data[1:]...)
	}
	r := csv.NewReader(bytes.NewReader(data))
	r.Comma, r.Comment, r.FieldsPerRecord = comma, '#', -1
	r.TrimLeadingSpace = comma != '\t'
	return r
}

// csvColumns tells what each title means. Of two that mean the same the usual
// one wins; "model" is the driver where no other column is.
func csvColumns(titles []string) []csvColumn {
	fields, names := fieldsByKey(), fieldNames()
	columns := make([]csvColumn, len(titles))
	taken := map[string]int{}
	rank := func(i int) int {
		return slices.Index(names[fields[plainKey(titles[i])]], plainKey(titles[i]))
	}
	for i, title := range titles {
		columns[i].title = strings.TrimSpace(title)
		field := fields[plainKey(title)]
		if field == "" {
			continue
		}
		if j, ok := taken[field]; ok {
			if rank(j) <= rank(i) {
				continue
			}
			columns[j].field = ""
		}
		columns[i].field, taken[field] = field, i
	}
	return columns
}

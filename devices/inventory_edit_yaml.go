package devices

import (
	"bytes"
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
)

// Both edits change the text at the places the tree names, never the tree: a
// tree written out again has lost blank lines and a person's way of quoting.

// appendYAML adds entries behind the last one, as far to the right.
func appendYAML(f editable, added []Device) ([]byte, error) {
	file, err := parseYAML(f.data)
	if err != nil {
		return nil, err
	}
	y := yamlReader{&reader{}, f.name, fieldsByKey(), map[string]ast.Node{}}
	var body ast.Node
	for _, doc := range file.Docs {
		if doc.Body != nil && y.plain(doc.Body) != nil {
			ast.Walk(y, doc.Body)
			body = doc.Body
		}
	}
	var list, key ast.Node
	byDefault := "default"
	switch n := y.plain(body).(type) {
	case *ast.SequenceNode:
		list = n
	case ast.MapNode:
		for items := n.MapRange(); items.Next(); {
			switch items.Key().GetToken().Value {
			case "devices":
				list, key = y.plain(items.Value()), items.Key()
			case "defaults":
				if cells := y.defaults(items.Value())["customer"]; len(cells) == 1 {
					byDefault = cells[0].text
				}
			}
		}
	}
	var entries [][]pair
	for _, d := range added {
		entries = append(entries, slices.DeleteFunc(written(d), func(p pair) bool { return p.field == "customer" && d.Customer == byDefault }))
	}
	devices, isList := list.(*ast.SequenceNode)
	switch {
	case list == nil && key == nil:
		return append(endLine(f.data, f.newline()), "devices:"+f.newline()+blocks(entries, 2, f.newline())...), nil
	case list == nil:
		end := lineEnd(f.data, y.at(key).Line)
		data := endLine(f.data[:end], f.newline())
		return append(append(data, blocks(entries, y.at(key).Column+1, f.newline())...), f.data[end:]...), nil
	case !isList:
		return nil, errors.New("devices is no list")
	case devices.IsFlowStyle:
		return appendFlow(f.data, devices, entries)
	}
	column := devices.Start.Position.Column
	end := blockEnd(f.data, y.at(devices.Values[len(devices.Values)-1]).Line, column)
	data := endLine(f.data[:end], f.newline())
	return append(append(data, blocks(entries, column-1, f.newline())...), f.data[end:]...), nil
}

// appendFlow adds to a list in brackets.
func appendFlow(data []byte, list *ast.SequenceNode, entries [][]pair) ([]byte, error) {
	if list.End == nil {
		return nil, errors.New("the list's end was not found")
	}
	at := runeOffset(data, Position{Line: list.End.Position.Line, Column: list.End.Position.Column})
	if at < 0 || data[at] != ']' {
		return nil, errors.New("the list's end was not found")
	}
	text := ""
	for i, pairs := range entries {
		var texts []string
		for _, p := range pairs {
			texts = append(texts, p.field+": "+yamlValues(p))
		}
		if i+len(list.Values) > 0 {
			text += ", "
		}
		text += "{" + strings.Join(texts, ", ") + "}"
	}
	return spliced(data, splice{at, at, text}), nil
}

// blocks are entries of a list, their dashes behind indent spaces.
func blocks(entries [][]pair, indent int, newline string) string {
	var b strings.Builder
	for _, pairs := range entries {
		lead := strings.Repeat(" ", indent) + "- "
		for _, p := range pairs {
			b.WriteString(lead + p.field + ": " + yamlValues(p) + newline)
			lead = strings.Repeat(" ", indent+2)
		}
	}
	return b.String()
}

var plainForm = Pattern(`^[A-Za-z][A-Za-z0-9._/+@-]*$|^[0-9]{1,3}(\.[0-9]{1,3}){3}$|^[1-9][0-9]{0,4}$`)

// yamlText writes s so that every reader of YAML takes it for the same text.
func yamlText(s string) string {
	switch strings.ToLower(s) {
	case "true", "false", "yes", "no", "on", "off", "y", "n", "null":
		return strconv.Quote(s)
	}
	if plainForm().MatchString(s) {
		return s
	}
	return strconv.Quote(s)
}

func yamlValues(p pair) string {
	if p.field == "legacy" {
		return p.values[0]
	}
	if len(p.values) == 1 {
		return yamlText(p.values[0])
	}
	var texts []string
	for _, v := range p.values {
		texts = append(texts, yamlText(v))
	}
	return "[" + strings.Join(texts, ", ") + "]"
}

// blockEnd is the offset behind the last line of the entry that begins at line,
// its dash in column: comments further to the right belong to it.
func blockEnd(data []byte, line, column int) int {
	end, offset, n := 0, 0, 0
	for text := range bytes.Lines(data) {
		offset += len(text)
		n++
		if n <= line {
			end = offset
			continue
		}
		trimmed := bytes.TrimSpace(text)
		indent := len(text) - len(bytes.TrimLeft(text, " "))
		switch {
		case len(trimmed) == 0:
		case indent >= column:
			end = offset
		case trimmed[0] != '#':
			return end
		}
	}
	return end
}

// lineEnd is the offset behind a line and its line end.
func lineEnd(data []byte, line int) int {
	offset, n := 0, 0
	for text := range bytes.Lines(data) {
		if n == line {
			break
		}
		offset += len(text)
		n++
	}
	return offset
}

// runeOffset is where a position of the YAML library is, whose columns count
// characters; -1 where there is no such place.
func runeOffset(data []byte, at Position) int {
	offset := lineEnd(data, at.Line-1)
	for range at.Column - 1 {
		_, n := utf8.DecodeRune(data[offset:])
		if n == 0 {
			return -1
		}
		offset += n
	}
	if offset >= len(data) {
		return -1
	}
	return offset
}

// renameYAML changes the name's text and adds the first name behind it.
func renameYAML(f editable, old, renamed Device) ([]byte, error) {
	file, err := parseYAML(f.data)
	if err != nil {
		return nil, err
	}
	find := findName(f.name, file, old.Where)
	from := runeOffset(f.data, old.Where)
	if find.key == nil || from < 0 {
		return nil, errors.New("its name was not found")
	}
	text, quote := old.Name, ""
	if c := f.data[from]; c == '"' || c == '\'' {
		quote = string(c)
	}
	if bytes.HasPrefix(f.data[from:], []byte(quote+old.String())) {
		text = old.String()
	}
	if !bytes.HasPrefix(f.data[from:], []byte(quote+text+quote)) {
		return nil, errors.New("its name is written in a way that is not understood")
	}
	to := from + len(quote+text+quote)
	name := strings.TrimSuffix(text, old.Name) + renamed.Name
	if quote == "" {
		name = yamlText(name)
	}
	changes := []splice{{from, to, quote + name + quote}}
	var added []string
	if old.FirstID == "" {
		added = append(added, "id: "+yamlText(renamed.FirstID))
	}
	if !find.address { // The name was the address too, and that has not changed.
		added = append(added, "address: "+yamlText(renamed.Address))
	}
	switch {
	case len(added) == 0:
	case find.flow:
		changes = append(changes, splice{to, to, ", " + strings.Join(added, ", ")})
	default:
		end := lineEnd(f.data, old.Where.Line)
		indent := strings.Repeat(" ", find.keyAt.Column-1)
		lines := indent + strings.Join(added, f.newline()+indent) + f.newline()
		if f.data[end-1] != '\n' {
			lines = f.newline() + strings.TrimSuffix(lines, f.newline())
		}
		changes = append(changes, splice{end, end, lines})
	}
	return spliced(f.data, changes...), nil
}

// A nameFinder finds the mapping in which a name stands.
type nameFinder struct {
	yamlReader
	valueAt Position
	key     ast.Node
	keyAt   Position
	flow    bool
	address bool // the mapping has one
	mapping *ast.MappingNode
}

func findName(name string, file *ast.File, at Position) nameFinder {
	find := nameFinder{yamlReader: yamlReader{&reader{}, name, fieldsByKey(), map[string]ast.Node{}}, valueAt: at}
	for _, doc := range file.Docs {
		if doc.Body != nil {
			ast.Walk(&find, doc.Body)
		}
	}
	return find
}

// Visit looks at the pairs of each mapping.
func (f *nameFinder) Visit(n ast.Node) ast.Visitor {
	m, ok := n.(*ast.MappingNode)
	if !ok {
		f.yamlReader.Visit(n)
		return f
	}
	for _, p := range m.Values {
		v := p.Value
		if a, ok := v.(*ast.AnchorNode); ok {
			v = a.Value
		}
		if f.at(v) == f.valueAt {
			f.key, f.keyAt, f.flow, f.mapping = p.Key, f.at(p.Key), m.IsFlowStyle, m
			f.address = slices.ContainsFunc(m.Values, func(p *ast.MappingValueNode) bool {
				return f.fields[plainKey(p.Key.GetToken().Value)] == "address"
			})
		}
	}
	return f
}

package devices

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// deepest is how far aliases and merges are followed.
const deepest = 8

// A yamlReader walks one file's tree. It knows positions, which a decoder into
// structs would have thrown away.
type yamlReader struct {
	*reader
	file    string
	fields  map[string]string
	anchors map[string]ast.Node
}

// yaml reads a mapping with devices and perhaps defaults, or a bare list, in
// each document of a file.
func (r *reader) yaml(name string, data []byte) {
	file, err := parseYAML(data)
	if err != nil {
		at, message := Position{File: name, Line: 1, Column: 1}, err.Error()
		// The library's own text shows the lines around, passwords and all.
		if e, ok := errors.AsType[yaml.Error](err); ok {
			message = e.GetMessage()
			if tk := e.GetToken(); tk != nil && tk.Position != nil {
				at.Line, at.Column = max(1, tk.Position.Line), max(1, tk.Position.Column)
			}
		}
		r.fault(at, "", "%s", message)
		return
	}
	y := yamlReader{r, name, fieldsByKey(), map[string]ast.Node{}}
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		ast.Walk(y, doc.Body)
		y.document(doc.Body)
	}
}

// parseYAML turns a panic of the library, which people's files have caused
// before, into an error.
func parseYAML(data []byte) (file *ast.File, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("this is not YAML")
		}
	}()
	return parser.ParseBytes(data, 0)
}

// Visit notes the anchors, for the aliases, which come behind them.
func (y yamlReader) Visit(n ast.Node) ast.Visitor {
	switch v := n.(type) {
	case *ast.AnchorNode:
		y.anchors[v.Name.GetToken().Value] = v.Value
	case *ast.AliasNode:
		if _, ok := y.anchors[v.Value.GetToken().Value]; !ok {
			y.fault(y.at(v), "", "no anchor is called %q", v.Value.GetToken().Value)
		}
	}
	return y
}

func (y yamlReader) at(n ast.Node) Position {
	if tk := n.GetToken(); tk != nil && tk.Position != nil {
		return Position{y.file, tk.Position.Line, tk.Position.Column}
	}
	return Position{File: y.file, Line: 1, Column: 1}
}

// plain follows anchors, aliases and tags to what they stand for; nil for null.
func (y yamlReader) plain(n ast.Node) ast.Node {
	for range deepest {
		switch v := n.(type) {
		case *ast.AnchorNode:
			n = v.Value
		case *ast.TagNode:
			n = v.Value
		case *ast.AliasNode:
			n = y.anchors[v.Value.GetToken().Value]
		case *ast.NullNode, nil:
			return nil
		default:
			return n
		}
	}
	y.fault(y.at(n), "", "aliases go round in a circle")
	return nil
}

func (y yamlReader) document(body ast.Node) {
	var list ast.Node
	defaults := map[string][]cell{}
	switch n := y.plain(body).(type) {
	case *ast.SequenceNode:
		list = n
	case ast.MapNode:
		for pairs := n.MapRange(); pairs.Next(); {
			key := pairs.Key()
			switch name := key.GetToken().Value; name {
			case "devices":
				list = y.plain(pairs.Value())
			case "defaults":
				defaults = y.defaults(pairs.Value())
			default:
				y.fault(y.at(key), y.meant(name, "devices", "defaults"), "unknown key %q", name)
			}
		}
	case nil:
		return
	default:
		y.fault(y.at(body), "begin with devices:", "expected a list of devices")
		return
	}
	if list == nil {
		return
	}
	devices, ok := list.(*ast.SequenceNode)
	if !ok {
		y.fault(y.at(list), "begin each device with a dash: - name: fw-hq", "expected a list of devices")
		return
	}
	for _, n := range devices.Values {
		before := y.count()
		if e, ok := y.entry(n); ok {
			y.device(e, defaults, before)
		}
	}
}

func (y yamlReader) meant(name string, keys ...string) string {
	if near := nearest(name, keys); len(near) > 0 {
		return "did you mean " + strings.Join(near, ", ") + "?"
	}
	return "known are " + strings.Join(keys, ", ")
}

// defaults are fields that may hold for many devices.
func (y yamlReader) defaults(n ast.Node) map[string][]cell {
	if y.plain(n) == nil {
		return nil
	}
	e, ok := y.entry(n)
	if !ok {
		return nil
	}
	for _, field := range []string{"name", "address", "id", "serial", "mac", "host_keys", "model"} {
		if cells, ok := e.fields[field]; ok {
			at := e.at
			if len(cells) > 0 {
				at = cells[0].at
			}
			y.fault(at, "write it with each device", "%s cannot have a default", field)
		}
	}
	return e.fields
}

// entry reads one mapping; false where it is none.
func (y yamlReader) entry(n ast.Node) (entry, bool) {
	e := entry{at: y.at(n), fields: map[string][]cell{}}
	if m, ok := y.plain(n).(ast.MapNode); ok {
		if pairs := m.MapRange(); pairs.Next() {
			e.at = y.at(pairs.Key())
		}
	}
	return e, y.pairs(n, e.fields, deepest)
}

// pairs adds the pairs of a mapping to fields; what is merged into it gives way.
func (y yamlReader) pairs(n ast.Node, fields map[string][]cell, depth int) bool {
	m, ok := y.plain(n).(ast.MapNode)
	if !ok || depth == 0 {
		y.fault(y.at(n), "write name: and address: with each device", "expected a mapping")
		return false
	}
	own := map[string][]cell{}
	for pairs := m.MapRange(); pairs.Next(); {
		key := pairs.Key()
		if key.IsMergeKey() {
			y.merge(pairs.Value(), fields, depth-1)
			continue
		}
		written := key.GetToken().Value
		field, ok := y.fields[plainKey(written)]
		if !ok {
			y.fault(y.at(key), y.meant(written, knownFields()...), "unknown key %q", written)
			continue
		}
		if _, twice := own[field]; twice {
			y.fault(y.at(key), "", "%s is given twice", field)
			continue
		}
		own[field] = y.cells(field, pairs.Value())
	}
	maps.Copy(fields, own)
	return true
}

// merge adds one merged mapping, or a list of them, of which the first wins.
func (y yamlReader) merge(n ast.Node, fields map[string][]cell, depth int) {
	list, ok := y.plain(n).(*ast.SequenceNode)
	if !ok {
		y.pairs(n, fields, depth)
		return
	}
	for _, m := range slices.Backward(list.Values) {
		y.pairs(m, fields, depth)
	}
}

func knownFields() []string {
	var known []string
	for field := range fieldNames() {
		known = append(known, field)
	}
	slices.Sort(known)
	return known
}

// cells are the values of a field, each with its own position. What is wrong
// with them still counts as given.
func (y yamlReader) cells(field string, n ast.Node) []cell {
	items, list := []ast.Node{n}, false
	if v, ok := y.plain(n).(*ast.SequenceNode); ok {
		items, list = v.Values, true
	}
	if list && !slices.Contains([]string{"serial", "mac", "jump", "host_keys", "also"}, field) {
		y.fault(y.at(n), "", "%s takes one value, not a list", field)
		return nil
	}
	cells := []cell{}
	for _, item := range items {
		v := y.plain(item)
		text, ok := scalar(v)
		if text = strings.TrimSpace(text); text != "" {
			cells = append(cells, cell{text, y.at(v)})
		} else if v != nil && !ok {
			y.fault(y.at(item), "", "%s takes a text", field)
		}
	}
	return cells
}

// scalar is a value as it was written: the serial number 0123 is not 83.
func scalar(n ast.Node) (string, bool) {
	switch v := n.(type) {
	case *ast.StringNode:
		return v.Value, true
	case *ast.LiteralNode:
		return v.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	return "", false
}

package devices

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// Reserial replaces the serial numbers of a device of the file: another box has
// taken its place. Where the file names none nothing changes: whatever the device
// says is expected then, and stays so.
func Reserial(file string, old Device, serials []string) error {
	return edit(file, "change the serial number of", old, 0, func(f editable) ([]byte, []Device, error) {
		i := slices.IndexFunc(f.devices, func(d Device) bool { return d.String() == old.String() })
		if i < 0 {
			return nil, nil, fmt.Errorf("it is not in %s", file)
		}
		if len(f.devices[i].Serials) == 0 || slices.Equal(f.devices[i].Serials, serials) {
			return nil, nil, nil
		}
		wanted := slices.Clone(f.devices)
		wanted[i].Serials = slices.Clone(serials)
		if len(serials) == 0 {
			wanted[i].Serials = nil // as it is read
		}
		change := reserialYAML
		if f.csv {
			change = reserialCSV
		}
		data, err := change(f, f.devices[i], serials)
		return data, wanted, err
	})
}

// reserialCSV changes one cell.
func reserialCSV(f editable, old Device, serials []string) ([]byte, error) {
	table, err := parseCSV(f.name, f.data)
	if err != nil {
		return nil, err
	}
	name, serial := table.column("name"), table.column("serial")
	for _, row := range table.rows[1:] {
		if name < len(row.cells) && serial >= 0 && row.cells[name].at == old.Where {
			return spliced(table.data, table.set(row, map[int]string{serial: strings.Join(serials, ";")})...), nil
		}
	}
	return nil, errors.New("its row was not found")
}

// reserialYAML changes the text of each number at its place.
func reserialYAML(f editable, old Device, serials []string) ([]byte, error) {
	file, err := parseYAML(f.data)
	if err != nil {
		return nil, err
	}
	find := findName(f.name, file, old.Where)
	if find.mapping == nil {
		return nil, errors.New("its name was not found")
	}
	for _, p := range find.mapping.Values {
		if find.fields[plainKey(p.Key.GetToken().Value)] != "serial" {
			continue
		}
		value := ast.Node(p.Value)
		if a, ok := value.(*ast.AnchorNode); ok {
			value = a.Value
		}
		if list, ok := value.(*ast.SequenceNode); ok {
			return reserialList(f, find.yamlReader, list, serials)
		}
		from, to, err := extent(f.data, find.yamlReader, value)
		if err != nil {
			return nil, err
		}
		if len(serials) == 1 {
			return spliced(f.data, splice{from, to, quotedAs(f.data[from], serials[0])}), nil
		}
		return spliced(f.data, splice{from, to, yamlValues(pair{"serial", serials})}), nil
	}
	return nil, errors.New("its serial number is written elsewhere and merged into it")
}

// reserialList puts one number in place of another, takes away what is too much
// and adds behind the last one what is missing.
func reserialList(f editable, y yamlReader, list *ast.SequenceNode, serials []string) ([]byte, error) {
	if len(serials) == 0 && !list.IsFlowStyle {
		return nil, errors.New("a list without numbers cannot be written there")
	}
	var changes []splice
	last, lastLine := 0, 0 // where the text of the last number that stays ends
	for i, item := range list.Values {
		from, to, err := extent(f.data, y, item)
		if err != nil {
			return nil, err
		}
		switch {
		case i < len(serials):
			changes = append(changes, splice{from, to, quotedAs(f.data[from], serials[i])})
			last, lastLine = to, y.at(item).Line
		case !list.IsFlowStyle: // its line goes
			changes = append(changes, splice{lineEnd(f.data, y.at(item).Line-1), lineEnd(f.data, y.at(item).Line), ""})
		case i == 0:
			last = from
			fallthrough
		default: // with the comma before it
			changes = append(changes, splice{last, to, ""})
			last = to
		}
	}
	for _, s := range serials[min(len(list.Values), len(serials)):] {
		text := ", " + yamlText(s)
		at := last
		if !list.IsFlowStyle {
			at = lineEnd(f.data, lastLine)
			text = strings.Repeat(" ", list.Start.Position.Column-1) + "- " + yamlText(s) + f.newline()
			if f.data[at-1] != '\n' {
				text = f.newline() + strings.TrimSuffix(text, f.newline())
			}
		}
		changes = append(changes, splice{at, at, text})
	}
	return spliced(f.data, changes...), nil
}

// extent is where a scalar stands, with its quotes.
func extent(data []byte, y yamlReader, n ast.Node) (from, to int, err error) {
	unclear := errors.New("its serial number is written in a way that is not understood")
	text, ok := scalar(n)
	if !ok {
		return 0, 0, unclear
	}
	if from = runeOffset(data, y.at(n)); from < 0 {
		return 0, 0, unclear
	}
	quote := ""
	if c := data[from]; c == '"' || c == '\'' {
		quote = string(c)
	}
	if !bytes.HasPrefix(data[from:], []byte(quote+text+quote)) {
		return 0, 0, unclear
	}
	return from, from + len(quote+text+quote), nil
}

// quotedAs writes s in the quotes that stood there, if it fits into them.
func quotedAs(was byte, s string) string {
	if was != '"' && was != '\'' || strings.ContainsAny(s, `"'\`) {
		return yamlText(s)
	}
	return string(was) + s + string(was)
}

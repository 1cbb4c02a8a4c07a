package configs

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// closed tells whether everything that a text opens is closed again.
func (s Structure) closed(text []byte) error {
	switch s {
	case Braces:
		return closedBraces(text)
	case XML:
		return closedXML(text)
	case JSON:
		d := json.NewDecoder(bytes.NewReader(text))
		var v any
		if err := d.Decode(&v); err != nil {
			return fmt.Errorf("not well-formed JSON: %w", err)
		}
		if _, err := d.Token(); !errors.Is(err, io.EOF) {
			return errors.New("text behind the JSON value")
		}
		return nil
	case ConfigEnd:
		return closedBlocks(text)
	}
	return nil
}

// closedBraces counts { and } outside quotes and comments. Quotes may span
// lines (certificates do); an apostrophe is no quote, descriptions hold them.
func closedBraces(text []byte) error {
	depth, line := 0, 1
	opened := 0
	quoted, comment := false, false
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '\n':
			line++
		case comment:
			if c == '*' && i+1 < len(text) && text[i+1] == '/' {
				comment = false
				i++
			}
		case quoted:
			if c == '\\' {
				i++
			} else if c == '"' {
				quoted = false
			}
		case c == '"':
			quoted = true
		case c == '/' && i+1 < len(text) && text[i+1] == '*' && (i == 0 || text[i-1] == '\n' || text[i-1] == ' ' || text[i-1] == '\t'): // not example.com/*
			comment = true
			i++
		case c == '#' && (i == 0 || text[i-1] == '\n' || text[i-1] == ' '):
			for i+1 < len(text) && text[i+1] != '\n' {
				i++
			}
		case c == '{':
			if depth == 0 {
				opened = line
			}
			depth++
		case c == '}':
			if depth--; depth < 0 {
				return fmt.Errorf("line %d closes what nothing opened", line)
			}
		}
	}
	switch {
	case quoted:
		return errors.New("a quoted text is not closed")
	case comment:
		return errors.New("a comment is not closed")
	case depth > 0:
		return fmt.Errorf("%d blocks not closed, the outermost opened in line %d", depth, opened)
	}
	return nil
}

// closedXML reads the text as one XML document.
func closedXML(text []byte) error {
	d := xml.NewDecoder(bytes.NewReader(text))
	d.Entity = xml.HTMLEntity // old pfSense writes &eacute;
	d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }
	roots, depth := 0, 0
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("not well-formed XML: %w", err)
		}
		switch t := t.(type) {
		case xml.StartElement:
			if depth == 0 {
				roots++
			}
			depth++
		case xml.EndElement:
			depth--
		case xml.CharData:
			if depth == 0 && len(bytes.TrimSpace(t)) > 0 {
				return errors.New("text outside the root element")
			}
		}
	}
	if roots != 1 {
		return fmt.Errorf("%d root elements", roots)
	}
	return nil
}

// closedBlocks matches config … end and edit … next, FortiOS's nesting. An end
// closes an edit too, as at the command line: virtual domains are written so.
// Values in double quotes may span lines: certificates and private keys do.
func closedBlocks(text []byte) error {
	var open []string
	quoted := false
	n := 0
	for line := range strings.SplitSeq(string(text), "\n") {
		n++
		word := ""
		if !quoted {
			word, _, _ = strings.Cut(strings.TrimSpace(line), " ")
		}
		for i := 0; i < len(line); i++ {
			switch line[i] {
			case '\\':
				i++
			case '"':
				quoted = !quoted
			}
		}
		switch word {
		case "config", "edit":
			open = append(open, word)
		case "next":
			if len(open) == 0 || open[len(open)-1] != "edit" {
				return fmt.Errorf("line %d: next closes no edit", n)
			}
			open = open[:len(open)-1]
		case "end": // closes an edit that is open, too
			if len(open) > 0 && open[len(open)-1] == "edit" {
				open = open[:len(open)-1]
			}
			if len(open) == 0 || open[len(open)-1] != "config" {
				return fmt.Errorf("line %d: end closes no config", n)
			}
			open = open[:len(open)-1]
		}
	}
	switch {
	case quoted:
		return errors.New("a quoted value is not closed")
	case len(open) > 0:
		return fmt.Errorf("%d blocks not closed", len(open))
	}
	return nil
}

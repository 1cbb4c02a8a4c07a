package drivers

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"

	"belay/configs"
	"belay/devices"
	"belay/devices/http"
)

// next is the request for the page after an answer; empty where it was the last.
func (q *request) next(a http.Answer) string {
	switch {
	case q.link:
		return nextLink(a.Header.Values("Link"))
	case q.pages != nil:
		if m := q.pages.FindSubmatchIndex(a.Body); m != nil {
			return "GET " + strings.TrimPrefix(group(a.Body, m), "GET ")
		}
	}
	return ""
}

// nextLink is the next page as RFC 8288 has it. Whose host it names does not
// matter: the session goes nowhere else.
func nextLink(links []string) string {
	for _, l := range links {
		for _, m := range link().FindAllStringSubmatch(l, -1) {
			u, err := url.Parse(m[1])
			if err == nil && rel().MatchString(m[2]) && strings.HasPrefix(u.Path, "/") {
				return "GET " + u.RequestURI()
			}
		}
	}
	return ""
}

var (
	link = devices.Pattern(`<([^>]*)>((?:\s*;\s*[^,;"]+(?:"[^"]*")?)*)`)
	rel  = devices.Pattern(`(?i);\s*rel\s*=\s*(?:next\b|"(?:[^"]* )?next(?: [^"]*)?")`)
)

// text is what a person reads of an answer. What is not whole is an error.
func (q *request) text(pages [][]byte) ([]byte, error) {
	if webPage(pages[0]) {
		return nil, errors.New("a web page came where the API's answer should be: is the API enabled?")
	}
	switch q.as {
	case "json":
		return textOfJSON(pages, q.only)
	case "xml":
		return textOfXML(pages[0])
	case "base64":
		bare := bytes.Map(func(r rune) rune {
			if strings.ContainsRune(" \t\r\n", r) {
				return -1
			}
			return r
		}, pages[0])
		bare = bytes.TrimRight(bare, "&") // SonicWall ends its settings so
		if n, err := base64.StdEncoding.Decode(make([]byte, base64.StdEncoding.DecodedLen(len(bare))), bare); err != nil || n == 0 {
			return nil, errors.New("the answer is not whole base64: it was cut short, or is something else")
		}
		return pages[0], nil
	}
	return configs.Plain(bytes.Join(pages, []byte("\n"))), nil
}

// textOfJSON writes JSON in one way: names sorted, one value a line, numbers as
// they came. The pages of a list become one list.
func textOfJSON(pages [][]byte, only []string) ([]byte, error) {
	var all []any
	var last any
	for _, page := range pages {
		if len(bytes.TrimSpace(page)) == 0 {
			if len(pages) == 1 {
				return nil, nil // the checks say that it is empty
			}
			return nil, errors.New("a page is empty")
		}
		d := json.NewDecoder(bytes.NewReader(page))
		d.UseNumber()
		last = nil
		if err := d.Decode(&last); err != nil {
			return nil, errors.New("the answer is not whole JSON: it was cut short, or is something else") // err would quote it
		}
		if _, err := d.Token(); !errors.Is(err, io.EOF) {
			return nil, errors.New("there is more behind the JSON value")
		}
		if len(pages) > 1 {
			list, ok := last.([]any)
			if !ok {
				return nil, errors.New("a page is not a list")
			}
			all = append(all, list...)
		}
	}
	if len(pages) > 1 {
		last = all
	}
	if len(only) > 0 {
		pick(last, only)
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(last); err != nil {
		return nil, errors.New("the answer cannot be written as JSON")
	}
	return out.Bytes(), nil
}

// pick leaves of the objects in an answer's list, or lists, only members of these
// names: what a device is set to, without what it counts.
func pick(value any, only []string) {
	switch v := value.(type) {
	case map[string]any:
		for _, member := range v {
			if list, ok := member.([]any); ok {
				pick(list, only)
			}
		}
	case []any:
		for _, one := range v {
			if object, ok := one.(map[string]any); ok {
				maps.DeleteFunc(object, func(name string, _ any) bool { return !slices.Contains(only, name) })
			}
		}
	}
}

// textOfXML puts each element of a document on a line of its own, two blanks
// further in than the one around it. Nothing but the blanks between elements
// changes: names, attributes, entities and text stay as they were written.
func textOfXML(page []byte) ([]byte, error) {
	if len(bytes.TrimSpace(page)) == 0 {
		return nil, nil
	}
	tokens, err := xmlTokens(page)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	depth, inline := 0, 0 // inline: how deep within an element that holds text
	line := func() {
		if inline > 0 {
			return
		}
		if out.Len() > 0 {
			out.WriteByte('\n')
		}
		out.WriteString(strings.Repeat("  ", depth))
	}
	before := other // what stood there last, blanks aside
	for _, t := range tokens {
		switch t.kind {
		case opening:
			line()
			out.Write(t.text)
			depth++
			if inline > 0 || t.holdsText {
				inline++
			}
		case closing:
			depth--
			if inline > 0 {
				inline--
			} else if before != opening {
				line()
			}
			out.Write(t.text)
		case blank:
			if inline > 0 {
				out.Write(t.text)
			}
		default:
			if t.kind != text {
				line()
			}
			out.Write(t.text)
		}
		if t.kind != blank {
			before = t.kind
		}
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

type xmlKind uint8

const (
	opening xmlKind = iota
	closing
	text
	blank
	other // declarations and comments
)

// An xmlToken is a piece of a document as it is written.
type xmlToken struct {
	kind      xmlKind
	text      []byte
	holdsText bool // an opening one: text stands right within the element
}

func xmlTokens(page []byte) ([]xmlToken, error) {
	d := xml.NewDecoder(bytes.NewReader(page))
	d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }
	var tokens []xmlToken
	var open []int
	var names []xml.Name
	at := int64(0)
	for {
		t, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		bad := errors.New("the answer is not whole XML: it was cut short, or is something else")
		if err != nil {
			return nil, bad
		}
		piece := page[at:d.InputOffset()]
		at = d.InputOffset()
		k := xmlToken{kind: other, text: piece}
		switch t := t.(type) {
		case xml.StartElement:
			k.kind = opening
			open, names = append(open, len(tokens)), append(names, t.Name)
		case xml.EndElement:
			if len(open) == 0 || names[len(names)-1] != t.Name {
				return nil, bad
			}
			k.kind = closing
			open, names = open[:len(open)-1], names[:len(names)-1]
		case xml.CharData:
			if k.kind = text; len(bytes.TrimSpace(piece)) == 0 {
				k.kind = blank
			} else if len(open) == 0 {
				return nil, errors.New("there is text outside the XML document")
			} else {
				tokens[open[len(open)-1]].holdsText = true
			}
		}
		tokens = append(tokens, k)
	}
	if len(open) > 0 || len(tokens) == 0 {
		return nil, fmt.Errorf("the answer is not whole XML: %d elements are not closed", len(open))
	}
	return tokens, nil
}

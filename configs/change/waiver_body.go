package change

import (
	"errors"
	"io"
	"strings"

	"github.com/emersion/go-message"
)

// body is the text of an entity as a mail program shows it, twice: plain is what
// one shows that prefers plain text, shown what one does that prefers the
// richest form. Attachments, and messages within, are not what the sender wrote.
func (m *Message) body(e *message.Entity, err error, depth int) (plain, shown string, _ error) {
	if depth > mostDepth {
		return "", "", errors.New("it has parts within parts without end")
	}
	m.once(e.Header, "Content-Type", "Content-Transfer-Encoding", "Content-Disposition")
	if err != nil && !message.IsUnknownCharset(err) { // an encoding that nobody knows
		return "", "", nil
	}
	kind, params, odd := e.Header.ContentType()
	if odd != nil { // two programs would take it for two things
		kind = ""
	}
	if parts := e.MultipartReader(); parts != nil && odd == nil {
		return m.parts(parts, kind, depth)
	}
	if attached(e.Header, params) || kind != "text/plain" && kind != "text/html" {
		return "", "", nil
	}
	text, err := io.ReadAll(e.Body)
	if err != nil {
		return "", "", bare(err)
	}
	s := strings.ToValidUTF8(strings.ReplaceAll(string(text), "\r\n", "\n"), "\ufffd")
	if kind == "text/html" {
		var hides bool
		if s, hides = plainText(s); hides {
			m.Strange = append(m.Strange, "The message has a style sheet that hides text.")
		}
	}
	return s, s, nil
}

// attached tells whether a part is a file: one with a name, and one of which it
// cannot be read what it is.
func attached(h message.Header, params map[string]string) bool {
	if params["name"] != "" {
		return true
	}
	if strings.TrimSpace(h.Get("Content-Disposition")) == "" {
		return false
	}
	at, given, err := h.ContentDisposition()
	return err != nil || at != "inline" || given["filename"] != ""
}

// parts joins the texts of several parts. Of alternatives one is shown, mostly
// the first in plain text and the last with all its colors; of related parts the
// first alone. Those of a digest are messages of others.
func (m *Message) parts(parts message.MultipartReader, kind string, depth int) (plain, shown string, _ error) {
	forms := 0
	for n := 0; ; n++ {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) && part == nil {
			if forms > 2 {
				m.Strange = append(m.Strange, "The message has more than two forms of its text.")
			}
			return plain, shown, nil
		}
		if part == nil {
			return "", "", bare(err)
		}
		p, s, err := m.body(part, err, depth+1)
		if err != nil {
			return "", "", err
		}
		some := strings.TrimSpace(p+s) != ""
		switch {
		case !some, kind == "multipart/digest", kind == "multipart/related" && n > 0:
		case kind == "multipart/alternative":
			if forms++; forms == 1 {
				plain = p
			}
			shown = s
		default:
			plain, shown = plain+p+"\n", shown+s+"\n"
		}
	}
}

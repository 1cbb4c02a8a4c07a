package change

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	netmail "net/mail"
	"strings"
	"time"

	"github.com/emersion/go-message"
	"github.com/emersion/go-message/charset"
	"github.com/emersion/go-message/mail"

	"belay/configs"
	"belay/devices"
)

// A Message is what of an e-mail matters to a waiver.
type Message struct {
	ID             string   // Message-ID without its angle brackets
	From           []string // the bare addresses of all From fields
	Sender         string   // bare address; empty where the field is missing
	Date           time.Time
	Received       time.Time // the newest date that a mail server on the way wrote; zero where none did
	Subject        string
	Text           string   // what the sender wrote
	Shown          string   // the same as HTML has it, where the message has both
	Quoted         string   // what the sender quotes
	Authentication []string // the Authentication-Results fields
	Strange        Faults   // what no honest mail program writes
	Digest         string   // SHA-256 of the raw message
}

const (
	mostMessage = 64 << 20 // bytes of a raw message that are read
	mostDepth   = 20       // parts within parts
)

// ReadMessage reads an e-mail as it was received (an .eml file).
func ReadMessage(raw []byte) (Message, error) {
	unreadable := func(err error) error {
		return &devices.Error{Kind: devices.Usage, Op: "read the message", Err: err, Hint: "save it from the mailbox as it was received, as an .eml file"}
	}
	m := Message{Digest: configs.Digest(raw)}
	if len(raw) > mostMessage {
		return Message{}, unreadable(fmt.Errorf("it has more than %d MB", mostMessage>>20))
	}
	if bytes.HasPrefix(raw, []byte("\xd0\xcf\x11\xe0")) {
		return Message{}, unreadable(errors.New("it is an Outlook .msg file"))
	}
	raw = bytes.TrimLeft(bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf")), "\r\n")
	if bytes.HasPrefix(raw, []byte("From ")) { // a mailbox's separator
		_, raw, _ = bytes.Cut(raw, []byte("\n"))
	}
	e, err := message.Read(bytes.NewReader(raw))
	if e == nil {
		return Message{}, unreadable(bare(err))
	}
	m.head(mail.Header{Header: e.Header})
	plain, shown, err := m.body(e, err, 0)
	if err != nil {
		return Message{}, unreadable(err)
	}
	m.Text, m.Quoted = apart(plain)
	m.Shown, _ = apart(shown)
	if strings.ContainsAny(plain+shown, "\u202d\u202e") {
		m.Strange = append(m.Strange, "The text is written backwards in places.")
	}
	return m, nil
}

// bare are our own words for what a parser says: its errors may quote the
// message.
func bare(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return errors.New("it ends too early")
	}
	return errors.New("it is no e-mail, or a damaged one")
}

func (m *Message) head(h mail.Header) {
	words := &mime.WordDecoder{CharsetReader: charset.Reader}
	addresses := netmail.AddressParser{WordDecoder: words}
	for _, v := range h.Values("From") {
		list, err := addresses.ParseList(v)
		if err != nil {
			m.Strange = append(m.Strange, "The sender's address cannot be read.")
		}
		for _, a := range list {
			m.From = append(m.From, a.Address)
		}
	}
	// A program that reads the first of two fields and one that reads the last
	// show two different messages.
	m.once(h.Header, "From", "Sender", "Date", "Message-Id", "Subject")
	if v := h.Get("Sender"); v != "" {
		if a, err := addresses.Parse(v); err == nil {
			m.Sender = a.Address
		} else {
			m.Strange = append(m.Strange, "The field Sender cannot be read.")
		}
	}
	m.ID = messageID(h.Get("Message-Id"))
	m.Date, _ = netmail.ParseDate(h.Get("Date")) // one that cannot be read is a fault, as one that is missing
	for _, v := range h.Values("Received") {
		if at := strings.LastIndexByte(v, ';'); at >= 0 {
			if d, err := netmail.ParseDate(strings.TrimSpace(v[at+1:])); err == nil && d.After(m.Received) {
				m.Received = d
			}
		}
	}
	m.Subject = h.Get("Subject")
	if s, err := words.DecodeHeader(m.Subject); err == nil {
		m.Subject = s
	}
	m.Authentication = h.Values("Authentication-Results")
	for _, v := range h.Values("Received-Spf") { // RFC 7208 has a field of its own
		if words := strings.Fields(v); len(words) > 0 {
			m.Authentication = append(m.Authentication, "spf="+words[0])
		}
	}
}

// once finds the fields that must not stand twice.
func (m *Message) once(h message.Header, fields ...string) {
	for _, field := range fields {
		if len(h.Values(field)) > 1 {
			m.Strange = append(m.Strange, fmt.Sprintf("The message has more than one %s.", field))
		}
	}
}

// messageID is the id alone: what stands around it does not make it another.
func messageID(field string) string {
	if _, inner, ok := strings.Cut(field, "<"); ok {
		field, _, _ = strings.Cut(inner, ">")
	}
	field, _, _ = strings.Cut(field, "(")
	return strings.Join(strings.Fields(folded(field)), "")
}

// JudgeMail makes a waiver of a message, or tells all that speaks against it.
func (t Terms) JudgeMail(m Message) (Waiver, error) {
	f := append(Faults{}, m.Strange...)
	sender := ""
	if len(m.From) == 1 {
		sender = m.From[0]
	} else {
		f = append(f, fmt.Sprintf("The message must be of one sender; it names %d.", len(m.From)))
	}
	if m.Sender != "" && !sameAddress(m.Sender, sender) {
		f = append(f, fmt.Sprintf("The message was sent by %s in the name of %s.", m.Sender, sender))
	}
	// The address alone tells who writes: a display name is anybody's to choose.
	c, found, against := t.contact(func(c Contact) bool { return sameAddress(c.Email, sender) }, m.Date)
	if !found {
		f = append(f, fmt.Sprintf("The sender's address, %q, is that of no contact of %s.", sender, t.Change.Customer))
	}
	f = append(f, against...)
	f = append(f, m.unauthentic()...)
	if m.ID == "" {
		f = append(f, "The message has no Message-ID.")
	}
	f = append(f, t.unused("This message", m.ID)...)
	f = append(f, t.unused("The same file", m.Digest)...)
	f = append(f, t.moment("The message", m.Date)...)
	if len(t.afterRemoval("", "", m.Date)) == 0 && !m.Received.IsZero() {
		f = append(f, t.afterRemoval("The message", "arrived at", m.Received)...)
	}
	own := m.Subject + "\n" + m.Text
	if !names(own, t.Change.Ticket) {
		f = append(f, fmt.Sprintf("Neither the subject nor what the contact wrote names ticket %s.", t.Change.Ticket))
	}
	f = append(f, t.serials(own)...)
	f = append(f, t.clauses(m.Text, m.Quoted)...)
	if len(f) == 0 && len(t.clauses(m.Shown, ""))+len(t.serials(m.Subject+"\n"+m.Shown)) > 0 {
		f = append(f, "The message says one thing in plain text and another in HTML.")
	}
	if err := t.refuse(f, "send the contact the form of this change anew; the answer must hold both sentences in the contact's own text"); err != nil {
		return Waiver{}, err
	}
	w := t.waiver(ByEmail, c, m.Date, m.Text)
	w.MessageID, w.Sender, w.Paper = m.ID, sender, m.Digest
	return w, nil
}

// sameAddress compares two addresses, case aside: that of A to Z alone, because
// other letters fold into those of somebody else's name.
func sameAddress(a, b string) bool {
	lower := func(s string) string {
		return strings.Map(func(r rune) rune {
			if 'A' <= r && r <= 'Z' {
				return r + 'a' - 'A'
			}
			return r
		}, strings.TrimSpace(s))
	}
	return lower(a) == lower(b) && strings.TrimSpace(a) != ""
}

// The forms of a result in an Authentication-Results field (RFC 8601).
var (
	authComment = devices.Pattern(`\([^()]*\)`)
	authResult  = devices.Pattern(`(?i)(?:^|[;\s])(dmarc|spf|dkim)(?:/\d+)?\s*=\s*([a-z]+)`)
)

// unauthentic is what the mail servers on the way said against the sender. A
// single signature or server that speaks for the sender is enough; but whoever
// said that DMARC failed is heard, also in what looks like a comment.
func (m Message) unauthentic() Faults {
	said := map[string]bool{}
	for _, v := range m.Authentication {
		for _, r := range authResult().FindAllStringSubmatch(v, -1) {
			if strings.EqualFold(r[1]+r[2], "dmarcfail") {
				said["dmarc=fail"] = true
			}
		}
		for prev := ""; prev != v; { // comments nest
			prev, v = v, authComment().ReplaceAllString(v, " ")
		}
		for _, r := range authResult().FindAllStringSubmatch(v, -1) {
			said[strings.ToLower(r[1]+"="+r[2])] = true
		}
	}
	if said["dmarc=fail"] || said["spf=fail"] && !said["spf=pass"] && !said["dkim=pass"] {
		return Faults{"The receiving mail server says that the sender's address is forged (Authentication-Results)."}
	}
	return nil
}

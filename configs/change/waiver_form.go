package change

import (
	"fmt"
	"strings"
	"time"
	"unicode"
)

// replyAbove stands in the form between what a contact writes and what is ours,
// so that an answer is told from what it quotes also where the contact's mail
// program marks no quotes.
const replyAbove = "---- Please write your answer above this line ----"

// Form is the page that is mailed to a contact, or printed as the note on an
// OSSR form: plain text, 76 columns, one page.
func Form(c Change, w Wording, contact Contact, serials []string) string {
	var b strings.Builder
	device := string(c.Old)
	if c.OldName != "" {
		device = c.Customer + "/" + c.OldName
	}
	fmt.Fprintf(&b, "%s\n\n", replyAbove)
	fmt.Fprintf(&b, "GOING ON WITHOUT A BACKUP: ticket %s\n\n", c.Ticket)
	to := "the authorisation contact"
	if contact.Email != "" {
		to = strings.TrimSpace(contact.Name + " <" + contact.Email + ">")
	}
	fmt.Fprintf(&b, "To:       %s\nCustomer: %s\n", to, c.Customer)
	if c.Site != "" {
		fmt.Fprintf(&b, "Site:     %s\n", c.Site)
	}
	fmt.Fprintf(&b, "Device:   %s\nErased:   serial number %s\n", device, strings.Join(serials, ", "))
	fmt.Fprintf(&b, "Opened:   %s by %s, change %s\n\n", moment(c.At), c.By.Name, c.ID)
	b.WriteString(wrap("There is no verified backup of this device. Nothing on it will be touched until there is one, or until you agree in writing to go on without.", 76))
	b.WriteString("\n\n")
	b.WriteString(wrap("By e-mail: reply to this message from your own address, leave the ticket in the subject, and write the following lines yourself above the line at the top. What only stands in the quoted message does not count.", 76))
	b.WriteString("\n\n")
	fmt.Fprintf(&b, "    Ticket %s, serial number %s.\n", c.Ticket, strings.Join(serials, ", "))
	for _, clause := range w.Clauses {
		b.WriteString(indent(wrap(clause, 72), "    "))
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	b.WriteString(wrap("On site: initial the lines above here, before the work goes on.", 76))
	b.WriteString("\n\n")
	b.WriteString("    Form number: ______________   Initials: __________\n\n")
	b.WriteString("    Name: _____________________   Date and time: _____________________\n\n")
	fmt.Fprintf(&b, "Wording %s (%s)\n", w.Version, w.Language)
	return b.String()
}

// A Signed is an initialled OSSR form, as the person who records it gives it.
type Signed struct {
	Number   string // of the form
	Contact  string // name or address of the contact who initialled it
	Initials string
	At       time.Time // of the initials
	Scan     string    // SHA-256 of the scan or photograph, in hexadecimal
	Text     string    // as it was initialled, with the clauses and serial numbers
}

// JudgeForm makes a waiver of an initialled form, or tells all that speaks
// against it.
func (t Terms) JudgeForm(s Signed) (Waiver, error) {
	var f Faults
	s.Number, s.Initials, s.Scan = strings.TrimSpace(s.Number), strings.TrimSpace(s.Initials), strings.ToLower(strings.TrimSpace(s.Scan))
	who := strings.TrimSpace(s.Contact)
	c, found, against := t.contact(func(c Contact) bool {
		return who != "" && (strings.EqualFold(c.Name, who) || sameAddress(c.Email, who))
	}, s.At)
	if !found {
		f = append(f, fmt.Sprintf("%q is no contact of %s.", who, t.Change.Customer))
	}
	f = append(f, against...)
	if s.Number == "" {
		f = append(f, "The form has no number.")
	}
	if !strings.ContainsFunc(s.Initials, unicode.IsLetter) {
		f = append(f, "The form has no initials.")
	}
	if len(s.Scan) != 64 || strings.Trim(s.Scan, "0123456789abcdef") != "" {
		f = append(f, "There is no scan of the form.")
	}
	f = append(f, t.unused("Form "+s.Number, s.Number)...)
	f = append(f, t.unused("This scan", s.Scan)...)
	f = append(f, t.moment("The form", s.At)...)
	if !names(s.Text, t.Change.Ticket) {
		f = append(f, fmt.Sprintf("The form does not name ticket %s.", t.Change.Ticket))
	}
	f = append(f, t.serials(s.Text)...)
	f = append(f, t.clauses(s.Text, "")...)
	if err := t.refuse(f, "print the form anew and have an authorised contact initial it before the work"); err != nil {
		return Waiver{}, err
	}
	w := t.waiver(ByForm, c, s.At, s.Text)
	w.Form, w.Initials, w.Scan = s.Number, s.Initials, s.Scan
	return w, nil
}

// wrap breaks a paragraph into lines of at most width columns.
func wrap(s string, width int) string {
	var b strings.Builder
	column := 0
	for _, word := range strings.Fields(s) {
		n := len([]rune(word))
		if column > 0 && column+1+n > width {
			b.WriteByte('\n')
			column = 0
		} else if column > 0 {
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += n
	}
	return b.String()
}

func indent(s, by string) string { return by + strings.ReplaceAll(s, "\n", "\n"+by) }

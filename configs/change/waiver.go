package change

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"belay/configs"
	"belay/devices"
)

// A Contact is a person at the customer's.
type Contact struct {
	Name       string    `json:"name"`
	Email      string    `json:"email"`
	Authorised bool      `json:"authorised"` // may agree to go on without a backup
	From       time.Time `json:"from"`       // the authority's first moment
	To         time.Time `json:"to"`         // its last moment
}

// A Wording is what an authorised contact agrees to, word for word.
type Wording struct {
	Version  string   `json:"version"`
	Language string   `json:"language"`
	Clauses  []string `json:"clauses"` // each must stand in what the contact wrote or initialled
}

// A Waiver is written permission to go on without a backup.
type Waiver struct {
	At       time.Time      `json:"at"`   // when it was recorded
	By       configs.Person `json:"by"`   // who recorded it
	Kind     string         `json:"kind"` // "email" or "ossr"
	Contact  Contact        `json:"contact"`
	Given    time.Time      `json:"given"` // the message's date, or the time of the initials
	Serials  []string       `json:"serials"`
	Media    []string       `json:"media,omitempty"` // drives and cards that go with it
	Wording  Wording        `json:"wording"`
	Digest   string         `json:"digest"`   // SHA-256 of the text that holds the clauses
	Compared bool           `json:"compared"` // the serial numbers were compared with what the device said

	MessageID string `json:"messageID,omitempty"`
	Sender    string `json:"sender,omitempty"`
	Paper     string `json:"paper,omitempty"` // digest of the raw message, kept sealed

	Form     string `json:"form,omitempty"` // number of the OSSR form
	Initials string `json:"initials,omitempty"`
	Scan     string `json:"scan,omitempty"` // digest of the scan, kept sealed
}

// The kinds of a waiver.
const (
	ByEmail = "email"
	ByForm  = "ossr"
)

// DefaultWording is what stands where the settings bring no wording of their own.
func DefaultWording() Wording {
	return Wording{Version: "2026-1", Language: "en", Clauses: []string{
		"The provider is not responsible for what follows from going on without a backup.",
		"Remedial work that becomes necessary because there is no backup is billable.",
	}}
}

// Check tells why a wording of the settings cannot be used.
func (w Wording) Check() error {
	wrong := func(why string) error {
		return &devices.Error{Kind: devices.Usage, Op: "read the wording of waivers", Err: errors.New(why),
			Hint: "give it a version and both clauses: that the provider is not responsible, and that remedial work is billable"}
	}
	if strings.TrimSpace(w.Version) == "" {
		return wrong("it has no version")
	}
	if len(w.Clauses) < 2 {
		return wrong("it has fewer than two clauses")
	}
	for i, c := range w.Clauses {
		if len(strings.Fields(c)) < 3 {
			return wrong(fmt.Sprintf("clause %d is no sentence", i+1))
		}
		// One clause within another would be agreed to without being written.
		if slices.ContainsFunc(w.Clauses[:i], func(other string) bool { return names(other, c) || names(c, other) }) {
			return wrong(fmt.Sprintf("clause %d says what another one says", i+1))
		}
	}
	return nil
}

// Terms are what a waiver is held to: what is known of the change, and what the
// person who records the waiver says of it.
type Terms struct {
	Change   Change
	Contacts []Contact // of the change's customer
	Wording  Wording
	Erased   []string // serial numbers of the device that is erased, as the recorder names them
	Known    []string // those that the device itself has shown; empty: it never could
	Media    []string // serial numbers of drives and cards in it, which no device shows
	// Used tells for which change a Message-ID, the number of a form or the
	// digest of a paper has served before. See UsedIn.
	Used func(paper string) (change string, ok bool)
	By   configs.Person
	Now  time.Time
}

// UsedIn looks through the waivers of changes, for Terms.
func UsedIn(changes ...Change) func(paper string) (change string, ok bool) {
	used := map[string]string{}
	for _, c := range changes {
		for _, w := range c.Waivers {
			for _, paper := range []string{w.MessageID, w.Paper, w.Form, w.Scan} {
				used[paperName(paper)] = c.ID
			}
		}
	}
	return func(paper string) (string, bool) {
		c, ok := used[paperName(paper)]
		return c, ok && paperName(paper) != ""
	}
}

// paperName is a paper's name without what people write about it.
func paperName(s string) string {
	return strings.ToLower(strings.Trim(strings.Join(strings.Fields(s), " "), "<>#"))
}

// Faults are what is wrong with a waiver, a sentence each.
type Faults []string

func (f Faults) Error() string { return strings.Join(f, " ") }

// waiverMayPrecede is how much older than its change a permission may be.
const waiverMayPrecede = 30 * 24 * time.Hour

// refuse makes an error of all faults, or none where there are none.
func (t Terms) refuse(f Faults, hint string) error {
	if len(f) == 0 {
		return nil
	}
	device := string(t.Change.Old)
	if device == "" {
		device = string(t.Change.New)
	}
	return &devices.Error{Kind: devices.GateShut, Op: "accept the waiver for", Device: device, Err: f, Hint: hint}
}

// authority is what speaks against a contact's having been allowed to agree.
func (t Terms) authority(c Contact, given time.Time) (f Faults) {
	if !c.Authorised {
		return Faults{fmt.Sprintf("%s is a contact of %s, but not an authorised one.", c.Name, t.Change.Customer)}
	}
	if c.From.IsZero() || c.To.IsZero() {
		return Faults{fmt.Sprintf("The settings do not say from when to when %s is authorised.", c.Name)}
	}
	if given.IsZero() { // which is a fault of its own
		given = t.Now
	}
	if given.Before(c.From) || t.Now.Before(c.From) {
		f = append(f, fmt.Sprintf("The authority of %s begins only at %s.", c.Name, moment(c.From)))
	}
	switch {
	case given.After(c.To):
		f = append(f, fmt.Sprintf("The authority of %s had ended at %s.", c.Name, moment(c.To)))
	case t.Now.After(c.To):
		f = append(f, fmt.Sprintf("The authority of %s has ended since, at %s.", c.Name, moment(c.To)))
	}
	return f
}

// contact is the contact that fits, with what speaks against it: one person may
// stand in the settings twice, with two terms of authority.
func (t Terms) contact(fits func(Contact) bool, given time.Time) (_ Contact, found bool, f Faults) {
	var best Contact
	for _, c := range t.Contacts {
		if !fits(c) {
			continue
		}
		if against := t.authority(c, given); !found || len(against) == 0 {
			best, found, f = c, true, against
		}
		if len(f) == 0 {
			break
		}
	}
	return best, found, f
}

// moment is what speaks against the moment of a permission: it comes after the
// question and before the removal.
func (t Terms) moment(what string, given time.Time) (f Faults) {
	if given.IsZero() {
		return Faults{fmt.Sprintf("%s has no date that can be read.", what)}
	}
	if given.After(t.Now.Add(skew)) {
		f = append(f, fmt.Sprintf("%s is dated in the future: %s.", what, moment(given)))
	}
	if given.Before(t.Change.since(t.Now).Add(-waiverMayPrecede)) {
		f = append(f, fmt.Sprintf("%s is of %s, more than 30 days before the change was opened.", what, moment(given)))
	}
	return append(f, t.afterRemoval(what, "is of", given)...)
}

func (t Terms) afterRemoval(what, verb string, at time.Time) Faults {
	if s := t.Change.Succession; s != nil && !at.Before(s.At) {
		return Faults{fmt.Sprintf("%s %s %s, but the successor was seen at %s: permission comes before the removal.", what, verb, moment(at), moment(s.At))}
	}
	return nil
}

// serials is what speaks against the serial numbers in a contact's own text.
func (t Terms) serials(own string) (f Faults) {
	if len(t.Erased) == 0 {
		f = append(f, "No serial number of what is erased is named.")
	}
	for _, s := range t.Erased {
		if len(t.Known) > 0 && !holds(t.Known, s) {
			f = append(f, fmt.Sprintf("Serial number %s is not this device's: it has shown %s.", s, strings.Join(t.Known, ", ")))
		}
	}
	for _, s := range t.Known {
		if !holds(t.Erased, s) {
			f = append(f, fmt.Sprintf("Serial number %s, which the device has shown, is not among those erased.", s))
		}
	}
	for _, s := range slices.Concat(t.Erased, t.Media) {
		if !names(own, s) {
			f = append(f, fmt.Sprintf("The contact does not name serial number %s.", s))
		}
	}
	return f
}

// clauses is what of the wording is missing in a contact's own text.
func (t Terms) clauses(own, quoted string) (f Faults) {
	if err := t.Wording.Check(); err != nil {
		return Faults{fmt.Sprintf("The wording in the settings cannot be used: %v.", errors.Unwrap(err))}
	}
	for _, c := range t.Wording.Clauses {
		switch {
		case names(own, c):
		case names(quoted, c):
			f = append(f, fmt.Sprintf("A clause stands only in what is quoted, the contact did not write it: %q", c))
		default:
			f = append(f, fmt.Sprintf("A clause is missing, word for word: %q", c))
		}
	}
	return f
}

// unused is what speaks against a paper that has served before.
func (t Terms) unused(what, paper string) Faults {
	if t.Used == nil || paper == "" {
		return nil
	}
	if other, ok := t.Used(paper); ok && other != t.Change.ID {
		return Faults{fmt.Sprintf("%s was used for another change, %s.", what, other)}
	}
	return nil
}

// waiver is what all kinds have in common.
func (t Terms) waiver(kind string, c Contact, given time.Time, text string) Waiver {
	return Waiver{
		At: t.Now, By: t.By, Kind: kind, Contact: c, Given: given, Serials: slices.Clone(t.Erased), Media: slices.Clone(t.Media),
		Wording: t.Wording, Digest: configs.Digest([]byte(text)), Compared: len(t.Known) > 0,
	}
}

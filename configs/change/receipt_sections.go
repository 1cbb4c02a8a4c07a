package change

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"belay/configs"
)

// A section is a part of a receipt as people read it, in text and in HTML alike.
type section struct {
	Title    string
	Standing string // how a configuration is kept; empty in other sections
	Rows     []row
}

// A row is one thing that is said, under its label.
type row struct {
	Label  string
	Values []string
}

type rows []row

// add says something, unless there is nothing to say.
func (r *rows) add(label string, values ...string) {
	if values = slices.DeleteFunc(values, func(v string) bool { return strings.TrimSpace(v) == "" }); len(values) > 0 {
		*r = append(*r, row{label, values})
	}
}

// sections is the whole receipt, in the order it is read.
func (r Receipt) sections() []section {
	var head rows
	head.add("Ticket", r.Ticket)
	site := ""
	if r.Site != "" {
		site = ", site " + r.Site
	}
	head.add("Customer", r.Customer+site)
	head.add("Change", fmt.Sprintf("%s (%s), %s", r.Change, r.Kind, r.State))
	head.add("Opened", moment(r.Opened)+" by "+person(r.By))
	if r.Follows != "" {
		head.add("Follows", r.Follows)
	}
	head.add("Receipt of", moment(r.Made))
	all := []section{{Title: "Receipt of change " + r.Change, Rows: head}}
	if r.Old != nil {
		all = append(all, r.Old.section("Old configuration", r.Customer))
	}
	if r.New != nil {
		all = append(all, r.New.section("New configuration", r.Customer))
	}
	for _, w := range r.Waivers {
		s := w.section()
		if r.Old != nil && r.Old.Standing == WordWaived {
			s.Standing = WordWaived
		}
		all = append(all, s)
	}
	var acts rows
	for _, g := range r.Gates {
		acts.add("Gate", fmt.Sprintf("%s, %s: %s", moment(g.At), person(g.By), g.answer()))
	}
	if s := r.Succession; s != nil {
		acts.add("Successor", strings.TrimSuffix(fmt.Sprintf("%s seen %s by %s, serial %s, host key %s. %s", s.Device, moment(s.At), person(s.By), orNone(strings.Join(s.Serials, ", ")), orNone(s.HostKey), s.Reason), " "))
	}
	for _, a := range r.Attests {
		acts.add("Attested", a.sentence())
	}
	for _, n := range r.Notices {
		acts.add("Notice", strings.TrimSpace(fmt.Sprintf("%s, %s: %s", moment(n.At), n.To, n.Text)))
	}
	acts.add("Compare", r.Compare)
	if k := r.Closing; k != nil {
		acts.add("Closed", strings.TrimSuffix(fmt.Sprintf("%s by %s. %s", moment(k.At), person(k.By), k.Reason), " "))
	}
	all = append(all, section{Title: "What was done", Rows: acts})
	missing := section{Title: "Not proven, or still to come"}
	for _, m := range r.Missing {
		missing.Rows = append(missing.Rows, row{"!", []string{m}})
	}
	if len(r.Missing) == 0 {
		missing.Rows = rows{{"-", []string{"nothing"}}}
	}
	return append(all, missing)
}

func (s *Side) section(title, customer string) section {
	var out rows
	device := string(s.Device)
	if s.Name != "" && device != customer+"/"+s.Name {
		device = strings.TrimSpace(s.Name + " (" + device + ")")
	}
	out.add("Device", device)
	k, ok := s.capture()
	if ok {
		k.describe(&out)
	}
	for _, a := range s.Attachments {
		place := ""
		if a.Second {
			place = ", a second place"
		}
		out.add("Attached", fmt.Sprintf("%s in %s, %s: attachment %s, %s", a.File, a.System, a.Item, a.Attachment, a.Form),
			fmt.Sprintf("%s, %d bytes, proven %s by %s%s", a.Name, a.Bytes, moment(a.At), a.How, place), "SHA-256 "+a.Digest)
	}
	for _, other := range s.Captures {
		if ok && other.Version == k.Version {
			continue
		}
		out.add("Other try", other.summary())
	}
	return section{Title: title, Standing: s.Standing, Rows: out}
}

// describe says all of the capture that a side rests on.
func (k Capture) describe(out *rows) {
	id := k.Identity
	out.add("Is", strings.Join(slices.DeleteFunc([]string{id.Model, id.Version, id.Hostname}, func(s string) bool { return s == "" }), ", "))
	out.add("Serial", strings.Join(id.Serials, ", "))
	out.add("Host key", k.HostKey)
	out.add("Caution", k.Unproven)
	out.add("Driver", k.Driver)
	out.add("Grade", strings.Join(append([]string{string(k.Grade.Level)}, k.Grade.Missing...), "; missing: "))
	if k.imported() {
		out.add("Version", k.Version, fmt.Sprintf("imported %s by %s; when it was exported is not known", moment(k.Taken), person(k.By)))
		out.add("By hand", k.Attested)
	} else {
		out.add("Version", k.Version, fmt.Sprintf("taken %s by %s", moment(k.Taken), person(k.By)))
	}
	out.add("Shrunk", k.Vouched)
	for _, f := range k.Files {
		if f.Alone() {
			out.add("File", fmt.Sprintf("%s, binary, %d bytes as the device sent it, sealed", f.Name, f.OriginalBytes), "original SHA-256 "+f.OriginalDigest)
			continue
		}
		out.add("File", fmt.Sprintf("%s, %d bytes redacted, %d as the device sent it", f.Name, f.Bytes, f.OriginalBytes),
			"redacted SHA-256 "+f.Digest, "original SHA-256 "+f.OriginalDigest)
	}
	var passed []string
	for _, c := range k.Checks {
		if c.OK {
			passed = append(passed, c.Name)
		}
	}
	out.add("Checks", strings.Join(passed, ", "))
	for _, c := range k.failingChecks() {
		out.add("Check", fmt.Sprintf("%s FAILED: %s", c.Name, c.Detail))
	}
	for _, p := range k.Proofs {
		out.add("Proof", proofSentence(p))
	}
}

func proofSentence(p configs.Proof) string {
	said := "not set up"
	switch {
	case p.Done && p.OK:
		said = "proven"
	case p.Done:
		said = "NOT PROVEN"
	}
	if p.Done && p.Second {
		said += " in a second place"
	}
	if p.Done && !p.At.IsZero() {
		said += " " + moment(p.At)
	}
	if p.Detail != "" {
		said += "; " + p.Detail
	}
	return p.Name + ": " + said
}

// summary is one line on a capture that another one stands for.
func (k Capture) summary() string {
	said := moment(k.At) + " by " + person(k.By) + ": "
	bad := k.failingChecks()
	switch {
	case len(bad) > 0:
		return said + "refused, " + bad[0].Name + ": " + bad[0].Detail
	case k.Error != "":
		return said + k.Error
	}
	return said + "kept as " + k.Version
}

func (g Gate) answer() string {
	why := strings.Join(g.Why, "; ")
	switch {
	case g.Open && g.Waived && !strings.Contains(why, WordWaived):
		return strings.TrimSuffix("open, "+WordWaived+"; "+why, "; ")
	case g.Open:
		return strings.TrimSuffix("open; "+why, "; ")
	}
	return "shut; " + why
}

func (w Waiver) section() section {
	var out rows
	out.add("Given by", fmt.Sprintf("%s <%s>, authorised from %s to %s", w.Contact.Name, w.Contact.Email, moment(w.Contact.From), moment(w.Contact.To)))
	if w.Kind == ByForm {
		out.add("By form", fmt.Sprintf("OSSR %s, initialled %s at %s", w.Form, w.Initials, moment(w.Given)), "scan SHA-256 "+w.Scan)
	} else {
		out.add("By e-mail", fmt.Sprintf("%s from %s, %s", w.MessageID, w.Sender, moment(w.Given)), "message SHA-256 "+w.Paper)
	}
	for _, c := range w.Wording.Clauses {
		out.add("Agreed", "\""+c+"\"")
	}
	out.add("Wording", fmt.Sprintf("%s (%s); text SHA-256 %s", w.Wording.Version, w.Wording.Language, w.Digest))
	compared := "as the device showed"
	if !w.Compared {
		compared = "the device could not be asked"
	}
	out.add("Erased", fmt.Sprintf("serial %s, %s", strings.Join(w.Serials, ", "), compared))
	if len(w.Media) > 0 {
		out.add("Media", strings.Join(w.Media, ", "))
	}
	out.add("Recorded", moment(w.At)+" by "+person(w.By))
	return section{Title: "Waiver", Rows: out}
}

func (a Attest) sentence() string {
	until := "for this change"
	if !a.Until.IsZero() {
		until = "until " + moment(a.Until)
	}
	said := fmt.Sprintf("%s: %s says that a backup of %s is at %s, %s", moment(a.At), a.Who, a.Device, a.Where, until)
	if a.Message != "" {
		said += " (message " + a.Message + ")"
	}
	return said + "; recorded by " + person(a.By)
}

func person(p configs.Person) string {
	said := p.Name
	if p.Email != "" {
		said += " <" + p.Email + ">"
	}
	if p.Claimed {
		said += " (as claimed)"
	}
	return said
}

func orNone(s string) string {
	if s == "" {
		return "not told"
	}
	return s
}

func moment(at time.Time) string {
	if at.IsZero() {
		return "no time"
	}
	return at.UTC().Format("2006-01-02 15:04:05 MST")
}

package main

import (
	"errors"
	"fmt"
	"maps"
	"net/mail"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"belay/configs"
	"belay/configs/change"
	"belay/devices"
	"belay/store/docsystem"
)

// A documentation is one place where attachments hang: {itglue: {…}}. The word
// before its options is the system's kind.
type documentation map[string]documentationOptions

type documentationOptions struct {
	Region     string        `yaml:"region"`
	URL        string        `yaml:"url"`
	Path       string        `yaml:"path"`
	CA         string        `yaml:"ca"`
	Key        *secretSource `yaml:"key"`
	Elsewhere  bool          `yaml:"elsewhere"` // a folder that is on another machine
	Attach     configs.Form  `yaml:"attach"`
	Keep       *int          `yaml:"keep"`       // newest nightly attachments of a device that stay; 0: all
	Restricted *bool         `yaml:"restricted"` // mark the item restricted where originals hang on it
	MaxBytes   int           `yaml:"max_bytes"`
}

// the is the only kind and its options; check has seen to it that there is one.
func (d documentation) the() (kind string, o documentationOptions) {
	for kind, o = range d {
	}
	return kind, o
}

// said lists which options are given, by their words in the settings.
func (o documentationOptions) said() []string {
	var said []string
	for word, given := range map[string]bool{
		"region": o.Region != "", "url": o.URL != "", "path": o.Path != "", "ca": o.CA != "", "key": o.Key != nil, "max_bytes": o.MaxBytes != 0,
	} {
		if given {
			said = append(said, word)
		}
	}
	slices.Sort(said)
	return said
}

// A customer is what differs between the MSP's clients.
type customer struct {
	Documentation words        `yaml:"documentation"` // names of documentation: …; none: default, where there is one
	Organization  word         `yaml:"organization"`  // its id there
	Attach        configs.Form `yaml:"attach"`        // instead of what the documentation system's setting says
	Tickets       string       `yaml:"tickets"`       // name of tickets: …; empty: default, where there is one
	Contacts      []contact    `yaml:"contacts"`
	Gate          *gate        `yaml:"gate"`
}

type contact struct {
	Name          string `yaml:"name"`
	Email         string `yaml:"email"`
	Authorisation bool   `yaml:"authorisation"`
	From          day    `yaml:"from"`
	To            day    `yaml:"to"`
}

type gate struct {
	MaxAge   span `yaml:"max_age"`
	OnePlace bool `yaml:"one_place"`
	Attest   bool `yaml:"attest"`
	Notice   span `yaml:"notice"` // a capture that takes longer has the customer told
}

// wording is the MSP's own text of the waiver.
type wording struct {
	Version  string   `yaml:"version"`
	Language string   `yaml:"language"`
	Clauses  []string `yaml:"clauses"`
}

// A ticketing is one way of putting a note on a ticket; one of its fields is set.
type ticketing struct {
	Email   *emailTicketing   `yaml:"email"`
	Webhook *webhookTicketing `yaml:"webhook"`
	Folder  *folderTicketing  `yaml:"folder"`
}

type emailTicketing struct {
	To       string        `yaml:"to"`
	From     string        `yaml:"from"`
	Server   string        `yaml:"server"` // host:port
	TLS      string        `yaml:"tls"`    // starttls (default), implicit or none
	User     string        `yaml:"user"`
	Password *secretSource `yaml:"password"`
	Subject  string        `yaml:"subject"` // {ticket} and {subject} are replaced
	CA       string        `yaml:"ca"`
}

type webhookTicketing struct {
	URL   string        `yaml:"url"`
	From  *secretSource `yaml:"url_from"` // instead of url, where the URL itself is a secret
	Token *secretSource `yaml:"token"`
	CA    string        `yaml:"ca"`
}

type folderTicketing struct {
	Path string `yaml:"path"`
}

// A word is a scalar as it was written: 2041 and "2041" are the same.
type word string

func (w *word) UnmarshalYAML(unmarshal func(any) error) error {
	var n ast.Node
	if err := unmarshal(&n); err != nil {
		return err
	}
	*w = word(strings.Trim(strings.TrimSpace(n.GetToken().Value), `"'`))
	return nil
}

// words are one name or a list of them.
type words []string

func (w *words) UnmarshalYAML(unmarshal func(any) error) error {
	var many []string
	if err := unmarshal(&many); err == nil {
		*w = many
		return nil
	}
	var one string
	err := unmarshal(&one)
	*w = words{one}
	return err
}

// A day is a date as people write it: 2026-12-31.
type day struct{ time.Time }

func (d *day) UnmarshalYAML(unmarshal func(any) error) error {
	return scalar(unmarshal, "date: write 2026-12-31", func(s string) (err error) {
		d.Time, err = time.ParseInLocation(time.DateOnly, s, time.Local)
		return err
	})
}

// A span is a time as people write it: 4h, 90m.
type span time.Duration

func (d *span) UnmarshalYAML(unmarshal func(any) error) error {
	return scalar(unmarshal, "length of time: write 4h, or 90m", func(s string) error {
		t, err := time.ParseDuration(s)
		*d = span(t)
		return err
	})
}

// scalar reads a word by its own rules, and says where one stands that breaks them.
func scalar(unmarshal func(any) error, want string, read func(string) error) error {
	var n ast.Node
	if err := unmarshal(&n); err != nil {
		return err
	}
	var w word
	if err := unmarshal(&w); err != nil {
		return err
	}
	if read(string(w)) != nil {
		field := strings.TrimPrefix(n.GetPath(), "$.")
		return &yaml.SyntaxError{Message: fmt.Sprintf("%s: %q is no %s", field, string(w), want), Token: n.GetToken()}
	}
	return nil
}

// contacts of a customer, as the gate knows them. An authority ends with its
// last day.
func (s *settings) contacts(name string) []change.Contact {
	var list []change.Contact
	for _, c := range s.Customers[name].Contacts {
		k := change.Contact{Name: c.Name, Email: c.Email, Authorised: c.Authorisation, From: c.From.Time}
		if !c.To.IsZero() {
			k.To = c.To.AddDate(0, 0, 1).Add(-time.Nanosecond)
		}
		list = append(list, k)
	}
	return list
}

// documentations are the names of the systems that a customer's attachments go to.
func (s *settings) documentations(name string) []string {
	if c, ok := s.Customers[name]; ok && len(c.Documentation) > 0 {
		return c.Documentation
	}
	if _, ok := s.Documentation["default"]; ok {
		return []string{"default"}
	}
	return nil
}

// ticketing is the name of the system that a customer's receipts go to; empty:
// none is set up.
func (s *settings) ticketing(name string) string {
	if c, ok := s.Customers[name]; ok && c.Tickets != "" {
		return c.Tickets
	}
	if _, ok := s.Tickets["default"]; ok {
		return "default"
	}
	return ""
}

// gate is what opens it for a customer.
func (s *settings) gate(name string) gate {
	g := gate{}
	for _, key := range []string{name, "default"} {
		if c, ok := s.Customers[key]; ok && c.Gate != nil {
			g = *c.Gate
			break
		}
	}
	if g.MaxAge == 0 {
		g.MaxAge = span(change.DefaultMaxAge)
	}
	if g.Notice == 0 {
		g.Notice = span(10 * time.Minute)
	}
	return g
}

// policy is what a customer's changes are held to.
func (s *settings) policy(name string) change.Policy {
	g := s.gate(name)
	p := change.Policy{
		MaxAge: time.Duration(g.MaxAge), OnePlace: g.OnePlace, Attest: g.Attest, NoticeAfter: time.Duration(g.Notice),
		Systems: s.documentations(name), TicketTo: s.ticketing(name), Contacts: s.contacts(name), Wording: change.DefaultWording(),
	}
	if w := s.Waiver; w != nil {
		p.Wording = change.Wording{Version: w.Version, Language: w.Language, Clauses: w.Clauses}
	}
	return p
}

// attach is what hangs in a system for a customer.
func (s *settings) attach(system, name string) configs.Form {
	if c, ok := s.Customers[name]; ok && c.Attach != "" {
		return c.Attach
	}
	kind, o := s.Documentation[system].the()
	if o.Attach == "" {
		if sys, err := docsystem.Find(kind); err == nil {
			return sys.Attach
		}
	}
	return o.Attach
}

// checkCustomers tells what is wrong with the settings of this file.
func (s *settings) checkCustomers() error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	for _, name := range slices.Sorted(maps.Keys(s.Documentation)) {
		if err := s.Documentation[name].check(); err != nil {
			wrong("documentation.%s: %w", name, err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Tickets)) {
		if err := s.Tickets[name].check(); err != nil {
			wrong("tickets.%s: %w", name, err)
		}
	}
	organizations := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(s.Customers)) {
		c := s.Customers[name]
		if err := c.check(s, name); err != nil {
			wrong("customers.%s: %w", name, err)
		}
		for _, d := range c.Documentation {
			kind, o := s.Documentation[d].the() // the same system under two names has the same organizations
			key := strings.Join([]string{kind, o.Region, o.URL, string(c.Organization)}, " ")
			if other, taken := organizations[key]; taken && other != name && c.Organization != "" {
				wrong("customers.%s: organization %s of %s is that of %s: no two customers share one", name, c.Organization, d, other)
			}
			organizations[key] = name
		}
	}
	if w := s.Waiver; w != nil && (w.Version == "" || len(w.Clauses) < 2) {
		wrong("waiver: wants a version and two clauses: that you are not responsible, and that remedial work is billable")
	}
	return errors.Join(errs...)
}

func (d documentation) check() error {
	if len(d) != 1 {
		return errors.New("name one system, as {folder: {…}}")
	}
	kind, o := d.the()
	sys, err := docsystem.Find(kind)
	if err != nil {
		return err
	}
	said := o.said()
	for _, w := range said {
		if !slices.Contains(sys.Takes, w) {
			return fmt.Errorf("%s: %s has no such setting: %s", kind, sys.Title, w)
		}
	}
	for _, need := range sys.Needs {
		if !slices.ContainsFunc(strings.Split(need, "|"), func(n string) bool { return slices.Contains(said, n) }) {
			return fmt.Errorf("%s: %s is missing", kind, strings.ReplaceAll(need, "|", " or "))
		}
	}
	if o.Elsewhere && sys.Elsewhere {
		return fmt.Errorf("%s: elsewhere: %s is on another machine by itself", kind, sys.Title)
	}
	if o.Attach == "" && sys.Attach == "" {
		return fmt.Errorf("%s: attach is missing: say what is hung there: original (with its secrets), redacted or sealed", kind)
	}
	if o.Keep != nil && *o.Keep < 0 {
		return fmt.Errorf("%s: keep: %d: want how many stay, or 0 for all", kind, *o.Keep)
	}
	if err := checkForm(o.Attach); err != nil || sys.Own {
		return err
	}
	// Whether it opens is known before somebody waits at a rack; nothing is asked of it.
	_, err = sys.Open(docsystem.Options{Region: o.Region, URL: o.URL, Key: devices.NewSecret("later")})
	return err
}

func checkForm(f configs.Form) error {
	if f != "" && f != configs.Original && f != configs.Redacted && f != configs.InSeal {
		return fmt.Errorf("attach: %q is none of original, redacted, sealed", f)
	}
	return nil
}

func (t ticketing) check() error {
	n := 0
	for _, set := range []bool{t.Email != nil, t.Webhook != nil, t.Folder != nil} {
		if set {
			n++
		}
	}
	switch {
	case n != 1:
		return errors.New("say one of email, webhook, folder")
	case t.Email != nil && (t.Email.To == "" || t.Email.From == "" || t.Email.Server == ""):
		return errors.New("email: to, from and server are needed")
	case t.Email != nil && !slices.Contains([]string{"", "starttls", "implicit", "none"}, t.Email.TLS):
		return fmt.Errorf("email: tls: %q is none of starttls, implicit, none", t.Email.TLS)
	case t.Webhook != nil && (t.Webhook.URL == "") == (t.Webhook.From == nil):
		return errors.New("webhook: say url, or url_from where the address itself is a secret")
	case t.Folder != nil && t.Folder.Path == "":
		return errors.New("folder: path is missing")
	}
	return nil
}

func (c customer) check(s *settings, name string) error {
	if err := devices.CheckName(name); err != nil {
		return err
	}
	for _, d := range c.Documentation {
		if _, ok := s.Documentation[d]; !ok {
			return fmt.Errorf("documentation: there is none called %q", d)
		}
	}
	if _, ok := s.Tickets[c.Tickets]; c.Tickets != "" && !ok {
		return fmt.Errorf("tickets: there is none called %q", c.Tickets)
	}
	for i, k := range c.Contacts {
		switch address, err := mail.ParseAddress(k.Email); {
		case k.Name == "":
			return fmt.Errorf("contacts[%d]: name is missing", i)
		case err != nil || address.Address != k.Email:
			return fmt.Errorf("contacts[%d]: %q is no e-mail address", i, k.Email)
		case k.Authorisation && (k.From.IsZero() || k.To.IsZero()):
			return fmt.Errorf("contacts[%d]: an authorisation contact needs from and to: since when, and until when", i)
		case k.To.Before(k.From.Time) && !k.To.IsZero():
			return fmt.Errorf("contacts[%d]: to is before from", i)
		}
	}
	if g := c.Gate; g != nil && (g.MaxAge < 0 || g.Notice < 0) {
		return errors.New("gate: a time is below zero")
	}
	if name == "default" && c.Organization != "" {
		return errors.New("organization: each customer has its own")
	}
	return checkForm(c.Attach)
}

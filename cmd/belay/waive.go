package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"belay/configs"
	"belay/configs/change"
	"belay/devices"
)

type waiveOptions struct {
	ticket, contact, email, form, initials, at, scan, text string
	serials, media                                         []string
	print                                                  bool

	message, words, picture []byte // what stands in email, text and scan
	given                   time.Time
}

func (p *program) waiveCommand() *cobra.Command {
	var o waiveOptions
	cmd := &cobra.Command{
		Use:   "waive DEVICE|CHANGE|TICKET",
		Short: "Record written permission to go on without a backup",
		Long: `An authorisation contact of the customer agrees in writing that you are not responsible for what
follows and that remedial work is billable: both clauses word for word, with the serial numbers of
what is erased. --print writes the page to mail or to have initialled.

By e-mail: --email FILE, the message as it was received. On site: --ossr NUMBER --initials AB
--at TIME --text FILE --scan FILE, the text as it was initialled and a scan or photograph of it.
What the contact sent is kept sealed. Of a device that has no open change, --ticket opens one.

Exit status: 0 accepted; 3 refused, with every reason; 7 the change is closed.`,
		Example: `  belay waive T20391 --print --contact 'Ada Example'
  belay waive T20391 --email reply.eml
  belay waive T20391 --ossr 4711 --initials AE --at 14:05 --text form.txt --scan form.jpg --contact 'Ada Example'`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.read(p.now()); err != nil {
				return err // before a change is opened for it
			}
			return p.withWorkspace(cmd.Context(), func(w *workspace) error {
				c, err := w.changeOrOpen(cmd.Context(), args[0], o.ticket)
				if err != nil {
					return err
				}
				return p.runWaive(cmd.Context(), w, c, o)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.ticket, "ticket", "", "ticket of the change")
	f.StringVar(&o.contact, "contact", "", "`NAME` or address of the contact (of a mail: its sender)")
	f.StringSliceVar(&o.serials, "serial", nil, "serial number of what is erased (default: those the device has shown)")
	f.StringSliceVar(&o.media, "media", nil, "serial number of a drive or card that is erased with it")
	f.StringVar(&o.email, "email", "", "`FILE` with the message as it was received (.eml)")
	f.StringVar(&o.form, "ossr", "", "`NUMBER` of the initialled OSSR form")
	f.StringVar(&o.initials, "initials", "", "the contact's initials on it")
	f.StringVar(&o.at, "at", "", "when it was initialled: 14:05, or 2026-11-21T14:05")
	f.StringVar(&o.text, "text", "", "`FILE` with the text as it was initialled (belay waive --print)")
	f.StringVar(&o.scan, "scan", "", "`FILE` with a scan or photograph of it")
	f.BoolVar(&o.print, "print", false, "print the page that the contact answers or initials; nothing is waived by it")
	return cmd
}

// changeOrOpen finds a change, or opens that of a device and a ticket.
func (w *workspace) changeOrOpen(ctx context.Context, word, ticket string) (change.Change, error) {
	c, err := w.change(ctx, word, change.Query{Ticket: ticket, Goes: true})
	d, found := w.inventory.Find(word)
	if found == nil && ticket != "" && (err != nil || c.Closing != nil) {
		return w.desk.Open(ctx, d, change.Opening{Site: d.Site, Ticket: ticket, By: w.by})
	}
	return c, err
}

func (p *program) runWaive(ctx context.Context, w *workspace, c change.Change, o waiveOptions) error {
	policy := w.settings.policy(c.Customer)
	used, err := w.desk.Book.Used(ctx)
	if err != nil {
		return err
	}
	t := change.Terms{Change: c, Contacts: policy.Contacts, Wording: policy.Wording, Known: c.SeenSerials(), Erased: o.serials, Media: o.media, Used: used, By: w.by, Now: p.now()}
	if len(t.Erased) == 0 {
		t.Erased = t.Known
	}
	if o.print {
		if c.State(p.now(), policy) == change.Safe {
			warn(p.err, "%s has a verified before: belay gate %s tells whether a waiver is needed at all", c.ID, c.ID)
		}
		return p.printForm(c, t, o.contact)
	}
	if c.Closing != nil {
		return &devices.Error{Kind: devices.NotAllowed, Op: "waive in " + c.ID, Err: errors.New("it is closed"), Hint: "corrections are a new change"}
	}
	var waiver change.Waiver
	if o.email != "" {
		waiver, err = w.waiveByMail(ctx, t, o)
	} else {
		waiver, err = w.waiveByForm(ctx, t, o)
	}
	if err != nil {
		return err
	}
	if err := w.desk.Book.RecordWaiver(ctx, c, waiver); err != nil {
		return err
	}
	if p.json {
		if c, err = w.desk.Book.Get(ctx, c.Customer, c.ID); err != nil {
			return err
		}
		return p.printJSON(map[string]any{"change": c.ID, "waiver": c.Waivers[len(c.Waivers)-1]})
	}
	compared := "compared with what the device has shown"
	if !waiver.Compared {
		compared = "not compared: the device has shown none"
	}
	return p.say("%s: %s\n  %s agreed on %s (%s), wording %s\n  erased: serial %s (%s)\nnext: belay gate %s\n",
		c.ID, change.WordWaived, waiver.Contact.Name, waiver.Given.Local().Format("2006-01-02 15:04"), waiver.Kind, waiver.Wording.Version, strings.Join(waiver.Serials, ", "), compared, c.ID)
}

func (p *program) printForm(c change.Change, t change.Terms, name string) error {
	contact := change.Contact{Name: name}
	for _, k := range t.Contacts {
		if k.Authorised && !t.Now.Before(k.From) && !t.Now.After(k.To) && (name == "" || strings.EqualFold(k.Name, name) || strings.EqualFold(k.Email, name)) {
			contact = k
			break
		}
	}
	if contact.Email == "" && name != "" {
		return &devices.Error{Kind: devices.Usage, Op: "print the waiver of " + c.ID, Err: fmt.Errorf("%q is no authorisation contact of %s today", name, c.Customer), Hint: "they stand in customers." + c.Customer + ".contacts of the settings"}
	}
	if len(t.Erased) == 0 {
		return &devices.Error{Kind: devices.Usage, Op: "print the waiver of " + c.ID, Err: errors.New("the device has shown no serial number"), Hint: "read it off the label: --serial NUMBER"}
	}
	form := change.Form(c, t.Wording, contact, slices.Concat(t.Erased, t.Media))
	if p.json {
		return p.printJSON(map[string]any{"change": c.ID, "to": contact.Email, "form": form})
	}
	_, err := fmt.Fprint(p.out, form)
	return err
}

// read holds the options to what they need, and reads the files that they name.
func (o *waiveOptions) read(now time.Time) (err error) {
	wants := func(what, hint string) error {
		return &devices.Error{Kind: devices.Usage, Err: errors.New(what), Hint: hint}
	}
	switch {
	case o.print:
		return nil
	case (o.email != "") == (o.form != ""):
		return wants("how was it given? by e-mail or on a form", "--email FILE, or --ossr NUMBER with --contact, --initials, --at, --text and --scan; --print prints what the contact is asked")
	case o.email != "":
		o.message, err = readPaper("message", o.email, "--email reply.eml, the message as it was received")
		return err
	case o.contact == "":
		return wants("who initialled the form?", "--contact NAME, one of the customer's authorisation contacts")
	case o.at == "":
		return wants("when was the form initialled?", "--at 14:05, or --at 2026-11-21T14:05")
	}
	if o.given, err = moment(o.at, now); err != nil {
		return err
	}
	if o.words, err = readPaper("text of the form", o.text, "--text form.txt, what belay waive --print printed, as it was initialled"); err != nil {
		return err
	}
	o.picture, err = readPaper("scan of the form", o.scan, "--scan form.jpg, a scan or photograph of it")
	return err
}

func readPaper(what, file, hint string) ([]byte, error) {
	if file == "" {
		return nil, &devices.Error{Kind: devices.Usage, Op: "read the " + what, Err: errors.New("no file is named"), Hint: hint}
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, &devices.Error{Kind: devices.Usage, Op: "read the " + what, Err: err, Hint: hint}
	}
	return raw, nil
}

// keepPaper seals what a contact sent, to be had again byte for byte.
func (w *workspace) keepPaper(ctx context.Context, c change.Change, kind string, raw []byte) error {
	sealed, err := w.vault.Seal(ctx, c.Customer, raw)
	if err != nil {
		return err
	}
	return w.ledger.FilePaper(ctx, configs.Paper{Customer: c.Customer, Change: c.ID, Kind: kind, Digest: configs.Digest(raw), Sealed: true, Bytes: sealed, By: w.by, At: w.now()})
}

func (w *workspace) waiveByMail(ctx context.Context, t change.Terms, o waiveOptions) (change.Waiver, error) {
	m, err := change.ReadMessage(o.message)
	if err != nil {
		return change.Waiver{}, err
	}
	waiver, err := t.JudgeMail(m)
	if err != nil {
		return waiver, err
	}
	if o.contact != "" && !strings.EqualFold(o.contact, waiver.Contact.Name) && !strings.EqualFold(o.contact, waiver.Contact.Email) {
		return waiver, &devices.Error{Kind: devices.GateShut, Op: "accept the waiver for", Device: string(t.Change.Old), Err: fmt.Errorf("it is from %s, not from %s", waiver.Contact.Name, o.contact),
			Hint: "leave --contact out if " + waiver.Contact.Name + " is who was asked"}
	}
	return waiver, w.keepPaper(ctx, t.Change, "message", o.message)
}

func (w *workspace) waiveByForm(ctx context.Context, t change.Terms, o waiveOptions) (change.Waiver, error) {
	waiver, err := t.JudgeForm(change.Signed{Number: o.form, Contact: o.contact, Initials: o.initials, At: o.given, Scan: configs.Digest(o.picture), Text: string(o.words)})
	if err != nil {
		return waiver, err
	}
	if err := w.keepPaper(ctx, t.Change, "form", o.words); err != nil {
		return waiver, err
	}
	return waiver, w.keepPaper(ctx, t.Change, "scan", o.picture)
}

// moment reads a time as a person on site writes it: of today, or with its date.
func moment(s string, now time.Time) (time.Time, error) {
	now = now.Local()
	if t, err := time.ParseInLocation("15:04", s, time.Local); err == nil {
		return time.Date(now.Year(), now.Month(), now.Day(), t.Hour(), t.Minute(), 0, 0, time.Local), nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, &devices.Error{Kind: devices.Usage, Err: fmt.Errorf("%q is no time: write 14:05, or 2026-11-21T14:05", s)}
}

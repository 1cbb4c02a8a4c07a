package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"belay/configs"
	"belay/configs/change"
	"belay/configs/outbox"
	"belay/devices"
	"belay/store/docsystem"
	"belay/store/tickets"
)

// openOffice sets up what brings attachments and receipts to other systems, and
// the desk where changes are opened and closed.
func (w *workspace) openOffice(ctx context.Context, p *program) {
	w.office = &outbox.Office{
		Outbox: w.ledger, Items: w.ledger, Repository: w.store, Sealer: w.vault, Papers: w.ledger,
		Device: w.device, Places: w.places, Tickets: w.tickets, Note: w.note, Now: w.now,
		Log:    func(line string) { warn(p.err, "%s", line) },
		Jitter: rand.Float64,
	}
	for _, name := range slices.Sorted(maps.Keys(w.settings.Documentation)) {
		w.backup.Provers = append(w.backup.Provers, owing(ctx, w.office.Prover(name), aMoment))
	}
	w.backup.Whose = w.whose()
	w.desk = &change.Desk{
		Book:   &change.Book{Ledger: w.ledger, Now: w.now},
		Backup: w.backup, Repository: w.store, Policy: w.settings.policy, Now: w.now, Known: w.known, Pin: w.pinSuccessor,
		Tell: func(line string) { fmt.Fprintf(p.err, "belay: %s\n", tame(line)) },
	}
}

// A proverFunc is a Prover of one function.
type proverFunc func(ctx context.Context, v configs.Version) (configs.Proof, error)

// Prove calls f.
func (f proverFunc) Prove(ctx context.Context, v configs.Version) (configs.Proof, error) {
	return f(ctx, v)
}

// owing ends what a prover does soon after the command was asked to stop. A capture
// is kept and proven to the end all the same, but a system that is slow can hold a
// fleet up for minutes, and what it is owed waits in the outbox. So can a remote that
// says nothing: what it lacks goes with the next push.
func owing(asked context.Context, p configs.Prover, grace time.Duration) configs.Prover {
	return proverFunc(func(ctx context.Context, v configs.Version) (configs.Proof, error) {
		ctx, end := context.WithCancel(ctx)
		defer end()
		defer context.AfterFunc(asked, func() { time.AfterFunc(grace, end) })()
		return p.Prove(ctx, v)
	})
}

// device finds a device of the inventory by its id.
func (w *workspace) device(id devices.ID) (devices.Device, bool) {
	i, ok := w.byID[id]
	if !ok {
		return devices.Device{}, false
	}
	return w.inventory.Devices[i], true
}

// places are the documentation systems of a customer, each opened at its first
// use: most commands need none.
func (w *workspace) places(customer string) []outbox.Place {
	var places []outbox.Place
	for _, name := range w.settings.documentations(customer) {
		places = append(places, w.place(name, customer))
	}
	return places
}

func (w *workspace) place(name, customer string) outbox.Place {
	_, o := w.settings.Documentation[name].the()
	sys, system, err := w.system(name)
	if err != nil {
		system = shut{title: sys.Title, err: err}
	}
	p := outbox.Place{
		Name: name, System: system, Form: w.settings.attach(name, customer), Keep: 10,
		Second: sys.Elsewhere || o.Elsewhere, Own: sys.Own,
		Restrict:     o.Restricted == nil || *o.Restricted,
		Organization: func(c string) string { return string(w.settings.Customers[c].Organization) },
	}
	if sys.Own {
		p.Organization = nil
	}
	if o.Keep != nil {
		p.Keep = *o.Keep
	}
	return p
}

// system opens a documentation system of the settings, once.
func (w *workspace) system(name string) (docsystem.System, configs.Documentation, error) {
	kind, o := w.settings.Documentation[name].the()
	sys, err := docsystem.Find(kind)
	if err != nil {
		return sys, nil, err
	}
	w.opening.Lock()
	defer w.opening.Unlock()
	if d, ok := w.systems[name]; ok {
		return sys, d, nil
	}
	key, err := w.secrets.get(context.Background(), o.Key, "key")
	if err == nil && o.Key != nil && key.IsZero() {
		err = errors.New("it is empty")
	}
	if err != nil {
		hint := "see documentation." + name + ".key in " + w.settings.file
		if o.Key.Env != "" {
			hint = "set the environment variable " + o.Key.Env
		}
		return sys, nil, &devices.Error{Kind: devices.Usage, Op: "read the key of " + name, Err: err, Hint: hint}
	}
	account := kind + " " + o.Region + o.URL + " " + configs.Digest([]byte(key.Reveal()))[:12]
	d, err := sys.Open(docsystem.Options{
		Region: o.Region, URL: o.URL, Path: w.settings.maybe(o.Path), CA: w.settings.maybe(o.CA), Key: key, MaxBytes: o.MaxBytes,
		Pace: func(ctx context.Context) error { return w.ledger.Pace(ctx, account, sys.PerMinute, sys.Burst) },
		Hold: func(d time.Duration) {
			if err := w.ledger.Pause(context.Background(), account, w.now().Add(d)); err != nil {
				w.office.Log(err.Error())
			}
		},
	})
	if err != nil {
		return sys, nil, err
	}
	if w.systems == nil {
		w.systems = map[string]configs.Documentation{}
	}
	w.systems[name] = d
	return sys, d, nil
}

// shut is a documentation system that could not be opened: every letter to it
// waits, and says why.
type shut struct {
	title string
	err   error
}

func (s shut) Name() string { return s.title }

func (s shut) declined() error { return &configs.Declined{Why: configs.Unauthorized, Err: s.err} }

func (s shut) Attach(context.Context, configs.Item, configs.Attached) (configs.Attachment, error) {
	return configs.Attachment{}, s.declined()
}

func (s shut) Attached(context.Context, configs.Item) ([]configs.Attachment, error) {
	return nil, s.declined()
}

func (s shut) FindItems(context.Context, configs.Wanted) ([]configs.Item, error) {
	return nil, s.declined()
}

func (s shut) Items(context.Context, string, []string) ([]configs.Item, error) {
	return nil, s.declined()
}

// tickets opens a ticket system of the settings.
func (w *workspace) tickets(name string) (configs.TicketSystem, bool) {
	t, ok := w.settings.Tickets[name]
	if !ok {
		return nil, false
	}
	secret := func(src *secretSource, field string) devices.Secret {
		s, err := w.secrets.get(context.Background(), src, field)
		if err != nil {
			w.office.Log(fmt.Sprintf("tickets.%s: %s: %v", name, field, err)) // the server will say no
		}
		return s
	}
	switch {
	case t.Email != nil:
		e := t.Email
		return tickets.Mail{Server: e.Server, TLS: e.TLS, CA: w.settings.maybe(e.CA), User: e.User, Password: secret(e.Password, "password"), From: e.From, To: e.To, Subject: e.Subject}, true
	case t.Webhook != nil:
		url := devices.NewSecret(t.Webhook.URL)
		if t.Webhook.From != nil {
			url = secret(t.Webhook.From, "url")
		}
		return tickets.Webhook{URL: url, Token: secret(t.Webhook.Token, "token"), CA: w.settings.maybe(t.Webhook.CA)}, true
	}
	w.opening.Lock()
	defer w.opening.Unlock()
	if w.hanging == nil {
		w.hanging = map[string]*atomic.Int32{}
	}
	if w.hanging[name] == nil {
		w.hanging[name] = new(atomic.Int32)
	}
	return tickets.Folder{Path: w.settings.path(t.Folder.Path), Hanging: w.hanging[name]}, true
}

// known are the serial numbers and host keys of all devices of the inventory.
func (w *workspace) known(ctx context.Context) (map[string]devices.ID, error) {
	known := map[string]devices.ID{}
	for _, d := range w.inventory.Devices {
		serials := d.Serials
		v, ok, err := w.store.Newest(ctx, d.ID())
		if err != nil {
			return nil, err
		}
		if ok {
			serials = append(slices.Clone(serials), v.Identity.Serials...)
		}
		for _, s := range serials {
			known[s] = d.ID()
		}
		pins, err := w.ledger.Pins(ctx, string(d.ID()))
		if err != nil {
			return nil, err
		}
		for _, p := range pins {
			known[p.Fingerprint] = d.ID()
		}
	}
	return known, nil
}

// whoseFor is how long it is taken for known which device has which serial number.
const whoseFor = 10 * time.Minute

// whose tells which device has a serial number, as it was known a little while
// ago: a fleet's first run asks once for each device.
func (w *workspace) whose() func(context.Context, string) (devices.ID, bool, error) {
	var mu sync.Mutex
	var known map[string]devices.ID
	var at time.Time
	return func(ctx context.Context, serial string) (devices.ID, bool, error) {
		mu.Lock()
		defer mu.Unlock()
		if now := w.now(); known == nil || now.Sub(at) > whoseFor {
			all, err := w.known(ctx)
			if err != nil {
				return "", false, err
			}
			known, at = all, now
		}
		id, ok := known[serial]
		return id, ok, nil
	}
}

// drain brings what else waits in the outbox. After a while it takes up no more:
// what is under way ends, the rest is for the next command.
func (w *workspace) drain(ctx context.Context, p *program, within time.Duration) {
	until := w.now().Add(within)
	w.office.Enough = func() bool { return w.now().After(until) }
	err := p.sending(func(shown func(done, left int)) error { return w.office.Drain(ctx, w.now(), shown) })
	if err != nil && ctx.Err() == nil {
		warn(p.err, "the outbox: %v", err)
	}
}

// nameOf is what a person calls a device, also one that is not in the inventory
// any more.
func (w *workspace) nameOf(id devices.ID) string {
	if d, ok := w.device(id); ok {
		return d.String()
	}
	return string(id)
}

// oneLine keeps what is quoted on a line of its own.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

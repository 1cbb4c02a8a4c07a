package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"belay/configs"
	"belay/configs/change"
	"belay/configs/watch"
	"belay/devices"
)

// How long a person who stands at a rack waits: for a documentation system that is
// busy, and for what others have left in the outbox.
const (
	technicianPatience = 5 * time.Second
	aMoment            = 2 * time.Second
	aPush              = 20 * time.Second // under way when the command is asked to stop: it takes a second, as a rule
)

type beforeOptions struct {
	ticket, newName, address, driver string
	remove, firstUse                 bool
}

func (p *program) beforeCommand() *cobra.Command {
	var o beforeOptions
	cmd := &cobra.Command{
		Use:   "before DEVICE --ticket T",
		Short: "Open a change: take the old configuration, prove it, attach it, ask the gate",
		Long: `Opens the change of a ticket and a device, or goes on with the open one. Reads the device
until two readings agree, keeps and proves the copy, attaches it to the device's configuration
item, and ends with the gate's answer: may this device be touched? With --new the device that
takes its place is put into the inventory.

With --json one object: result (as of belay capture) and answer (as of belay gate).
` + exitHelp,
		Example: "  belay before acme/fw-hq --ticket T20391 --new fw-hq-2 --address 192.0.2.9",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := p.open(cmd.Context(), openOptions{firstUse: o.firstUse})
			if err != nil {
				return err
			}
			defer w.close()
			d, err := w.inventory.Find(args[0])
			if err != nil {
				return err
			}
			return p.runBefore(cmd.Context(), w, d, o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.ticket, "ticket", "", "ticket of the change")
	f.StringVar(&o.newName, "new", "", "`NAME` of the device that takes its place")
	f.StringVar(&o.address, "address", "", "the new device's address (default: the old one's)")
	f.StringVar(&o.driver, "driver", "", "the new device's system (default: the old one's)")
	f.BoolVar(&o.remove, "remove", false, "nothing takes its place")
	f.BoolVar(&o.firstUse, "first-use", false, "pin the host key of a device that has none pinned; recorded")
	return cmd
}

func needTicket(ticket, example string) error {
	if strings.TrimSpace(ticket) != "" {
		return nil
	}
	return &devices.Error{Kind: devices.Usage, Err: errors.New("which ticket? every change belongs to one"), Hint: example}
}

func (p *program) runBefore(ctx context.Context, w *workspace, d devices.Device, o beforeOptions) error {
	if err := needTicket(o.ticket, "belay before "+d.String()+" --ticket T20391"); err != nil {
		return err
	}
	opening := change.Opening{Site: d.Site, Ticket: o.ticket, Old: d, By: w.by}
	switch {
	case o.remove && o.newName != "":
		return &devices.Error{Kind: devices.Usage, Err: errors.New("--remove and --new: either something takes its place or nothing does")}
	case o.remove:
		opening.Kind = change.Remove
	case o.newName == "" && (o.address != "" || o.driver != ""):
		return &devices.Error{Kind: devices.Usage, Err: errors.New("--address and --driver are the new device's: which one?"), Hint: "--new NAME"}
	case o.newName != "":
		opening.Kind = change.Replace
		comes, err := w.successor(p, d, o)
		if err != nil {
			return err
		}
		opening.New = comes
	}
	told, err := p.beforeUnsaved(ctx, w, d)
	if err != nil {
		return err
	}
	w.office.Patience = technicianPatience
	c, r, a, err := w.desk.Before(ctx, d, opening)
	if r.Unsaved && !told { // only this reading has found it
		_, bad := p.beforeUnsaved(ctx, w, d)
		err = errors.Join(err, bad)
	}
	err = p.tellTaken(ctx, w, c, r, &a, err)
	w.tellNow(ctx, p)
	return err
}

// successor finds the device that comes, or puts it into the inventory: as the
// old one, where nothing else is said of it.
func (w *workspace) successor(p *program, old devices.Device, o beforeOptions) (devices.Device, error) {
	customer, name, ok := strings.Cut(o.newName, "/")
	if !ok {
		customer, name = old.Customer, o.newName
	}
	if !strings.EqualFold(customer, old.Customer) {
		return devices.Device{}, &devices.Error{Kind: devices.Usage, Op: "replace", Device: old.String(), Err: fmt.Errorf("%s is no device of %s", o.newName, old.Customer), Hint: "a device is replaced by one of the same customer: --new NAME"}
	}
	if err := devices.CheckName(name); err != nil {
		return devices.Device{}, &devices.Error{Kind: devices.Usage, Op: "replace", Device: old.String(), Err: err, Hint: "--new fw-hq-2"}
	}
	for _, d := range w.inventory.Devices {
		if d.Customer == old.Customer && strings.EqualFold(d.Name, name) {
			if o.address != "" && o.address != d.Address && o.address != net.JoinHostPort(d.Address, strconv.Itoa(d.Port)) {
				return d, &devices.Error{Kind: devices.Usage, Op: "add", Device: d.String(), Err: fmt.Errorf("it stands in %s with another address", d.Where), Hint: "leave --address out, or change it there"}
			}
			return d, nil
		}
	}
	d := devices.Device{Customer: old.Customer, Name: name, Address: old.Address, Port: old.Port, Driver: old.Driver,
		Site: old.Site, Zone: old.Zone, Login: old.Login, Jump: old.Jump, Proxy: old.Proxy}
	if o.address != "" {
		d.Address, d.Port = o.address, 0
		if host, port, err := net.SplitHostPort(o.address); err == nil {
			n, err := strconv.Atoi(port)
			if err != nil || n < 1 || n > 65535 {
				return d, &devices.Error{Kind: devices.Usage, Err: fmt.Errorf("%q is no port", port), Hint: "--address 192.0.2.9, or 192.0.2.9:22"}
			}
			d.Address, d.Port = host, n
		}
	}
	if o.driver != "" {
		d.Driver = o.driver
	}
	if _, err := w.catalog.Find(d.Driver); err != nil {
		return d, err
	}
	file := w.settings.Inventory[0]
	if err := devices.Append(w.settings.path(file), d); err != nil {
		if o.address != "" && devices.KindOf(err) == devices.Usage { // the place that it names is not there to be edited
			err = &devices.Error{Kind: devices.Usage, Op: "put the new device into the inventory", Err: err, Hint: "--address 192.0.2.9, or 192.0.2.9:22; nothing was added"}
		}
		return d, err
	}
	fmt.Fprintf(p.err, "belay: added %s to %s\n", d, file)
	w.inventory.Devices = append(w.inventory.Devices, d)
	w.byID[d.ID()] = len(w.inventory.Devices) - 1
	return d, nil
}

// tellTaken shows what came of a capture within a change, with the gate's answer
// where there is one, and says how the program ends.
func (p *program) tellTaken(ctx context.Context, w *workspace, c change.Change, r configs.Result, a *change.Answer, err error) error {
	if c.ID == "" {
		return err
	}
	if p.json {
		out := struct {
			Change string          `json:"change"`
			State  change.State    `json:"state"`
			Result *configs.Result `json:"result,omitempty"`
			Answer *change.Answer  `json:"answer,omitempty"`
		}{Change: c.ID, State: c.State(p.now(), w.policy(ctx, c.Customer)), Answer: a}
		if r.Device != "" {
			out.Result = &r
		}
		if a != nil {
			out.State = a.State // one word for one moment
		}
		if err := p.printJSON(out); err != nil {
			return err
		}
	} else {
		fmt.Fprint(p.out, tamef("change %s: %s, ticket %s\n", c.ID, w.describe(c), c.Ticket))
		if r.Device != "" {
			t := p.newTeller([]devices.Device{{Customer: c.Customer, Name: strings.TrimPrefix(r.Device, c.Customer+"/")}})
			t.tell(r)
			p.tellProofs(r)
		}
		if a != nil {
			p.tellAnswer(*a)
		}
	}
	w.maintain(ctx, p.err, []configs.Result{r})
	w.drain(ctx, p, aMoment)
	switch {
	case err != nil:
		return err
	case a != nil && a.Open:
		return nil
	case r.Err != nil:
		return exitStatus(exitCode(devices.KindOf(r.Err)))
	case a != nil:
		return exitStatus(exitCode(devices.GateShut))
	}
	return nil
}

// describe says in a few words what a change is.
func (w *workspace) describe(c change.Change) string {
	name := func(n string) string { return c.Customer + "/" + n }
	switch {
	case c.Kind == change.Install:
		return "install " + name(c.NewName)
	case c.Kind == change.Remove:
		return "remove " + name(c.OldName)
	case c.NewName == "":
		return "replace " + name(c.OldName)
	}
	return "replace " + name(c.OldName) + " by " + name(c.NewName)
}

// tellProofs shows where a copy was read again.
func (p *program) tellProofs(r configs.Result) {
	if len(r.Identity.Serials) > 0 {
		fmt.Fprint(p.out, tamef("%13sserial %s\n", "", strings.Join(r.Identity.Serials, ", ")))
	}
	for _, proof := range r.Proofs {
		word := "proven"
		switch {
		case !proof.Done:
			continue
		case !proof.OK && r.Err != nil && devices.KindOf(r.Err) == devices.AttachmentPending && proof.Name != "remote":
			word = "pending" // verified elsewhere
		case !proof.OK:
			word = "NOT proven"
		}
		fmt.Fprint(p.out, tamef("%13s%s: %s: %s\n", "", word, proof.Name, oneLine(proof.Detail)))
	}
}

// tellAnswer shows the gate's answer: one clear yes or no, and why.
func (p *program) tellAnswer(a change.Answer) {
	switch {
	case a.Open && a.Waived:
		fmt.Fprint(p.out, tamef("GATE OPEN: %s may be touched. %s\n", a.Device, change.WordWaived))
	case a.Open && !a.Until.IsZero():
		fmt.Fprint(p.out, tamef("GATE OPEN until %s: %s may be touched\n", clock(a.Until, p.now()), a.Device))
	case a.Open:
		fmt.Fprint(p.out, tamef("GATE OPEN: %s may be touched\n", a.Device))
	default:
		fmt.Fprint(p.out, tamef("GATE SHUT: %s must not be touched\n", a.Device))
	}
	for _, why := range a.Why {
		fmt.Fprint(p.out, tamef("  %s\n", oneLine(why)))
	}
	if a.Next != "" {
		fmt.Fprint(p.out, tamef("  next: %s\n", a.Next))
	}
	// Of a device of which nothing whole is kept there are two other ways on; none
	// goes past the wrong box.
	wrongBox := slices.ContainsFunc(a.FailingChecks, func(c configs.Check) bool { return c.Name == configs.CheckDevice })
	if _, ticket, ok := strings.Cut(a.Next, " --ticket "); ok && !a.Open && a.Change != "" && a.Version == "" && !wrongBox {
		fmt.Fprint(p.out, tamef("  where it cannot be read: belay import %s FILE --attest NAME --ticket %s\n  to go on without: belay waive %s --print\n", a.Device, ticket, a.Change))
	}
}

// clock is a time of today as a person at a rack reads it.
func clock(t, now time.Time) string {
	t, now = t.Local(), now.Local()
	if t.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return t.Format("15:04")
	}
	return t.Format("2006-01-02 15:04")
}

// beforeUnsaved tells a technician, and whoever hears alarms, that a device would
// not start with the configuration that it runs.
func (p *program) beforeUnsaved(ctx context.Context, w *workspace, d devices.Device) (told bool, err error) {
	lost, ok, err := watch.Unsaved(ctx, w.ledger, d.ID())
	if err != nil || !ok {
		return false, err
	}
	what := unsavedSince(lost, time.Local)
	warn(p.err, "%s: %s: a restart would undo it", d, what)
	return true, w.alarms.Raise(ctx, configs.Alarm{Cause: configs.AlarmUnsaved, Customer: d.Customer, Device: d.ID(), What: "it is about to be replaced; " + what,
		Hint: "save the configuration on the device, then belay before " + d.String(), At: p.now()})
}

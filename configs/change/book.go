package change

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"belay/configs"
	"belay/devices"
)

// A Book is the changes that a ledger tells of. It adds events and nothing else.
type Book struct {
	Ledger configs.Ledger
	Now    func() time.Time
}

// An Opening is what a change is opened with.
type Opening struct {
	Kind     Kind // empty: Replace, or whatever the open change is
	Site     string
	Ticket   string
	Old, New devices.Device // without a name: there is none, or it is not known yet
	By       configs.Person
}

// about is the device that the change is called after.
func (o Opening) about() devices.Device {
	if o.Kind == Install {
		return o.New
	}
	return o.Old
}

func (o *Opening) check() error {
	wrong := func(why, hint string) error {
		return &devices.Error{Kind: devices.Usage, Op: "open a change", Err: errors.New(why), Hint: hint}
	}
	var err error
	if o.Ticket, err = checkTicket(o.Ticket); err != nil {
		return err
	}
	old, after := o.Old.Name != "", o.New.Name != ""
	switch {
	case o.By.Name == "":
		return wrong("nobody is named who opens it", "say who you are: --as NAME")
	case !slices.Contains([]Kind{"", Replace, Install, Remove}, o.Kind):
		return wrong(fmt.Sprintf("%q is no kind of change", o.Kind), "replace, install or remove")
	case o.Kind == Install && (old || !after):
		return wrong("an installation has a new device and no old one", "belay after NEW --ticket "+o.Ticket+" --install")
	case o.Kind != Install && !old:
		return wrong("no device is named that goes", "belay before DEVICE --ticket "+o.Ticket)
	case o.Kind == Remove && after:
		return wrong("nothing takes the place of a device that is removed", "")
	case old && after && o.Old.Customer != o.New.Customer:
		return wrong(fmt.Sprintf("%s and %s are not one customer's", o.Old, o.New), "")
	}
	return nil
}

// Open finds the open change of a ticket and a device, or opens one. Of several
// who open it at once all get the same change, and one hears that it opened it.
func (b *Book) Open(ctx context.Context, o Opening) (c Change, isNew bool, err error) {
	if err := o.check(); err != nil {
		return Change{}, false, err
	}
	of := o.about()
	heads, err := b.heads(ctx, of.Customer)
	if err != nil {
		return Change{}, false, err
	}
	follows := ""
	for _, h := range heads {
		if !h.about(o.Ticket, of.ID()) {
			continue
		}
		c, err := b.Get(ctx, h.Customer, h.ID)
		if err != nil {
			return Change{}, false, err
		}
		if c.Closing == nil {
			c, err = b.join(ctx, c, o)
			return c, false, err
		}
		follows = c.ID
	}
	for n := 1; ; n++ {
		id := makeID(o.Ticket, of.Name, n)
		if slices.ContainsFunc(heads, func(h Change) bool { return strings.EqualFold(h.ID, id) }) {
			continue
		}
		at := b.Now()
		if err := b.open(ctx, id, o, follows, at); err != nil {
			return Change{}, false, err
		}
		c, err := b.Get(ctx, of.Customer, id)
		if err != nil {
			return Change{}, false, err
		}
		if !c.about(o.Ticket, of.ID()) {
			continue // another change had this id a moment earlier
		}
		if c.Closing != nil {
			follows = c.ID
			continue
		}
		// The first event counts; whether that is ours shows in its time and person.
		isNew = c.By == o.By && c.At.Equal(at)
		c, err = b.join(ctx, c, o)
		return c, isNew, err
	}
}

// open writes down that a change is opened, or that its new device is known.
func (b *Book) open(ctx context.Context, id string, o Opening, follows string, at time.Time) error {
	kind := o.Kind
	if kind == "" {
		kind = Replace
	}
	d := opened{Kind: kind, Site: o.Site, Ticket: o.Ticket, Follows: follows}
	if d.Site == "" {
		d.Site = o.about().Site
	}
	if o.Old.Name != "" {
		d.Old, d.OldName, d.Serials = o.Old.ID(), o.Old.Name, o.Old.Serials
	}
	if o.New.Name != "" {
		d.New, d.NewName = o.New.ID(), o.New.Name
	}
	return b.append(ctx, id, actOpen, o.about().ID(), o.By, at, d)
}

// join holds an opening to the open change that it found.
func (b *Book) join(ctx context.Context, c Change, o Opening) (Change, error) {
	if o.Kind != "" && o.Kind != c.Kind {
		return c, &devices.Error{Kind: devices.Usage, Op: "open a change", Err: fmt.Errorf("%s is open and is to %s %s", c.ID, c.Kind, c.named()),
			Hint: fmt.Sprintf("go on with it, or give it up: belay close %s --abandon REASON", c.ID)}
	}
	if o.New.Name == "" || c.New == o.New.ID() {
		return c, nil
	}
	if c.New != "" {
		return c, &devices.Error{Kind: devices.Usage, Op: "open a change", Err: fmt.Errorf("in %s it is %s that comes, not %s", c.ID, c.New, o.New.ID()),
			Hint: fmt.Sprintf("leave the new device out, or give the change up: belay close %s --abandon REASON", c.ID)}
	}
	if err := b.open(ctx, c.ID, o, c.Follows, b.Now()); err != nil {
		return c, err
	}
	return b.Get(ctx, c.Customer, c.ID)
}

func (b *Book) append(ctx context.Context, id, act string, device devices.ID, by configs.Person, at time.Time, fact any) error {
	m, err := detail(id, fact)
	if err == nil {
		err = b.Ledger.Append(ctx, configs.Event{At: at, Customer: device.Customer(), Device: device, By: by, Act: act, Detail: m})
	}
	if err != nil {
		return &devices.Error{Kind: devices.KindOf(err), Op: "record in change " + id, Device: string(device), Err: fmt.Errorf("%s: %w", act, err)}
	}
	return nil
}

// heads are the changes of a customer as they were opened, without what followed;
// of all customers where none is named.
func (b *Book) heads(ctx context.Context, customer string) ([]Change, error) {
	var list []Change
	at := map[[2]string]int{}
	for e, err := range b.Ledger.Events(ctx, configs.Filter{Customer: customer, Act: actOpen}) {
		if err != nil {
			return nil, err
		}
		id, _ := e.Detail["change"].(string)
		name := [2]string{e.Customer, id}
		if _, ok := at[name]; !ok {
			at[name] = len(list)
			list = append(list, Change{})
		}
		if err := list[at[name]].apply(e); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(list, func(c Change) bool { return c.ID == "" }), nil
}

// Get reads a change by its id.
func (b *Book) Get(ctx context.Context, customer, id string) (Change, error) {
	var events []configs.Event
	for e, err := range b.Ledger.Events(ctx, configs.Filter{Customer: customer, Change: id}) {
		if err != nil {
			return Change{}, err
		}
		events = append(events, e)
	}
	c, ok, err := fold(events)
	if err == nil && !ok {
		err = none(id)
	}
	return c, err
}

// List reads all changes of a customer, oldest first; of all where none is named.
func (b *Book) List(ctx context.Context, customer string) ([]Change, error) {
	return b.find(ctx, customer, func(Change) bool { return true })
}

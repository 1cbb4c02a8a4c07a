package change

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"belay/configs"
	"belay/devices"
)

// A Taker takes configurations; see configs.Backup.
type Taker interface {
	Capture(ctx context.Context, d devices.Device, o configs.Order) configs.Result
	Reread(ctx context.Context, d devices.Device, v configs.Version) (configs.Rereading, error)
	Import(ctx context.Context, d devices.Device, c configs.Capture, o configs.Order) configs.Result
}

// A Desk is where a technician opens a change, hears the gate's answer, and
// closes it. Known, Pin, Tell and Doubt may be nil. It may be used by many at once.
type Desk struct {
	Book       *Book
	Backup     Taker
	Repository configs.Repository
	Policy     func(customer string) Policy
	Now        func() time.Time

	// Known are the serial numbers and the host keys ("SHA256:…") of all devices,
	// each with the device that it is known to be of.
	Known func(ctx context.Context) (map[string]devices.ID, error)
	// Pin trusts the host key that a new device shows, in the name of by. It asks
	// allow about each fingerprint first, and pins nothing that is not allowed. What
	// it pinned, undo takes back, and trusts what was trusted before; nil: nothing.
	Pin func(ctx context.Context, d devices.Device, c Change, by configs.Person, allow func(fingerprint string) error) (undo func(context.Context) error, err error)
	// Tell shows a line to the person who waits.
	Tell func(line string)
	// Doubt tells why no backup may be called verified now: see configs.Backup.
	// "" or nil: nothing speaks against it.
	Doubt func(ctx context.Context) (string, error)
}

func (d *Desk) tell(format string, args ...any) {
	if d.Tell != nil {
		d.Tell(fmt.Sprintf(format, args...))
	}
}

// Before opens the change or finds the open one, takes the old device's
// configuration, and asks the gate, which needs no further reading. The result
// tells why a capture failed; the error only what could not be recorded.
func (d *Desk) Before(ctx context.Context, dev devices.Device, o Opening) (Change, configs.Result, Answer, error) {
	c, err := d.Open(ctx, dev, o)
	if err != nil {
		return c, configs.Result{}, d.shut(c, dev), err
	}
	shrunk, err := d.Book.shrunk(ctx, dev, c.since(d.Now()).Add(-shrinkMatters))
	if err != nil {
		return c, configs.Result{}, d.shut(c, dev), err
	}
	noticed := d.notice(ctx, c, dev, o.By)
	began := d.Now()
	r := d.Backup.Capture(ctx, dev, configs.Order{Twice: true, Change: c.ID, Phase: Before, Ticket: c.Ticket, By: o.By})
	return d.taken(ctx, c, dev, r, Capture{By: o.By, Phase: Before, Taken: began, Vouched: shrunk}, noticed())
}

// Open opens the change of an old device, or finds the open one.
func (d *Desk) Open(ctx context.Context, dev devices.Device, o Opening) (Change, error) {
	var err error
	o.Old = dev
	if o.Old.Serials, err = d.serials(ctx, dev); err != nil {
		return Change{}, err
	}
	c, _, err := d.Book.Open(ctx, o)
	if err == nil && c.Succession != nil && c.Succession.Device == dev.ID() {
		err = &devices.Error{Kind: devices.Usage, Op: "take the before of", Device: dev.String(), Err: fmt.Errorf("in %s the new box has taken its place already", c.ID),
			Hint: fmt.Sprintf("belay after %s --ticket %s", dev, quoted(c.Ticket))}
	}
	return c, err
}

// serials are a device's, as the inventory or its history knows them.
func (d *Desk) serials(ctx context.Context, dev devices.Device) ([]string, error) {
	if len(dev.Serials) > 0 {
		return dev.Serials, nil
	}
	for v, err := range d.Repository.History(ctx, dev.ID()) {
		if err != nil {
			return nil, err
		}
		if len(v.Identity.Serials) > 0 {
			return v.Identity.Serials, nil
		}
	}
	return nil, nil
}

// taken records a before, and asks the gate about it.
func (d *Desk) taken(ctx context.Context, c Change, dev devices.Device, r configs.Result, k Capture, before error) (Change, configs.Result, Answer, error) {
	ctx = context.WithoutCancel(ctx) // whoever has gone away, what was taken is written down
	by := k.By
	k, err := d.record(ctx, c, r, k)
	if err = errors.Join(before, err); err != nil {
		return c, r, d.shut(c, dev), err
	}
	if c, err = d.Book.Get(ctx, c.Customer, c.ID); err != nil {
		return c, r, d.shut(c, dev), err
	}
	a, err := d.judge(ctx, c, dev, &k)
	a, err = d.answered(ctx, c, dev, a, by, err)
	return c, r, a, err
}

// record completes k by what came of a capture, and writes it down, good or not.
func (d *Desk) record(ctx context.Context, c Change, r configs.Result, k Capture) (Capture, error) {
	k.Device, k.Verified, k.Grade = r.ID, r.Verified, configs.Grade{Level: r.Grade, Missing: r.Missing}
	k.Identity, k.HostKey, k.Unproven, k.Proofs = r.Identity, r.Reached.HostKey, r.Reached.Unproven, r.Proofs
	k.Checks, k.Error, k.Seconds = append(slices.Clone(r.Checks), k.Checks...), r.Error, r.Seconds
	k.Doubted = r.Doubted
	var err error
	// Of any other outcome the result names the version that stood before.
	if r.Result == configs.Kept || r.Result == configs.Unchanged {
		var v configs.Version
		if v, err = d.version(ctx, r.ID, r.Version); err == nil {
			k.Version, k.Taken, k.Driver, k.Files = v.Commit, v.Taken, v.Driver, v.Files
		}
	}
	return k, errors.Join(err, d.Book.RecordCapture(ctx, c, k))
}

// version finds a version in a device's history. One that is gone is damage: it
// was kept.
func (d *Desk) version(ctx context.Context, id devices.ID, commit string) (configs.Version, error) {
	for v, err := range d.Repository.History(ctx, id) {
		if err != nil {
			return configs.Version{}, err
		}
		if v.Commit == commit {
			return v, nil
		}
	}
	return configs.Version{}, &devices.Error{Kind: devices.Damaged, Op: "find a version of", Device: string(id), Err: fmt.Errorf("%s is not in its history", commit), Hint: "belay verify"}
}

// notice tells the customer once, through the person who waits, that a before
// takes long. What it returns ends the waiting.
func (d *Desk) notice(ctx context.Context, c Change, dev devices.Device, by configs.Person) (end func() error) {
	after := d.Policy(c.Customer).NoticeAfter
	if after <= 0 {
		return func() error { return nil }
	}
	n := Notice{By: by, Text: fmt.Sprintf("Taking the backup of %s for ticket %s takes longer than %v. Nothing is changed before it is done; the work will take that much longer.", dev, c.Ticket, after)}
	ctx, done := context.WithoutCancel(ctx), make(chan struct{})
	result := make(chan error, 1)
	go func() {
		select {
		case <-done:
			result <- nil
		case <-time.After(after):
			result <- d.noticeOnce(ctx, c, n)
		}
	}()
	return func() error {
		close(done)
		return <-result
	}
}

func (d *Desk) noticeOnce(ctx context.Context, c Change, n Notice) error {
	c, err := d.Book.Get(ctx, c.Customer, c.ID)
	if err != nil || c.noticed(n.Text) != nil {
		return err
	}
	if err = d.Book.RecordNotice(ctx, c, n); err == nil {
		c, err = d.Book.Get(ctx, c.Customer, c.ID)
	}
	// Of two who wait for one capture whoever came first tells.
	if first := c.noticed(n.Text); first == nil || first.By == n.By {
		d.tell("%s", n.Text)
	}
	return err
}

// noticed is the notice with that text, nil where nobody has told it yet.
func (c Change) noticed(text string) *Notice {
	if i := slices.IndexFunc(c.Notices, func(n Notice) bool { return n.Text == text }); i >= 0 {
		return &c.Notices[i]
	}
	return nil
}

// An Exported is a configuration that a person exported by hand.
type Exported struct {
	Phase    string          // Before or After
	Capture  configs.Capture // as the driver read the files
	Attester string          // who says that it is this device's, and whole
	By       configs.Person
}

// Import keeps an export as the before or the after of a change. It is held to
// the same checks, but nobody can read it twice: its grade is lower.
func (d *Desk) Import(ctx context.Context, c Change, dev devices.Device, x Exported) (Change, configs.Result, Answer, error) {
	fail := func(err error) (Change, configs.Result, Answer, error) {
		return c, configs.Result{}, d.shut(c, dev), err
	}
	wrong := func(why string) (Change, configs.Result, Answer, error) {
		return fail(&devices.Error{Kind: devices.Usage, Op: "import", Device: dev.String(), Err: errors.New(why)})
	}
	c, err := d.Book.Get(ctx, c.Customer, c.ID)
	if err == nil {
		err = c.writable(actImport)
	}
	if err != nil {
		return fail(err)
	}
	if x.Attester == "" {
		return wrong("nobody is named who attests that it is this device's")
	}
	attested := fmt.Sprintf("exported by hand; %s attests that it is this device's", x.Attester)
	x.Capture.Missing = append(slices.Clone(x.Capture.Missing), attested)
	// Twice makes a version of its own, whatever stands.
	o := configs.Order{Twice: true, Change: c.ID, Phase: x.Phase, Ticket: c.Ticket, By: x.By, Vouched: attested}
	k := Capture{By: x.By, Phase: x.Phase, Taken: x.Capture.Began, Attested: attested}
	switch {
	case x.Phase == Before && c.Kind != Install && dev.ID() == c.Old && (c.Succession == nil || c.Succession.Device != dev.ID()):
		r := d.Backup.Import(ctx, dev, x.Capture, o)
		return d.taken(ctx, c, dev, r, k, nil)
	case x.Phase == After && c.takes(dev.ID()):
		b, err := d.box(ctx, c, dev, Successor{By: x.By})
		if err != nil {
			return fail(err)
		}
		o.Successor, o.Not = true, b.not
		r := d.Backup.Import(ctx, b.device, x.Capture, o)
		c, r, err = d.arrived(ctx, c, b, r, k)
		return c, r, d.shut(c, dev), err
	}
	return wrong(fmt.Sprintf("it has no %s in %s", x.Phase, c.ID))
}

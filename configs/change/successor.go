package change

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"belay/configs"
	"belay/devices"
)

// A Successor says what a person knows of the box that comes.
type Successor struct {
	Ticket  string
	Change  string   // its id, where the ticket has several
	Install bool     // nothing goes: the change is opened where it is not
	Serials []string // what it must answer with; empty: what the inventory says
	Reason  string   // why it is another box than the old one, where nothing it says tells
	By      configs.Person
}

// A box is a new device that is about to be read.
type box struct {
	Successor
	device devices.Device
	not    []string // serial numbers that must not answer
	known  map[string]devices.ID
	old    devices.ID
	keys   []string                    // host keys that the old box showed
	named  bool                        // the old box has serial numbers to be told by
	own    []string                    // host keys of the box that stands under the new device's name, where no serial number tells it
	unpin  func(context.Context) error // takes the host key back that was pinned for it; nil: none was
}

// After takes the new device's configuration. It must be another box than the
// old one and no other known device; its host key is pinned, and who saw it is
// recorded. The result tells why a capture failed; the error what was refused
// before it, or could not be recorded.
func (d *Desk) After(ctx context.Context, dev devices.Device, s Successor) (Change, configs.Result, error) {
	c, err := d.succeeds(ctx, dev, s)
	if err != nil {
		return c, configs.Result{}, err
	}
	b, err := d.box(ctx, c, dev, s)
	if err != nil {
		return c, configs.Result{}, err
	}
	if d.Pin != nil {
		if b.unpin, err = d.Pin(ctx, dev, c, s.By, b.allow); err != nil {
			return c, configs.Result{}, err
		}
	}
	began := d.Now()
	r := d.Backup.Capture(ctx, b.device, configs.Order{Twice: true, Successor: true, Not: b.not, Change: c.ID, Phase: After, Ticket: c.Ticket, By: s.By})
	return d.arrived(ctx, c, b, r, Capture{By: s.By, Phase: After, Taken: began})
}

// takes tells whether a device may be the new one of a change.
func (c Change) takes(id devices.ID) bool {
	return c.Closing == nil && c.Kind != Remove && id.Customer() == c.Customer && (c.New == id || c.New == "" && c.Kind == Replace)
}

// succeeds finds the change in which a device comes.
func (d *Desk) succeeds(ctx context.Context, dev devices.Device, s Successor) (Change, error) {
	if s.Install {
		c, _, err := d.Book.Open(ctx, Opening{Kind: Install, Ticket: s.Ticket, New: dev, By: s.By})
		return c, err
	}
	ticket, err := checkTicket(s.Ticket)
	if s.Change == "" && err != nil {
		return Change{}, err
	}
	list, err := d.Book.find(ctx, dev.Customer, func(h Change) bool {
		return s.Change == "" && strings.EqualFold(h.Ticket, ticket) || s.Change != "" && strings.EqualFold(h.ID, s.Change)
	})
	if err != nil {
		return Change{}, err
	}
	fitting := slices.DeleteFunc(slices.Clone(list), func(c Change) bool { return !c.takes(dev.ID()) })
	for _, better := range []func(Change) bool{
		func(c Change) bool { return c.New == dev.ID() },
		func(c Change) bool { return c.Old == dev.ID() },
	} {
		if slices.ContainsFunc(fitting, better) {
			fitting = slices.DeleteFunc(fitting, func(c Change) bool { return !better(c) })
		}
	}
	what := s.Change
	if what == "" {
		what = ticket
	}
	switch {
	case len(fitting) == 1:
		return fitting[0], nil
	case len(fitting) > 1:
		return Change{}, several(what, fitting)
	case len(list) == 0:
		return Change{}, &devices.Error{Kind: devices.Usage, Op: "find the change", Err: fmt.Errorf("there is none for %s", what),
			Hint: fmt.Sprintf("belay before OLD --ticket %s --new %s opens one; where nothing goes: belay after %s --ticket %s --install", quoted(what), dev.Name, dev, quoted(what))}
	}
	for _, c := range list {
		if c.Closing != nil && (c.New == dev.ID() || c.New == "") {
			return c, c.writable(actAfter)
		}
	}
	return Change{}, &devices.Error{Kind: devices.Usage, Op: "take the after of", Device: dev.String(), Err: fmt.Errorf("it does not come in %s", list[len(list)-1].ID),
		Hint: fmt.Sprintf("belay before OLD --ticket %s --new %s, or belay after %s --ticket %s --install", quoted(list[0].Ticket), dev.Name, dev, quoted(list[0].Ticket))}
}

// box gathers what must not answer in the new device's place.
func (d *Desk) box(ctx context.Context, c Change, dev devices.Device, s Successor) (box, error) {
	b := box{Successor: s, device: dev, old: c.Old}
	if d.Known != nil {
		var err error
		if b.known, err = d.Known(ctx); err != nil {
			return b, err
		}
	}
	old := slices.Clone(c.Serials)
	for _, w := range c.Waivers {
		old = append(old, w.Serials...)
	}
	for _, k := range c.Captures {
		if k.Phase == Before && k.Device == c.Old && len(k.failingChecks()) == 0 {
			old = append(old, k.Identity.Serials...)
			b.keys = append(b.keys, k.HostKey)
		}
	}
	for mark, id := range b.known {
		if !hostKey(mark) && id == c.Old && id != dev.ID() {
			old = append(old, mark)
		}
	}
	// A member of a pair that stays is named by a person, among those that come.
	old = slices.DeleteFunc(old, func(o string) bool { return holds(s.Serials, o) })
	b.not, b.named = slices.Clone(old), len(old) > 0
	for mark, id := range b.known {
		if !hostKey(mark) && id != c.Old && id != dev.ID() {
			b.not = append(b.not, mark)
		}
	}
	slices.Sort(b.not) // orders are compared: two technicians at once are one capture
	b.not = slices.Compact(b.not)
	switch {
	case len(s.Serials) > 0:
		b.device.Serials = s.Serials
	// A name under which a box stands already does not take another one: that box
	// would be gone without a before.
	case dev.ID() != c.Old && c.Succession == nil && len(dev.Serials) == 0:
		for mark, id := range b.known {
			switch {
			case id != dev.ID():
			case hostKey(mark):
				b.own = append(b.own, mark)
			default:
				b.device.Serials = append(b.device.Serials, mark)
			}
		}
		if slices.Sort(b.device.Serials); len(b.device.Serials) > 0 {
			b.own = nil
		}
	case dev.ID() == c.Old: // the inventory still speaks of the old box
		b.device.Serials = slices.DeleteFunc(slices.Clone(dev.Serials), func(o string) bool { return holds(old, o) })
	}
	return b, nil
}

func hostKey(mark string) bool { return strings.HasPrefix(mark, "SHA256:") }

// allow refuses a host key that is another device's. The old one's may return
// with a configuration that was restored, if a serial number tells the boxes apart.
func (b box) allow(fingerprint string) error {
	if id, ok := b.known[fingerprint]; ok && id != b.device.ID() && id != b.old {
		return &devices.Error{Kind: devices.NotAllowed, Op: "trust the host key of", Device: b.device.String(), Err: fmt.Errorf("wrong box: %s is the key of %s", fingerprint, id),
			Hint: "check the address; two devices with one host key need keys of their own"}
	}
	if len(b.own) > 0 && !slices.Contains(b.own, fingerprint) && b.Reason == "" {
		return &devices.Error{Kind: devices.NotAllowed, Op: "trust the host key of", Device: b.device.String(), Err: fmt.Errorf("another box stands under that name: it showed %s, this one shows %s", strings.Join(b.own, ", "), fingerprint),
			Hint: "where that one goes it is a replacement: belay before " + b.device.String() + "; where it is the same box, say how you know: --reason TEXT"}
	}
	if !b.named && slices.Contains(b.keys, fingerprint) && b.Reason == "" {
		return b.indistinct()
	}
	return nil
}

func (b box) indistinct() error {
	return &devices.Error{Kind: devices.Refused, Op: "take the after of", Device: b.device.String(), Err: errors.New("nothing tells it from the old box: it shows the same host key and names no serial number"),
		Hint: "if it is another box, say how you know: --reason TEXT"}
}

// whose finds the other device that a serial number is known to be of.
func (b box) whose(serials []string) (serial string, id devices.ID, ok bool) {
	for mark, id := range b.known {
		if !hostKey(mark) && id != b.device.ID() && id != b.old && holds(serials, mark) {
			return mark, id, true
		}
	}
	return "", "", false
}

// arrived records what came of reading a new device: that it was seen, and the
// capture.
func (d *Desk) arrived(ctx context.Context, c Change, b box, r configs.Result, k Capture) (Change, configs.Result, error) {
	ctx = context.WithoutCancel(ctx)
	refuse := func(err error) {
		r.Err, r.Error, r.Hint, r.Verified = err, err.Error(), devices.HintOf(err), false
	}
	right := slices.ContainsFunc(r.Checks, func(c configs.Check) bool { return c.Name == configs.CheckDevice && c.OK })
	if serial, id, ok := b.whose(r.Identity.Serials); ok {
		right = false
		refuse(&devices.Error{Kind: devices.Refused, Op: "take the after of", Device: b.device.String(), Err: fmt.Errorf("wrong box: serial %s is %s", serial, id),
			Hint: "check the address; if that device is gone, take its serial number out of the inventory"})
	} else if right && len(r.Identity.Serials) == 0 && r.Reached.HostKey != "" && slices.Contains(b.keys, r.Reached.HostKey) && b.Reason == "" {
		right = false
		err := b.indistinct()
		k.Checks = append(k.Checks, configs.Check{Name: configs.CheckDevice, Detail: err.Error()})
		refuse(err)
	}
	var seen error
	if s := (Succession{By: k.By, Device: b.device.ID(), Serials: r.Identity.Serials, HostKey: r.Reached.HostKey, Reason: b.Reason}); right && !c.Succession.same(s) {
		seen = d.Book.RecordSuccession(ctx, c, s)
	}
	if !right && b.unpin != nil { // or what was trusted before would be refused until the next after
		seen = b.unpin(ctx)
	}
	_, err := d.record(ctx, c, r, k)
	after, found := d.Book.Get(ctx, c.Customer, c.ID)
	if found == nil {
		c = after
	}
	return c, r, errors.Join(seen, err, found)
}

// same tells whether a box is the one that was seen before: when it was first
// seen is what counts.
func (s *Succession) same(t Succession) bool {
	switch {
	case s == nil || s.Device != t.Device:
		return false
	case len(s.Serials) > 0 && len(t.Serials) > 0:
		return devices.Shared(s.Serials, t.Serials)
	}
	return t.HostKey == "" || s.HostKey == "" || s.HostKey == t.HostKey // an export shows no host key
}

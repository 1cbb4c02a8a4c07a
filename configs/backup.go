package configs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"belay/configs/redact"
	"belay/devices"
)

// A Backup takes devices' configurations, checks, redacts, seals, keeps and
// proves them. Its fields are the parts it works with; all but Provers are
// needed. It may be used by many at once: two captures of one device at the
// same time are one.
type Backup struct {
	Puller     Puller
	Repository Repository
	Sealer     Sealer
	Provers    []Prover
	CheckLog   CheckLog
	Quarantine Quarantine
	Now        func() time.Time
	Pause      time.Duration // before an unreachable device is tried once more

	// Whose tells which device is known to have a serial number. It is asked
	// about a device of which none is known, the first time it answers; nil:
	// nobody knows.
	Whose func(ctx context.Context, serial string) (devices.ID, bool, error)

	// Doubt tells why nothing may be called verified now: a canary was kept.
	// "" or nil: nothing speaks against it.
	Doubt func(ctx context.Context) (string, error)

	// Saved is told of each whole reading whether a restart of the device would
	// lose changes, before it is called kept; nil: nobody wants to know.
	Saved func(ctx context.Context, d devices.Device, unsaved bool, at time.Time) error

	// Turn waits for a turn at the processor, before a reading is judged and before it
	// is kept: so the captures of a night do not stand in the way of one that a person
	// waits for. done gives it up again. nil: it is
	// always one's turn.
	Turn func(ctx context.Context) (done func())

	mu     sync.Mutex
	flying map[devices.ID]*flight
}

// An Order says for whom and why a device is captured.
type Order struct {
	By      Person
	Ticket  string
	Change  string
	Phase   string
	Twice   bool   // two readings must agree whatever the driver says, and a version is always made
	Vouched string // the reason of a person who vouches for what was refused as too small

	// Successor says that another box stands here now: neither the serial
	// numbers nor the size that history knows bind it.
	Successor bool
	Not       []string // serial numbers that must not answer: those of the box that was replaced
}

// A reading is one capture, checked and redacted.
type reading struct {
	Capture
	checks []Check
	texts  []Text
	report redact.Report
}

// agrees does not mind the order: a repository may return its files by name.
func (r reading) agrees(other []Text) bool {
	if len(r.texts) != len(other) {
		return false
	}
	for _, t := range r.texts {
		i := slices.IndexFunc(other, func(o Text) bool { return o.Name == t.Name })
		if i < 0 || !t.Clean.Equal(other[i].Clean) {
			return false
		}
	}
	return true
}

func (r reading) size() sizes { return sizeOf(r.texts) }

// sent is the size of the texts as the device sent them, which is how the
// quarantine counts.
func (r reading) sent() (s sizes) {
	for _, f := range r.Files {
		if !f.Sealed {
			s.add(f.Name, len(f.Raw))
		}
	}
	return s
}

// pull reads a device; one that did not answer is asked once more.
func (b *Backup) pull(ctx context.Context, d devices.Device) (Capture, error) {
	c, err := b.Puller.Pull(ctx, d)
	if devices.KindOf(err) == devices.Unreachable && ctx.Err() == nil {
		select {
		case <-time.After(b.Pause):
			c, err = b.Puller.Pull(ctx, d)
		case <-ctx.Done():
		}
	}
	if err != nil && errors.Is(ctx.Err(), context.Canceled) {
		// A connection that we closed ourselves is not the device's silence.
		err = &devices.Error{Op: "read", Device: d.String(), Err: ctx.Err()}
	}
	return c, err
}

// read takes one reading, checks and redacts it.
func (b *Backup) read(ctx context.Context, d devices.Device, o Order, last *Version) (reading, error) {
	c, err := b.pull(ctx, d)
	if err != nil {
		return reading{}, err
	}
	// What was read is judged to the end, whoever has gone away meanwhile.
	ctx = context.WithoutCancel(ctx)
	key, err := b.Sealer.FingerprintKey(ctx, d.Customer)
	if err != nil {
		return reading{}, &devices.Error{Kind: devices.KindOf(err), Op: "find the key of " + d.Customer, Err: err}
	}
	if last, err = b.identified(ctx, last, c.Identity); err != nil {
		return reading{}, &devices.Error{Kind: devices.KindOf(err), Op: "read history of", Device: d.String(), Err: err}
	}
	return b.judged(ctx, d, o, c, last, key)
}

// turn waits for a turn at the processor.
func (b *Backup) turn(ctx context.Context) (done func()) {
	if b.Turn == nil {
		return func() {}
	}
	return b.Turn(ctx)
}

// judged is judge, and the look for another customer who has this very box.
func (b *Backup) judged(ctx context.Context, d devices.Device, o Order, c Capture, last *Version, key redact.Key) (reading, error) {
	r := func() reading {
		defer b.turn(ctx)() // what a device says may bring a check down: the turn is given up all the same
		return b.judge(d, o, c, last, key)
	}()
	if len(d.Serials) > 0 || last != nil && len(last.Identity.Serials) > 0 {
		return r, nil
	}
	other, err := b.foreign(ctx, d, c.Identity.Serials)
	if err != nil {
		return reading{}, &devices.Error{Kind: devices.KindOf(err), Op: "look for other devices with the serial number of", Device: d.String(), Err: err}
	}
	if other != "" {
		i := slices.IndexFunc(r.checks, func(k Check) bool { return k.Name == CheckDevice })
		r.checks[i] = Check{Name: CheckDevice, Detail: fmt.Sprintf("another customer's device: serial %s is %s", strings.Join(c.Identity.Serials, ", "), other)}
	}
	return r, nil
}

// judge holds a capture to every check that needs no other reading, and redacts it.
func (b *Backup) judge(d devices.Device, o Order, c Capture, last *Version, key redact.Key) reading {
	if o.Successor {
		last = nil
	}
	r := reading{Capture: c, checks: append(c.Check(), checkDevice(d, c, last, o.Not))}
	for i, check := range r.checks {
		if !check.OK { // an error text may quote a line of the configuration
			clean, _ := c.Rules.Redact.Apply([]byte(check.Detail), key)
			r.checks[i].Detail = clean.String()
		}
	}
	for _, f := range c.Files {
		if f.Sealed {
			continue
		}
		clean, report := c.Rules.Redact.Apply(f.Text, key)
		r.texts = append(r.texts, Text{f.Name, clean})
		r.report.Secrets += report.Secrets
		r.report.Gaps = append(r.report.Gaps, report.Gaps...)
	}
	r.Unsaved = r.Unsaved || r.unsaved()
	return r
}

// identified is the newest version whose device named its serial number: one
// kept while that went unanswered cannot tell a wrong box.
func (b *Backup) identified(ctx context.Context, last *Version, said devices.Identity) (*Version, error) {
	if last == nil || len(last.Identity.Serials) > 0 || len(said.Serials) == 0 {
		return last, nil
	}
	for v, err := range b.Repository.History(ctx, last.ID) {
		if err != nil {
			return nil, err
		}
		if len(v.Identity.Serials) > 0 {
			return &v, nil
		}
	}
	return last, nil
}

func (b *Backup) capture(ctx context.Context, d devices.Device, o Order) Result {
	res := Result{Device: d.String(), ID: d.ID(), Checks: []Check{}}
	last, kept, err := b.standing(ctx, d)
	if err != nil {
		return failure(res, &devices.Error{Kind: devices.KindOf(err), Op: "read back", Device: d.String(), Err: err})
	}
	if last != nil {
		res.Version = last.Commit
	}
	r, err := b.whole(ctx, d, o, last, kept)
	if err != nil {
		return failure(res, err)
	}
	return b.settle(ctx, d, o, r, kept, res)
}

// settle keeps what passed its checks and quarantines what did not.
func (b *Backup) settle(ctx context.Context, d devices.Device, o Order, r reading, kept []Text, res Result) Result {
	res.Checks, res.Identity, res.Reached, res.Warnings = r.checks, r.Identity, r.Reached, slices.Clone(r.Warnings)
	if n := len(r.report.Gaps); n > 0 {
		res.Warnings = append(res.Warnings, fmt.Sprintf("secrets were hidden that driver %s does not know of: %d (first: a %s in line %d)", r.Driver, n, r.report.Gaps[0].Kind, r.report.Gaps[0].Line))
	}
	if bad := failing(r.checks); len(bad) > 0 {
		return b.refuse(ctx, d, o, r, res, bad)
	}
	grade := r.Grade()
	res.Grade, res.Missing, res.Unsaved = grade.Level, grade.Missing, r.Unsaved
	return b.keep(ctx, d, o, r, grade, kept, res)
}

// standing is the version that a new reading is compared with, read back.
func (b *Backup) standing(ctx context.Context, d devices.Device) (*Version, []Text, error) {
	v, texts, ok, err := b.Repository.Standing(ctx, d.ID())
	if !ok {
		return nil, nil, err
	}
	return &v, texts, err
}

// whole reads until what is read is proven whole, or not: once where there is
// an end mark or the text is the one that stands, else until two readings
// agree. One reading that a check refused is taken again; the third decides.
func (b *Backup) whole(ctx context.Context, d devices.Device, o Order, last *Version, kept []Text) (reading, error) {
	before, err := b.sizeBefore(ctx, d, o, kept)
	if err != nil {
		return reading{}, err
	}
	size := reading.size
	if o.Vouched != "" {
		size = reading.sent
	}
	var good []reading
	refused := 0
	for n := 1; ; n++ {
		r, err := b.read(ctx, d, o, last)
		if err != nil {
			return r, err
		}
		if before.all > 0 {
			r.checks = append(r.checks, checkSize(size(r), before))
		}
		if bad := failing(r.checks); len(bad) > 0 {
			if refused++; refused == 2 || n == 3 || final(bad) {
				return r, nil
			}
			continue
		}
		if !o.Twice && (r.Rules.Complete.Agree < 2 || kept != nil && r.agrees(kept)) {
			return r, nil
		}
		if slices.ContainsFunc(good, func(g reading) bool { return g.agrees(r.texts) }) {
			r.checks = append(r.checks, Check{Name: CheckAgree, OK: true, Detail: "read twice, the same text"})
			return r, nil
		}
		if n == 3 {
			r.checks = append(r.checks, Check{Name: CheckAgree, Detail: "three readings, no two of them whole and the same"})
			return r, nil
		}
		good = append(good, r)
	}
}

// final tells whether another reading could not change the verdict.
func final(bad []Check) bool {
	return slices.ContainsFunc(bad, func(c Check) bool { return c.Name == CheckDevice })
}

// sizeBefore is the size that a reading is compared with: that of the standing
// version, or where a person vouches for a shrink that of what was refused.
func (b *Backup) sizeBefore(ctx context.Context, d devices.Device, o Order, kept []Text) (sizes, error) {
	if o.Successor {
		return sizes{}, nil
	}
	if o.Vouched == "" {
		return sizeOf(kept), nil
	}
	held, ok, err := b.Quarantine.Held(ctx, d.ID())
	if err != nil {
		return sizes{}, err
	}
	if !ok {
		return sizes{}, &devices.Error{Kind: devices.Usage, Op: "accept", Device: d.String(), Err: errors.New("nothing of this device is in quarantine"), Hint: "belay capture " + d.String()}
	}
	for _, c := range failing(held.Checks) {
		if c.Name != CheckSize {
			return sizes{}, &devices.Error{Kind: devices.Refused, Op: "accept", Device: d.String(), Err: fmt.Errorf("%s: %s", c.Name, c.Detail),
				Hint: "only a configuration that is whole but much smaller can be vouched for"}
		}
	}
	var size sizes
	for _, s := range held.Originals {
		if !s.Alone {
			size.add(s.Name, s.Size)
		}
	}
	return size, nil
}

// refuse quarantines what a check refused.
func (b *Backup) refuse(ctx context.Context, d devices.Device, o Order, r reading, res Result, bad []Check) Result {
	ctx = context.WithoutCancel(ctx) // who looks for the reason later must find it
	sealed, err := b.seal(ctx, d.Customer, r.Capture)
	if err == nil {
		err = b.Quarantine.Hold(ctx, Refusal{ID: d.ID(), Device: d, Taken: r.Began, By: o.By, Checks: r.checks, Driver: r.Driver, Originals: sealed})
	}
	if err != nil {
		return failure(res, &devices.Error{Kind: devices.KindOf(err), Op: "quarantine", Device: d.String(), Err: err})
	}
	var why []string
	for _, c := range bad {
		why = append(why, c.Name+": "+c.Detail)
	}
	hint := "belay drivers try " + d.String() + " shows what the device says; belay reveal --quarantined shows what was refused; the last good version stands"
	switch bad[0].Name {
	case CheckSize:
		hint = "if the device has really shrunk: belay accept " + d.String() + " --reason …"
	case CheckDevice:
		hint = "check the address; if the device was replaced, put its serial number in the inventory"
		if o.Successor {
			hint = "unplug the old box, and check that the new one has this address; then once more"
		}
	case CheckFailure:
		hint = "the login may lack the privilege: belay drivers show " + r.Driver + " prints the commands for an account"
	}
	return failure(res, &devices.Error{Kind: devices.Refused, Op: "check", Device: d.String(), Err: errors.New(strings.Join(why, "; ")), Hint: hint})
}

// seal compresses and encrypts what the device sent.
func (b *Backup) seal(ctx context.Context, customer string, c Capture) ([]Sealed, error) {
	defer b.turn(ctx)()
	var all []Sealed
	for _, f := range c.Files {
		sealed, err := b.Sealer.Seal(ctx, customer, f.Raw)
		if err != nil {
			return nil, fmt.Errorf("seal %s: %w", f.Name, err)
		}
		o := f.original()
		o.Bytes = sealed
		all = append(all, o)
	}
	return all, nil
}

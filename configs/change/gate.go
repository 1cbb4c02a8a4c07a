package change

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"belay/configs"
	"belay/devices"
)

// An Answer is what the gate says. As JSON it is what scripts read before they
// touch a device: all but the times are always there.
type Answer struct {
	Open     bool   `json:"open"`
	Verified bool   `json:"verified"` // the version is verified; an open gate without it says why it is open
	OnePlace bool   `json:"onePlace"` // the version has no second place, with which the settings are content
	Waived   bool   `json:"waived"`   // nothing is backed up: an authorisation contact agreed in writing
	Attested bool   `json:"attested"` // a person says that there is a backup, or that the export is this device's: not verified
	Change   string `json:"change"`
	Ticket   string `json:"ticket"`
	State    State  `json:"state"`
	Device   string `json:"device"`
	Version  string `json:"version"` // that the answer is about; may be empty

	Grade         configs.Level   `json:"grade"`
	Taken         time.Time       `json:"taken,omitzero"`
	Until         time.Time       `json:"until,omitzero"` // when it shuts again by itself, if nothing changes before
	Why           []string        `json:"why"`            // for people; where it is waived the first says so
	FailingChecks []configs.Check `json:"failingChecks"`
	FailingProofs []configs.Proof `json:"failingProofs"`
	Next          string          `json:"next"` // the next command; empty where it is open
}

// Err is nil where the gate is open, else what a program ends with.
func (a Answer) Err() error {
	if a.Open {
		return nil
	}
	return &devices.Error{Kind: devices.GateShut, Op: "open the gate for", Device: a.Device, Err: errors.New(strings.Join(a.Why, "; ")), Hint: a.Next}
}

// Gate tells whether the old device may be touched. What was kept is not taken
// on trust: the device is read again and compared. Where nothing that was kept
// opens the gate, a waiver or an attest may. The answer is recorded before it is
// given; with an error it is shut.
func (d *Desk) Gate(ctx context.Context, c Change, dev devices.Device, by configs.Person) (Answer, error) {
	c, err := d.Book.Get(ctx, c.Customer, c.ID)
	if err == nil {
		err = c.writable(actGate)
	}
	if err == nil && (c.Kind == Install || dev.ID() != c.Old) {
		err = &devices.Error{Kind: devices.Usage, Op: "open the gate for", Device: dev.String(), Err: fmt.Errorf("it is not what goes in %s", c.ID),
			Hint: "belay gate " + c.ID}
	}
	if err != nil {
		return d.shut(c, dev), err
	}
	a, err := d.judge(ctx, c, dev, nil)
	return d.answered(context.WithoutCancel(ctx), c, dev, a, by, err)
}

// shut is the answer from which every other one is made.
func (d *Desk) shut(c Change, dev devices.Device) Answer {
	state := c.State(d.Now(), d.Policy(dev.Customer))
	if state == Safe || state == Waived {
		state = Open // so it is on record; what has just been seen may speak against it
	}
	return Answer{
		Change: c.ID, Ticket: c.Ticket, Device: dev.String(), State: state,
		Why: []string{}, FailingChecks: []configs.Check{}, FailingProofs: []configs.Proof{},
	}
}

// answered records an answer. One that is not on record does not open.
func (d *Desk) answered(ctx context.Context, c Change, dev devices.Device, a Answer, by configs.Person, err error) (Answer, error) {
	if err != nil {
		why := a.Why
		a = d.shut(c, dev)
		a.Why = append(why, err.Error())
	}
	if !a.Open && a.Next == "" {
		a.Next = c.again()
	}
	if a.Open {
		a.State = c.State(d.Now(), d.Policy(c.Customer))
	}
	recorded := d.Book.RecordGate(ctx, c, Gate{By: by, Open: a.Open, Waived: a.Waived, Version: a.Version, Why: a.Why})
	if recorded != nil {
		a = d.shut(c, dev)
		a.Why, a.Next = append(a.Why, recorded.Error()), c.again()
	}
	return a, errors.Join(err, recorded)
}

// judge finds the answer. just is a capture that was taken a moment ago: it need
// not be read once more, and nothing older stands in for it.
func (d *Desk) judge(ctx context.Context, c Change, dev devices.Device, just *Capture) (Answer, error) {
	p, now := d.Policy(c.Customer), d.Now()
	a := d.shut(c, dev)
	if doubted, err := d.doubted(ctx, &a); err != nil {
		return a, err
	} else if doubted {
		return d.excused(ctx, c, p, a)
	}
	k, ok := c.newest(Before, func(k Capture) bool {
		return c.enough(k, p) && k.fresh(now, p) && (just == nil || just.Version == k.Version)
	})
	if !ok {
		c.explain(&a, now, p)
	} else {
		a.about(c, k)
		same, err := d.unchanged(ctx, c, dev, k, just != nil, &a)
		if err != nil {
			return a, err
		}
		if same && !k.fresh(d.Now(), p) { // reading took its time
			same, a.Why = false, []string{tooOld(k, d.Now(), p)}
		}
		if same {
			a.Open, a.OnePlace, a.Attested, a.Until = true, !c.elsewhere(k), k.imported(), k.Taken.Add(p.maxAge())
			word, how := c.word(k), "taken"
			if k.imported() {
				how = "exported at a time that is not known, imported"
			}
			a.Why = append([]string{fmt.Sprintf("%s: version %.10s, %s %s", word, k.Version, how, moment(k.Taken))}, a.Why...)
			if k.Vouched != "" {
				a.Why = append(a.Why, k.Vouched)
			}
			if p.maxAge() > DefaultMaxAge { // whoever reads the record later sees what was asked for
				a.Why = append(a.Why, fmt.Sprintf("the settings let a before be %v old", p.maxAge()))
			}
			return a, nil
		}
	}
	return d.excused(ctx, c, p, a)
}

// doubted tells whether the checks are in doubt themselves, and says so in a. No
// backup opens the gate then, but whoever agreed to go on without one has not
// trusted in any.
func (d *Desk) doubted(ctx context.Context, a *Answer) (bool, error) {
	if d.Doubt == nil {
		return false, nil
	}
	why, err := d.Doubt(ctx)
	if err != nil || why == "" {
		return false, err
	}
	a.Why = append(a.Why, doubtWords(why))
	a.Next = configs.AfterDoubt
	return true, nil
}

func doubtWords(why string) string {
	return "Belay's checks have failed their own test, so that no backup counts until somebody has found out why: " + why
}

// about fills in the version that an answer is about.
func (a *Answer) about(c Change, k Capture) {
	a.Version, a.Taken, a.Grade, a.Verified = k.Version, k.Taken, k.Grade.Level, c.verified(k)
}

// excused opens a gate by a waiver or an attest.
func (d *Desk) excused(ctx context.Context, c Change, p Policy, a Answer) (Answer, error) {
	w, ok, why, err := d.waived(ctx, c)
	if err != nil {
		return a, err
	}
	a.Why = append(a.Why, why...)
	if ok {
		a.Open, a.Waived, a.Verified, a.Next = true, true, false, ""
		a.Why = append([]string{waivedWords(w)}, a.Why...)
		return a, nil
	}
	at, ok := c.attested(c.Attests, d.Now(), p)
	if !ok {
		return a, nil
	}
	a.Open, a.Attested, a.Verified, a.Next, a.Until = true, true, false, "", at.Until
	a.Why = append([]string{fmt.Sprintf("%s: %s says that there is a backup: %s", WordAttested, at.Who, at.Where)}, a.Why...)
	return a, nil
}

func waivedWords(w Waiver) string {
	by := "by e-mail " + w.MessageID
	if w.Kind == ByForm {
		by = "on form " + w.Form + ", initialled " + w.Initials
	}
	return fmt.Sprintf("%s: %s agreed %s, %s, to wording %s", WordWaived, w.Contact.Name, moment(w.Given), by, w.Wording.Version)
}

// waived is the waiver that holds for a change. Its papers must have served here
// first: two who record one message for two changes at once both find it unused.
func (d *Desk) waived(ctx context.Context, c Change) (Waiver, bool, []string, error) {
	w, ok, why := c.waived()
	if !ok {
		return w, false, why, nil
	}
	used, err := d.Book.Used(ctx)
	if err != nil {
		return w, false, nil, err
	}
	for _, paper := range []string{w.MessageID, w.Paper, w.Form, w.Scan} {
		if other, ok := used(paper); ok && other != c.ID {
			return w, false, []string{"the waiver's paper served for another change before: " + other}, nil
		}
	}
	return w, true, nil, nil
}

// explain says why nothing that was taken in this change opens the gate.
func (c Change) explain(a *Answer, now time.Time, p Policy) {
	a.Next = c.again()
	k, ok := c.newest(Before, func(Capture) bool { return true })
	if !ok {
		a.Why = append(a.Why, "no before was taken within this change")
		return
	}
	good, ok := c.newest(Before, func(k Capture) bool { return c.enough(k, p) })
	if ok && good.Version == k.Version {
		a.about(c, good)
		a.Why = append(a.Why, tooOld(good, now, p))
		return
	}
	a.FailingChecks = append(a.FailingChecks, k.failingChecks()...)
	a.FailingProofs = append(a.FailingProofs, k.failingProofs()...)
	for _, f := range a.FailingChecks {
		a.Why = append(a.Why, f.Name+": "+f.Detail)
		if f.Name == configs.CheckSize && len(a.FailingChecks) == 1 {
			a.Next = fmt.Sprintf("belay accept %s --reason TEXT", c.named())
		}
	}
	for _, f := range a.FailingProofs {
		a.Why = append(a.Why, f.Name+": "+f.Detail)
	}
	switch {
	case k.whole():
		a.about(c, k)
		if len(a.FailingProofs) == 0 {
			a.Why = append(a.Why, "it is kept in one place only, and the settings name no second: belay init --print shows remotes: and documentation:")
		}
	case len(a.Why) == 0 && k.Error != "":
		a.Why = append(a.Why, k.Error)
	case len(a.Why) == 0:
		a.Why = append(a.Why, "the last before was not taken whole")
	}
	if ok && !good.fresh(now, p) {
		a.Why = append(a.Why, tooOld(good, now, p))
	}
}

func tooOld(k Capture, now time.Time, p Policy) string {
	age := now.Sub(k.Taken)
	if age < 0 {
		return fmt.Sprintf("version %.10s is dated %v in the future: a clock was set", k.Version, -age.Round(time.Second))
	}
	return fmt.Sprintf("version %.10s was taken %v ago, %v are allowed", k.Version, age.Round(time.Second), p.maxAge())
}

// unchanged tells whether the device still has the text that a capture kept, and
// notes in a what speaks for or against it.
func (d *Desk) unchanged(ctx context.Context, c Change, dev devices.Device, k Capture, just bool, a *Answer) (bool, error) {
	v, err := d.version(ctx, c.Old, k.Version)
	if err != nil {
		return false, err
	}
	if v.Change != c.ID || v.Phase != Before {
		a.Why = append(a.Why, fmt.Sprintf("version %.10s was not kept as the before of this change", k.Version))
		return false, nil
	}
	if just {
		return true, nil
	}
	if k.imported() {
		if _, err := d.Repository.Texts(ctx, v); err != nil {
			return false, err
		}
		a.Why = append(a.Why, "it cannot be read again: "+k.Attested)
		return true, nil
	}
	again, err := d.Backup.Reread(ctx, dev, v)
	if err != nil {
		if kind := devices.KindOf(err); kind == devices.Broken || kind == devices.Damaged {
			return false, err
		}
		a.Why = append(a.Why, "it could not be read again: "+err.Error())
		return false, nil
	}
	said := again.Identity.Serials
	anotherMember := len(said) > 0 && len(k.Identity.Serials) > 0 && !devices.Shared(said, k.Identity.Serials)
	if c.Succession != nil && devices.Shared(said, c.Succession.Serials) && (anotherMember || len(k.Identity.Serials) == 0) {
		a.Why = append(a.Why, "the new box answers in its place: serial "+strings.Join(said, ", "))
		return false, nil
	}
	if anotherMember {
		text := "with the same text"
		if !again.Same {
			text = "not with the same text"
		}
		a.Why = append(a.Why, fmt.Sprintf("another box than the before's (serial %s) answered: serial %s, %s", strings.Join(k.Identity.Serials, ", "), strings.Join(said, ", "), text))
	}
	for _, check := range again.Checks {
		if !check.OK {
			a.FailingChecks = append(a.FailingChecks, check)
			a.Why = append(a.Why, check.Name+": "+check.Detail)
		}
	}
	return again.Same && len(a.FailingChecks) == 0, nil
}

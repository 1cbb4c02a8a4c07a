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

// record adds a fact to a change that is still open. A closed one stays as it
// is: what was wrong in it is put right by another one.
func (b *Book) record(ctx context.Context, c Change, act string, device devices.ID, by configs.Person, fact any) error {
	if by.Name == "" {
		return &devices.Error{Kind: devices.Usage, Op: "record in change " + c.ID, Err: fmt.Errorf("%s: nobody is named who did it", act), Hint: "say who you are: --as NAME"}
	}
	now, err := b.Get(ctx, c.Customer, c.ID)
	if err != nil {
		return err
	}
	if err := now.writable(act); err != nil {
		return err
	}
	if device == "" {
		device = now.Old
		if now.Kind == Install {
			device = now.New
		}
	}
	return b.append(ctx, now.ID, act, device, by, b.Now(), fact)
}

// writable refuses a fact for a closed change.
func (c Change) writable(act string) error {
	if c.Closing == nil {
		return nil
	}
	return &devices.Error{Kind: devices.NotAllowed, Op: act + " " + c.ID, Hint: "corrections are a new change: " + c.again(),
		Err: fmt.Errorf("it was closed %s by %s", moment(c.Closing.At), c.Closing.By.Name)}
}

// RecordCapture adds a taking of a configuration, good or not.
func (b *Book) RecordCapture(ctx context.Context, c Change, k Capture) error {
	act := actBefore
	switch {
	case k.imported():
		act = actImport
	case k.Phase == After:
		act = actAfter
	}
	return b.record(ctx, c, act, k.Device, k.By, k)
}

// RecordAttest adds a person's word that a backup of the old device exists.
func (b *Book) RecordAttest(ctx context.Context, c Change, a Attest) error {
	var why string
	switch {
	case strings.TrimSpace(a.Who) == "":
		why = "nobody is named who says so"
	case strings.TrimSpace(a.Where) == "":
		why = "it does not say where the backup is"
	case a.Device == "" || a.Device != c.Old:
		why = fmt.Sprintf("%s is not the device that goes in %s", a.Device, c.ID)
	}
	if why != "" {
		return &devices.Error{Kind: devices.Usage, Op: "attest in change " + c.ID, Err: errors.New(why)}
	}
	return b.record(ctx, c, actAttest, a.Device, a.By, a)
}

// RecordWaiver adds a waiver that was judged.
func (b *Book) RecordWaiver(ctx context.Context, c Change, w Waiver) error {
	w.At = b.Now()
	if why := c.faults(w); len(why) > 0 {
		return &devices.Error{Kind: devices.GateShut, Op: "waive in change " + c.ID, Err: errors.New(strings.Join(why, "; "))}
	}
	return b.record(ctx, c, actWaive, c.Old, w.By, w)
}

// RecordGate adds an answer that was given.
func (b *Book) RecordGate(ctx context.Context, c Change, g Gate) error {
	return b.record(ctx, c, actGate, c.Old, g.By, g)
}

// RecordSuccession adds that another box was seen in the old one's place.
func (b *Book) RecordSuccession(ctx context.Context, c Change, s Succession) error {
	return b.record(ctx, c, actSucceed, s.Device, s.By, s)
}

// RecordNotice adds something that the customer was told.
func (b *Book) RecordNotice(ctx context.Context, c Change, n Notice) error {
	return b.record(ctx, c, actNotice, "", n.By, n)
}

// RecordClosing ends the change. See Desk.Close, which asks first what it lacks.
func (b *Book) RecordClosing(ctx context.Context, c Change, k Closing) error {
	return b.record(ctx, c, actClose, "", k.By, k)
}

// RecordPosted adds a receipt that arrived where no outbox delivers it: in the
// store itself.
func (b *Book) RecordPosted(ctx context.Context, c Change, p Posted) error {
	return b.record(ctx, c, actPost, "", p.By, p)
}

// shrinkMatters is for how long before its change an accepted shrink is told:
// what was wiped first and accepted then has no other witness.
const shrinkMatters = 30 * 24 * time.Hour

// shrunk tells who has vouched since a time that a device's configuration has
// become much smaller, and why; empty where nobody did.
func (b *Book) shrunk(ctx context.Context, dev devices.Device, since time.Time) (told string, err error) {
	for e, err := range b.Ledger.Events(ctx, configs.Filter{Customer: dev.Customer, Act: "accept", Since: since}) {
		if err != nil {
			return "", err
		}
		list, _ := e.Detail["devices"].(map[string]any)
		of, _ := list[dev.String()].(map[string]any)
		if fmt.Sprint(of["result"]) == string(configs.Kept) {
			told = fmt.Sprintf("%s vouched %s that it has shrunk: %v", person(e.By), moment(e.At), e.Detail["reason"])
		}
	}
	return told, nil
}

// Used tells for which change a Message-ID, the number of a form or the digest
// of a paper has served before, whoever's change that was; see Terms.
func (b *Book) Used(ctx context.Context) (func(paper string) (change string, ok bool), error) {
	var uses []Change
	for e, err := range b.Ledger.Events(ctx, configs.Filter{Act: actWaive}) {
		if err != nil {
			return nil, err
		}
		w, err := read[Waiver](e)
		if err != nil {
			return nil, err
		}
		id, _ := e.Detail["change"].(string)
		uses = append(uses, Change{ID: id, Customer: e.Customer, Waivers: []Waiver{w}})
	}
	slices.Reverse(uses) // the first use is the one that counts, and the last one told
	return UsedIn(uses...), nil
}

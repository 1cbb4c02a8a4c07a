package main

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"belay/cmd/belay/canary"
	people "belay/cmd/belay/notify"
	"belay/configs"
	"belay/configs/alarm"
	"belay/configs/fleet"
	"belay/configs/report"
	"belay/configs/scrub"
	"belay/devices"
)

// digestInput gathers the facts of a digest. What only the service knows, as
// missed runs and devices without a schedule, it adds itself.
func (w *workspace) digestInput(ctx context.Context, since time.Time) (report.Input, error) {
	zone := w.settings.Tell.zone()
	in := report.Input{Now: w.now().In(zone), Since: since.In(zone), Devices: slices.Clone(w.inventory.Devices),
		Newest: map[devices.ID]configs.Checked{}, Held: map[devices.ID]bool{}, Second: w.hasSecond,
		MaxAge: func(devices.Device) time.Duration { return w.settings.Tell.maxAge() }}
	for c, err := range w.ledger.Newest(ctx) {
		if err != nil {
			return in, err
		}
		in.Newest[c.ID] = c
		if c.Result == configs.Refused {
			if _, in.Held[c.ID], err = w.ledger.Held(ctx, c.ID); err != nil {
				return in, err
			}
		}
	}
	standing, err := w.alarms.Standing(ctx)
	if err != nil {
		return in, err
	}
	for _, s := range standing {
		in.Alarms = append(in.Alarms, s.Alarm)
	}
	if in.Doubt, err = canary.Doubt(ctx, w.ledger); err != nil {
		return in, err
	}
	rests := &fleet.Rests{Marks: w.ledger, Now: w.now}
	for r, err := range rests.All(ctx) {
		if err != nil {
			return in, err
		}
		if in.Now.Before(r.Until) {
			in.Rests = append(in.Rests, report.Rest{Device: r.Device, Site: r.Site, Since: r.Since, Until: r.Until, Error: r.Error})
		}
	}
	if err := w.digestScrub(ctx, &in); err != nil {
		return in, err
	}
	if in.Outbox, err = w.waiting(ctx); err != nil {
		return in, err
	}
	err = errors.Join(w.digestSchedule(ctx, &in), w.digestUnsaved(ctx, &in), w.digestCanaries(ctx, &in), w.digestDisk(&in))
	return in, errors.Join(err, w.digestChanges(ctx, &in))
}

// hasSecond tells whether a second place is set up for a device.
func (w *workspace) hasSecond(d devices.Device) bool {
	if w.store.HasSecond(d.Customer) {
		return true
	}
	for _, name := range w.settings.documentations(d.Customer) {
		if p := w.place(name, d.Customer); p.Second && p.Form != configs.Redacted {
			return true
		}
	}
	return false
}

func (w *workspace) digestScrub(ctx context.Context, in *report.Input) error {
	progress, err := w.openScrub(w.alarms).Progress(ctx)
	if err != nil {
		return err
	}
	in.Scrub = &report.Scrub{Done: int64(100 * progress.Done), All: 100, Ends: progress.Began.Add(cmp.Or(time.Duration(w.settings.Scrub.Every), scrub.Week)), Late: progress.Late}
	for _, name := range slices.Sorted(maps.Keys(progress.Unread)) {
		in.Scrub.Unread = append(in.Scrub.Unread, name+": "+progress.Unread[name])
	}
	for _, d := range progress.Damages {
		in.Damages = append(in.Damages, report.Note{Customer: d.Customer, Device: d.Device, What: d.What, Next: d.Hint})
	}
	return nil
}

// waiting is what the outbox holds.
func (w *workspace) waiting(ctx context.Context) (*report.Outbox, error) {
	o := &report.Outbox{}
	for l, err := range w.ledger.Letters(ctx, configs.LetterFilter{Waiting: true}) {
		if err != nil {
			return nil, err
		}
		o.Waiting++
		if o.Oldest.IsZero() || l.Put.Before(o.Oldest) {
			o.Oldest, o.Why = l.Put, l.Error
		}
	}
	return o, nil
}

// digestChanges are the versions kept since the last digest, by the index. A
// history that cannot be read is told, and keeps nobody from the rest.
func (w *workspace) digestChanges(ctx context.Context, in *report.Input) error {
	known := map[string]bool{}
	for _, d := range in.Devices {
		known[d.Customer] = true
	}
	for _, customer := range slices.Sorted(maps.Keys(known)) {
		if err := w.changesOf(ctx, in, customer); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			in.Damages = append(in.Damages, report.Note{Customer: customer, What: "not all changes can be listed: " + err.Error(), Next: "belay verify --customer " + customer})
		}
	}
	slices.SortStableFunc(in.Changed, func(a, b report.Change) int { return a.Version.Taken.Compare(b.Version.Taken) })
	return nil
}

func (w *workspace) changesOf(ctx context.Context, in *report.Input, customer string) (unread error) {
	for v, err := range w.history.Since(ctx, customer, in.Since) {
		if err != nil {
			return err
		}
		c, past := report.Change{Version: v, First: true}, false
		for before, err := range w.history.Versions(ctx, v.ID) {
			if err != nil {
				unread, c.First = err, false
				break
			}
			if past { // by their order: clocks are set back
				c.First, c.Before = false, before.Commit
				c.Texts = func() ([]configs.Text, []configs.Text, error) {
					was, err := w.store.Texts(ctx, before)
					is, bad := w.store.Texts(ctx, v)
					return was, is, errors.Join(err, bad)
				}
				break
			}
			past = before.Commit == v.Commit
		}
		if c.Texts != nil && v.Ticket == "" && v.Change == "" {
			same, err := w.sameAs(c)
			if err == nil && same { // an accept or a change that closed: a version, but no other text
				continue
			}
		}
		in.Changed = append(in.Changed, c)
	}
	return unread
}

// sameAs tells whether a version says what the one before it said.
func (w *workspace) sameAs(c report.Change) (bool, error) {
	was, is, err := c.Texts()
	if err != nil || len(was) != len(is) {
		return false, err
	}
	for i := range is {
		if was[i].Name != is[i].Name || !was[i].Clean.Equal(is[i].Clean) {
			return false, nil
		}
	}
	return true, nil
}

// sendTo sends each channel what it hears of.
func sendTo(ctx context.Context, post *people.Post, in report.Input, to []string) error {
	var errs []error
	for _, name := range to {
		_, err := sendParts(ctx, post, in, name, nil, func(string) error { return nil })
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// sendParts sends a channel what it hears of, all, or a digest for each of its
// customers ("" is all), but for the parts that it has. Each that it took, or may
// have, is told at once: one that fails keeps no other away, and is alone sent
// again. It returns how many were not taken.
func sendParts(ctx context.Context, post *people.Post, in report.Input, channel string, has []string, took func(part string) error) (open int, err error) {
	customers := post.Channels[channel].Customers
	if len(customers) == 0 {
		customers = []string{""}
	}
	var errs []error
	for _, customer := range customers {
		if slices.Contains(has, customer) {
			continue
		}
		part := in
		if customer != "" {
			part = in.For(customer)
		}
		d := report.Make(part)
		page, err := d.HTML()
		if err == nil {
			err = post.Deliver(ctx, channel, people.Message{Subject: d.Subject, Text: d.Text(), HTML: page})
		}
		switch {
		case err == nil, errors.Is(err, alarm.ErrUnsure):
			if bad := took(customer); bad != nil { // what cannot be noted would be sent again and again
				return open + 1, errors.Join(append(errs, err, bad)...)
			}
		default:
			open++
		}
		errs = append(errs, err)
	}
	return open, errors.Join(errs...)
}

// lastDigest is since when a digest tells.
func (w *workspace) lastDigest() time.Time {
	now := w.now()
	var d *digestSetting
	if w.settings.Tell != nil {
		d = w.settings.Tell.Digest
	}
	d = cmp.Or(d, &digestSetting{})
	return d.last(now.Add(-time.Minute))
}

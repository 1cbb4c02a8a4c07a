package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"belay/configs"
	"belay/configs/alarm"
	"belay/configs/report"
	"belay/configs/round"
	"belay/configs/watch"
	"belay/devices"
)

// A sentDigest is what is remembered of the digests of one channel.
type sentDigest struct {
	Due  time.Time `json:"due"`  // of the last one that the channel has taken
	Next time.Time `json:"next"` // a failed one is not tried before
}

// digestMark is the kind of the marks that say which digest a channel had.
const digestMark = "digest"

// digestAgain is how long a channel that took no digest is left alone.
const digestAgain = 5 * time.Minute

// sendDigests sends the morning's digest to each channel that had none since it
// was due: once, or once more where the service was killed over it. A first start
// sends nothing before the first morning.
func (s *server) sendDigests(ctx context.Context, w *workspace) error {
	t := w.settings.Tell
	if t == nil || t.Digest == nil {
		return nil
	}
	due := t.Digest.last(s.p.now())
	if s.catchesUp(due) {
		return nil
	}
	var errs []error
	for _, channel := range t.Digest.To {
		if err := s.sendDigest(ctx, w, channel, due); err != nil {
			errs = append(errs, fmt.Errorf("the digest for %s: %w", channel, err))
		}
	}
	return errors.Join(errs...)
}

// catchingUp is how long after a start a digest may wait for what was due before.
const catchingUp = time.Hour

// catchesUp tells whether a service that was down when a digest was due is still
// capturing what it missed: the digest would tell of what is being mended.
func (s *server) catchesUp(due time.Time) bool {
	if since := s.p.now().Sub(s.since); !s.since.After(due) || since < 0 || since >= catchingUp {
		return false
	}
	_, _, busy := s.rounds.Underway()
	return busy || s.chores.last(tickChore).IsZero()
}

func (s *server) sendDigest(ctx context.Context, w *workspace, channel string, due time.Time) error {
	value, err := w.ledger.Mark(ctx, digestMark, channel)
	if err != nil {
		return err
	}
	var last sentDigest
	if value != nil {
		if err := json.Unmarshal(value, &last); err != nil {
			return err
		}
	}
	now := s.p.now()
	remember := func(d sentDigest) error {
		text, err := json.Marshal(d)
		if err != nil {
			return err
		}
		return w.ledger.SetMarks(ctx, digestMark, configs.Mark{Key: channel, Value: text})
	}
	switch {
	case value == nil, last.Due.After(now): // the first start; or the clock was set back
		return remember(sentDigest{Due: due})
	case !last.Due.Before(due), last.Next.After(now) && last.Next.Sub(now) <= digestAgain:
		return nil
	}
	// Before all else: what cannot be noted would be sent again and again.
	last.Next = now.Add(digestAgain)
	if err := remember(last); err != nil {
		return err
	}
	in, err := w.digestInput(ctx, last.Due)
	if err != nil {
		return err
	}
	if err := sendTo(ctx, w.post(s.p.err), in, []string{channel}); err != nil && !errors.Is(err, alarm.ErrUnsure) {
		return err
	}
	s.log.Info("the digest was sent", "channel", channel)
	return remember(sentDigest{Due: due})
}

// digestSchedule adds what the schedules tell: runs that did not happen, devices
// that none is for, and those that nothing captures any more.
func (w *workspace) digestSchedule(ctx context.Context, in *report.Input) error {
	for e, err := range w.ledger.Events(ctx, configs.Filter{Act: round.Left, Since: in.Since}) {
		if err != nil {
			return err
		}
		if _, back := w.byID[e.Device]; !back {
			in.Removed = append(in.Removed, string(e.Device))
		}
	}
	if len(w.settings.Schedules) == 0 {
		return nil
	}
	plan, err := w.settings.plan()
	if err != nil {
		return err
	}
	last, err := w.slots(ctx)
	if err != nil {
		return err
	}
	missed := map[int]*report.Miss{}
	for _, d := range in.Devices {
		rules := plan.Rules(d)
		if len(rules) == 0 {
			in.Unscheduled = append(in.Unscheduled, d.ID())
			continue
		}
		slot, ok := plan.Missed(d, last[d.ID()], in.Now)
		if !ok || slot.Before(in.Since) || last[d.ID()].IsZero() {
			continue
		}
		m := missed[rules[0]]
		if m == nil {
			m = &report.Miss{Schedule: w.settings.Schedules[rules[0]].governs(), Customer: d.Customer, Due: slot}
			missed[rules[0]] = m
		}
		if m.Customer != d.Customer {
			m.Customer = ""
		}
		m.Devices++
		m.Of = append(m.Of, d.ID())
	}
	for i := range w.settings.Schedules { // in their order
		if m := missed[i]; m != nil {
			in.Missed = append(in.Missed, *m)
		}
	}
	return nil
}

// digestUnsaved adds the devices that would start with another configuration.
func (w *workspace) digestUnsaved(ctx context.Context, in *report.Input) error {
	for _, d := range in.Devices {
		since, ok, err := watch.Unsaved(ctx, w.ledger, d.ID())
		if err != nil {
			return err
		}
		if ok {
			in.Unsaved = append(in.Unsaved, report.Note{Customer: d.Customer, Device: d.ID(), What: unsavedSince(since, in.Now.Location())})
		}
	}
	return nil
}

// unsavedSince says what a device itself last said.
func unsavedSince(since time.Time, zone *time.Location) string {
	return "by its own word its configuration was touched at " + since.In(zone).Format("2006-01-02 15:04") + " and not saved since"
}

// seenCanaries is what is remembered of the last round's canaries.
type seenCanaries struct {
	At     time.Time `json:"at,omitzero"`
	Caught int       `json:"caught"`
	All    int       `json:"all"`
	Kept   []string  `json:"kept,omitempty"`
}

// canariesDone is the mark of the last round's canaries.
const canariesDone = "canaries"

// digestCanaries adds what became of the last round's canaries.
func (w *workspace) digestCanaries(ctx context.Context, in *report.Input) error {
	value, err := w.ledger.Mark(ctx, doneMark, canariesDone)
	if err != nil || value == nil {
		return err
	}
	var c seenCanaries
	if err := json.Unmarshal(value, &c); err != nil {
		return err
	}
	in.Canaries = &report.Canaries{At: c.At, Caught: c.Caught, All: c.All, Kept: c.Kept}
	return nil
}

// digestDisk tells of a disk that is nearly full.
func (w *workspace) digestDisk(in *report.Input) error {
	free, err := freeBytes(w.settings.Data)
	if err == nil && free < diskLow {
		in.Disk = lowDisk(free)
	}
	return err
}

func lowDisk(free uint64) string {
	return fmt.Sprintf("%.1f GB are free where Belay keeps its data", float64(free)/1e9)
}

// deadManRuns calls the address outside while the service is well.
func (s *server) deadManRuns(ctx context.Context, w *workspace) {
	d := w.deadMan(func(ctx context.Context) error {
		for _, c := range append(s.health(), s.ready()...) {
			if err := c.Ask(ctx); err != nil {
				return fmt.Errorf("%s: %w", c.Name, err)
			}
		}
		return nil
	}, func(line string) { s.log.Warn(tame(line)) })
	if d != nil {
		d.Run(ctx)
	}
}

// beforeUnsaved tells a technician, and whoever hears alarms, that a device would
// not start with the configuration that it runs.
func (p *program) beforeUnsaved(ctx context.Context, w *workspace, d devices.Device) error {
	since, ok, err := watch.Unsaved(ctx, w.ledger, d.ID())
	if err != nil || !ok {
		return err
	}
	what := unsavedSince(since, time.Local)
	warn(p.err, "%s: %s: a restart would undo it", d, what)
	return w.alarms.Raise(ctx, configs.Alarm{Cause: configs.AlarmUnsaved, Customer: d.Customer, Device: d.ID(), What: d.String() + " is about to be replaced; " + what,
		Hint: "save the configuration on the device, then belay before " + d.String(), At: p.now()})
}

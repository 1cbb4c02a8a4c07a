package main

import (
	"context"
	"fmt"
	"time"

	"belay/configs"
	"belay/configs/report"
	"belay/configs/round"
	"belay/configs/watch"
)

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
	seen, err := round.AllSeen(ctx, w.ledger)
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
		done := seen[d.ID()].Slot
		slot, ok := plan.Missed(d, done, in.Now)
		if !ok || slot.Before(in.Since) || done.IsZero() {
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
		lost, ok, err := watch.Unsaved(ctx, w.ledger, d.ID())
		if err != nil {
			return err
		}
		if ok {
			in.Unsaved = append(in.Unsaved, report.Note{Customer: d.Customer, Device: d.ID(), What: unsavedSince(lost, in.Now.Location())})
		}
	}
	return nil
}

// unsavedSince says what was found when the device was read, or what it last said itself.
func unsavedSince(lost watch.Lost, zone *time.Location) string {
	since := lost.Since
	if lost.Read {
		return "since " + since.In(zone).Format("2006-01-02 15:04") + " at the latest it runs a configuration that is not saved"
	}
	return "by its own word its configuration was touched at " + since.In(zone).Format("2006-01-02 15:04") + " and not saved since"
}

// digestCanaries adds what became of the last round's canaries.
func (w *workspace) digestCanaries(ctx context.Context, in *report.Input) error {
	c, ok, err := configs.ReadMark[seenCanaries](ctx, w.ledger, doneMark, canariesDone)
	if err != nil || !ok {
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
	if free < 1e9 {
		return fmt.Sprintf("%d MB are free where Belay keeps its data", free/1e6)
	}
	return fmt.Sprintf("%.1f GB are free where Belay keeps its data", float64(free)/1e9)
}

package main

import (
	"context"
	"errors"
	"slices"

	"belay/cmd/belay/canary"
	"belay/configs"
	"belay/configs/change"
)

// openCanaries has whatever calls a copy verified ask first whether the checks
// themselves are in doubt.
func (w *workspace) openCanaries() {
	doubt := func(ctx context.Context) (string, error) { return canary.Doubt(ctx, w.ledger) }
	w.backup.Doubt, w.desk.Doubt = doubt, doubt
}

// canaryBook is where it is written down what was seen of canaries.
func (w *workspace) canaryBook(alarms configs.Alarms) *canary.Book {
	return &canary.Book{Marks: w.ledger, Ledger: w.ledger, Alarms: alarms, By: w.by, Now: w.now, Try: func(ctx context.Context, names []string) ([]canary.Sight, error) {
		if len(names) == 0 { // an older Belay raised the doubt
			return canary.Run(ctx, w.catalog, w.now)
		}
		return canary.Named(ctx, w.catalog, w.now, names)
	}}
}

// tryOnce is tryCanaries for this night, with a second try of those that could not
// be tried: beside a round the machine may be busy.
func (w *workspace) tryOnce(ctx context.Context, alarms configs.Alarms) ([]canary.Sight, error) {
	sights, err := w.tryCanaries(ctx, alarms, false)
	var names []string
	for _, s := range sights {
		if s.Error != "" {
			names = append(names, s.Name)
		}
	}
	if len(names) == 0 || ctx.Err() != nil {
		return sights, err
	}
	again, err := canary.Named(ctx, w.catalog, w.now, names)
	for _, s := range again {
		sights[slices.IndexFunc(sights, func(old canary.Sight) bool { return old.Name == s.Name })] = s
	}
	if ctx.Err() != nil {
		again = slices.DeleteFunc(again, func(s canary.Sight) bool { return s.Error != "" })
	}
	return sights, errors.Join(err, w.canaryBook(alarms).Record(ctx, again))
}

// tryCanaries captures canaries, this night's or all, and writes down what was
// seen. The error tells what could not be tried or written.
func (w *workspace) tryCanaries(ctx context.Context, alarms configs.Alarms, all bool) ([]canary.Sight, error) {
	run := canary.Run
	if all {
		run = canary.All
	}
	sights, err := run(ctx, w.catalog, w.now)
	seen := sights
	if ctx.Err() != nil { // what was cut off shows nothing; what was kept before does
		seen = slices.DeleteFunc(slices.Clone(sights), func(s canary.Sight) bool { return s.Error != "" })
	}
	return sights, errors.Join(err, w.canaryBook(alarms).Record(ctx, seen))
}

// policy is what the settings ask of a customer's changes, with the doubt that
// stands at this moment.
func (w *workspace) policy(ctx context.Context, customer string) change.Policy {
	p := w.settings.policy(customer)
	why, err := canary.Doubt(ctx, w.ledger)
	if err != nil {
		why = "whether the checks are in doubt cannot be told: " + err.Error()
	}
	p.Doubt = why
	return p
}

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"belay/configs"
	"belay/configs/change"
	"belay/devices"
)

func (p *program) gateCommand() *cobra.Command {
	var ticket string
	cmd := &cobra.Command{
		Use:   "gate DEVICE|CHANGE|TICKET",
		Short: "May the old device be touched? One clear yes or no",
		Long: `Yes only on a verified before, taken within this change and not too long ago, if the
device, read again now, still says the same; or on a valid waiver. The answer is recorded
with your name.

With --json one object for scripts: open, verified, waived, change, device, version, until,
why, failingChecks, failingProofs, next. Ask the exit status, or open and not waived.

Exit status: 0 yes; 3 no; 2 wrong usage; 1 something broke; 8 the store is damaged.`,
		Example: "  belay gate acme/fw-hq && echo ok\n  belay gate T20391 --json",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withWorkspace(cmd.Context(), func(w *workspace) error {
				a, err := w.askGate(cmd.Context(), args[0], ticket)
				if err != nil && a.Device == "" {
					return err
				}
				w.hearGate(cmd.Context(), p, a)
				if p.json {
					if err := p.printJSON(a); err != nil {
						return err
					}
				} else {
					p.tellAnswer(a)
				}
				w.tellNow(cmd.Context(), p)
				switch {
				case err != nil:
					return err
				case !a.Open:
					return exitStatus(exitCode(devices.GateShut))
				}
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&ticket, "ticket", "", "of which ticket, where a device has several changes")
	return cmd
}

// askGate asks the gate of a change. Of a device that goes in none it is shut,
// also where it is the one that comes: whoever wipes what he asked about must
// not hear the answer about another.
func (w *workspace) askGate(ctx context.Context, word, ticket string) (change.Answer, error) {
	q := change.Query{Ticket: ticket, Open: true, Goes: true}
	c, err := w.change(ctx, word, q)
	if errors.Is(err, change.ErrNone) {
		if d, found := w.inventory.Find(word); found == nil {
			a := change.Answer{Device: d.String(), State: change.Open, Why: []string{"no change of it is open: nothing was taken for one"}, FailingChecks: []configs.Check{}, FailingProofs: []configs.Proof{}}
			if ticket == "" {
				ticket = "TICKET"
			}
			a.Next = "belay before " + d.String() + " --ticket " + ticket
			q.Goes = false
			if comes, err := w.change(ctx, word, q); err == nil {
				a.Why, a.Next = []string{"in " + comes.ID + " it is what comes: ask about what goes"}, "belay gate "+comes.ID
			}
			return a, nil
		}
	}
	if err != nil {
		return change.Answer{}, err
	}
	old, err := w.oldDevice(c)
	if err != nil {
		return change.Answer{}, err
	}
	if err := w.sendOwed(ctx, c); err != nil && ctx.Err() != nil {
		return change.Answer{}, err // what is still owed speaks for itself in the answer
	}
	return w.desk.Gate(ctx, c, old, w.by)
}

// hearGate has people told of a gate that stays shut, and that it is over when it
// opens. Whoever asked has the answer already; those who can help hear of it too.
func (w *workspace) hearGate(ctx context.Context, p *program, a change.Answer) {
	d, err := w.inventory.Find(a.Device)
	if err != nil || ctx.Err() != nil {
		return
	}
	if !a.Open {
		w.raise(ctx, p, configs.Alarm{Cause: configs.AlarmGate, Customer: d.Customer, Device: d.ID(), Key: a.Change, What: w.by.Name + " was told to wait: " + strings.Join(a.Why, "; "), Hint: a.Next, At: w.now()})
		return
	}
	if err := w.alarms.ClearAll(context.WithoutCancel(ctx), configs.AlarmGate, d.ID()); err != nil {
		warn(p.err, "clear the alarm of the gate: %v", err)
	}
}

// change finds the change that a word means: a device's, a change's id or a
// ticket; q says what else is known of it. A word that means a device, and by
// chance the change of another one, is refused.
func (w *workspace) change(ctx context.Context, word string, q change.Query) (change.Change, error) {
	d, found := w.inventory.Find(word)
	q.Word = word
	c, err := w.desk.Book.Find(ctx, q)
	switch {
	case err == nil && found == nil && c.Old != d.ID() && (q.Goes || c.New != d.ID()):
		return change.Change{}, &devices.Error{Kind: devices.Usage, Op: "find the change", Hint: "name the change by its id",
			Err: fmt.Errorf("%s is the device %s, and the name or ticket of %s, which is about another", word, d, c.ID)}
	case err == nil:
		return c, nil
	case found == nil:
		q.Word, q.Device = "", d.ID()
		return w.desk.Book.Find(ctx, q)
	case !errors.Is(err, change.ErrNone):
		return c, err
	}
	if q.Open {
		q.Open = false
		if c, err := w.desk.Book.Find(ctx, q); err == nil {
			return change.Change{}, &devices.Error{Kind: devices.Usage, Op: "find the change", Err: fmt.Errorf("%s is closed", c.ID), Hint: "belay receipt " + c.ID + " tells of it; a new change begins with belay before"}
		}
	}
	return change.Change{}, w.unknown(word, found)
}

// unknown says of a word that it means nothing, or too much.
func (w *workspace) unknown(word string, found error) error {
	same := 0
	for _, d := range w.inventory.Devices {
		if strings.EqualFold(d.Name, word) {
			same++
		}
	}
	if same > 1 {
		return found
	}
	hint := devices.HintOf(found)
	if hint == "" || strings.HasPrefix(hint, "belay devices list") {
		hint = "belay changes lists what is open; belay before DEVICE --ticket TICKET opens one"
	}
	return &devices.Error{Kind: devices.Usage, Op: "find", Device: word, Err: errors.New("it is no change, no ticket of one, and no device of the inventory"), Hint: hint}
}

// oldDevice is the device that goes, as the inventory has it.
func (w *workspace) oldDevice(c change.Change) (devices.Device, error) {
	if c.Kind == change.Install {
		return devices.Device{}, &devices.Error{Kind: devices.Usage, Op: "ask the gate of " + c.ID, Err: errors.New("it is an installation: nothing goes"),
			Hint: "nothing has to be asked: belay after " + w.nameOf(c.New) + " takes the new configuration"}
	}
	if d, ok := w.device(c.Old); ok {
		return d, nil
	}
	return devices.Device{}, &devices.Error{Kind: devices.Usage, Op: "find", Device: string(c.Old), Err: errors.New("it is not in the inventory any more"), Hint: "put it back until the change is closed"}
}

package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

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
			w, err := p.open(cmd.Context(), openOptions{})
			if err != nil {
				return err
			}
			defer w.close()
			c, err := w.change(cmd.Context(), args[0], ticket, true)
			if err != nil {
				return err
			}
			old, err := w.oldDevice(c)
			if err != nil {
				return err
			}
			a, err := w.desk.Gate(cmd.Context(), c, old, w.by)
			if p.json {
				if err := p.printJSON(a); err != nil {
					return err
				}
			} else {
				p.tellAnswer(a)
			}
			if err != nil {
				return err
			}
			if !a.Open {
				return exitStatus(exitCode(devices.GateShut))
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&ticket, "ticket", "", "of which ticket, where a device has several changes")
	return cmd
}

// change finds the change that a word means: a device's, a change's id or a
// ticket. open: a closed one is not meant.
func (w *workspace) change(ctx context.Context, word, ticket string, open bool) (change.Change, error) {
	d, found := w.inventory.Find(word)
	q := change.Query{Word: word, Ticket: ticket, Open: open}
	c, err := w.desk.Book.Find(ctx, q)
	if err == nil || found != nil {
		return c, err
	}
	q = change.Query{Device: d.ID(), Ticket: ticket, Open: open}
	c, err = w.desk.Book.Find(ctx, q)
	if err != nil && devices.KindOf(err) == devices.Usage && ticket == "" {
		if hint := devices.HintOf(err); hint == "" || c.ID == "" {
			err = &devices.Error{Kind: devices.Usage, Op: "find the change of", Device: d.String(), Err: errors.Unwrap(err), Hint: betterHint(hint, d)}
		}
	}
	return c, err
}

// betterHint names the device where a hint could not.
func betterHint(hint string, d devices.Device) string {
	if hint == "" || hint == "belay before DEVICE --ticket TICKET opens one" {
		return "belay before " + d.String() + " --ticket TICKET opens one"
	}
	return hint
}

// oldDevice is the device that goes, as the inventory has it.
func (w *workspace) oldDevice(c change.Change) (devices.Device, error) {
	if c.Kind == change.Install {
		return devices.Device{}, &devices.Error{Kind: devices.Usage, Op: "ask the gate of " + c.ID, Err: errors.New("it is an installation: nothing goes")}
	}
	if d, ok := w.device(c.Old); ok {
		return d, nil
	}
	return devices.Device{}, &devices.Error{Kind: devices.Usage, Op: "find", Device: string(c.Old), Err: errors.New("it is not in the inventory any more"), Hint: "put it back until the change is closed"}
}

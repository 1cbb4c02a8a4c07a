package main

import (
	"context"
	"errors"

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
			w, err := p.open(cmd.Context(), openOptions{})
			if err != nil {
				return err
			}
			defer w.close()
			a, err := w.askGate(cmd.Context(), args[0], ticket)
			if err != nil && a.Device == "" {
				return err
			}
			if p.json {
				if err := p.printJSON(a); err != nil {
					return err
				}
			} else {
				p.tellAnswer(a)
			}
			switch {
			case err != nil:
				return err
			case !a.Open:
				return exitStatus(exitCode(devices.GateShut))
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&ticket, "ticket", "", "of which ticket, where a device has several changes")
	return cmd
}

// askGate asks the gate of a change. Of a device that has none it is shut.
func (w *workspace) askGate(ctx context.Context, word, ticket string) (change.Answer, error) {
	c, err := w.change(ctx, word, ticket, true)
	if errors.Is(err, change.ErrNone) {
		if d, found := w.inventory.Find(word); found == nil {
			if ticket == "" {
				ticket = "TICKET"
			}
			return change.Answer{Device: d.String(), State: change.Open, Why: []string{"no change of it is open: nothing was taken for one"},
				FailingChecks: []configs.Check{}, FailingProofs: []configs.Proof{}, Next: "belay before " + d.String() + " --ticket " + ticket}, nil
		}
	}
	if err != nil {
		return change.Answer{}, err
	}
	old, err := w.oldDevice(c)
	if err != nil {
		return change.Answer{}, err
	}
	return w.desk.Gate(ctx, c, old, w.by)
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
	return w.desk.Book.Find(ctx, change.Query{Device: d.ID(), Ticket: ticket, Open: open})
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

package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"belay/configs"
	"belay/configs/change"
	"belay/configs/report"
	"belay/devices"
	"belay/store/ledger"
)

func (p *program) afterCommand() *cobra.Command {
	var s change.Successor
	cmd := &cobra.Command{
		Use:   "after NEW --ticket T",
		Short: "Take the new configuration: pin the new box, prove it, attach it, show what differs",
		Long: `Pins the host key that the new box shows and records its serial number as the successor's,
in your name; then takes, proves and attaches its configuration and shows what differs from the
old one. NEW may be the old device's own name, where the box takes its place in the inventory.
Refused is the box that was to be replaced, and any that is known as another device.

Where nothing goes, --install opens the change. Where nothing that a box says tells it from
the old one, --reason says how you know.
` + exitHelp,
		Example: "  belay after acme/fw-hq-2 --ticket T20391",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withDevice(cmd.Context(), args[0], func(w *workspace, d devices.Device) error {
				return p.runAfter(cmd.Context(), w, d, s)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&s.Ticket, "ticket", "", "ticket of the change")
	f.BoolVar(&s.Install, "install", false, "nothing goes: this is an installation")
	f.StringSliceVar(&s.Serials, "serial", nil, "serial number that it must show; of a pair each")
	f.StringVar(&s.Reason, "reason", "", "how you know that it is another box, where nothing it says tells")
	return cmd
}

func (p *program) runAfter(ctx context.Context, w *workspace, d devices.Device, s change.Successor) error {
	if err := needTicket(s.Ticket, "belay after "+d.String()+" --ticket T20391"); err != nil {
		return err
	}
	s.By = w.by
	w.office.Patience = technicianPatience
	c, r, err := w.desk.After(ctx, d, s)
	return p.tellArrived(ctx, w, d, c, r, err)
}

// tellArrived shows what came of a new device's configuration, and what differs.
func (p *program) tellArrived(ctx context.Context, w *workspace, d devices.Device, c change.Change, r configs.Result, err error) error {
	if err == nil && r.Err == nil {
		err = w.reserial(d, r.Identity.Serials)
		if len(d.MACs) > 0 && d.ID() == c.Old {
			warn(p.err, "%s: the MAC address of %s there is the old box's: put the new one's in its place", d.Where, d)
		}
	}
	if done := p.tellTaken(ctx, w, c, r, nil, err); done != nil || p.json {
		return done
	}
	if err := p.tellDifference(ctx, w, c); err != nil {
		return err
	}
	if c.Kind == change.Replace && !slices.ContainsFunc(c.Gates, func(g change.Gate) bool { return g.Open }) {
		warn(p.err, "the gate of %s was never open: nobody had proof that the old device might be touched", c.ID)
	}
	if r.Err == nil {
		fmt.Fprint(p.out, tamef("next: belay close %s\n", c.ID))
	}
	return nil
}

// reserial has the inventory name the new box's serial numbers, where it named
// the old one's: or the next capture would take it for the wrong box.
func (w *workspace) reserial(d devices.Device, serials []string) error {
	if len(d.Serials) == 0 || len(serials) == 0 || devices.Shared(serials, d.Serials) {
		return nil
	}
	for _, file := range w.settings.Inventory {
		if file == d.Where.File {
			return devices.Reserial(w.settings.path(file), d, serials)
		}
	}
	return nil
}

// pinSuccessor pins the host key that a new box shows, in the name of who saw it.
// undo trusts what was trusted before: the box was not the one that is meant.
func (w *workspace) pinSuccessor(ctx context.Context, d devices.Device, c change.Change, by configs.Person, allow func(string) error) (undo func(context.Context) error, err error) {
	if _, err := w.catalog.Find(d.Driver); err != nil {
		return nil, err
	}
	pin, _, pins, err := w.shown(ctx, d)
	if err != nil || !pins {
		return nil, err
	}
	shown := pin.Fingerprint
	if err := allow(shown); err != nil {
		return nil, err
	}
	host := string(d.ID())
	pinned, err := w.ledger.Pins(ctx, host)
	if err != nil || slices.ContainsFunc(pinned, func(p ledger.Pin) bool { return p.Fingerprint == shown }) {
		return nil, err
	}
	pin.By, pin.Reason = by, "successor in change "+c.ID
	if err := w.ledger.ReplacePins(ctx, host, []ledger.Pin{pin}); err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		back := pin
		back.At, back.Reason = w.now(), "no successor in change "+c.ID+" after all"
		return w.ledger.TakeBackPin(ctx, back, pinned)
	}, nil
}

// mostLines of a difference are shown; the rest is a command away.
const mostLines = 60

func (p *program) tellDifference(ctx context.Context, w *workspace, c change.Change) error {
	if c.Kind != change.Replace {
		return nil
	}
	x, err := w.desk.Differences(ctx, c)
	if err != nil {
		return err
	}
	if x.Note != "" {
		_, err := fmt.Fprintln(p.out, x.Note)
		return err
	}
	fmt.Fprint(p.out, tamef("what differs: %s added, %d removed\n", report.Plural(x.Added, "line"), x.Removed))
	lines := strings.SplitAfter(x.Unified, "\n")
	if len(lines) > mostLines {
		lines = append(lines[:mostLines], fmt.Sprintf("… and %d more lines: %s\n", len(lines)-mostLines, "git diff, see belay receipt "+c.ID))
	}
	_, err = fmt.Fprint(p.out, strings.Join(lines, ""))
	return err
}

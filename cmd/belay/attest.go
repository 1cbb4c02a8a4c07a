package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"belay/configs/change"
	"belay/devices"
)

func (p *program) attestCommand() *cobra.Command {
	var a change.Attest
	var ticket, until string
	cmd := &cobra.Command{
		Use:   "attest DEVICE --ticket T --where TEXT --who NAME",
		Short: "Record somebody's word that a backup exists where Belay cannot read it",
		Long: `For a device that can neither be read nor exported: who says that a backup exists, and where.
It never makes anything verified, and opens the gate only where the settings say gate: {attest:
true} for the customer. A device in a vendor's cloud is not assumed to be backed up.

Exit status: 0 recorded; 2 wrong usage; 3 it holds no more.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.runAttest(cmd.Context(), args[0], ticket, until, a)
		},
	}
	f := cmd.Flags()
	f.StringVar(&ticket, "ticket", "", "ticket of the change")
	f.StringVar(&a.Where, "where", "", "where the backup is said to be")
	f.StringVar(&a.Who, "who", "", "`NAME` of the person who says so")
	f.StringVar(&a.Message, "message", "", "Message-ID of the mail that says so")
	f.StringVar(&until, "until", "", "day until which it holds (default: for this change)")
	return cmd
}

func (p *program) runAttest(ctx context.Context, word, ticket, until string, a change.Attest) error {
	if err := needTicket(ticket, "belay attest "+word+" --ticket T20391 …"); err != nil {
		return err
	}
	if a.Where == "" || a.Who == "" {
		return &devices.Error{Kind: devices.Usage, Op: "attest", Device: word, Err: errors.New("who says so, and where is the backup?"), Hint: `--who 'Ada Example' --where 'vendor portal, export of 2026-11-20'`}
	}
	if until != "" {
		at, err := moment(until, p.now())
		if err != nil {
			return &devices.Error{Kind: devices.Usage, Op: "attest", Device: word, Err: fmt.Errorf("--until %q is no day", until), Hint: "--until 2026-12-31"}
		}
		if len(until) == len(time.DateOnly) {
			at = at.AddDate(0, 0, 1).Add(-time.Second) // to the end of that day
		}
		if at.Before(p.now()) {
			return &devices.Error{Kind: devices.GateShut, Op: "attest", Device: word, Err: fmt.Errorf("it holds no more: it ended on %s", until), Hint: "ask anew, and say until when it holds: --until 2026-12-31"}
		}
		a.Until = at
	}
	return p.withWorkspace(ctx, func(w *workspace) error {
		c, err := w.changeOrOpen(ctx, word, ticket)
		if err != nil {
			return err
		}
		a.By, a.Device = w.by, c.Old
		if err := w.desk.Book.RecordAttest(ctx, c, a); err != nil {
			return err
		}
		if p.json {
			if c, err = w.desk.Book.Get(ctx, c.Customer, c.ID); err != nil {
				return err
			}
			return p.printJSON(map[string]any{"change": c.ID, "attest": c.Attests[len(c.Attests)-1]})
		}
		what := "it opens no gate: the settings of " + c.Customer + " do not say gate: {attest: true}"
		if w.settings.gate(c.Customer).Attest {
			what = change.WordAttested + "; next: belay gate " + c.ID
		}
		return p.say("%s: %s says that there is a backup of %s: %s\n%s\n", c.ID, a.Who, w.nameOf(c.Old), a.Where, what)
	})
}

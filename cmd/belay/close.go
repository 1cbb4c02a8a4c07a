package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"belay/configs"
	"belay/configs/change"
	"belay/configs/outbox"
	"belay/devices"
)

func (p *program) closeCommand() *cobra.Command {
	var abandon string
	cmd := &cobra.Command{
		Use:   "close CHANGE|TICKET",
		Short: "End a change: all proven, attached, and the receipt on its ticket",
		Long: `Refused (3) until the old and the new configuration are verified, or the old one is waived;
pending (6) until both are attached and the receipt is posted: to the ticket, or where no ticket
system is set up beside the attachments. Run it again when what was down is back. What is closed
is never changed any more.

--abandon REASON gives up a change that did not take place.

Exit status: 0 closed; 3 not yet; 6 only an attachment or the receipt is still to come; 7 it is
closed already.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withWorkspace(cmd.Context(), func(w *workspace) error {
				c, err := w.change(cmd.Context(), args[0], change.Query{})
				if err != nil {
					return err
				}
				if cmd.Flags().Changed("abandon") {
					if c, err = w.desk.Abandon(cmd.Context(), c, w.by, abandon); err != nil {
						return err
					}
					w.gateIsOver(cmd.Context(), p, c)
					return p.tellClosed(c, "given up: "+abandon)
				}
				return p.runClose(cmd.Context(), w, c)
			})
		},
	}
	cmd.Flags().StringVar(&abandon, "abandon", "", "give it up for this `REASON`; the old device stays")
	return cmd
}

func (p *program) runClose(ctx context.Context, w *workspace, c change.Change) error {
	policy := w.policy(ctx, c.Customer)
	if c.Closing == nil {
		if err := w.sendOwed(ctx, c); err != nil {
			for line := range strings.Lines(err.Error()) {
				warn(p.err, "%s", strings.TrimSpace(line))
			}
		}
		var err error
		if c, err = w.desk.Book.Get(ctx, c.Customer, c.ID); err != nil {
			return err
		}
	}
	w.office.Patience = technicianPatience
	digest := ""
	// A receipt is made when nothing else is missing: it goes out once.
	if lacks := c.Lacks(p.now(), policy, ""); c.Closing == nil && onlyReceipt(lacks) {
		var err error
		if digest, err = w.postReceipt(ctx, c); err != nil {
			hint := "it stays in the outbox and is tried again; then once more: belay close " + c.ID
			if why := devices.HintOf(err); why != "" {
				hint = why + "; " + hint
			}
			return &devices.Error{Kind: devices.AttachmentPending, Op: "close " + c.ID, Err: fmt.Errorf("the receipt is not posted yet: %w", err), Hint: hint}
		}
		if c, err = w.desk.Book.Get(ctx, c.Customer, c.ID); err != nil {
			return err
		}
	}
	c, err := w.desk.Close(ctx, c, w.by, digest)
	if err != nil {
		return err
	}
	w.gateIsOver(ctx, p, c)
	defer w.drain(ctx, p, aMoment)
	if old, there := w.device(c.Old); there && c.Old != c.New {
		fmt.Fprintf(p.err, "belay: hint: %s\n", tamef("take %s out of the inventory (%s), or each morning tells that it does not answer", old, old.Where))
	}
	return p.tellClosed(c, "receipt sha256:"+digest)
}

// gateIsOver ends the alarms of a gate that was refused: the change is.
func (w *workspace) gateIsOver(ctx context.Context, p *program, c change.Change) {
	if c.Old == "" {
		return
	}
	if err := w.alarms.ClearAll(ctx, configs.AlarmGate, c.Old); err != nil {
		warn(p.err, "%v", err)
	}
	w.tellNow(ctx, p)
}

// onlyReceipt tells whether nothing but the receipt is missing, or nothing at all.
func onlyReceipt(lacks []change.Lack) bool {
	return len(lacks) == 0 || len(lacks) == 1 && lacks[0].Receipt
}

func (p *program) tellClosed(c change.Change, how string) error {
	if p.json {
		return p.printJSON(c)
	}
	err := p.say("%s is closed; %s\n", c.ID, how)
	return err
}

// sendOwed brings what of a change waits in the outbox, with one try each: a
// person has waited for it before.
func (w *workspace) sendOwed(ctx context.Context, c change.Change) error {
	var waiting []configs.Letter
	for l, err := range w.ledger.Letters(ctx, configs.LetterFilter{Customer: c.Customer, Change: c.ID, Waiting: true}) {
		if err != nil {
			return err
		}
		waiting = append(waiting, l)
	}
	var errs []error
	for _, l := range waiting {
		_, err := w.office.Send(ctx, l)
		if err != nil && !slices.ContainsFunc(errs, func(e error) bool { return e.Error() == err.Error() }) {
			errs = append(errs, err) // what ails several is told once
		}
	}
	return errors.Join(errs...)
}

// postReceipt signs and files the receipt of a change and brings it where the
// settings say. One that was filed and tells all there is to tell goes out
// again: a ticket gets one note, however often a person asks.
func (w *workspace) postReceipt(ctx context.Context, c change.Change) (digest string, err error) {
	file, err := w.filedReceipt(ctx, c)
	if err != nil {
		return "", err
	}
	digest = configs.Digest(file)
	to := w.settings.ticketing(c.Customer)
	l := configs.Letter{Customer: c.Customer, Form: configs.Receipt, Change: c.ID, Ticket: c.Ticket, Urgent: true, By: w.by, Version: digest, File: "json"}
	if to != "" {
		l.To, l.Name = to, c.ID+".receipt"
		_, err := w.office.Send(ctx, l)
		return digest, err
	}
	systems := w.settings.documentations(c.Customer)
	if len(systems) == 0 {
		return digest, w.desk.Book.RecordPosted(ctx, c, change.Posted{By: w.by, Digest: digest, To: "store"})
	}
	if l.Device = c.New; l.Device == "" {
		l.Device = c.Old
	}
	text, err := w.fileText(ctx, c, file)
	if err != nil {
		return "", err
	}
	var letters []configs.Letter
	for _, place := range w.places(c.Customer) {
		bounded, ok := place.System.(configs.Bounded)
		textOnly := ok && bounded.Bounds().TextOnly
		for format, d := range map[string]string{"text": text, "json": digest} {
			n := l
			n.To, n.File, n.Version, n.Name = place.Name, format, d, outbox.ReceiptName(c.ID, format, d, textOnly)
			letters = append(letters, n)
		}
	}
	_, err = w.office.Send(ctx, letters...)
	return digest, err
}

package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"belay/configs"
	"belay/configs/outbox"
	"belay/devices"
)

func (p *program) docsCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "docs", Short: "Match devices to configuration items; see what waits to be attached; try an account"}
	cmd.AddCommand(p.docsMatch(), p.docsQueue(), p.docsTry())
	return cmd
}

func (p *program) docsQueue() *cobra.Command {
	var send bool
	cmd := &cobra.Command{
		Use: "queue", Short: "List what waits to be attached or posted, and why", Args: cobra.NoArgs,
		Long: `Lists what is not proven to have arrived yet: attachments of versions, receipts of changes. All
of it is tried again by itself, by every command that captures. --send tries all of it now.

Exit status: 0 nothing waits; 6 something does.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withWorkspace(cmd.Context(), func(w *workspace) error {
				if send {
					if err := p.sendAll(cmd.Context(), w); err != nil {
						return err
					}
				}
				return p.listQueue(cmd.Context(), w)
			})
		},
	}
	cmd.Flags().BoolVar(&send, "send", false, "try all of it now")
	return cmd
}

func (p *program) sendAll(ctx context.Context, w *workspace) error {
	if _, err := w.office.Retry(ctx, configs.LetterFilter{}); err != nil {
		return err
	}
	return p.sending(func(shown func(done, left int)) error { return w.office.Drain(ctx, p.now(), shown) })
}

// sending shows a person at a terminal how far drain has come: a backlog takes
// as long as the accounts' limits make it.
func (p *program) sending(drain func(shown func(done, left int)) error) error {
	if p.json || !isTerminal(p.err) {
		return drain(nil)
	}
	began := false
	err := drain(func(done, left int) {
		began = true
		fmt.Fprintf(p.err, "\rattachments and receipts: %d tried, %d left ", done, left)
	})
	if began {
		fmt.Fprintln(p.err)
	}
	return err
}

func (p *program) listQueue(ctx context.Context, w *workspace) error {
	rows := [][]string{{"TO", "WHAT", "TRIES", "NEXT", "WHY IT WAITS"}}
	for l, err := range w.ledger.Letters(ctx, configs.LetterFilter{Waiting: true}) {
		if err != nil {
			return err
		}
		what := l.Name
		if l.Form == configs.Receipt {
			what = "receipt of " + l.Change
		}
		if p.json {
			if err := p.printJSON(map[string]any{"to": l.To, "device": l.Device, "version": l.Version, "file": l.File, "form": l.Form, "name": l.Name,
				"change": l.Change, "ticket": l.Ticket, "tries": l.Tries, "due": l.Due, "error": l.Error, "hint": l.Hint}); err != nil {
				return err
			}
		}
		why := oneLine(l.Error)
		if l.Hint != "" {
			why += " (" + l.Hint + ")"
		}
		rows = append(rows, []string{l.To, what, fmt.Sprint(l.Tries), clock(l.Due, p.now()), why})
	}
	if !p.json {
		if len(rows) == 1 {
			_, err := fmt.Fprintln(p.out, "nothing waits")
			return err
		}
		columns(p.out, rows)
	}
	if len(rows) > 1 {
		return exitStatus(exitCode(devices.AttachmentPending))
	}
	return nil
}

func (p *program) docsTry() *cobra.Command {
	var item configs.Item
	cmd := &cobra.Command{
		Use: "try NAME --organization ID --item ID", Short: "Try out what an account can do, on a scratch item", Args: cobra.ExactArgs(1),
		Long: `NAME is one of documentation: in the settings. Says what its key may see; then uploads small
files to the scratch item, lists, compares and deletes them, and prints what this account can and
cannot do. Nothing else is touched.

Exit status: 0 all of it; 1 the system does not answer; 2 wrong usage; 4 not all of it.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withWorkspace(cmd.Context(), func(w *workspace) error {
				if _, ok := w.settings.Documentation[args[0]]; !ok {
					hint := "one of: " + strings.Join(slices.Sorted(maps.Keys(w.settings.Documentation)), ", ")
					if len(w.settings.Documentation) == 0 {
						hint = "documentation: in the settings; belay init --print shows how"
					}
					return &devices.Error{Kind: devices.Usage, Err: fmt.Errorf("the settings have no documentation called %q", args[0]), Hint: hint}
				}
				sys, d, err := w.system(args[0])
				if err != nil {
					return err
				}
				if customer, _, ok := strings.Cut(item.ID, "/"); ok && sys.Own && item.Organization == "" {
					item.Organization = customer
				}
				checks := []configs.Check{}
				if prober, ok := d.(configs.Prober); ok {
					if checks, err = prober.Probe(cmd.Context()); err != nil {
						return err
					}
				}
				switch {
				case item.ID != "" && item.Organization != "":
					checks = append(checks, outbox.Try(cmd.Context(), d, item, "belay-try_"+p.now().UTC().Format("20060102T150405Z")+".txt")...)
				case !p.json:
					warn(p.err, "nothing was uploaded: name a scratch item with --organization and --item")
				}
				return p.tellChecks(checks)
			})
		},
	}
	cmd.Flags().StringVar(&item.Organization, "organization", "", "organization (company, customer) of the scratch item")
	cmd.Flags().StringVar(&item.ID, "item", "", "id of the scratch item; in a folder CUSTOMER/NAME")
	return cmd
}

func (p *program) tellChecks(checks []configs.Check) error {
	var bad int
	var rows [][]string
	for _, c := range checks {
		word := "yes"
		if !c.OK {
			word = "NO"
			bad++
		}
		rows = append(rows, []string{word, c.Name, oneLine(c.Detail)})
	}
	if p.json {
		if err := p.printJSON(checks); err != nil {
			return err
		}
	} else {
		columns(p.out, rows)
	}
	if bad > 0 {
		return &devices.Error{Kind: devices.Unproven, Err: errors.New("this account cannot do all that Belay asks of it"), Hint: "give its key the right that the line with NO names, then try again"}
	}
	return nil
}

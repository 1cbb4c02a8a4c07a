package main

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/spf13/cobra"

	"belay/configs/report"
	"belay/devices"
)

func (p *program) digestCommand() *cobra.Command {
	var from, customer string
	var html, send bool
	cmd := &cobra.Command{
		Use: "digest", Short: "What has to be looked at: three numbers, then only exceptions", Args: cobra.NoArgs,
		Long: `Writes the digest as of now: how many devices are verified and how many are stale, and then
only what somebody has to look at, each with the command that tries it again. Changes without
a ticket are shown with what changed, secrets replaced. The service sends it each morning
(tell: digest: in the settings).

` + aTime + ` Here that is the zone of the digest.

Exit status: 0 written, or sent; 1 something broke; 2 wrong usage.`,
		Example: "  belay digest\n  belay digest --customer acme --since 2026-11-20\n  belay digest --send",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withWorkspace(cmd.Context(), func(w *workspace) error {
				t, err := since(from, p.now().In(w.settings.Tell.zone()))
				if err != nil {
					return err
				}
				if t.IsZero() {
					t = w.lastDigest()
				}
				return p.runDigest(cmd.Context(), w, t, customer, html, send)
			})
		},
	}
	cmd.Flags().StringVar(&from, "since", "", "tell of changes since this `TIME` (default: since the last digest was due)")
	cmd.Flags().StringVar(&customer, "customer", "", "tell of this customer alone")
	cmd.Flags().BoolVar(&html, "html", false, "write it as a page")
	cmd.Flags().BoolVar(&send, "send", false, "send it to the channels of tell: digest: instead")
	return cmd
}

func (p *program) runDigest(ctx context.Context, w *workspace, since time.Time, customer string, html, send bool) error {
	if customer != "" {
		if _, err := w.inventory.Select(customer, ""); err != nil {
			return err
		}
	}
	if send {
		if customer != "" {
			return &devices.Error{Kind: devices.Usage, Err: errors.New("--send goes to each channel with the customers that it hears of"), Hint: "leave --customer out"}
		}
		if err := w.sendDigest(ctx, p.err, since); err != nil {
			return err
		}
		return p.say("sent\n")
	}
	in, err := w.digestInput(ctx, since)
	if err != nil {
		return err
	}
	if customer != "" {
		in = in.For(customer)
	}
	d := report.Make(in)
	switch {
	case p.json:
		return p.printJSON(d)
	case html:
		page, err := d.HTML()
		if err == nil {
			_, err = io.WriteString(p.out, page)
		}
		return err
	}
	_, err = io.WriteString(p.out, d.Text())
	return err
}

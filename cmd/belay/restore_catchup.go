package main

import (
	"context"
	"errors"
	"slices"

	"github.com/spf13/cobra"

	"belay/configs"
	"belay/devices"
)

func (p *program) restoreCatchUp() *cobra.Command {
	var customer string
	cmd := &cobra.Command{
		Use: "catch-up", Short: "After a restore: get what the remotes have of the time since the backup", Args: cobra.NoArgs,
		Long: `Brings each history forward to where its customer's remote is, with the tags of changes: only
where the remote's leads on from it, and after every text was read again. A capture before that
would make two histories of one, of which the remote takes neither the other's.

What the ledger held of that time is not in the remotes: belay verify names the changes it lacks.

Exit status: 0 done; 4 a remote has another history, or does not answer; 8 what it has is damaged.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withWorkspace(cmd.Context(), func(w *workspace) error { return p.runCatchUp(cmd.Context(), w, customer) })
		},
	}
	cmd.Flags().StringVar(&customer, "customer", "", "only this customer's")
	return cmd
}

func (p *program) runCatchUp(ctx context.Context, w *workspace, customer string) error {
	customers, err := w.store.Customers()
	if err != nil {
		return err
	}
	for _, d := range w.inventory.Devices { // one may have come after the backup
		customers = append(customers, d.Customer)
	}
	slices.Sort(customers)
	customers = slices.Compact(customers)
	if customer != "" {
		if !slices.Contains(customers, customer) {
			return &devices.Error{Kind: devices.Usage, Op: "catch up", Device: customer, Err: errors.New("there is no such customer")}
		}
		customers = []string{customer}
	}
	var errs []error
	for _, c := range customers {
		n, err := w.store.CatchUp(ctx, c)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil && n > 0 {
			err = w.ledger.Append(ctx, configs.Event{At: p.now(), Customer: c, By: w.by, Act: "catch up", Detail: map[string]any{"versions": n}})
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if p.json {
			err = p.printJSON(map[string]any{"customer": c, "versions": n})
		} else {
			err = p.say("%s: %d versions came from its remote\n", c, n)
		}
		if err != nil {
			return err
		}
	}
	return errors.Join(errs...)
}

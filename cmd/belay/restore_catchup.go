package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"belay/configs"
	"belay/configs/redact"
	"belay/configs/report"
	"belay/devices"
	"belay/store/git"
)

func (p *program) restoreCatchUp() *cobra.Command {
	var customer string
	var readable bool
	cmd := &cobra.Command{
		Use: "catch-up", Short: "After a restore: get what the remotes have of the time since the backup", Args: cobra.NoArgs,
		Long: `Brings each history forward to where its customer's remote is, with the tags of changes: only
where the remote's leads on from it, and after every version was read again. A capture before that
would make two histories of one, of which the remote takes neither the other's.

A remote is not believed: what its versions hold is compared with their lists, sealed originals
are opened, and a text in which the driver of today would hide something is refused. Where that
is a text of an older Belay, which knew fewer secrets, --readable takes it as it is.

What the ledger held of that time is not in the remotes: belay verify names the changes it lacks.

Exit status: 0 done; 4 a remote has another history, or does not answer; 8 what it has is damaged.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withWorkspace(cmd.Context(), func(w *workspace) error { return p.runCatchUp(cmd.Context(), w, customer, readable) })
		},
	}
	cmd.Flags().StringVar(&customer, "customer", "", "only this customer's")
	cmd.Flags().BoolVar(&readable, "readable", false, "take texts too in which secrets are readable that the drivers of today would hide")
	return cmd
}

func (p *program) runCatchUp(ctx context.Context, w *workspace, customer string, readable bool) error {
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
		n, err := w.store.CatchUp(ctx, c, p.lookAt(ctx, w, c, readable))
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
			err = p.say("%s: %s came from its remote\n", c, report.Plural(n, "version"))
		}
		if err != nil {
			return err
		}
	}
	return errors.Join(errs...)
}

// lookAt is how a customer's versions from elsewhere are looked at. Without the key
// their originals are not opened; belay verify does, when it is there.
func (p *program) lookAt(ctx context.Context, w *workspace, customer string, readable bool) (look git.Look) {
	_, err := os.Stat(filepath.Join(w.settings.Data, "customers", customer, "key.age")) // it is not to be made here
	if err == nil {
		_, err = w.vault.Make(ctx, customer)
	}
	if err == nil {
		look.Open = func(sealed []byte) ([]byte, error) { return w.vault.Open(ctx, customer, sealed) }
	} else {
		warn(p.err, "%s: sealed originals that come are not opened: %v", customer, err)
	}
	if readable {
		return look
	}
	look.Text = func(v configs.Version, t configs.Text) error {
		var rules redact.Rules
		if d, err := w.catalog.Find(v.Driver); err == nil { // or else the generic look has to do
			rules = d.Rules.Redact
		}
		if rules.Hides(t.Clean.Bytes()) {
			return &devices.Error{Kind: devices.Damaged, Op: "look for secrets", Err: errors.New("a secret is readable in it"),
				Hint: "look at it in a git clone of the remote; where an older Belay kept it so, belay restore catch-up --readable takes it"}
		}
		return nil
	}
	return look
}

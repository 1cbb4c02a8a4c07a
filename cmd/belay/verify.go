package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"belay/configs"
	"belay/devices"
)

func (p *program) verifyCommand() *cobra.Command {
	var share, customer string
	cmd := &cobra.Command{
		Use: "verify", Short: "Read everything that is kept again and prove it", Args: cobra.NoArgs,
		Long: `Reads every version of every device again: each text against its digest, each sealed
original opened and compared, the ledger's chains and whether history has what the
ledger says was kept, and what the remotes hold. With
--share a part of it, another one each day. Exit status 8 where anything is damaged.`,
		Example: "  belay verify\n  belay verify --share 15%",
		RunE: func(cmd *cobra.Command, _ []string) error {
			part, err := parseShare(share)
			if err != nil {
				return err
			}
			w, err := p.open(cmd.Context(), openOptions{})
			if err != nil {
				return err
			}
			defer w.close()
			return p.runVerify(cmd.Context(), w, customer, part)
		},
	}
	cmd.Flags().StringVar(&share, "share", "100%", "how much to read: a percentage")
	cmd.Flags().StringVar(&customer, "customer", "", "only this customer's")
	return cmd
}

// parseShare reads a percentage: "15%" or "15".
func parseShare(s string) (float64, error) {
	v, err := strconv.ParseFloat(strings.TrimSuffix(s, "%"), 64)
	if err != nil || !(v > 0 && v <= 100) { // not a number is neither
		return 0, &devices.Error{Kind: devices.Usage, Err: fmt.Errorf("--share %q: want a percentage above 0 and up to 100", s)}
	}
	return v / 100, nil
}

func (p *program) runVerify(ctx context.Context, w *workspace, customer string, share float64) error {
	customers, err := w.store.Customers()
	if err != nil {
		return err
	}
	versions, damaged := 0, 0
	var errs []error
	for _, err := range w.lost(ctx, customer) {
		tell(p.err, err)
		damaged++
	}
	if customer != "" {
		if !slices.Contains(customers, customer) && damaged == 0 {
			return &devices.Error{Kind: devices.Usage, Op: "verify", Device: customer, Err: errors.New("nothing has been kept of this customer")}
		}
		customers = []string{customer}
	}
	for _, c := range customers {
		n, bad, err := w.verifyCustomer(ctx, c, share, func(v configs.Version, err error) {
			tell(p.err, err)
		})
		versions, damaged = versions+n, damaged+bad
		if err != nil {
			errs = append(errs, err)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		proof, err := w.proveRemote(ctx, c)
		switch {
		case err != nil:
			errs = append(errs, err)
		case proof.Done && !proof.OK:
			errs = append(errs, &devices.Error{Kind: devices.Unproven, Op: "verify the remote of", Device: c, Err: errors.New(proof.Detail)})
		}
	}
	if err := w.ledger.Check(ctx); err != nil {
		errs = append(errs, err)
		damaged++
	}
	if p.json {
		if err := p.printJSON(map[string]any{"customers": len(customers), "versions": versions, "damaged": damaged, "share": share}); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(p.out, "%d versions of %d customers read again, %d damaged; the ledger was read too\n", versions, len(customers), damaged)
	}
	err = w.ledger.Append(context.WithoutCancel(ctx), configs.Event{At: p.now(), Customer: customer, By: w.by, Act: "verify", Detail: map[string]any{"versions": versions, "damaged": damaged, "share": share}})
	if damaged > 0 {
		errs = append([]error{&devices.Error{Kind: devices.Damaged, Op: "verify", Err: fmt.Errorf("%d damaged", damaged), Hint: "a remote holds what was pushed: git clone it beside and compare"}}, errs...)
	}
	return errors.Join(append(errs, err)...)
}

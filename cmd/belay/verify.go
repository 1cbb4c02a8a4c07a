package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"belay/configs"
	"belay/configs/report"
	"belay/devices"
)

func (p *program) verifyCommand() *cobra.Command {
	var share, customer string
	cmd := &cobra.Command{
		Use: "verify", Short: "Read everything that is kept again and prove it", Args: cobra.NoArgs,
		Long: `Reads every version of every device again: each text against its digest, each sealed
original opened and compared, the ledger's chains, whether history has what the ledger
says was kept and the ledger what history says of changes, whether both still lead on from
where they were at the newest backup, the papers of waivers and the receipts with their
signatures, and what the remotes hold. With --share a part of it, another one each day.

Exit status: 0 all of it is whole; 2 the master identity is missing; 4 a remote is not proven; 8 something is damaged.`,
		Example: "  belay verify\n  belay verify --share 15%",
		RunE: func(cmd *cobra.Command, _ []string) error {
			part, err := parseShare(share)
			if err != nil {
				return err
			}
			return p.withWorkspace(cmd.Context(), func(w *workspace) error { return p.runVerify(cmd.Context(), w, customer, part) })
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
	since, silent := w.sinceBackup(ctx, customer)
	for _, err := range since {
		tell(p.err, err)
		damaged++
	}
	for _, err := range silent {
		warn(p.err, "not compared with a backup: %v", err)
	}
	if customer != "" {
		if !slices.Contains(customers, customer) && damaged == 0 {
			return &devices.Error{Kind: devices.Usage, Op: "verify", Device: customer, Err: errors.New("nothing has been kept of this customer")}
		}
		customers = []string{customer}
	}
	for _, c := range customers {
		record, problems := w.verifyChanges(ctx, c)
		for _, err := range problems {
			tell(p.err, err)
			damaged++
		}
		n, bad, err := w.verifyCustomer(ctx, c, share, record, p.err)
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
		fmt.Fprintf(p.out, "%s of %s read again, %d damaged; the ledger was read too\n", report.Plural(versions, "version"), report.Plural(len(customers), "customer"), damaged)
	}
	err = w.ledger.Append(context.WithoutCancel(ctx), configs.Event{At: p.now(), Customer: customer, By: w.by, Act: "verify", Detail: map[string]any{"versions": versions, "damaged": damaged, "share": share}})
	if damaged > 0 {
		errs = append([]error{&devices.Error{Kind: devices.Damaged, Op: "verify", Err: fmt.Errorf("%d damaged", damaged), Hint: "a remote holds what was pushed: git clone it beside and compare"}}, errs...)
	}
	return errors.Join(append(errs, err)...)
}

// verifyCustomer reads a share of a customer's versions again; another share
// each day.
func (w *workspace) verifyCustomer(ctx context.Context, customer string, share float64, record onRecord, told io.Writer) (n, damaged int, err error) {
	day := float64(w.now().Unix() / 86400)
	if seals, err := w.sealsFor(customer); seals && err == nil {
		// Without the key nothing can be said of any original: that is one fault, not one for each.
		if _, err := w.vault.Make(ctx, customer); err != nil {
			return 0, 0, &devices.Error{Kind: devices.KindOf(err), Op: "open the key of " + customer, Err: err, Hint: devices.HintOf(err)}
		}
	}
	open := func(sealed []byte) ([]byte, error) { return w.vault.Open(ctx, customer, sealed) }
	for v, err := range w.store.Verify(ctx, customer, share, day*share, open) {
		if err != nil {
			return n, damaged + 1, err
		}
		problem, warning := record.strays(v.Version)
		if problem != "" {
			v.Problems = append(v.Problems, problem)
		}
		if warning != "" {
			warn(told, "%s/%s: %s", customer, v.Version.Name, warning)
		}
		if n++; len(v.Problems) > 0 {
			damaged++
			tell(told, &devices.Error{Kind: devices.Damaged, Op: "verify", Device: customer + "/" + v.Version.Name, Err: fmt.Errorf("version %s: %s", v.Version.Commit, strings.Join(v.Problems, "; "))})
		}
	}
	return n, damaged, nil
}

// lost names the devices whose history no longer has the version that stood when
// they were last read: a history that was put back or removed looks whole. Those that
// have left the inventory are among them: what was kept of them still is.
func (w *workspace) lost(ctx context.Context, customer string) (errs []error) {
	for last, err := range w.ledger.Newest(ctx) {
		if err == nil && customer != "" && last.ID.Customer() != customer {
			continue
		}
		if err == nil && last.Commit != "" {
			err = w.has(ctx, last.ID, last.Commit)
		}
		if err != nil {
			errs = append(errs, &devices.Error{Kind: devices.Damaged, Op: "verify", Device: w.called(last.ID), Err: err, Hint: devices.HintOf(err)})
		}
	}
	return errs
}

// called is a device as people say it, also one that is gone from the inventory.
func (w *workspace) called(id devices.ID) string {
	if i, ok := w.byID[id]; ok {
		return w.inventory.Devices[i].String()
	}
	return string(id)
}

// has looks for a version in a device's history, the newest first.
func (w *workspace) has(ctx context.Context, id devices.ID, commit string) error {
	for v, err := range w.store.History(ctx, id) {
		if err != nil || v.Commit == commit {
			return err
		}
	}
	return fmt.Errorf("version %s stood when it was last read, and is not in its history any more", commit)
}

// proveRemote asks a customer's remote for the newest of any device that was ever read.
func (w *workspace) proveRemote(ctx context.Context, customer string) (configs.Proof, error) {
	for last, err := range w.ledger.Newest(ctx) {
		if err != nil {
			return configs.Proof{}, err
		}
		if last.ID.Customer() != customer {
			continue
		}
		v, ok, err := w.store.Newest(ctx, last.ID)
		if err != nil || !ok {
			if err != nil {
				return configs.Proof{}, err
			}
			continue
		}
		return w.store.Prove(ctx, v)
	}
	return configs.Proof{}, nil
}

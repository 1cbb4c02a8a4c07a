package main

import (
	"context"
	"fmt"

	"belay/devices"
	"belay/store/ledger"
	"belay/store/spare"
)

// sinceBackup compares the ledger and the histories with where the newest backup
// in each folder says that they were: a chain whose last entries were cut off, or
// a history that was put back, is whole in itself. silent are the folders that
// could not be read now, which says nothing of what is here.
func (w *workspace) sinceBackup(ctx context.Context, customer string) (problems, silent []error) {
	for m, err := range w.ledger.Marks(ctx, backupMarks) {
		if err != nil {
			return append(problems, err), silent
		}
		backup, err := spare.Read(m.Key, 0)
		if err != nil {
			silent = append(silent, err)
			continue
		}
		wrong := func(of string, err error, format string, args ...any) {
			if err == nil {
				err = fmt.Errorf(format+", where it was at backup %d of %s in %s: it was put back to an earlier state", append(args, backup.Number, backup.Made.UTC().Format("2006-01-02 15:04"), m.Key)...)
			}
			problems = append(problems, &devices.Error{Kind: devices.Damaged, Op: "verify", Device: of, Err: err, Hint: "if an older backup was restored it is so, and the next belay backup notes it; else: belay restore " + m.Key + " --to another folder, and compare"})
		}
		for _, c := range backup.Chains {
			if customer != "" && c.Customer != customer {
				continue
			}
			if leads, err := w.ledger.Leads(ctx, ledger.Head(c)); err != nil || !leads {
				wrong(c.Customer, err, "the ledger does not lead on from entry %d", c.Entries)
			}
		}
		for _, c := range backup.Customers {
			if c.Main == "" || customer != "" && c.Name != customer {
				continue
			}
			head, err := w.store.Head(ctx, c.Name)
			leads := false
			if err == nil {
				leads, err = w.store.Led(ctx, c.Name, head, c.Main)
			}
			if err != nil || !leads {
				wrong(c.Name, err, "the history does not lead on from version %s", short(c.Main))
			}
		}
	}
	return problems, silent
}

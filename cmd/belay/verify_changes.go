package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"belay/configs"
	"belay/configs/change"
	"belay/devices"
)

// onRecord is what the ledger tells of a customer's changes, to be compared with
// what is kept: each change, and under it the versions that were taken in it.
type onRecord map[string]map[string]bool

// verifyChanges compares what the ledger tells of a customer's changes with what
// is kept: the versions, the papers of waivers, the receipts and their signatures.
func (w *workspace) verifyChanges(ctx context.Context, customer string) (record onRecord, problems []error) {
	record = onRecord{}
	changes, err := w.desk.Book.List(ctx, customer)
	if err != nil {
		return nil, []error{err}
	}
	kept := map[devices.ID]map[string]bool{}
	for _, c := range changes {
		note := func(err error) {
			if err != nil {
				problems = append(problems, &devices.Error{Kind: devices.Damaged, Op: "verify the change", Device: customer + "/" + c.ID, Err: err, Hint: devices.HintOf(err)})
			}
		}
		record[c.ID] = map[string]bool{}
		for _, k := range c.Captures {
			if k.Version == "" {
				continue
			}
			record[c.ID][k.Version] = true
			if kept[k.Device] == nil {
				if kept[k.Device], err = w.commits(ctx, k.Device); err != nil {
					note(err)
				}
			}
			if err == nil && !kept[k.Device][k.Version] {
				note(fmt.Errorf("version %s of %s, the %s, is not in its history any more", k.Version, k.Device, k.Phase))
			}
		}
		for _, paper := range w.papersOf(c) {
			note(w.filed(ctx, c, paper))
		}
	}
	return record, problems
}

// commits are the versions of a device.
func (w *workspace) commits(ctx context.Context, id devices.ID) (map[string]bool, error) {
	all := map[string]bool{}
	for v, err := range w.store.History(ctx, id) {
		if err != nil {
			return all, err
		}
		all[v.Commit] = true
	}
	return all, nil
}

// A claim is a paper that a change rests on.
type claim struct {
	what, digest string
	receipt      bool
}

// papersOf are the papers that a change's events name.
func (w *workspace) papersOf(c change.Change) []claim {
	var all []claim
	for _, v := range c.Waivers {
		if v.Kind == change.ByEmail {
			all = append(all, claim{what: "the message of " + v.Contact.Name, digest: v.Paper})
			continue
		}
		all = append(all, claim{what: "form " + v.Form, digest: v.Digest}, claim{what: "the scan of form " + v.Form, digest: v.Scan})
	}
	for _, r := range c.Receipts {
		all = append(all, claim{what: "the receipt that was posted " + r.At.UTC().Format("2006-01-02 15:04"), digest: r.Digest, receipt: true})
	}
	if c.Closing != nil && c.Closing.Digest != "" && !slices.ContainsFunc(all, func(o claim) bool { return o.digest == c.Closing.Digest }) {
		all = append(all, claim{what: "the receipt that it was closed with", digest: c.Closing.Digest, receipt: true})
	}
	return all
}

// filed reads a paper again. That it is what was filed the ledger sees to itself.
func (w *workspace) filed(ctx context.Context, c change.Change, of claim) error {
	paper, ok, err := w.ledger.Paper(ctx, c.Customer, of.digest)
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", of.what, err)
	case !ok:
		return fmt.Errorf("%s is not filed any more", of.what)
	case !of.receipt || paper.Kind != "receipt": // its text form is not signed
		return nil
	}
	r, _, err := w.ownReceipt(ctx, paper.Bytes)
	if err == nil && (r.Change != c.ID || r.Customer != c.Customer) {
		err = errors.New("it is that of another change, " + r.Change)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", of.what, err)
	}
	return nil
}

// strays tells what a version that was kept within a change says against the
// ledger. A change that the ledger does not know shows that it was put back to
// an earlier state. A version alone that it does not tell of may as well be one
// after which the program was killed: then it never counted, and is a warning.
func (r onRecord) strays(v configs.Version) (problem, warning string) {
	if r == nil || v.Change == "" {
		return "", ""
	}
	versions, known := r[v.Change]
	switch {
	case !known:
		return fmt.Sprintf("it was kept for change %s, of which the ledger does not tell: it was put back to an earlier state, or another one's", v.Change), ""
	case !versions[v.Commit]:
		return "", fmt.Sprintf("version %s was kept as the %s of change %s, and the ledger does not tell of it: belay was killed in that moment, or the ledger was put back to an earlier state", v.Commit, v.Phase, v.Change)
	}
	return "", ""
}

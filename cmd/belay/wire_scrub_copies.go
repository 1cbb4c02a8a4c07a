package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"belay/configs"
	"belay/configs/scrub"
	"belay/devices"
	"belay/store/git"
	"belay/store/spare"
)

// finders look for whole copies of what the scrub found damaged, each in one
// place, by asking there and by reading what they find.
func (w *workspace) finders() []scrub.Finder {
	return []scrub.Finder{w.copyHere(), w.copyInRemote(), w.copyAttached, w.copyInBackup}
}

// copyHere looks for the same text and the same original in other versions of the
// device: sealed twice they are two files.
func (w *workspace) copyHere() scrub.Finder {
	return func(ctx context.Context, d scrub.Damage) ([]string, error) {
		v := d.Version
		switch {
		case d.Shelf == "attachments":
			for kept, err := range w.store.History(ctx, d.Device) {
				if err != nil {
					return nil, err
				}
				if kept.Commit == v.Commit && w.store.Holds(ctx, kept) {
					if strings.HasPrefix(d.Key, contentKey) {
						return []string{"here, in version " + short(v.Commit) + ", which is whole: take the file down over there, and the next look at it has it sent again"}, nil
					}
					return []string{"here, in version " + short(v.Commit) + ", which is whole: the outbox sends it again (belay docs queue)"}, nil
				}
			}
			return nil, nil
		case d.Shelf == "remote" && d.Key == remoteObjects:
			return []string{"here, which belay verify reads: put the remote's repository aside and an empty one in its place (git init --bare), and belay verify sends all of it"}, nil
		case d.Shelf == "remote":
			return []string{"here: belay verify pushes again what the remote lacks, and reads what is here"}, nil
		case d.Shelf != "versions" || len(v.Files) == 0:
			return nil, nil
		}
		var found []string
		if _, err := w.store.Texts(ctx, v); err == nil {
			found = append(found, "here for the text alone, in the same version: its secrets are fingerprints")
		}
		for kept, err := range w.store.History(ctx, v.ID) {
			if err != nil {
				return found, nil //nolint:nilerr // the history is damaged: that is told on its own
			}
			if w.sameOriginals(ctx, kept, v) {
				which := "in version " + short(kept.Commit) + " of the same original"
				if kept.Commit == v.Commit {
					which = "in the same version: its originals are whole, and the text can be made of them"
				}
				return append(found, "here, "+which), nil
			}
		}
		return found, nil
	}
}

// sameOriginals opens the originals of kept and holds them to those of v.
func (w *workspace) sameOriginals(ctx context.Context, kept, v configs.Version) bool {
	if len(kept.Files) != len(v.Files) {
		return false
	}
	for i, f := range v.Files {
		if f.OriginalDigest == "" || kept.Files[i].OriginalDigest != f.OriginalDigest {
			return false
		}
	}
	sealed, err := w.store.Originals(ctx, kept)
	if err != nil || len(sealed) == 0 {
		return false
	}
	for _, o := range sealed {
		plain, err := w.vault.Open(ctx, v.ID.Customer(), o.Bytes)
		if err != nil || configs.Digest(plain) != o.Digest {
			return false
		}
	}
	return true
}

// copyInRemote asks the remote where its main is, and whether that leads to the
// commit. One answer serves for what is found in the next minutes.
func (w *workspace) copyInRemote() scrub.Finder {
	type answer struct {
		said git.Remotely
		ok   bool
		err  error
		at   time.Time
	}
	asked := map[string]answer{}
	return func(ctx context.Context, d scrub.Damage) ([]string, error) {
		if d.Customer == "" || !slices.Contains([]string{"versions", "packs"}, d.Shelf) {
			return nil, nil
		}
		a, ok := asked[d.Customer]
		if age := w.now().Sub(a.at); !ok || age > 10*time.Minute || age < 0 {
			a = answer{at: w.now()}
			a.said, a.ok, a.err = w.store.Ask(ctx, d.Customer, a.at.Add(-settled))
			asked[d.Customer] = a
		}
		if a.err != nil && a.said.Main == "" {
			return nil, a.err
		}
		if !a.ok || a.said.Main == "" {
			return nil, nil
		}
		place := "in the remote " + a.said.Place
		if d.Shelf == "packs" || d.Version.Commit == "" {
			return []string{place + ", whose main is at " + short(a.said.Main) + ": git clone it beside and compare"}, nil
		}
		leads, err := w.store.Led(ctx, d.Customer, a.said.Main, d.Version.Commit)
		if err != nil {
			return nil, fmt.Errorf("the remote has main at %s, but what leads there cannot be read here: git clone %s and look for %s", short(a.said.Main), a.said.Place, short(d.Version.Commit))
		}
		if !leads {
			return nil, nil
		}
		return []string{place + ", whose main leads to " + short(d.Version.Commit) + ": git clone it beside and compare"}, nil
	}
}

// copyAttached looks for the file where it hangs in documentation systems.
func (w *workspace) copyAttached(ctx context.Context, d scrub.Damage) (found []string, err error) {
	f := configs.LetterFilter{Customer: d.Customer, Hanging: true}
	switch {
	case d.Shelf == "versions" && d.Version.Commit != "":
		f.Version = d.Version.Commit
	case d.Shelf == "papers" && d.Digest != "":
		f.Version = d.Digest
	default:
		return nil, nil
	}
	for l, readErr := range w.ledger.Letters(ctx, f) {
		if readErr != nil {
			return found, readErr
		}
		hangs, askErr := w.office.Hangs(ctx, l)
		if askErr != nil {
			err = errors.Join(err, askErr)
		}
		if hangs {
			found = append(found, fmt.Sprintf("on %s in %s, as attachment %s (%s, sha256 %.8s)", l.Item, l.To, l.Name, l.Form, l.Digest))
		}
	}
	return found, err
}

// backupMarks are the folders to which belay backup has written, by their paths.
const backupMarks = "backup"

// copyInBackup looks into the newest backup of each folder that one was made in,
// and reads what is there of the customer's.
func (w *workspace) copyInBackup(ctx context.Context, d scrub.Damage) (found []string, err error) {
	for m, readErr := range w.ledger.Marks(ctx, backupMarks) {
		if readErr != nil {
			return found, readErr
		}
		folder := m.Key
		backup, openErr := spare.Read(folder, 0)
		if openErr != nil {
			err = errors.Join(err, openErr)
			continue
		}
		part := backup
		part.Files = slices.DeleteFunc(slices.Clone(backup.Files), func(f spare.File) bool { return !inBackup(d, f.Path) })
		if len(part.Files) == 0 || d.Shelf == "versions" && !w.backedUp(ctx, d, backup) {
			continue
		}
		damaged, checkErr := spare.Check(ctx, folder, part, nil)
		if checkErr != nil || len(damaged) > 0 {
			err = errors.Join(err, checkErr)
			continue
		}
		found = append(found, fmt.Sprintf("in backup %d of %s in %s, of %s: belay restore %s", backup.Number, d.Customer, folder, backup.Made.UTC().Format("2006-01-02 15:04"), folder))
	}
	return found, err
}

// inBackup tells whether a file of a backup may hold what is damaged.
func inBackup(d scrub.Damage, path string) bool {
	of := "customers/" + d.Customer + "/"
	switch d.Shelf {
	case "versions":
		return strings.HasPrefix(path, of+"history.git/")
	case "packs":
		return strings.HasPrefix(path, of+"history.git/objects/pack/"+d.Key+".")
	case "latest":
		return strings.HasPrefix(path, of+"latest/"+d.Key+"/")
	case "keys":
		return path == of+"key.age" || d.Customer == "" && (path == "signer.age" || path == "signer.pub" || path == "logins.age")
	}
	return false // of the database one cannot tell whether the backup is older than the damage
}

// backedUp tells whether the history in a backup leads to the version.
func (w *workspace) backedUp(ctx context.Context, d scrub.Damage, backup spare.Manifest) bool {
	for _, c := range backup.Customers {
		if c.Name == d.Customer {
			leads, err := w.store.Led(ctx, d.Customer, c.Main, d.Version.Commit)
			return err == nil && leads
		}
	}
	return false
}

// unprovenElsewhere is the error of what a scrub could not prove in a second place.
func unprovenElsewhere(err error) error {
	return &devices.Error{Kind: devices.Unproven, Op: "scrub", Err: err, Hint: "belay scrub status tells more"}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"belay/configs"
	"belay/configs/scrub"
	"belay/devices"
	"belay/store/git"
	"belay/store/ledger"
	"belay/store/vault"
)

// openScrub sets up what reads again all that is kept. The order of the shelves is
// that of a pass: keys first, for nothing opens without; versions before the packs
// they lie in, for a version says more to people.
func (w *workspace) openScrub(alarms configs.Alarms) *scrub.Scrub {
	s := &scrub.Scrub{
		Marks: w.ledger, Alarms: alarms, Ledger: w.ledger, By: w.by, Now: w.now, Every: time.Duration(w.settings.Scrub.Every),
		Customers: w.scrubbed,
		Shelves: []scrub.Shelf{
			rack{name: "keys", size: small, read: w.rereadKeys()},
			rack{name: shelfVersions, size: w.onDisk, read: w.rereadVersions},
			rack{name: "packs", size: w.onDisk, read: w.rereadPacks, follows: ofVersions},
			rack{name: "latest", size: small, read: w.rereadLatest},
			rack{name: "held", size: small, read: w.rereadHeld},
			rack{name: "papers", size: small, read: w.rereadPapers},
			rack{name: "changes", size: small, read: w.rereadChanges, follows: ofHistory},
			rack{name: "ledger", size: small, read: w.rereadLedger},
			rack{name: "remote", size: w.atRemote, read: w.askRemote},
			rack{name: "attachments", size: small, read: w.askAttachments, stands: w.stillMissing},
		},
	}
	s.Finders = w.finders()
	return s
}

// scrubbed are all customers of whom something is kept, and "" for what is nobody's.
func (w *workspace) scrubbed(ctx context.Context) ([]string, error) {
	histories, err := w.store.Customers()
	if err != nil {
		return nil, err
	}
	chains, err := w.ledger.Customers(ctx)
	return slices.Concat([]string{""}, histories, chains), err
}

// A rack is a shelf of the scrub, put together from what the stores can read.
type rack struct {
	name string
	size func(customer string) (int64, error)
	read func(ctx context.Context, customer, after string) iter.Seq2[scrub.Piece, error]
	// nil: there is nothing it does not show
	stands func(ctx context.Context, d scrub.Damage) (bool, error)
	// nil: whatever is damaged on it is a cause of its own
	follows func(d, other scrub.Damage) bool
}

const shelfVersions = "versions"

// ofVersions tells that a pack lies beneath versions, and other is one of them.
func ofVersions(_, other scrub.Damage) bool { return other.Shelf == shelfVersions }

// ofHistory tells that other is the history itself: what cannot be read back to its
// beginning cannot be compared with what the ledger tells of it.
func ofHistory(_, other scrub.Damage) bool {
	return other.Shelf == shelfVersions && other.Version.Commit == ""
}

func (r rack) Name() string { return r.name }

func (r rack) Size(_ context.Context, customer string) (int64, error) { return r.size(customer) }

func (r rack) Read(ctx context.Context, customer, after string) iter.Seq2[scrub.Piece, error] {
	return r.read(ctx, customer, after)
}

func (r rack) Stands(ctx context.Context, d scrub.Damage) (bool, error) {
	if r.stands == nil {
		return false, nil
	}
	return r.stands(ctx, d)
}

func (r rack) Follows(d, other scrub.Damage) bool { return r.follows != nil && r.follows(d, other) }

// small is the weight of a shelf on which there is little.
func small(string) (int64, error) { return 16 << 10, nil }

func (w *workspace) onDisk(customer string) (int64, error) {
	if customer == "" {
		return 0, nil
	}
	return w.store.Bytes(customer)
}

// pieces turns what a store has read into pieces.
func pieces[T any](read iter.Seq2[T, error], piece func(T) scrub.Piece) iter.Seq2[scrub.Piece, error] {
	return func(yield func(scrub.Piece, error) bool) {
		for v, err := range read {
			p := scrub.Piece{}
			if err == nil {
				p = piece(v)
			}
			if !yield(p, err) {
				return
			}
		}
	}
}

// one is a shelf with one thing on it: err says what is wrong with that.
func one(key, what string, err error) iter.Seq2[scrub.Piece, error] {
	return func(yield func(scrub.Piece, error) bool) {
		if err != nil && devices.KindOf(err) != devices.Damaged {
			yield(scrub.Piece{}, err)
			return
		}
		p := scrub.Piece{Key: key, What: what, Through: 1}
		if err != nil {
			p.Problems = []string{err.Error()}
		}
		yield(p, nil)
	}
}

func nothing(func(scrub.Piece, error) bool) {}

// opened calls read with what opens a customer's originals. Where the key cannot
// be had, nothing is said of what it seals: the shelf is read another time.
func (w *workspace) opened(ctx context.Context, customer string, read func(open func([]byte) ([]byte, error)) iter.Seq2[scrub.Piece, error]) iter.Seq2[scrub.Piece, error] {
	if customer == "" {
		return nothing
	}
	if there, err := w.sealsFor(customer); there || err != nil {
		if err == nil {
			_, err = w.vault.Make(ctx, customer) // it is there, or was: it is only opened
		}
		if err != nil {
			return func(yield func(scrub.Piece, error) bool) {
				yield(scrub.Piece{}, &devices.Error{Kind: devices.Broken, Op: "open the key of " + customer, Err: err, Hint: devices.HintOf(err)})
			}
		}
	}
	return read(func(sealed []byte) ([]byte, error) { return w.vault.Open(ctx, customer, sealed) })
}

// sealsFor tells whether a customer has a key, or must have one: of what has a
// history the vault makes none anew.
func (w *workspace) sealsFor(customer string) (bool, error) {
	_, err := os.Stat(filepath.Join(w.settings.Data, "customers", customer, "key.age"))
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return true, nil // what cannot be looked at, the vault will tell of
	}
	n, err := w.store.Bytes(customer)
	return n > 0, err
}

// rereadKeys opens a customer's key; of nobody, the one that signs receipts and
// the logins. A vault remembers what it has opened: this one is made anew.
func (w *workspace) rereadKeys() func(ctx context.Context, customer, after string) iter.Seq2[scrub.Piece, error] {
	var fresh *vault.Vault
	var made time.Time
	return func(ctx context.Context, customer, _ string) iter.Seq2[scrub.Piece, error] {
		if fresh == nil || w.now().Sub(made) > time.Hour || w.now().Before(made) {
			v, err := vault.New(w.settings.Data, w.settings.master(), w.now)
			if err != nil {
				return one("key", "the keys", err)
			}
			fresh, made = v, w.now()
		}
		there := func(name string) bool { _, err := os.Stat(filepath.Join(w.settings.Data, name)); return err == nil }
		if customer != "" {
			seals, err := w.sealsFor(customer)
			if !seals && err == nil {
				return nothing
			}
			if err == nil {
				_, err = fresh.Make(ctx, customer)
			}
			return one("key.age", "the key of "+customer, err)
		}
		var err error
		if there("signer.age") || there("signer.pub") {
			_, err = fresh.SignerKey(ctx)
		}
		if err == nil {
			_, err = fresh.Names(ctx)
		}
		return one("keys", "the key that signs receipts, or the logins", err)
	}
}

func (w *workspace) rereadPacks(ctx context.Context, customer, after string) iter.Seq2[scrub.Piece, error] {
	if customer == "" {
		return nothing
	}
	return pieces(w.store.RereadPacks(ctx, customer, after), func(p git.Part) scrub.Piece {
		return scrub.Piece{At: p.Name, Key: p.Name, Through: p.Through, Bytes: p.Bytes, Problems: p.Problems, What: p.Name + " of " + customer}
	})
}

func (w *workspace) rereadVersions(ctx context.Context, customer, after string) iter.Seq2[scrub.Piece, error] {
	return w.opened(ctx, customer, func(open func([]byte) ([]byte, error)) iter.Seq2[scrub.Piece, error] {
		return pieces(w.store.Reread(ctx, customer, after, open), func(v git.Verified) scrub.Piece {
			p := scrub.Piece{At: v.At, Through: v.Through, Bytes: v.Bytes, Key: v.Version.Commit + " " + v.Version.Name,
				Device: v.Version.ID, Version: v.Version, Problems: v.Problems}
			if p.Device == "" && devices.CheckName(v.Version.Name) == nil { // what would say whose it is cannot be read
				p.Device = devices.ID(customer + "/" + v.Version.Name)
			}
			p.What = fmt.Sprintf("version %s of %s/%s", short(v.Version.Commit), customer, v.Version.Name)
			if !v.Version.Taken.IsZero() {
				p.What += ", taken " + v.Version.Taken.UTC().Format("2006-01-02 15:04")
			}
			return p
		})
	})
}

func (w *workspace) rereadLatest(ctx context.Context, customer, after string) iter.Seq2[scrub.Piece, error] {
	return w.opened(ctx, customer, func(open func([]byte) ([]byte, error)) iter.Seq2[scrub.Piece, error] {
		return pieces(w.store.RereadLatest(ctx, customer, after, open), func(p git.Part) scrub.Piece {
			return scrub.Piece{At: p.Name, Key: p.Name, Through: p.Through, Bytes: p.Bytes, Problems: p.Problems,
				What: "the newest originals of " + customer + "/" + p.Name}
		})
	})
}

func reread(r ledger.Reread) scrub.Piece {
	return scrub.Piece{At: r.At, Key: r.Key, Through: r.Through, Bytes: r.Bytes, Device: r.Device, Digest: r.Digest, What: r.Name, Problems: r.Problems}
}

func (w *workspace) rereadHeld(ctx context.Context, customer, after string) iter.Seq2[scrub.Piece, error] {
	return w.opened(ctx, customer, func(open func([]byte) ([]byte, error)) iter.Seq2[scrub.Piece, error] {
		return pieces(w.ledger.RereadHeld(ctx, customer, after, open), reread)
	})
}

func (w *workspace) rereadPapers(ctx context.Context, customer, after string) iter.Seq2[scrub.Piece, error] {
	return w.opened(ctx, customer, func(open func([]byte) ([]byte, error)) iter.Seq2[scrub.Piece, error] {
		return pieces(w.ledger.RereadPapers(ctx, customer, after, open), reread)
	})
}

// rereadChanges compares what the ledger tells of a customer's devices and changes
// with what is kept, as belay verify does.
func (w *workspace) rereadChanges(ctx context.Context, customer, _ string) iter.Seq2[scrub.Piece, error] {
	return func(yield func(scrub.Piece, error) bool) {
		if customer == "" {
			return
		}
		problems := w.lost(ctx, customer)
		_, more := w.verifyChanges(ctx, customer)
		if err := ctx.Err(); err != nil {
			yield(scrub.Piece{}, err)
			return
		}
		for _, err := range append(problems, more...) {
			inner, ok := errors.AsType[*devices.Error](errors.Unwrap(err))
			if ok && inner.Kind != devices.Damaged { // it could not be read, and is not known to be damaged
				yield(scrub.Piece{}, inner)
				return
			}
			p := scrub.Piece{Key: configs.Digest([]byte(err.Error()))[:12], What: "what the ledger tells of " + customer, Problems: []string{err.Error()}}
			if d, ok := errors.AsType[*devices.Error](err); ok && strings.HasPrefix(d.Op, "verify") {
				p.What = "what the ledger tells of " + d.Device
			}
			if !yield(p, nil) {
				return
			}
		}
		yield(scrub.Piece{Key: "changes", What: "the changes of " + customer, Through: 1}, nil)
	}
}

func (w *workspace) rereadLedger(ctx context.Context, customer, _ string) iter.Seq2[scrub.Piece, error] {
	_, err := w.ledger.VerifyChain(ctx, customer)
	if err == nil && customer == "" {
		err = w.ledger.CheckPages(ctx)
	}
	if err == nil && customer == "" { // once for all of them: a folder that cannot be read says nothing of what is here
		problems, _ := w.sinceBackup(ctx, "")
		err = errors.Join(problems...)
	}
	what := "the ledger's chain of " + customer
	if customer == "" {
		what = "the ledger"
	}
	return one("chain", what, err)
}

// settled is how long a capture takes at most until what it kept is in the remote.
const settled = time.Hour

// atRemote is about what the remote has to give: what it takes here.
func (w *workspace) atRemote(customer string) (int64, error) {
	n, err := small(customer)
	if customer == "" || !w.store.HasRemote(customer) {
		return n, err
	}
	history, err := w.store.Bytes(customer)
	return n + history, err
}

// remoteAsked is the place behind the remote's references: what is left is to have
// it give what they name. remoteObjects is what those are known by.
const (
	remoteAsked   = "asked"
	remoteObjects = "objects"
)

// askRemote asks a customer's remote for its references, which costs little, and
// then has it give all that they name, once in a pass.
func (w *workspace) askRemote(ctx context.Context, customer, after string) iter.Seq2[scrub.Piece, error] {
	if customer == "" {
		return nothing
	}
	return func(yield func(scrub.Piece, error) bool) {
		place := ""
		if after != remoteAsked {
			said, ok, err := w.store.Ask(ctx, customer, w.now().Add(-settled))
			if err != nil {
				yield(scrub.Piece{}, err)
				return
			}
			place = " " + said.Place
			if !ok || !yield(scrub.Piece{At: remoteAsked, Key: "remote", What: "the remote" + place, Problems: said.Missing, Elsewhere: true}, nil) {
				return
			}
		}
		for p, err := range w.store.RereadRemote(ctx, customer) {
			piece := scrub.Piece{Key: p.Name, Through: p.Through, Bytes: p.Bytes, Problems: p.Problems, Elsewhere: true, What: "what the remote" + place + " of " + customer + " holds"}
			if !yield(piece, err) || err != nil {
				return
			}
		}
	}
}

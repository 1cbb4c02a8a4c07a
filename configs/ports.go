package configs

import (
	"context"
	"iter"

	"belay/configs/redact"
	"belay/devices"
)

// A Puller reads a device once. What it returns may still be cut short: the
// checks are the centre's. An error means that there is nothing to check.
type Puller interface {
	Pull(ctx context.Context, d devices.Device) (Capture, error)
}

// A Repository keeps snapshots, a history for each device.
type Repository interface {
	// Commit keeps s and returns when it would survive a power cut. The same
	// texts as the newest version return that version and keep nothing in history,
	// unless s.Always is set or it has no artifact of a name that s brings.
	Commit(ctx context.Context, s Snapshot) (Version, error)
	// Unchanged is the version that Commit would return where it would keep nothing at
	// all: ok is false where anything of s is new, or that cannot be told at once.
	// The originals of s need no bytes for it.
	Unchanged(ctx context.Context, s Snapshot) (v Version, ok bool, err error)
	// Newest is the last version of a device; ok is false where none is kept.
	Newest(ctx context.Context, id devices.ID) (v Version, ok bool, err error)
	// Standing is Newest, and its texts read back from what is on disk.
	Standing(ctx context.Context, id devices.ID) (v Version, texts []Text, ok bool, err error)
	// Texts reads a version's texts back from what is on disk, and fails with
	// devices.Damaged where they are not what was kept.
	Texts(ctx context.Context, v Version) ([]Text, error)
	// Originals reads the sealed originals that were committed with a version,
	// also where a later reading of the same text brought others.
	Originals(ctx context.Context, v Version) ([]Sealed, error)
	// History is a device's versions, newest first.
	History(ctx context.Context, id devices.ID) iter.Seq2[Version, error]
}

// A Prover can put a version in a second place and prove it there.
type Prover interface {
	// Prove pushes all that is committed for the customer and asks the second
	// place what it holds. The proof has Done false where none is set up.
	Prove(ctx context.Context, v Version) (Proof, error)
}

// A Sealer encrypts originals for their customer and knows the customer's
// fingerprint key. It makes a customer's key at first use.
type Sealer interface {
	Seal(ctx context.Context, customer string, plain []byte) ([]byte, error)
	Open(ctx context.Context, customer string, sealed []byte) ([]byte, error)
	FingerprintKey(ctx context.Context, customer string) (redact.Key, error)
}

// A Ledger remembers who did and saw what. Appended means on disk.
type Ledger interface {
	Append(ctx context.Context, e Event) error
	Events(ctx context.Context, f Filter) iter.Seq2[Event, error]
}

// A CheckLog remembers that a device was read, whatever came of it: one row a
// reading, small, and for each device the newest row at hand. The newest is the
// one with the latest time; but one that lies more than an hour ahead of a later
// call was dated by a clock that has been put right since, and gives way.
type CheckLog interface {
	Checked(ctx context.Context, c Checked) error
	LastChecked(ctx context.Context, id devices.ID) (Checked, bool, error)
	// Newest is the newest reading of every device, by id.
	Newest(ctx context.Context) iter.Seq2[Checked, error]
}

// A Quarantine holds sealed what a check refused, until a person accepts it or
// a later capture is kept. One a device: the newest.
type Quarantine interface {
	Hold(ctx context.Context, r Refusal) error
	Held(ctx context.Context, id devices.ID) (Refusal, bool, error)
	Release(ctx context.Context, id devices.ID) error
}

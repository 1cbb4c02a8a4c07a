package configs

import (
	"context"
	"errors"
	"iter"
	"regexp"
	"time"

	"belay/devices"
)

// ErrIndexMoved says that another process has brought the index forward, or
// back, meanwhile.
var ErrIndexMoved = errors.New("the index stands at another commit by now")

// ErrOffLine says that a history does not lead to a commit: its branch was put
// back, or is another one.
var ErrOffLine = errors.New("the history does not lead there")

// An Indexed is one version as the index takes it in. Texts are those of the
// version; only a device's newest are kept, to be searched.
type Indexed struct {
	Version Version
	Texts   []Text // nil: not a device's newest
	Damage  error  // of what is kept of it: the version is what its commit tells, or has no texts
}

// An Index answers what would need a walk through a history. It is rebuilt from
// the history at any time and is never the only copy of anything. For each
// customer it stands at a commit: all up to it, and nothing behind it, is in it.
type Index interface {
	// Head is the commit at which the index of a customer stands, "" where
	// there is none.
	Head(ctx context.Context, customer string) (string, error)
	// Standing is where the index of each customer stands, of all that it has.
	Standing(ctx context.Context) (map[string]string, error)
	// Extend brings a customer's index from one commit to another with the
	// versions in between, the oldest first, all or nothing of it. It fails with
	// ErrIndexMoved where the index does not stand at from. From "" it begins anew,
	// whatever was there.
	Extend(ctx context.Context, customer, from, to string, versions []Indexed) error
	// Drop takes a customer out of the index.
	Drop(ctx context.Context, customer string) error

	// Versions are a device's versions, newest first in history's order.
	Versions(ctx context.Context, id devices.ID) iter.Seq2[Version, error]
	// At is the version that stood at a time: the last in history's order that
	// was taken then or before.
	At(ctx context.Context, id devices.ID, t time.Time) (Version, bool, error)
	// Since are the versions taken at or after a time, of one customer or, with
	// "", of all, the oldest first.
	Since(ctx context.Context, customer string, t time.Time) iter.Seq2[Version, error]
	// Search looks through the newest texts line by line: devices by id, their
	// files by name, lines in order.
	Search(ctx context.Context, q Query) iter.Seq2[Found, error]
}

// A Query is what is looked for.
type Query struct {
	Customer string         // "": of all customers
	Pattern  *regexp.Regexp // held to each line, without its end
}

// A Found is one line that a query found.
type Found struct {
	ID     devices.ID
	Name   string // the device's name in history
	Commit string
	File   string
	Line   int // from 1
	Text   string
}

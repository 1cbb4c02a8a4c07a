package ledger

import (
	"context"
	"database/sql"
	"math"
	"time"
)

// A rower is the database or a transaction.
type rower interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// now is the time by which leases end and accounts rest: that of l.Now, or of
// SQLite, which asks the machine. Processes on one machine agree on it.
func (l *Ledger) now(ctx context.Context, q rower) (ns int64, err error) {
	if l.Now != nil {
		return nanos(l.Now()), nil
	}
	err = q.QueryRowContext(ctx, "SELECT CAST(unixepoch('subsec') * 1e9 AS INTEGER)").Scan(&ns)
	return ns, err
}

// nanos is t as the database holds it: 0 where it is no time. What lies beyond
// the years that fit is as far as they go.
func nanos(t time.Time) int64 {
	switch {
	case t.IsZero():
		return 0
	case t.Year() < 1971:
		return 1
	case t.Year() > 2261:
		return math.MaxInt64
	}
	return t.UnixNano()
}

func moment(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}

package ledger

import "context"

// QuickCheck has SQLite look over the database's pages. Unlike Check it reads no
// paper and no chain, and is done in seconds.
func (l *Ledger) QuickCheck(ctx context.Context) error {
	return failed("check the ledger", l.pragma(ctx, "PRAGMA quick_check(1)"))
}

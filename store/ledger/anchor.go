package ledger

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
)

// Leads tells whether a chain still has the entry with which it once ended: false
// where entries were cut off or written anew since. A chain whose end was cut off
// verifies in itself; only what was noted elsewhere shows it.
func (l *Ledger) Leads(ctx context.Context, h Head) (bool, error) {
	var hash []byte
	err := l.read.QueryRowContext(ctx, "SELECT hash FROM entries WHERE customer = ? AND seq = ?", h.Customer, h.Entries).Scan(&hash)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil && hex.EncodeToString(hash) == h.Hash, failed("read the ledger", err)
}

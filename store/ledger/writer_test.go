package ledger

import (
	"context"
	"database/sql"
	"errors"
	"testing"
)

// database/sql rolls a transaction back by itself some time after its context has
// ended: whoever finds it gone must hear of the stop, not of the rollback.
func TestAStopInTheMiddleOfATransactionIsToldAsAStop(t *testing.T) {
	t.Parallel()
	l := open(t, t.TempDir())
	gone := func(tx *sql.Tx) error {
		for {
			if _, err := tx.ExecContext(context.Background(), "SELECT 1"); err != nil {
				return err
			}
		}
	}
	for name, last := range map[string]func(err error) error{
		"at its end":     func(error) error { return nil },
		"in a statement": func(err error) error { return err },
	} {
		ctx, stop := context.WithCancel(t.Context())
		err := l.write.do(ctx, func(_ context.Context, tx *sql.Tx) error {
			stop()
			return last(gone(tx))
		})
		if !errors.Is(err, context.Canceled) || errors.Is(err, sql.ErrTxDone) {
			t.Errorf("%s: %v", name, err)
		}
	}
	append1(t, l, "acme")
}

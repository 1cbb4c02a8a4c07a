package ledger

import (
	"context"
	"database/sql"
	"embed"
	"fmt"

	"belay/devices"
)

//go:embed migrations/*.sql
var migrations embed.FS

// schema is the newest version that this program knows.
const schema = 3

// migrate turns WAL mode on and brings an older schema forward. All of it is one
// transaction: two processes that open an empty database agree on one schema.
func migrate(ctx context.Context, w *writer) error {
	err := w.retry(ctx, func() error {
		var mode string
		if err := w.db.QueryRowContext(ctx, "PRAGMA journal_mode = WAL").Scan(&mode); err != nil {
			return err
		}
		if mode != "wal" {
			return fmt.Errorf("the file system does not let SQLite work in WAL mode (got %q); put the data folder on a local disk", mode)
		}
		return nil
	})
	if err != nil {
		return err
	}
	var version int
	if err := w.db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	if version == schema {
		return nil
	}
	return w.do(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
			return err
		}
		if version > schema {
			return &devices.Error{Op: "read the schema", Err: fmt.Errorf("it is version %d, and this belay knows up to %d", version, schema),
				Hint: "use the newer belay that wrote it"}
		}
		for version < schema {
			version++
			text, err := migrations.ReadFile(fmt.Sprintf("migrations/%d.sql", version))
			if err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, fmt.Sprintf("%s;\nPRAGMA user_version = %d", text, version)); err != nil {
				return fmt.Errorf("schema %d: %w", version, err)
			}
		}
		return nil
	})
}

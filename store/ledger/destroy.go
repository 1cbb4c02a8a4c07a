package ledger

import (
	"context"
	"database/sql"
	"errors"

	"belay/configs"
	"belay/devices"
)

// Destroy removes all payloads of e.Customer, its papers, its index, what is held
// of its devices and which items they have, and appends e, whose act becomes "destroy", with a payload of its
// own. The chain still verifies. Of its letters those go that were never sent.
// Those that were stay, without names: by the numbers of items and attachments
// it is known what still hangs where. None is sent again, also by those who have
// one in hand.
func (l *Ledger) Destroy(ctx context.Context, e configs.Event) error {
	e.Act = "destroy"
	err := l.write.do(ctx, func(ctx context.Context, tx *sql.Tx) error {
		for _, statement := range []string{
			"DELETE FROM payloads WHERE entry IN (SELECT id FROM entries WHERE customer = ?)",
			"DELETE FROM papers WHERE customer = ?",
			"DELETE FROM held WHERE substr(device, 1, instr(device, '/') - 1) = ?",
			"DELETE FROM mappings WHERE substr(device, 1, instr(device, '/') - 1) = ?",
			"DELETE FROM letters WHERE customer = ? AND proven = 0 AND began = 0",
			`UPDATE letters SET due = 9223372036854775807, error = 'it is not known whether this arrived before its customer was destroyed'
				WHERE customer = ? AND proven = 0`,
			`UPDATE letters SET name = '', change = '', phase = '', ticket = '', email = '', hint = '', error = iif(proven = 0, error, ''),
				item = json_remove(item, '$.name', '$.serials', '$.macs', '$.url'), attachment = json_set(json_remove(attachment, '$.url'), '$.name', ''),
				lease = '', lease_ends = 0 WHERE customer = ?`,
		} {
			if _, err := tx.ExecContext(ctx, statement, e.Customer); err != nil {
				return err
			}
		}
		if err := dropIndex(ctx, tx, e.Customer); err != nil {
			return err
		}
		return appendEvent(ctx, tx, e)
	})
	if err != nil {
		return failed("destroy a customer in the ledger", err)
	}
	return failed("wipe the log of the ledger", l.wipe(ctx))
}

// wipe empties the write-ahead log, where the pages are as they were before. In
// the database itself secure_delete has overwritten what was deleted.
func (l *Ledger) wipe(ctx context.Context) error {
	var hindered, pages, copied int // it waits for those who read as long as the busy timeout
	err := l.write.db.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&hindered, &pages, &copied)
	if err == nil && hindered != 0 {
		err = &devices.Error{Op: "empty the log", Err: errors.New("somebody reads the ledger, and what was destroyed stays in its log until they are done"),
			Hint: "destroy the customer once more when nobody reads"}
	}
	return err
}

package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"belay/devices"
)

// Known is who a device said it was when it was first seen.
func (l *Ledger) Known(ctx context.Context, id devices.ID) (devices.Identity, bool, error) {
	i, ok, err := known(l.read.QueryRowContext(ctx, "SELECT identity FROM identities WHERE device = ?", string(id)), id)
	return i, ok, failed("read the identity of "+string(id), err)
}

// Learn remembers who a device says it is, where nothing is known of it yet, or
// no serial number. What is known otherwise stays: whoever reads the device
// compares with Known first, and a person replaces it (ReplaceIdentity).
func (l *Ledger) Learn(ctx context.Context, id devices.ID, i devices.Identity) error {
	op := "remember the identity of " + string(id)
	if err := checkID(id); err != nil {
		return failed(op, err)
	}
	err := l.write.do(ctx, func(ctx context.Context, tx *sql.Tx) error {
		was, ok, err := known(tx.QueryRowContext(ctx, "SELECT identity FROM identities WHERE device = ?", string(id)), id)
		if err != nil || ok && (len(was.Serials) > 0 || len(i.Serials) == 0) {
			return err
		}
		return putIdentity(ctx, tx, id, i)
	})
	return failed(op, err)
}

// ReplaceIdentity remembers another box from now on. The caller tells the ledger
// who decided so.
func (l *Ledger) ReplaceIdentity(ctx context.Context, id devices.ID, i devices.Identity) error {
	op := "replace the identity of " + string(id)
	if err := checkID(id); err != nil {
		return failed(op, err)
	}
	err := l.write.do(ctx, func(ctx context.Context, tx *sql.Tx) error { return putIdentity(ctx, tx, id, i) })
	return failed(op, err)
}

func known(row *sql.Row, id devices.ID) (i devices.Identity, ok bool, err error) {
	var body string
	if err := row.Scan(&body); errors.Is(err, sql.ErrNoRows) {
		return i, false, nil
	} else if err != nil {
		return i, false, err
	}
	if err := json.Unmarshal([]byte(body), &i); err != nil {
		return i, false, &devices.Error{Kind: devices.Damaged, Op: "read", Device: string(id), Err: err}
	}
	return i, true, nil
}

func putIdentity(ctx context.Context, tx *sql.Tx, id devices.ID, i devices.Identity) error {
	body, err := json.Marshal(i)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO identities (device, identity) VALUES (?, ?)
		ON CONFLICT (device) DO UPDATE SET identity = excluded.identity`, string(id), string(body))
	return err
}

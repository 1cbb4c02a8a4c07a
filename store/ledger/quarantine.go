package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"

	"belay/configs"
	"belay/devices"
)

// A heldRefusal is a refusal as it lies in the table, its originals beside it.
type heldRefusal struct {
	configs.Refusal
	Artifacts []string `json:",omitempty"` // the originals to which no text belongs
}

// Hold puts r in the place of what was held of its device.
func (l *Ledger) Hold(ctx context.Context, r configs.Refusal) error {
	const op = "hold what was refused"
	if err := checkID(r.ID); err != nil {
		return failed(op, err)
	}
	about := r
	about.Originals = nil // beside it, as bytes
	about.Device.Proxy = withoutLogin(r.Device.Proxy)
	var alone []string
	for _, o := range r.Originals {
		if o.Alone {
			alone = append(alone, o.Name)
		}
	}
	body, err := json.Marshal(heldRefusal{about, alone})
	if err != nil {
		return failed(op, err)
	}
	err = l.write.do(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if err := release(ctx, tx, r.ID); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "INSERT INTO held (device, refusal) VALUES (?, ?)", string(r.ID), string(body)); err != nil {
			return err
		}
		for i, o := range r.Originals {
			_, err := tx.ExecContext(ctx, "INSERT INTO held_originals (device, place, name, digest, size, sealed) VALUES (?, ?, ?, ?, ?, ?)",
				string(r.ID), i, o.Name, o.Digest, o.Size, append([]byte{}, o.Bytes...))
			if err != nil {
				return err
			}
		}
		return nil
	})
	return failed(op, err)
}

// Held is what is held of a device.
func (l *Ledger) Held(ctx context.Context, id devices.ID) (_ configs.Refusal, ok bool, err error) {
	const op = "read what was refused"
	tx, err := l.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true}) // both tables in one state
	if err != nil {
		return configs.Refusal{}, false, failed(op, err)
	}
	defer func() {
		if undo := tx.Rollback(); undo != nil && err == nil && !errors.Is(undo, sql.ErrTxDone) {
			err = failed(op, undo)
		}
	}()
	var body string
	err = tx.QueryRowContext(ctx, "SELECT refusal FROM held WHERE device = ?", string(id)).Scan(&body)
	if errors.Is(err, sql.ErrNoRows) {
		return configs.Refusal{}, false, nil
	}
	if err != nil {
		return configs.Refusal{}, false, failed(op, err)
	}
	var kept heldRefusal
	if err := json.Unmarshal([]byte(body), &kept); err != nil {
		return configs.Refusal{}, false, failed(op, &devices.Error{Kind: devices.Damaged, Op: "read", Device: string(id), Err: err})
	}
	r := kept.Refusal
	rows, err := tx.QueryContext(ctx, "SELECT name, digest, size, sealed FROM held_originals WHERE device = ? ORDER BY place", string(id))
	if err != nil {
		return configs.Refusal{}, false, failed(op, err)
	}
	defer rows.Close()
	for rows.Next() {
		var o configs.Sealed
		if err := rows.Scan(&o.Name, &o.Digest, &o.Size, &o.Bytes); err != nil {
			return configs.Refusal{}, false, failed(op, err)
		}
		o.Alone = slices.Contains(kept.Artifacts, o.Name)
		r.Originals = append(r.Originals, o)
	}
	return r, true, failed(op, rows.Err())
}

// Release lets go of what is held of a device; nothing held is no error.
func (l *Ledger) Release(ctx context.Context, id devices.ID) error {
	var held bool // hardly ever: each whole reading would wait for the disk otherwise
	err := l.often.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM held WHERE device = ?)", string(id)).Scan(&held)
	if err == nil && held {
		err = l.write.do(ctx, func(ctx context.Context, tx *sql.Tx) error { return release(ctx, tx, id) })
	}
	return failed("release what was refused", err)
}

// release removes the originals too: they refer to the row that goes.
func release(ctx context.Context, tx *sql.Tx, id devices.ID) error {
	_, err := tx.ExecContext(ctx, "DELETE FROM held WHERE device = ?", string(id))
	return err
}

// withoutLogin is a proxy's address without user and password: those are no
// business of what was refused, and nothing secret lies here unsealed.
func withoutLogin(proxy string) string {
	if proxy == "" {
		return ""
	}
	u, err := url.Parse(proxy)
	if err != nil || u.Host == "" {
		return ""
	}
	return fmt.Sprintf("%s://%s", u.Scheme, u.Host)
}

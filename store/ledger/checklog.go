package ledger

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"belay/configs"
	"belay/devices"
)

// outcome is the number that stands for o in the database: its place here.
// New ones are added at the end.
func outcomes() []configs.Outcome {
	return []configs.Outcome{"", configs.Kept, configs.Unchanged, configs.Refused, configs.Unreachable, configs.Denied, configs.Failed}
}

// Checked adds one row to the readings, and keeps c at hand where no newer
// reading of its device is. Two readings of a device in the same millisecond
// are one row.
func (l *Ledger) Checked(ctx context.Context, c configs.Checked) error {
	const op = "record a reading"
	if err := checkID(c.ID); err != nil {
		return failed(op, err)
	}
	result := slices.Index(outcomes(), c.Result)
	if result < 1 || c.At.Year() < 1971 || c.At.Year() > 2261 {
		return failed(op, fmt.Errorf("%s: a reading needs a time and an outcome, not %q", c.ID, c.Result))
	}
	var version any // NULL but where this reading made it
	if c.Result == configs.Kept && c.Commit != "" {
		b, err := hex.DecodeString(c.Commit)
		if err != nil {
			return failed(op, fmt.Errorf("%s: commit %q: %w", c.ID, c.Commit, err))
		}
		version = b
	}
	err := l.write.do(ctx, func(ctx context.Context, tx *sql.Tx) error {
		number, err := number(ctx, tx, c.ID)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT OR REPLACE INTO readings (device, at, result, took, version, error) VALUES (?, ?, ?, ?, ?, nullif(?, ''))`,
			number, c.At.UnixMilli(), result, int64(math.Round(c.Seconds*1000)), version, c.Error)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO newest_check (device, at, result, took, version, error) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (device) DO UPDATE SET at = excluded.at, result = excluded.result, took = excluded.took,
			version = excluded.version, error = excluded.error WHERE excluded.at >= newest_check.at`,
			number, c.At.UnixNano(), result, c.Seconds, c.Commit, c.Error)
		return err
	})
	return failed(op, err)
}

// number is the integer that stands for a device; it is made at first use.
func number(ctx context.Context, tx *sql.Tx, id devices.ID) (n int64, err error) {
	err = tx.QueryRowContext(ctx, "SELECT number FROM names WHERE device = ?", string(id)).Scan(&n)
	if !errors.Is(err, sql.ErrNoRows) {
		return n, err
	}
	r, err := tx.ExecContext(ctx, "INSERT INTO names (device) VALUES (?)", string(id))
	if err != nil {
		return 0, err
	}
	return r.LastInsertId()
}

// LastChecked is the newest reading of a device.
func (l *Ledger) LastChecked(ctx context.Context, id devices.ID) (configs.Checked, bool, error) {
	c := configs.Checked{ID: id}
	var at int64
	var result int
	err := l.read.QueryRowContext(ctx, `SELECT at, result, took, version, error FROM newest_check JOIN names ON number = newest_check.device
		WHERE names.device = ?`, string(id)).Scan(&at, &result, &c.Seconds, &c.Commit, &c.Error)
	if errors.Is(err, sql.ErrNoRows) {
		return configs.Checked{}, false, nil
	}
	if err == nil && (result < 1 || result >= len(outcomes())) {
		err = &devices.Error{Kind: devices.Damaged, Op: "read", Device: string(id), Err: fmt.Errorf("outcome %d is unknown", result)}
	}
	if err != nil {
		return configs.Checked{}, false, failed("read the check log", err)
	}
	c.At, c.Result = time.Unix(0, at).UTC(), outcomes()[result]
	return c, true, nil
}

// checkID tells why id names no device.
func checkID(id devices.ID) error {
	customer := id.Customer()
	if len(customer) >= len(id) {
		return fmt.Errorf("%q is no device: want customer/name", id)
	}
	return errors.Join(devices.CheckName(customer), devices.CheckName(string(id)[len(customer)+1:]))
}

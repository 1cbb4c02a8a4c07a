package ledger

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
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
// are one row. What c says of Good and Proven is not heard: the log knows.
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
		_, err = tx.ExecContext(ctx, `INSERT OR REPLACE INTO readings (device, at, result, took, version, error, verified) VALUES (?, ?, ?, ?, ?, nullif(?, ''), ?)`,
			number, c.At.UnixMilli(), result, int64(math.Round(c.Seconds*1000)), version, c.Error, c.Verified)
		if err != nil {
			return err
		}
		var last, good, proven int64
		err = tx.QueryRowContext(ctx, "SELECT at, good, proven FROM newest_check WHERE device = ?", number).Scan(&last, &good, &proven)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		at := c.At.UnixNano()
		if good, err = lastly(ctx, tx, number, at, good, c.Result == configs.Kept || c.Result == configs.Unchanged, "result IN (1, 2)"); err != nil {
			return err
		}
		if proven, err = lastly(ctx, tx, number, at, proven, c.Verified, "verified"); err != nil {
			return err
		}
		if last > at && last <= at+int64(ahead) { // an older reading that came late
			_, err = tx.ExecContext(ctx, "UPDATE newest_check SET good = ?, proven = ? WHERE device = ?", good, proven, number)
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT OR REPLACE INTO newest_check (device, at, result, took, version, error, verified, good, proven)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`, number, at, result, c.Seconds, c.Commit, c.Error, c.Verified, good, proven)
		return err
	})
	return failed(op, err)
}

// ahead is by how much a reading may be dated later than one that is told after
// it. What lies further ahead was dated by a clock that was wrong.
const ahead = time.Hour

// lastly is when a reading last was what where says, as of one taken at at that
// is or is not. What was noted stands, but not what a wrong clock has dated, or
// has hidden: then the readings themselves are asked.
func lastly(ctx context.Context, tx *sql.Tx, number, at, noted int64, is bool, where string) (int64, error) {
	switch sane := noted <= at+int64(ahead); {
	case is && sane:
		return max(at, noted), nil
	case is:
		return at, nil
	case sane && noted != 0:
		return noted, nil
	}
	var ms sql.NullInt64
	err := tx.QueryRowContext(ctx, "SELECT at FROM readings WHERE device = ? AND at <= ? AND "+where+" ORDER BY at DESC LIMIT 1",
		number, (at+int64(ahead))/int64(time.Millisecond)).Scan(&ms)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return ms.Int64 * int64(time.Millisecond), err
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

const newestColumns = `SELECT names.device, at, result, took, version, error, verified, good, proven FROM names
	JOIN newest_check ON newest_check.device = number `

// LastChecked is the newest reading of a device.
func (l *Ledger) LastChecked(ctx context.Context, id devices.ID) (configs.Checked, bool, error) {
	c, err := scanChecked(l.read.QueryRowContext(ctx, newestColumns+"WHERE names.device = ?", string(id)))
	if errors.Is(err, sql.ErrNoRows) {
		return configs.Checked{}, false, nil
	}
	return c, err == nil, failed("read the check log", err)
}

// Newest is the newest reading of every device, by id.
func (l *Ledger) Newest(ctx context.Context) iter.Seq2[configs.Checked, error] {
	return each("read the check log", func() ([]configs.Checked, error) {
		return collect(ctx, l.read, func(rows *sql.Rows) (configs.Checked, error) { return scanChecked(rows) }, newestColumns+"ORDER BY names.device")
	})
}

func scanChecked(row interface{ Scan(...any) error }) (configs.Checked, error) {
	var c configs.Checked
	var at, good, proven int64
	var result int
	if err := row.Scan(&c.ID, &at, &result, &c.Seconds, &c.Commit, &c.Error, &c.Verified, &good, &proven); err != nil {
		return configs.Checked{}, err
	}
	if result < 1 || result >= len(outcomes()) {
		return configs.Checked{}, &devices.Error{Kind: devices.Damaged, Op: "read", Device: string(c.ID), Err: fmt.Errorf("outcome %d is unknown", result)}
	}
	c.At, c.Result, c.Good, c.Proven = moment(at), outcomes()[result], moment(good), moment(proven)
	return c, nil
}

// checkID tells why id names no device.
func checkID(id devices.ID) error {
	customer := id.Customer()
	if len(customer) >= len(id) {
		return fmt.Errorf("%q is no device: want customer/name", id)
	}
	return errors.Join(devices.CheckName(customer), devices.CheckName(string(id)[len(customer)+1:]))
}

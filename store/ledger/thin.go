package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"belay/configs"
)

const (
	thinAtOnce = 200 // devices in one transaction
	thinKind   = "ledger"
	thinKey    = "thinned"
)

// ThinReadings thins the readings before a time and tells how many went. A
// reading goes if it made no version and a later one of the same day (of UTC)
// says at least as much: that the device was read, that it was good, that it
// was proven. So of each day remain the last, the last good and the last proven
// one. It works in small transactions, a share of the devices each; the next
// time it begins where this one ended.
func (l *Ledger) ThinReadings(ctx context.Context, before time.Time) (n int, err error) {
	const op, day = "thin the readings", int64(24 * time.Hour / time.Millisecond)
	from, err := l.thinnedTo(ctx, before)
	if err != nil {
		return 0, failed(op, err)
	}
	var most sql.NullInt64
	if err := l.read.QueryRowContext(ctx, "SELECT max(number) FROM names").Scan(&most); err != nil {
		return 0, failed(op, err)
	}
	for first := int64(1); first <= most.Int64; first += thinAtOnce {
		var gone int64
		err := l.write.do(ctx, func(ctx context.Context, tx *sql.Tx) error {
			r, err := tx.ExecContext(ctx, `DELETE FROM readings WHERE device BETWEEN ? AND ? AND at >= ? AND at < ? AND version IS NULL AND EXISTS (
				SELECT 1 FROM readings later WHERE later.device = readings.device AND later.at > readings.at AND later.at < (readings.at / ? + 1) * ?
				AND (later.result IN (1, 2)) >= (readings.result IN (1, 2)) AND later.verified >= readings.verified)`,
				first, first+thinAtOnce-1, from.UnixMilli()/day*day, before.UnixMilli(), day, day)
			if err != nil {
				return err
			}
			gone, err = r.RowsAffected()
			return err
		})
		if err != nil {
			return n, failed(op, err)
		}
		n += int(gone)
	}
	return n, failed(op, configs.WriteMark(ctx, l, thinKind, thinKey, before))
}

// thinnedTo is up to when the readings are thinned already; what lies beyond
// before was noted by a wrong clock, and all is looked at again.
func (l *Ledger) thinnedTo(ctx context.Context, before time.Time) (time.Time, error) {
	from := time.Unix(0, 0)
	if before.Year() < 1971 || before.Year() > 2261 {
		return from, errors.New("it needs the time before which they are thinned")
	}
	value, err := l.Mark(ctx, thinKind, thinKey)
	if err != nil || value == nil {
		return from, err
	}
	var noted time.Time
	if json.Unmarshal(value, &noted) == nil && !noted.After(before) && noted.After(from) {
		from = noted
	}
	return from, nil
}

package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"belay/configs"
)

// Pace waits until the account may send one more request, whoever sends for it,
// in whatever process: perMinute in the long run, and up to burst at once after
// a rest. So within any stretch of time it sends at most burst more than
// perMinute allows for that time. Where perMinute is 0 only a Pause is waited
// for. A wait ends with ctx, and costs the account nothing. A Pause of more than
// half a minute is not waited for, but is a *configs.Declined with what is left of
// it: whoever asks has something better to do, or a person in front of it.
func (l *Ledger) Pace(ctx context.Context, account string, perMinute, burst int) error {
	const op = "wait for an account's turn"
	if account == "" {
		return failed(op, errors.New("no account is named"))
	}
	var each int64 // nanoseconds that a request costs, rounded up: never too fast
	if perMinute > 0 {
		each = (int64(time.Minute) + int64(perMinute) - 1) / int64(perMinute)
	}
	for {
		wait, held, err := l.takeTurn(ctx, account, each, int64(max(burst, 1)))
		if err == nil && held > pauseWaited {
			err = &configs.Declined{Why: configs.Busy, After: held, Err: fmt.Errorf("it is asked nothing for another %v, as it wished", held.Round(time.Second))}
		}
		if err != nil || wait <= 0 {
			return failed(op, err)
		}
		timer := time.NewTimer(wait) // not in the transaction: others write meanwhile
		select {
		case <-ctx.Done():
			timer.Stop()
			return failed(op, ctx.Err())
		case <-timer.C:
		}
	}
}

// The longest Pause there is, and the longest that Pace waits for.
const (
	pauseMost   = time.Hour
	pauseWaited = 30 * time.Second
)

// takeTurn lets the account send now and returns 0, or tells how long to wait
// before asking again, and what of a Pause is left. It is the generic cell rate
// algorithm: next is when the account will have rested fully, each request moves
// it on, and it may lie burst requests ahead. It is further ahead only where the
// clock was put back: then it is brought near, or the account would wait for the
// clock to catch up; and a Pause further ahead than any may be is none any more.
func (l *Ledger) takeTurn(ctx context.Context, account string, each, burst int64) (wait, held time.Duration, err error) {
	err = l.write.do(ctx, func(ctx context.Context, tx *sql.Tx) error {
		wait, held = 0, 0 // anew at each try
		now, err := l.now(ctx, tx)
		if err != nil {
			return err
		}
		full := now + each*burst
		_, err = tx.ExecContext(ctx, `INSERT INTO paces (account, next, hold) VALUES (?, 0, 0)
			ON CONFLICT (account) DO UPDATE SET next = min(next, ?), hold = iif(hold > ?, 0, hold) WHERE next > ? OR hold > ?`,
			account, full, now+int64(pauseMost), full, now+int64(pauseMost))
		if err != nil {
			return err
		}
		var next, hold int64
		err = tx.QueryRowContext(ctx, "UPDATE paces SET next = max(next, ?) + ? WHERE account = ? AND hold <= ? AND next <= ? RETURNING next",
			now, each, account, now, full-each).Scan(&next)
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		err = tx.QueryRowContext(ctx, "SELECT next, hold FROM paces WHERE account = ?", account).Scan(&next, &hold)
		held = time.Duration(hold - now)
		wait = max(time.Duration(next-(full-each)), held)
		return err
	})
	return wait, held, err
}

// Pause keeps the account from sending anything before until, as its system
// asked, for an hour at most: one that wishes more is asked again then. An earlier
// Pause that lasts longer stands.
func (l *Ledger) Pause(ctx context.Context, account string, until time.Time) error {
	const op = "let an account rest"
	if account == "" {
		return failed(op, errors.New("no account is named"))
	}
	err := l.write.do(ctx, func(ctx context.Context, tx *sql.Tx) error {
		now, err := l.now(ctx, tx)
		if err != nil {
			return err
		}
		most := now + int64(pauseMost)
		_, err = tx.ExecContext(ctx, `INSERT INTO paces (account, next, hold) VALUES (?, 0, ?)
			ON CONFLICT (account) DO UPDATE SET hold = max(iif(hold > ?, 0, hold), excluded.hold)`, account, min(nanos(until), most), most)
		return err
	})
	return failed(op, err)
}

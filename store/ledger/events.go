package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"iter"
	"strings"
	"time"

	"belay/configs"
)

// Events are those that f chooses, in the order they were appended. An event
// whose payload was destroyed comes without its detail.
func (l *Ledger) Events(ctx context.Context, f configs.Filter) iter.Seq2[configs.Event, error] {
	return func(yield func(configs.Event, error) bool) {
		const op = "read the ledger"
		query, args := chooseEvents(f)
		rows, err := l.read.QueryContext(ctx, query, args...)
		if err != nil {
			yield(configs.Event{}, failed(op, err))
			return
		}
		defer rows.Close()
		for rows.Next() {
			var e configs.Event
			var at int64
			var body sql.NullString
			var p payload
			err := rows.Scan(&e.Customer, &e.Seq, &at, &e.Act, &e.Device, &e.By.Name, &e.By.Claimed, &body)
			if err == nil && body.Valid {
				if err = json.Unmarshal([]byte(body.String), &p); err != nil {
					err = fmt.Errorf("payload of entry %d of customer %q: %w", e.Seq, e.Customer, err)
				}
			}
			if err != nil {
				yield(configs.Event{}, failed(op, err))
				return
			}
			e.At, e.By.Email, e.Detail = time.Unix(0, at).UTC(), p.Email, p.Detail
			if !yield(e, nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(configs.Event{}, failed(op, err))
		}
	}
}

// chooseEvents is worded so that the partial indexes serve.
func chooseEvents(f configs.Filter) (query string, args []any) {
	query = "SELECT customer, seq, at, act, device, who, claimed, body FROM entries LEFT JOIN payloads ON entry = id"
	var where []string
	choose := func(condition string, arg any) {
		if f.Change != "" {
			condition = "+" + condition // a change has few events, so no other index is asked
		}
		where, args = append(where, condition), append(args, arg)
	}
	if f.Customer != "" {
		choose("customer = ?", f.Customer)
	}
	if f.Device != "" {
		choose("device = ? AND device <> ''", string(f.Device))
	}
	if f.Act != "" {
		choose("act = ?", f.Act)
	}
	if !f.Since.IsZero() {
		choose("at >= ?", f.Since.UnixNano())
	}
	if f.Change != "" {
		where = append(where, "id IN (SELECT entry FROM payloads WHERE json_extract(body, '$.detail.change') = ?)") // letter for letter what is indexed
		args = append(args, f.Change)
	}
	if len(where) > 0 {
		query += " WHERE " + strings.Join(where, " AND ")
	}
	return query + " ORDER BY id", args
}

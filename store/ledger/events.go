package ledger

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"iter"
	"strings"
	"time"

	"belay/configs"
	"belay/devices"
)

// Events are those that f chooses, in the order they were appended. An event
// whose payload was destroyed comes without its detail. One that was altered is
// devices.Damaged: a gate that opens for what somebody wrote into the file would
// be worth nothing. That none is missing only VerifyChain tells.
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
			e, err := scanEvent(rows)
			if err != nil {
				yield(configs.Event{}, failed(op, err))
				return
			}
			if !yield(e, nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(configs.Event{}, failed(op, err))
		}
	}
}

// scanEvent reads an event, and holds it to the hash that was made of it.
func scanEvent(rows *sql.Rows) (configs.Event, error) {
	var e entry
	var hash, salt, body []byte
	if err := rows.Scan(&e.customer, &e.seq, &e.prev, &e.at, &e.act, &e.device, &e.who, &e.claimed, &e.payload, &hash, &salt, &body); err != nil {
		return configs.Event{}, err
	}
	if !bytes.Equal(e.hash(), hash) || salt != nil && !bytes.Equal(payloadDigest(salt, body), e.payload) {
		return configs.Event{}, &devices.Error{Kind: devices.Damaged, Op: "read back", Err: fmt.Errorf("entry %d of customer %q was altered", e.seq, e.customer),
			Hint: "belay verify tells more; compare " + File + " with its last backup"}
	}
	var p payload
	if salt != nil {
		if err := json.Unmarshal(body, &p); err != nil {
			return configs.Event{}, fmt.Errorf("payload of entry %d of customer %q: %w", e.seq, e.customer, err)
		}
	}
	return configs.Event{
		Seq: e.seq, At: time.Unix(0, e.at).UTC(), Customer: e.customer, Device: devices.ID(e.device),
		By: configs.Person{Name: e.who, Email: p.Email, Claimed: e.claimed}, Act: e.act, Detail: p.Detail,
	}, nil
}

// chooseEvents is worded so that the partial indexes serve.
func chooseEvents(f configs.Filter) (query string, args []any) {
	query = "SELECT customer, seq, prev, at, act, device, who, claimed, payload, hash, salt, body FROM entries LEFT JOIN payloads ON entry = id"
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

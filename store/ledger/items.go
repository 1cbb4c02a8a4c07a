package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"iter"

	"belay/configs"
	"belay/devices"
)

const mappingColumns = "system, device, item, how, serials, who, email, claimed, at"

// Mapped is the mapping of a device in a system.
func (l *Ledger) Mapped(ctx context.Context, to string, id devices.ID) (configs.Mapping, bool, error) {
	m, err := mapped(ctx, l.read, to, id)
	if err != nil {
		return configs.Mapping{}, false, failed("read which item a device has", err)
	}
	return m, m.To != "", nil
}

// mapped is empty where nothing is.
func mapped(ctx context.Context, q rower, to string, id devices.ID) (configs.Mapping, error) {
	m, err := scanMapping(q.QueryRowContext(ctx, "SELECT "+mappingColumns+" FROM mappings WHERE system = ? AND device = ?", to, string(id)))
	if errors.Is(err, sql.ErrNoRows) {
		return configs.Mapping{}, nil
	}
	return m, err
}

// Map remembers m in place of what was, and appends a "map" event.
func (l *Ledger) Map(ctx context.Context, m configs.Mapping) error {
	const op = "remember which item a device has"
	if err := checkID(m.Device); err != nil {
		return failed(op, err)
	}
	if m.To == "" || m.Item.ID == "" || m.How == "" || m.At.IsZero() {
		return failed(op, errors.New("it needs a system, an item, how it was found and when"))
	}
	item, err := json.Marshal(m.Item)
	if err != nil {
		return failed(op, err)
	}
	serials, err := json.Marshal(m.Serials)
	if err != nil {
		return failed(op, err)
	}
	err = l.write.do(ctx, func(ctx context.Context, tx *sql.Tx) error {
		before, err := mapped(ctx, tx, m.To, m.Device)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "INSERT OR REPLACE INTO mappings ("+mappingColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
			m.To, string(m.Device), string(item), m.How, string(serials), m.By.Name, m.By.Email, m.By.Claimed, nanos(m.At))
		if err != nil {
			return err
		}
		return appendEvent(ctx, tx, mapEvent(m, before.Item))
	})
	return failed(op, err)
}

// mapEvent tells the ledger which item a device has from now on.
func mapEvent(m configs.Mapping, before configs.Item) configs.Event {
	was := ""
	if before.ID != "" {
		was = fmt.Sprintf("item %s of organization %s", before.ID, before.Organization)
	}
	return configs.Event{At: m.At, Device: m.Device, By: m.By, Act: "map", Detail: map[string]any{
		"system": m.To, "organization": m.Item.Organization, "item": m.Item.ID, "name": m.Item.Name, "how": m.How, "before": was,
	}}
}

// Mappings are all of a system, by device, as they are when the reading begins.
func (l *Ledger) Mappings(ctx context.Context, to string) iter.Seq2[configs.Mapping, error] {
	return func(yield func(configs.Mapping, error) bool) {
		ms, err := l.mappings(ctx, to)
		if err != nil {
			yield(configs.Mapping{}, failed("read which items devices have", err))
			return
		}
		for _, m := range ms {
			if !yield(m, nil) {
				return
			}
		}
	}
}

func (l *Ledger) mappings(ctx context.Context, to string) (_ []configs.Mapping, err error) {
	rows, err := l.read.QueryContext(ctx, "SELECT "+mappingColumns+" FROM mappings WHERE system = ? ORDER BY device", to)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var ms []configs.Mapping
	for rows.Next() {
		m, err := scanMapping(rows)
		if err != nil {
			return nil, err
		}
		ms = append(ms, m)
	}
	return ms, rows.Err()
}

func scanMapping(row interface{ Scan(...any) error }) (configs.Mapping, error) {
	var m configs.Mapping
	var at int64
	var item, serials []byte
	if err := row.Scan(&m.To, &m.Device, &item, &m.How, &serials, &m.By.Name, &m.By.Email, &m.By.Claimed, &at); err != nil {
		return configs.Mapping{}, err
	}
	if err := errors.Join(json.Unmarshal(item, &m.Item), json.Unmarshal(serials, &m.Serials)); err != nil {
		return configs.Mapping{}, &devices.Error{Kind: devices.Damaged, Op: "read", Device: string(m.Device), Err: fmt.Errorf("its item in %s: %w", m.To, err)}
	}
	m.At = moment(at)
	return m, nil
}

package ledger

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"belay/configs"
	"belay/devices"
)

// An entry is one link of a customer's chain, without its payload.
type entry struct {
	customer string
	seq      int64
	prev     []byte
	at       int64 // nanoseconds since 1970 UTC
	act      string
	device   string
	who      string
	claimed  bool
	payload  []byte // its digest
}

// hash is the entry's link, over the encoding that the package comment defines.
func (e entry) hash() []byte {
	claimed := ""
	if e.claimed {
		claimed = "claimed"
	}
	h := sha256.New()
	for _, field := range []string{
		"belay ledger 1", e.customer, strconv.FormatInt(e.seq, 10), hex.EncodeToString(e.prev),
		time.Unix(0, e.at).UTC().Format("2006-01-02T15:04:05.000000000Z"), e.act, e.device, e.who, claimed,
		hex.EncodeToString(e.payload),
	} {
		fmt.Fprintf(h, "%d:%s", len(field), field) // a hash never fails to write
	}
	return h.Sum(nil)
}

// A payload is what lies beside an entry and can be destroyed.
type payload struct {
	Email  string         `json:"email,omitempty"`
	Detail map[string]any `json:"detail,omitempty"`
}

func payloadDigest(salt, body []byte) []byte {
	h := sha256.New()
	h.Write(salt)
	h.Write(body)
	return h.Sum(nil)
}

// Append adds e to its customer's chain, and returns when it is on disk.
func (l *Ledger) Append(ctx context.Context, e configs.Event) error {
	err := l.write.do(ctx, func(ctx context.Context, tx *sql.Tx) error { return appendEvent(ctx, tx, e) })
	return failed("append to the ledger", err)
}

// appendEvent adds e within a transaction, beside what it tells of.
func appendEvent(ctx context.Context, tx *sql.Tx, e configs.Event) error {
	switch customer := e.Device.Customer(); {
	case e.Act == "" || e.At.Year() < 1971 || e.At.Year() > 2261:
		return errors.New("an event needs an act and the time it happened")
	case e.Customer == "":
		e.Customer = customer
	case e.Device != "" && customer != e.Customer:
		return fmt.Errorf("device %s is not customer %s's", e.Device, e.Customer)
	}
	body, err := json.Marshal(payload{e.By.Email, e.Detail})
	if err != nil {
		return fmt.Errorf("detail of %s: %w", e.Act, err)
	}
	salt := make([]byte, 16)
	rand.Read(salt) // never fails; it ends the program instead
	n := entry{customer: e.Customer, seq: 1, at: e.At.UnixNano(), act: e.Act, device: string(e.Device),
		who: e.By.Name, claimed: e.By.Claimed, prev: []byte{}, payload: payloadDigest(salt, body)}
	var last int64
	err = tx.QueryRowContext(ctx, "SELECT seq, hash FROM entries WHERE customer = ? ORDER BY seq DESC LIMIT 1", n.customer).Scan(&last, &n.prev)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	n.seq = last + 1
	r, err := tx.ExecContext(ctx, `INSERT INTO entries (customer, seq, prev, at, act, device, who, claimed, payload, hash)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, n.customer, n.seq, n.prev, n.at, n.act, n.device, n.who, n.claimed, n.payload, n.hash())
	if err != nil {
		return err
	}
	id, err := r.LastInsertId()
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO payloads (entry, salt, body) VALUES (?, ?, ?)", id, salt, string(body))
	return err
}

// VerifyChain recomputes a customer's whole chain and returns how many entries
// it has. What does not hold is devices.Damaged and names the entry.
func (l *Ledger) VerifyChain(ctx context.Context, customer string) (n int, err error) {
	const op = "verify the ledger"
	broken := func(seq int64, what string) error {
		return &devices.Error{Kind: devices.Damaged, Op: op, Err: fmt.Errorf("entry %d of customer %q: %s", seq, customer, what),
			Hint: "compare " + File + " with its last backup: it was altered or damaged"}
	}
	// One statement, so that it is one state of the database however long it runs.
	rows, err := l.read.QueryContext(ctx, `SELECT seq, prev, at, act, device, who, claimed, payload, hash, salt, body,
		(SELECT coalesce(max(seq), 0) FROM entries WHERE customer = e.customer AND act = 'destroy')
		FROM entries e LEFT JOIN payloads ON entry = id WHERE customer = ? ORDER BY seq`, customer)
	if err != nil {
		return 0, failed(op, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	prev := []byte{}
	for rows.Next() {
		e := entry{customer: customer}
		var hash, salt, body []byte
		var destroyed int64
		if err := rows.Scan(&e.seq, &e.prev, &e.at, &e.act, &e.device, &e.who, &e.claimed, &e.payload, &hash, &salt, &body, &destroyed); err != nil {
			return n, failed(op, err)
		}
		n++
		switch {
		case e.seq != int64(n):
			return n, broken(int64(n), "is missing")
		case !bytes.Equal(e.prev, prev):
			return n, broken(e.seq, "does not follow the entry before it")
		case !bytes.Equal(e.hash(), hash):
			return n, broken(e.seq, "was altered")
		case salt == nil && e.seq >= destroyed:
			return n, broken(e.seq, "its payload is missing")
		case salt != nil && !bytes.Equal(payloadDigest(salt, body), e.payload):
			return n, broken(e.seq, "its payload was altered")
		}
		prev = hash
	}
	return n, failed(op, rows.Err())
}

package ledger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"belay/configs"
	"belay/devices"
)

// A Pin is a host key that somebody trusts for a host. A host may have several:
// the members of a pair have a key each.
type Pin struct {
	Host        string // a device's ID, or host:port of a jump host
	Fingerprint string // "SHA256:…" as ssh-keygen -l says it; made of Key where empty
	Type        string // "ssh-ed25519"
	Key         []byte // in SSH wire form (RFC 4253 section 6.6)
	By          configs.Person
	At          time.Time
	Reason      string
	FirstUse    bool // trusted because nothing was known of the host yet
}

// Pins are the keys trusted for a host, oldest first.
func (l *Ledger) Pins(ctx context.Context, host string) ([]Pin, error) {
	ps, err := pins(ctx, &l.often, host)
	return ps, failed("read the host keys of "+host, err)
}

// AddPin trusts one more key for p.Host and appends a "trust" event. A key that
// is trusted already stays as it is. One for first use is refused with
// devices.NotAllowed where another key is trusted: what was unknown when the
// caller looked may be known by now.
func (l *Ledger) AddPin(ctx context.Context, p Pin) error {
	op := "trust a host key of " + p.Host
	if err := p.complete(); err != nil {
		return failed(op, err)
	}
	err := l.write.do(ctx, func(ctx context.Context, tx *sql.Tx) error {
		before, err := pins(ctx, tx, p.Host)
		if err != nil {
			return err
		}
		for _, b := range before {
			if b.Fingerprint == p.Fingerprint {
				return nil
			}
		}
		if p.FirstUse && len(before) > 0 {
			return &devices.Error{Kind: devices.NotAllowed, Op: "trust on first use", Err: fmt.Errorf("%s is known by %s, not by %s", p.Host, fingerprints(before), p.Fingerprint),
				Hint: "if the device was replaced, trust its new key by name: belay devices trust " + p.Host}
		}
		if err := insertPin(ctx, tx, p); err != nil {
			return err
		}
		return appendEvent(ctx, tx, trustEvent(p, before, append(before, p)))
	})
	return failed(op, err)
}

// ReplacePins trusts exactly these keys for a host from now on, and appends one
// "trust" event in the name of the first pin's person.
func (l *Ledger) ReplacePins(ctx context.Context, host string, ps []Pin) error {
	op := "replace the host keys of " + host
	if len(ps) == 0 {
		return failed(op, errors.New("no key is given"))
	}
	ps = append([]Pin(nil), ps...)
	for i := range ps {
		if ps[i].Host != host {
			return failed(op, fmt.Errorf("a key is %s's", ps[i].Host))
		}
		if err := ps[i].complete(); err != nil {
			return failed(op, err)
		}
	}
	err := l.write.do(ctx, func(ctx context.Context, tx *sql.Tx) error {
		before, err := pins(ctx, tx, host)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM pins WHERE host = ?", host); err != nil {
			return err
		}
		for _, p := range ps {
			if err := insertPin(ctx, tx, p); err != nil {
				return err
			}
		}
		return appendEvent(ctx, tx, trustEvent(ps[0], before, ps))
	})
	return failed(op, err)
}

// TakeBackPin ends the trust in a key that was to be a host's only one, trusts those
// that were trusted before it, as they were, and appends one "trust" event with the
// time, person and reason of p. Where another key is trusted by now, nothing changes.
func (l *Ledger) TakeBackPin(ctx context.Context, p Pin, former []Pin) error {
	op := "trust a host key of " + p.Host + " no more"
	if err := p.complete(); err != nil {
		return failed(op, err)
	}
	err := l.write.do(ctx, func(ctx context.Context, tx *sql.Tx) error {
		now, err := pins(ctx, tx, p.Host)
		if err != nil || len(now) != 1 || now[0].Fingerprint != p.Fingerprint {
			return err
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM pins WHERE host = ?", p.Host); err != nil {
			return err
		}
		for _, f := range former {
			if err := insertPin(ctx, tx, f); err != nil {
				return err
			}
		}
		return appendEvent(ctx, tx, trustEvent(p, now, former))
	})
	return failed(op, err)
}

// complete makes the fingerprint, and refuses a pin that says too little or is
// at odds with itself.
func (p *Pin) complete() error {
	sum := sha256.Sum256(p.Key)
	fingerprint := "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
	if p.Fingerprint == "" {
		p.Fingerprint = fingerprint
	}
	switch {
	case p.Host == "":
		return errors.New("no host is named")
	case len(p.Key) == 0:
		return errors.New("no key is given")
	case p.Fingerprint != fingerprint:
		return fmt.Errorf("the key's fingerprint is %s, not %s", fingerprint, p.Fingerprint)
	case p.By.Name == "":
		return errors.New("nobody is named who trusts it")
	case p.At.IsZero():
		return errors.New("no time is given")
	}
	return nil
}

// trustEvent tells the ledger what changed; of a jump host, in the chain of no customer.
func trustEvent(p Pin, before, after []Pin) configs.Event {
	e := configs.Event{At: p.At, By: p.By, Act: "trust", Detail: map[string]any{
		"host": p.Host, "before": fingerprints(before), "after": fingerprints(after), "reason": p.Reason, "firstUse": p.FirstUse,
	}}
	if checkID(devices.ID(p.Host)) == nil {
		e.Device = devices.ID(p.Host)
	}
	return e
}

func fingerprints(ps []Pin) string {
	var fs []string
	for _, p := range ps {
		fs = append(fs, p.Fingerprint)
	}
	return strings.Join(fs, " ")
}

func insertPin(ctx context.Context, tx *sql.Tx, p Pin) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO pins (host, fingerprint, type, key, who, claimed, at, reason, first_use)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		p.Host, p.Fingerprint, p.Type, bytes.Clone(p.Key), p.By.Name, p.By.Claimed, p.At.UnixNano(), p.Reason, p.FirstUse)
	return err
}

// A querier is the database or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func pins(ctx context.Context, q querier, host string) (_ []Pin, err error) {
	rows, err := q.QueryContext(ctx, `SELECT fingerprint, type, key, who, claimed, at, reason, first_use FROM pins WHERE host = ? ORDER BY at, rowid`, host)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var ps []Pin
	for rows.Next() {
		p := Pin{Host: host}
		var at int64
		if err := rows.Scan(&p.Fingerprint, &p.Type, &p.Key, &p.By.Name, &p.By.Claimed, &at, &p.Reason, &p.FirstUse); err != nil {
			return nil, err
		}
		p.At = time.Unix(0, at).UTC()
		ps = append(ps, p)
	}
	return ps, rows.Err()
}

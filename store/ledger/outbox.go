package ledger

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math"
	"strings"
	"time"

	"belay/configs"
	"belay/devices"
)

// letterColumns are in the order in which scanLetter reads them.
const letterColumns = `id, system, customer, device, version, file, form, name, change, phase, ticket, urgent, who, email, claimed, put, due,
	tries, began, error, hint, proven, second, item, attachment, digest, removed, lease, lease_ends`

// sameLetter chooses the letter that leaves no room for another.
const sameLetter = "device = ? AND system = ? AND version = ? AND file = ? AND form = ? AND customer = ?"

// Put adds letters, or returns those that stand. What becomes of a letter is
// Save's alone to write: one that was copied from a proven letter is not proven.
func (l *Ledger) Put(ctx context.Context, letters ...configs.Letter) ([]configs.Letter, error) {
	const op = "put letters in the outbox"
	letters = append([]configs.Letter(nil), letters...)
	for i := range letters {
		if err := address(&letters[i]); err != nil {
			return nil, failed(op, err)
		}
	}
	var stand []configs.Letter
	err := l.write.do(ctx, func(ctx context.Context, tx *sql.Tx) error {
		stand = make([]configs.Letter, 0, len(letters)) // anew at each try
		now, err := l.now(ctx, tx)
		if err != nil {
			return err
		}
		for _, p := range letters {
			s, err := putLetter(ctx, tx, p, now)
			if err != nil {
				return err
			}
			stand = append(stand, s)
		}
		return nil
	})
	if err != nil {
		return nil, failed(op, err)
	}
	return stand, nil
}

// address refuses a letter that says not enough, and names its customer.
func address(p *configs.Letter) error {
	if p.Device != "" {
		if err := checkID(p.Device); err != nil {
			return err
		}
		if p.Customer == "" {
			p.Customer = p.Device.Customer()
		}
		if p.Customer != p.Device.Customer() {
			return fmt.Errorf("device %s is not customer %s's", p.Device, p.Customer)
		}
	}
	if err := devices.CheckName(p.Customer); err != nil {
		return err
	}
	if p.To == "" || p.Version == "" || p.File == "" || p.Form == "" {
		return errors.New("a letter needs to say what goes where: system, version, file and form")
	}
	return nil
}

// putLetter writes nothing where the letter stands as it should: each night asks
// for what was attached long ago.
func putLetter(ctx context.Context, tx *sql.Tx, p configs.Letter, now int64) (configs.Letter, error) {
	s, err := scanLetter(tx.QueryRowContext(ctx, "SELECT "+letterColumns+" FROM letters WHERE "+sameLetter,
		string(p.Device), p.To, p.Version, p.File, string(p.Form), p.Customer), now)
	if errors.Is(err, sql.ErrNoRows) {
		return scanLetter(tx.QueryRowContext(ctx, `INSERT INTO letters (system, customer, device, version, file, form, name, change, phase, ticket,
			urgent, who, email, claimed, put, due, second) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING `+letterColumns,
			p.To, p.Customer, string(p.Device), p.Version, p.File, string(p.Form), p.Name, p.Change, p.Phase, p.Ticket,
			p.Urgent, p.By.Name, p.By.Email, p.By.Claimed, nanos(p.Put), nanos(p.Due), p.Second), now)
	}
	joins := s.Change == "" && p.Change != ""
	if err != nil || !joins && (s.Urgent || !p.Urgent) {
		return s, err
	}
	if joins {
		s.Change, s.Phase, s.Ticket = p.Change, p.Phase, p.Ticket
	}
	s.Urgent = s.Urgent || p.Urgent
	_, err = tx.ExecContext(ctx, "UPDATE letters SET urgent = ?, change = ?, phase = ?, ticket = ? WHERE id = ?", s.Urgent, s.Change, s.Phase, s.Ticket, s.ID)
	return s, err
}

// Claim takes a letter in hand until a time.
func (l *Ledger) Claim(ctx context.Context, id int64, until time.Time) (p configs.Letter, ok bool, err error) {
	lease := rand.Text()
	err = l.write.do(ctx, func(ctx context.Context, tx *sql.Tx) error {
		now, err := l.now(ctx, tx)
		if err != nil {
			return err
		}
		p, err = scanLetter(tx.QueryRowContext(ctx, "UPDATE letters SET lease = ?, lease_ends = ? WHERE id = ? AND (lease_ends <= ? OR lease_ends > ?) RETURNING "+letterColumns,
			lease, nanos(until), id, now, now+int64(configs.FarAhead)), 0) // 0: the caller sees the lease
		if ok = err == nil; errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	if err != nil || !ok {
		return configs.Letter{}, false, failed("take a letter in hand", err)
	}
	p.Claim = lease
	return p, true, nil
}

// Renew keeps a letter in hand for longer.
func (l *Ledger) Renew(ctx context.Context, p configs.Letter, until time.Time) error {
	err := l.write.do(ctx, func(ctx context.Context, tx *sql.Tx) error {
		now, err := l.now(ctx, tx)
		if err != nil {
			return err
		}
		return oneInHand(tx.ExecContext(ctx, "UPDATE letters SET lease_ends = ? WHERE id = ? AND lease = ? AND lease <> '' AND lease_ends > ?",
			nanos(until), p.ID, p.Claim, now))
	})
	return failed(fmt.Sprintf("keep letter %d in hand", p.ID), err)
}

// Save writes what has become of a letter in hand and appends the events, in one
// transaction.
func (l *Ledger) Save(ctx context.Context, p configs.Letter, events ...configs.Event) error {
	op := fmt.Sprintf("save letter %d", p.ID)
	item, err := json.Marshal(p.Item)
	if err != nil {
		return failed(op, err)
	}
	attachment, err := json.Marshal(p.Attachment)
	if err != nil {
		return failed(op, err)
	}
	err = l.write.do(ctx, func(ctx context.Context, tx *sql.Tx) error {
		now, err := l.now(ctx, tx)
		if err != nil {
			return err
		}
		err = oneInHand(tx.ExecContext(ctx, `UPDATE letters SET name = ?, due = ?, tries = ?, began = ?, error = ?, hint = ?, proven = ?, second = ?,
			item = ?, attachment = ?, digest = ?, removed = ?, lease = iif(?, '', lease), lease_ends = iif(?, 0, lease_ends)
			WHERE id = ? AND lease = ? AND lease <> '' AND lease_ends > ?`,
			p.Name, nanos(p.Due), p.Tries, nanos(p.Began), p.Error, p.Hint, nanos(p.Proven), p.Second,
			string(item), string(attachment), p.Digest, nanos(p.Removed), p.Lease == "", p.Lease == "", p.ID, p.Claim, now))
		for _, e := range events {
			if err == nil {
				err = appendEvent(ctx, tx, e)
			}
		}
		return err
	})
	return failed(op, err)
}

// oneInHand is the error of a statement that must have found its letter in hand.
func oneInHand(r sql.Result, err error) error {
	if err != nil {
		return err
	}
	n, err := r.RowsAffected()
	if err == nil && n != 1 {
		err = configs.ErrLeaseLost
	}
	return err
}

// Letters are those that f chooses, as they are when the reading begins. They
// are read at once: whoever sends them takes hours, and a reading that stays
// open so long would keep the write-ahead log from being emptied.
func (l *Ledger) Letters(ctx context.Context, f configs.LetterFilter) iter.Seq2[configs.Letter, error] {
	return func(yield func(configs.Letter, error) bool) {
		letters, err := l.letters(ctx, f)
		if err != nil {
			yield(configs.Letter{}, failed("read the outbox", err))
			return
		}
		for _, p := range letters {
			if !yield(p, nil) {
				return
			}
		}
	}
}

func (l *Ledger) letters(ctx context.Context, f configs.LetterFilter) ([]configs.Letter, error) {
	now, err := l.now(ctx, l.read)
	if err != nil {
		return nil, err
	}
	letters, err := l.chosen(ctx, f, 0, nanos(f.DueBy), now)
	if err != nil || f.DueBy.IsZero() {
		return letters, err
	}
	far, err := l.chosen(ctx, f, nanos(f.DueBy.Add(configs.FarAhead))+1, math.MaxInt64-1, now)
	return append(letters, far...), err
}

func (l *Ledger) chosen(ctx context.Context, f configs.LetterFilter, from, to, now int64) (_ []configs.Letter, err error) {
	query, args := chooseLetters(f, from, to, now)
	rows, err := l.read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var letters []configs.Letter
	for rows.Next() {
		p, err := scanLetter(rows, now)
		if err != nil {
			return nil, err
		}
		letters = append(letters, p)
	}
	return letters, rows.Err()
}

// chooseLetters is worded so that the indexes serve: they are partial, and one
// letter in ten thousand may be due. Where f wants those that are, from and to are
// when.
func chooseLetters(f configs.LetterFilter, from, to, now int64) (query string, args []any) {
	var where []string
	choose := func(condition string, arg ...any) {
		where, args = append(where, condition), append(args, arg...)
	}
	if f.To != "" {
		choose("system = ?", f.To)
	}
	if f.Customer != "" {
		choose("customer = ?", f.Customer)
	}
	if f.Device != "" {
		choose("device = ?", string(f.Device))
	}
	if f.Version != "" {
		choose("version = ?", f.Version)
	}
	if f.Change != "" {
		choose("change = ? AND change <> ''", f.Change)
	}
	if f.Waiting || !f.DueBy.IsZero() {
		choose("proven = 0")
	}
	if !f.DueBy.IsZero() {
		choose("urgent IN (0, 1) AND due BETWEEN ? AND ? AND (lease_ends <= ? OR lease_ends > ?)", from, to, now, now+int64(configs.FarAhead))
	}
	if f.Hanging {
		choose("proven <> 0 AND removed = 0")
	}
	query = "SELECT " + letterColumns + " FROM letters"
	if len(where) > 0 {
		query += " WHERE " + strings.Join(where, " AND ")
	}
	return query + " ORDER BY urgent DESC, due, id", args
}

// scanLetter reads one row; a lease that has ended by now, if that is not 0, is none.
func scanLetter(row interface{ Scan(...any) error }, now int64) (configs.Letter, error) {
	var p configs.Letter
	var put, due, began, proven, removed, ends int64
	var item, attachment []byte
	err := row.Scan(&p.ID, &p.To, &p.Customer, &p.Device, &p.Version, &p.File, &p.Form, &p.Name, &p.Change, &p.Phase, &p.Ticket,
		&p.Urgent, &p.By.Name, &p.By.Email, &p.By.Claimed, &put, &due, &p.Tries, &began, &p.Error, &p.Hint, &proven, &p.Second,
		&item, &attachment, &p.Digest, &removed, &p.Lease, &ends)
	if err == nil {
		err = errors.Join(json.Unmarshal(item, &p.Item), json.Unmarshal(attachment, &p.Attachment))
		if err != nil {
			err = &devices.Error{Kind: devices.Damaged, Op: "read", Device: string(p.Device), Err: fmt.Errorf("letter %d: %w", p.ID, err)}
		}
	}
	if err != nil {
		return configs.Letter{}, err
	}
	p.Put, p.Due, p.Began, p.Proven, p.Removed = moment(put), moment(due), moment(began), moment(proven), moment(removed)
	if now > 0 && (ends <= now || ends > now+int64(configs.FarAhead)) {
		p.Lease = ""
	}
	return p, nil
}

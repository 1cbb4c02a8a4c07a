package ledger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"

	"belay/configs"
	"belay/devices"
)

const paperColumns = "customer, change, kind, digest, sealed, who, email, claimed, at, sum, body"

// FilePaper keeps p, or what stands with its digest.
func (l *Ledger) FilePaper(ctx context.Context, p configs.Paper) error {
	const op = "file a paper"
	if err := devices.CheckName(p.Customer); err != nil {
		return failed(op, err)
	}
	digest, err := hex.DecodeString(p.Digest)
	if err != nil || len(digest) != sha256.Size || hex.EncodeToString(digest) != p.Digest || p.Kind == "" || p.At.IsZero() {
		return failed(op, errors.New("it needs a kind, a time and the SHA-256 of the document"))
	}
	sum := sha256.Sum256(p.Bytes)
	if !p.Sealed && !bytes.Equal(sum[:], digest) {
		return failed(op, errors.New("these bytes are not those of its digest"))
	}
	err = l.write.do(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO papers ("+paperColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (customer, digest) DO NOTHING",
			p.Customer, p.Change, p.Kind, p.Digest, p.Sealed, p.By.Name, p.By.Email, p.By.Claimed, nanos(p.At), sum[:], append([]byte{}, p.Bytes...))
		return err
	})
	return failed(op, err)
}

// Paper finds one of a customer's again. What is not what was filed is
// devices.Damaged.
func (l *Ledger) Paper(ctx context.Context, customer, digest string) (configs.Paper, bool, error) {
	p, err := scanPaper(l.read.QueryRowContext(ctx, "SELECT "+paperColumns+" FROM papers WHERE customer = ? AND digest = ?", customer, digest))
	if errors.Is(err, sql.ErrNoRows) {
		return configs.Paper{}, false, nil
	}
	return p, err == nil, failed("read a paper", err)
}

// Papers are those of a change, in the order they were filed.
func (l *Ledger) Papers(ctx context.Context, customer, change string) ([]configs.Paper, error) {
	var ps []configs.Paper
	err := l.eachPaper(ctx, func(p configs.Paper) { ps = append(ps, p) }, "WHERE customer = ? AND change = ?", customer, change)
	return ps, failed("read the papers of change "+change, err)
}

// checkPapers reads every paper and compares it with what was filed.
func (l *Ledger) checkPapers(ctx context.Context) error {
	return failed("check the papers", l.eachPaper(ctx, func(configs.Paper) {}, ""))
}

func (l *Ledger) eachPaper(ctx context.Context, f func(configs.Paper), where string, args ...any) (err error) {
	rows, err := l.read.QueryContext(ctx, "SELECT "+paperColumns+" FROM papers "+where+" ORDER BY id", args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		p, err := scanPaper(rows)
		if err != nil {
			return err
		}
		f(p)
	}
	return rows.Err()
}

func scanPaper(row interface{ Scan(...any) error }) (configs.Paper, error) {
	var p configs.Paper
	var at int64
	var want []byte
	if err := row.Scan(&p.Customer, &p.Change, &p.Kind, &p.Digest, &p.Sealed, &p.By.Name, &p.By.Email, &p.By.Claimed, &at, &want, &p.Bytes); err != nil {
		return configs.Paper{}, err
	}
	sum := sha256.Sum256(p.Bytes)
	if !bytes.Equal(sum[:], want) || !p.Sealed && hex.EncodeToString(sum[:]) != p.Digest {
		return configs.Paper{}, &devices.Error{Kind: devices.Damaged, Op: "read back", Err: fmt.Errorf("%s %s of customer %s is not what was filed", p.Kind, p.Digest, p.Customer),
			Hint: "compare " + File + " with its last backup: it was altered or damaged"}
	}
	p.At = moment(at)
	return p, nil
}

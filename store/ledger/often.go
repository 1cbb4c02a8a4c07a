package ledger

import (
	"context"
	"database/sql"
	"errors"
	"sync"
)

// often asks what every reading of a device asks, by statements that are made
// once: to make one takes SQLite several times as long as to answer by it. Its
// queries are constants, as each stays until the database is closed.
type often struct {
	db   *sql.DB
	made sync.Map // *sql.Stmt by query
}

func (o *often) statement(ctx context.Context, query string) (*sql.Stmt, error) {
	if s, ok := o.made.Load(query); ok {
		return s.(*sql.Stmt), nil
	}
	s, err := o.db.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	if first, ok := o.made.LoadOrStore(query, s); ok { // somebody else made it meanwhile
		return first.(*sql.Stmt), s.Close()
	}
	return s, nil
}

// QueryContext is that of sql.DB.
func (o *often) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	s, err := o.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(ctx, args...)
}

// QueryRowContext is that of sql.DB.
func (o *often) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	s, err := o.statement(ctx, query)
	if err != nil {
		return o.db.QueryRowContext(ctx, query, args...) // which tells the error in its own way
	}
	return s.QueryRowContext(ctx, args...)
}

func (o *often) close() (err error) {
	for _, s := range o.made.Range {
		err = errors.Join(err, s.(*sql.Stmt).Close())
	}
	o.made.Clear()
	return err
}

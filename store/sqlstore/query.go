package sqlstore

import (
	"context"
	"database/sql"
	"errors"
)

func (s *Store) exec(ctx context.Context, q querier, st statement, args ...any) (sql.Result, error) {
	spelt := st[s.dialect]
	return q.ExecContext(ctx, spelt.text, spelt.args(args)...)
}

// query calls each with what scans a row, for every row.
func (s *Store) query(ctx context.Context, q querier, st statement, each func(scan func(...any) error) error, args ...any) error {
	spelt := st[s.dialect]
	rows, err := q.QueryContext(ctx, spelt.text, spelt.args(args)...)
	if err != nil {
		return err
	}
	return scanAll(rows, each)
}

// scanAll goes through the rows of all results: a procedure of MySQL may fail after
// its first one.
func scanAll(rows *sql.Rows, each func(scan func(...any) error) error) error {
	defer rows.Close()
	for {
		for rows.Next() {
			if err := each(rows.Scan); err != nil {
				return err
			}
		}
		if !rows.NextResultSet() {
			return errors.Join(rows.Err(), rows.Close())
		}
	}
}

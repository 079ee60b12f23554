package sqlstore

import (
	"context"
	"iter"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// RevokedEveryone implements [store.Store].
func (s *Store) RevokedEveryone(ctx context.Context) (at time.Time, err error) {
	err = s.reading(ctx, "look up when everyone was revoked", func(ctx context.Context, q querier) error {
		return s.query(ctx, q, revokedEveryoneStatement, func(scan func(...any) error) error {
			var micros int64
			if err := scan(&micros); err != nil {
				return err
			}
			if micros > 0 {
				at = timeOf(&micros)
			}
			return nil
		})
	})
	return at, err
}

const page = 200

var revokedEveryoneStatement = newStatement(`select everyone from revoke_state`)

const pageColumns = `select usr, ` + columns + `, data from revoke_sessions where `

var (
	pageStatement = newStatement(pageColumns + `(usr, id) > ($1, $2) and {live} order by usr, id limit $3`)
	// MySQL searches the whole index for the above.
	pageStatementOfMySQL = newStatement(pageColumns + `(usr > $1 or usr = $1 and id > $2) and {live} order by usr, id limit $3`)
)

// All implements [store.Store]. It reads 200 sessions at a time, and holds neither a
// lock nor a connection in between.
func (s *Store) All(ctx context.Context) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		var user, id string
		for {
			list, err := s.page(ctx, user, id)
			for _, r := range list {
				if !yield(r, nil) {
					return
				}
				user, id = r.User, r.ID
			}
			if err != nil {
				yield(store.Record{}, err)
				return
			}
			if len(list) < page {
				return
			}
		}
	}
}

// page returns the live sessions after the one named.
func (s *Store) page(ctx context.Context, user, id string) (list []store.Record, err error) {
	st := pageStatement
	if s.dialect == MySQL {
		st = pageStatementOfMySQL
	}
	err = s.reading(ctx, "read all sessions", func(ctx context.Context, q querier) error {
		list = nil
		return s.query(ctx, q, st, func(scan func(...any) error) error {
			var row row
			var user, data []byte
			if err := scan(append(append([]any{&user}, row.targets()...), &data)...); err != nil {
				return err
			}
			r, err := row.record(string(user))
			r.Data = some(data)
			list = append(list, r)
			return err
		}, []byte(user), []byte(id), page)
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

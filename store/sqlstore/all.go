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

var revokedEveryoneStatement = newStatement(`select everyone from revoke_state`)

const page = 200

// Pages are of whatever rows there are, so that each takes as long as the others, and
// the database has no reason to sort all it has.
const pageColumns = `select usr, ` + columns + `, data, case when {live} then 1 else 0 end from revoke_sessions where `

var (
	pageStatement = newStatement(pageColumns + `(usr, id) > ($1, $2) order by usr, id limit $3`)
	// MySQL searches the whole index for the above.
	pageStatementOfMySQL = newStatement(pageColumns + `(usr > $1 or usr = $1 and id > $2) order by usr, id limit $3`)
)

// All implements [store.Store]. It reads 200 sessions at a time, and holds neither a
// lock nor a connection in between.
func (s *Store) All(ctx context.Context) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		p := new(paged)
		for more := true; more; more = p.rows == page {
			var err error
			if p, err = s.page(ctx, p.user, p.id); err != nil {
				yield(store.Record{}, err)
				return
			}
			for _, r := range p.live {
				if !yield(r, nil) {
					return
				}
			}
		}
	}
}

// A paged is the sessions of a page.
type paged struct {
	live     []store.Record
	rows     int    // live or not
	user, id string // of the last row
}

// page returns the page after the session named.
func (s *Store) page(ctx context.Context, user, id string) (p *paged, err error) {
	st := pageStatement
	if s.dialect == MySQL {
		st = pageStatementOfMySQL
	}
	err = s.reading(ctx, "read all sessions", func(ctx context.Context, q querier) error {
		p = new(paged)
		return s.query(ctx, q, st, func(scan func(...any) error) error {
			var row row
			var user, data []byte
			var live bool
			if err := scan(append(append([]any{&user}, row.targets()...), &data, &live)...); err != nil {
				return err
			}
			p.rows++
			p.user, p.id = string(user), string(row.id)
			if !live {
				return nil
			}
			r, err := row.record(p.user)
			r.Data = some(data)
			p.live = append(p.live, r)
			return err
		}, []byte(user), []byte(id), page)
	})
	return p, err
}

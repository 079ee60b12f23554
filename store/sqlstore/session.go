package sqlstore

import (
	"context"

	"github.com/revoke-sessions/revoke/store"
)

var (
	findStatement = newStatement(`select ` + columns + `, data, revoked, reason, actor from revoke_sessions
		where usr = $1 and id = $2 and expires > {now} and era + 0 = (select era from revoke_state)`)

	listStatement = newStatement(`select ` + columns + ` from revoke_sessions where usr = $1 and {live}`)

	// The secret comes last, because MySQL goes from left to right and what is before
	// it goes by the old one.
	updateStatement = newStatement(`update revoke_sessions set {rev}
		used = case when secret <> $4 then $7 when prev is null then used else coalesce(used, $7) end,
		prev = case when secret <> $4 then $5 else prev end,
		renewed = case when secret <> $4 then $6 else renewed end,
		created = $8, seen = $9, proved = $10,
		expires = {least}($11, coalesce($12, deadline, $11)), deadline = coalesce($12, deadline),
		client = $13, data = $14, secret = $4
		where usr = $1 and id = $2 and secret = $3 and {live}
		and (secret = $4 or used is null or coalesce(prev <> $5, true))`)

	touchStatement = newStatement(`update revoke_sessions set {rev}
		used = case when used is null and prev is not null and secret = $6 then $3 else used end,
		seen = case when seen is null or seen < $3 then $3 else seen end,
		expires = {greatest}(expires, {least}($4, coalesce(deadline, $4))),
		client = coalesce($5, client)
		where usr = $1 and id = $2 and {live}`)
)

// Find implements [store.Store].
func (s *Store) Find(ctx context.Context, user, id string) (r store.Record, err error) {
	err = s.reading(ctx, "find a session", func(ctx context.Context, q querier) (err error) {
		r, err = s.find(ctx, q, user, id)
		return err
	})
	return r, err
}

func (s *Store) find(ctx context.Context, q querier, user, id string) (store.Record, error) {
	r, found := store.Record{}, false
	err := s.query(ctx, q, findStatement, func(scan func(...any) error) (err error) {
		var row row
		var data, reason, actor []byte
		var revoked *int64
		if err := scan(append(row.targets(), &data, &revoked, &reason, &actor)...); err != nil {
			return err
		}
		if r, err = row.record(user); err != nil {
			return err
		}
		found, r.Data = true, some(data)
		if revoked != nil {
			r.Revoked = &store.Revocation{At: timeOf(revoked), Reason: string(reason), By: string(actor)}
		}
		return nil
	}, []byte(user), []byte(id))
	switch {
	case err != nil:
		return store.Record{}, err
	case !found:
		return store.Record{}, store.ErrNotFound
	case r.Revoked != nil:
		return r, store.ErrRevoked
	}
	return r, nil
}

// List implements [store.Store].
func (s *Store) List(ctx context.Context, user string) (list []store.Record, err error) {
	err = s.reading(ctx, "list sessions", func(ctx context.Context, q querier) (err error) {
		list, err = s.listed(ctx, q, user, listStatement, []byte(user))
		return err
	})
	return list, err
}

// listed returns the records that a statement selects the columns of.
func (s *Store) listed(ctx context.Context, q querier, user string, st statement, args ...any) (list []store.Record, err error) {
	err = s.query(ctx, q, st, func(scan func(...any) error) error {
		var row row
		if err := scan(row.targets()...); err != nil {
			return err
		}
		r, err := row.record(user)
		list = append(list, r)
		return err
	}, args...)
	if err != nil {
		return nil, err // and not a part of them
	}
	return list, nil
}

// Update implements [store.Store].
func (s *Store) Update(ctx context.Context, r store.Record, was store.Hash) error {
	return s.within(ctx, "update a session", func(ctx context.Context) error {
		renewal := r.Secret != was // after which the old secret must not open the session again
		stale := func(stored store.Record) bool {
			return !stored.Secret.Equal(was) || renewal && stored.Retired(r.Prev)
		}
		return s.engine.write(ctx, renewal, func(ctx context.Context, q querier) error {
			return s.change(ctx, q, r.User, r.ID, stale, updateStatement,
				[]byte(r.User), []byte(r.ID), was[:], r.Secret[:], hash(r.Prev), micros(r.RenewedAt), micros(r.UsedAt),
				r.CreatedAt.UnixMicro(), micros(r.SeenAt), micros(r.ProvedAt), r.ExpiresAt.UnixMicro(), micros(r.Deadline),
				bytes(r.Client), bytes(r.Data))
		})
	})
}

// Touch implements [store.Store].
func (s *Store) Touch(ctx context.Context, user, id string, t store.Touch) error {
	return s.within(ctx, "touch a session", func(ctx context.Context) error {
		return s.engine.write(ctx, false, func(ctx context.Context, q querier) error {
			never := func(store.Record) bool { return false }
			return s.change(ctx, q, user, id, never, touchStatement,
				[]byte(user), []byte(id), micros(t.SeenAt), t.ExpiresAt.UnixMicro(), bytes(t.Client), t.Secret[:])
		})
	})
}

// change runs a statement that changes a live session unless it is stale. If there is
// none, it finds out why; if there is one by then, it was replaced meanwhile, and the
// statement runs again.
func (s *Store) change(ctx context.Context, q querier, user, id string, stale func(store.Record) bool, st statement, args ...any) error {
	for {
		result, err := s.exec(ctx, q, st, args...)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n > 0 {
			return err
		}
		switch stored, err := s.find(ctx, q, user, id); {
		case err != nil:
			return err
		case stale(stored):
			return store.ErrStale
		}
	}
}

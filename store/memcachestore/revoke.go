package memcachestore

import (
	"context"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// Revoke implements [store.Store].
func (s *Store) Revoke(ctx context.Context, user, id string, why store.Revocation) (was store.Record, err error) {
	err = s.change(ctx, "revoke session", user, func(a *account, now time.Time) error {
		if !a.mayAct(why.By) {
			return store.ErrActorRevoked
		}
		if _, err := a.live(id); err != nil {
			return store.ErrNotFound
		}
		was = a.bury([]string{id}, dated(why, now))[0]
		return nil
	})
	if err != nil {
		return store.Record{}, err
	}
	return was, nil
}

// RevokeAll implements [store.Store].
func (s *Store) RevokeAll(ctx context.Context, user, keep string, why store.Revocation) (were []store.Record, err error) {
	err = s.change(ctx, "revoke all sessions", user, func(a *account, now time.Time) error {
		if !a.mayAct(why.By) {
			return store.ErrActorRevoked
		}
		why := dated(why, now)
		a.leaveMark(why)
		were = a.bury(a.idsBut(keep), why)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return were, nil
}

package revoke

import (
	"context"
	"errors"

	"github.com/revoke-sessions/revoke/store"
)

// SID names a session to [Manager.Live]: its user key and its id. An access token that
// is minted from a session carries it as its claim sid. It opens nothing.
func (m *Manager) SID(s Session) string { return m.userKey(s.UserID) + "." + s.ID }

// Live asks whether the session that a SID names is live. It returns nil if it is, a
// [*RevokedError] if it was revoked, and [ErrUnauthenticated] if there is none, which a
// malformed sid counts as. Any other error means that nobody knows. Over a store of
// [store.Lease] it may answer from memory.
func (m *Manager) Live(ctx context.Context, sid string) error { return LiveIn(m.sessions)(ctx, sid) }

// LiveIn returns [Manager.Live] for who has the store alone, as a server that verifies
// access tokens.
func LiveIn(st store.Store) func(ctx context.Context, sid string) error {
	return func(ctx context.Context, sid string) error {
		user, id, ok := parseSID(sid)
		if !ok {
			return ErrUnauthenticated
		}
		_, err := liveIn(ctx, st, user, id)
		return err
	}
}

func parseSID(sid string) (user, id string, ok bool) {
	if len(sid) != 2*keyLength+1 || sid[keyLength] != '.' {
		return "", "", false
	}
	user, id = sid[:keyLength], sid[keyLength+1:]
	return user, id, validID(user) && validID(id)
}

// liveIn returns a live session, with its data or without.
func liveIn(ctx context.Context, st store.Store, user, id string) (store.Record, error) {
	find := st.Find
	if leased, ok := st.(*store.Leased); ok {
		find = leased.Live
	}
	record, err := find(ctx, user, id)
	switch {
	case errors.Is(err, store.ErrRevoked):
		return store.Record{}, revokedError(record)
	case errors.Is(err, store.ErrNotFound), err == nil && isReserved(record):
		return store.Record{}, ErrUnauthenticated
	case err != nil:
		return store.Record{}, failed("look up session", err)
	}
	return record, nil
}

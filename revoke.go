// Package revoke lets the users of a server see where they are signed in, end
// one of those sessions, or end all but the one in hand, and be certain that it
// is over.
//
// It works on top of [github.com/alexedwards/scs/v2]. A [Manager] keeps
// signed-in sessions in a [store.Store], where all of a user's sessions live
// together, and [Manager.Track] takes the place of scs's LoadAndSave:
//
//	sessions := revoke.New(sm, store.NewMemory())
//	sessions.Mount(mux, "/api/auth/sessions")
//	http.ListenAndServe(":4000", sessions.Track(mux))
//
// The promise: once a revocation has been answered, no token of that session
// opens anything again, whatever was in flight at the time, on any node, and
// nobody but its owner could have asked for it.
package revoke

import (
	"context"
	"errors"
	"fmt"

	"github.com/revoke-sessions/revoke/store"
)

// ErrNotReplicated means that sessions have ended, but that replicas which may
// take over do not all know yet: see [store.Redis.Replicas]. It is safe to try
// again, until the answer is no error or [ErrNotFound].
var ErrNotReplicated = store.ErrNotReplicated

// Revoke ends one session of a user. It returns [ErrNotFound] where that user
// has no such session, whoever else may have one.
//
// Called in a request of that user's, it needs the request's own session to be
// live, in the same atomic step, and otherwise revokes nothing and returns an
// error that is [ErrUnauthenticated]. To revoke the request's own session is to
// log out.
//
// On an error that is [ErrNotReplicated] the session has ended, or had before. On
// any other the outcome is unknown, and it is safe to try again.
func (m *Manager) Revoke(ctx context.Context, userID, id string) error {
	if err := m.authorize(ctx, Revoked, userID, id); err != nil {
		return fmt.Errorf("revoke: revoke session: %w", err)
	}
	actor := m.actorID(ctx)
	ended, err := m.end(ctx, userID, ReasonRevoked, one(id))
	switch {
	case errors.Is(err, ErrNotFound):
		if !validID(id) {
			id = ""
		}
		m.emit(ctx, Event{Kind: Refused, UserID: userID, SessionID: id, ActorID: actor})
		return ErrNotFound
	case len(ended) > 0:
		m.emit(ctx, Event{Kind: Revoked, UserID: userID, SessionID: ended[0].ID, ActorID: actor, Reason: ReasonRevoked, Count: 1})
	}
	return failed("revoke session", err)
}

// RevokeOthers ends, in one atomic step, all sessions of the request's user but
// the request's own, and returns them, also with [ErrNotReplicated]. Without a
// session it revokes nothing and returns an error that is [ErrUnauthenticated].
func (m *Manager) RevokeOthers(ctx context.Context) ([]Session, error) {
	record, userID := m.current(ctx)
	if record == nil {
		return nil, m.Err(ctx)
	}
	if err := m.authorize(ctx, RevokedOthers, userID, ""); err != nil {
		return nil, fmt.Errorf("revoke: revoke other sessions: %w", err)
	}
	ended, err := m.end(ctx, userID, ReasonRevokedOthers, all(record.ID))
	if err == nil || len(ended) > 0 {
		m.emit(ctx, Event{Kind: RevokedOthers, UserID: userID, ActorID: record.ID, Reason: ReasonRevokedOthers, Count: len(ended)})
	}
	return ended, failed("revoke other sessions", err)
}

// RevokeAll ends, in one atomic step, all sessions of a user, the request's own
// included, and returns them, also with [ErrNotReplicated]: for a password reset,
// or an account that is closed. Change the password first: a sign-in that is
// under way with the old one is a session of its own.
//
// A user who is to stay signed in takes a new session by [Manager.Login].
func (m *Manager) RevokeAll(ctx context.Context, userID string) ([]Session, error) {
	actor := m.actorID(ctx)
	ended, err := m.end(ctx, userID, ReasonRevokedAll, all(""))
	if err == nil || len(ended) > 0 {
		m.emit(ctx, Event{Kind: RevokedAll, UserID: userID, ActorID: actor, Reason: ReasonRevokedAll, Count: len(ended)})
	}
	return ended, failed("revoke all sessions", err)
}

// RevokeEveryone ends every session of every user, for use after a breach. It
// includes sessions in the visitors' store that were signed in before revoke
// came and have not been used since, if that store can be iterated.
func (m *Manager) RevokeEveryone(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	// The visitors come first: see stillThere.
	err := m.router.forgetSignedIn(ctx)
	late := m.sessions.RevokeEveryone(ctx)
	if !errors.Is(late, ErrNotReplicated) {
		err, late = errors.Join(err, late), nil
	}
	if err != nil {
		err = failed("revoke everyone", err)
		m.storeFailed(ctx, err)
		return err
	}
	m.notReplicated(ctx, late)
	actor := m.actorID(ctx)
	if actor != "" {
		m.signedOut(ctx, m.request(ctx))
	}
	m.emit(ctx, Event{Kind: RevokedEveryone, ActorID: actor})
	return failed("revoke everyone", late)
}

// end ends sessions of one user by one call of the store. It returns those that
// have ended with ErrNotReplicated too.
func (m *Manager) end(ctx context.Context, userID, reason string, revoke revocation) ([]Session, error) {
	s := m.request(ctx)
	if s.isOverruled(userID) {
		return nil, m.Err(ctx)
	}
	actor, actorUser := m.current(ctx)
	why := store.Revocation{At: now(), Reason: reason}
	if actor != nil && actorUser == userID {
		why.By = actor.ID
	}
	// Whoever hangs up during a revocation has asked for it all the same.
	ctx = context.WithoutCancel(ctx)
	records, err := revoke(ctx, m.sessions, userKey(userID), why)
	if errors.Is(err, store.ErrActorRevoked) {
		return nil, m.actorRevoked(ctx, s, actor)
	}
	if !m.notReplicated(ctx, err) && err != nil {
		if ignoreEnded(err) != nil {
			m.storeFailed(ctx, err)
		}
		return nil, err
	}
	ended := make([]Session, len(records))
	for i, r := range records {
		ended[i] = m.session(r, userID, why.By)
		if r.ID == why.By {
			m.signedOut(ctx, s)
		}
	}
	return ended, err
}

// notReplicated reports whether sessions have ended of which replicas may not
// know, and raises it.
func (m *Manager) notReplicated(ctx context.Context, err error) bool {
	if !errors.Is(err, ErrNotReplicated) {
		return false
	}
	m.storeFailed(ctx, err)
	return true
}

// failed says what failed, if anything did.
func failed(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("revoke: %s: %w", doing, err)
}

// A revocation is one call of a store that ends sessions.
type revocation func(ctx context.Context, st store.Store, user string, why store.Revocation) ([]store.Record, error)

func one(id string) revocation {
	return func(ctx context.Context, st store.Store, user string, why store.Revocation) ([]store.Record, error) {
		if !validID(id) {
			id = noID // the same work as for any unknown id
		}
		r, err := st.Revoke(ctx, user, id, why)
		if r.ID == "" { // not live, and with ErrNotReplicated it may have ended before
			return nil, err
		}
		return []store.Record{r}, err
	}
}

func all(keep string) revocation {
	return func(ctx context.Context, st store.Store, user string, why store.Revocation) ([]store.Record, error) {
		return st.RevokeAll(ctx, user, keep, why)
	}
}

// signedOut makes the request one without a session: its data is dropped, so
// that nothing of it is saved again.
func (m *Manager) signedOut(ctx context.Context, s *request) {
	s.leave()
	s.end()
	_ = m.sm.Destroy(ctx) // deletes nothing: the session has ended
}

// actorRevoked returns the error for a request whose own session was revoked
// while it was under way.
func (m *Manager) actorRevoked(ctx context.Context, s *request, actor *store.Record) error {
	tombstone, err := m.sessions.Find(ctx, actor.User, actor.ID)
	switch {
	case errors.Is(err, store.ErrRevoked):
		s.overrule(revokedError(tombstone))
	case ignoreEnded(err) == nil:
		s.overrule(nil)
	default:
		m.storeFailed(ctx, err)
		return err
	}
	_ = m.sm.Destroy(ctx) // deletes nothing: the session has ended
	return m.Err(ctx)
}

func (m *Manager) actorID(ctx context.Context) string {
	if record, _ := m.current(ctx); record != nil {
		return record.ID
	}
	return ""
}

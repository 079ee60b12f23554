package revoke

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// Revoke ends one session of a user. If that user has no such session, it returns
// [ErrNotFound], even if somebody else has a session of that id.
//
// If ctx is that of a request by the same user, the request's own session must
// be live. The store checks this in the same atomic step. If it is not, Revoke
// does nothing and returns an error that is [ErrUnauthenticated]. If id is that of the
// request's own session, its user is logged out.
//
// If the error is [ErrNotReplicated], the session has ended, now or before. On any other
// error the outcome is unknown, and it is safe to try again.
func (m *Manager) Revoke(ctx context.Context, userID, id string) error {
	if err := m.authorize(ctx, Revoked, userID, id); err != nil {
		return fmt.Errorf("revoke: revoke session: %w", err)
	}
	target := id
	if !validID(id) {
		id, target = "", noID // the same work as for any unknown id
	}
	actor := m.actorID(ctx)
	ended, err := m.end(ctx, userID, ReasonRevoked, func(ctx context.Context, user string, why store.Revocation) ([]store.Record, error) {
		return oneEnded(m.sessions.Revoke(ctx, user, target, why))
	})
	switch {
	case len(ended) > 0:
		m.emit(ctx, Event{Kind: Revoked, UserID: userID, SessionID: ended[0].ID, ActorID: actor, Reason: ReasonRevoked, Count: 1, Token: ended[0].Token})
	case errors.Is(err, ErrNotFound):
		m.emit(ctx, Event{Kind: Refused, UserID: userID, SessionID: id, ActorID: actor})
		return ErrNotFound
	}
	return failed("revoke session", err)
}

// RevokeOthers ends all sessions of the request's user but the request's own, in one
// atomic step, and returns those that ended. It returns them with [ErrNotReplicated] too.
// If the request has no live session, it revokes nothing and returns an error that is
// [ErrUnauthenticated].
func (m *Manager) RevokeOthers(ctx context.Context) ([]Session, error) {
	record, userID := m.current(ctx)
	if record == nil {
		return nil, m.Err(ctx)
	}
	if err := m.authorize(ctx, RevokedOthers, userID, ""); err != nil {
		return nil, fmt.Errorf("revoke: revoke other sessions: %w", err)
	}
	ended, err := m.end(ctx, userID, ReasonRevokedOthers, func(ctx context.Context, user string, why store.Revocation) ([]store.Record, error) {
		return m.sessions.RevokeAll(ctx, user, record.ID, why)
	})
	if err == nil || len(ended) > 0 {
		m.emit(ctx, Event{Kind: RevokedOthers, UserID: userID, ActorID: record.ID, Reason: ReasonRevokedOthers, Count: len(ended)})
	}
	return ended, failed("revoke other sessions", err)
}

// RevokeAll ends all sessions of a user in one atomic step, the request's own included,
// and returns those that ended. It returns them with [ErrNotReplicated] too. Call it when
// a password was reset or an account was closed.
//
// Change the password first. If a sign-in began before RevokeAll, it is refused and
// answered with 401. To keep the user signed in on this device, call [Manager.Login]
// afterwards.
func (m *Manager) RevokeAll(ctx context.Context, userID string) ([]Session, error) {
	actor := m.actorID(ctx)
	ended, err := m.end(ctx, userID, ReasonRevokedAll, func(ctx context.Context, user string, why store.Revocation) ([]store.Record, error) {
		return m.sessions.RevokeAll(ctx, user, "", why)
	})
	if err == nil || len(ended) > 0 {
		m.emit(ctx, Event{Kind: RevokedAll, UserID: userID, ActorID: actor, Reason: ReasonRevokedAll, Count: len(ended)})
	}
	return ended, failed("revoke all sessions", err)
}

// RevokeEveryone ends every session of every user. Call it after a breach. Sessions from
// before revoke came end too: from then on none is adopted any more. If the visitors'
// store can be iterated, their records there are deleted.
//
// If a sign-in is under way meanwhile, its session may live. So make old passwords
// useless first.
func (m *Manager) RevokeEveryone(ctx context.Context) error {
	actor := m.actorID(ctx)
	ctx = context.WithoutCancel(ctx)
	err := failed("revoke everyone", m.sessions.RevokeEveryone(ctx))
	if err != nil {
		m.storeFailed(ctx, err)
	}
	if err != nil && !errors.Is(err, ErrNotReplicated) {
		return err
	}
	m.request(ctx).hasRevokedAll("", now())
	if actor != "" {
		m.signedOut(ctx, m.request(ctx))
	}
	m.emit(ctx, Event{Kind: RevokedEveryone, ActorID: actor})
	if forgotten := m.router.forgetSignedIn(ctx); forgotten != nil {
		forgotten = failed("revoke everyone: visitors' store", forgotten)
		m.storeFailed(ctx, forgotten)
		return cmp.Or(err, forgotten)
	}
	return err
}

// end ends sessions of one user by one call of the store, and returns those that
// have ended, also with ErrNotReplicated. If the request has a session of that
// user, that session acts.
func (m *Manager) end(ctx context.Context, userID, reason string, revoke func(ctx context.Context, user string, why store.Revocation) ([]store.Record, error)) ([]Session, error) {
	s := m.request(ctx)
	if s.isOverruled(userID) {
		return nil, m.Err(ctx)
	}
	why := store.Revocation{At: now(), Reason: reason, Until: m.horizon(time.Time{})}
	actor, actorUser := m.current(ctx)
	if actor != nil && actorUser == userID {
		why.By = actor.ID
	}
	// Finish the revocation even if the client hangs up.
	ctx = context.WithoutCancel(ctx)
	records, err := revoke(ctx, m.userKey(userID), why)
	if errors.Is(err, store.ErrActorRevoked) {
		return nil, m.actorRevoked(ctx, s, actor)
	}
	if ignoreEnded(err) != nil {
		m.storeFailed(ctx, err)
	}
	if err != nil && !errors.Is(err, ErrNotReplicated) {
		return nil, err
	}
	if reason != ReasonRevoked {
		s.hasRevokedAll(m.userKey(userID), why.At)
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

// oneEnded returns the session that a call of Store.Revoke has ended, if it has.
func oneEnded(record store.Record, err error) ([]store.Record, error) {
	if record.ID == "" {
		return nil, err
	}
	return []store.Record{record}, err
}

// endOne ends one session whose user is no longer in it. It reports false if the
// session had ended before. If replicas may not know of the end, it counts all the
// same, that is logged, and the error is ErrNotReplicated.
func (m *Manager) endOne(ctx context.Context, user, id, reason string) (ended bool, err error) {
	record, err := m.sessions.Revoke(context.WithoutCancel(ctx), user, id, store.Revocation{At: now(), Reason: reason, By: id})
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, ErrNotReplicated):
		m.storeFailed(ctx, err)
		return record.ID != "", err
	}
	return false, ignoreEnded(err)
}

// signedOut makes the request one without a session: its data is dropped, so
// that nothing of it is saved again.
func (m *Manager) signedOut(ctx context.Context, s *request) {
	s.leave()
	m.forget(ctx)
	s.end()
	s.dropOld(ctx)
	_ = m.sm.Destroy(ctx) // deletes nothing: the session has ended
}

// forget drops the request's data, before its session is said to have ended: a save
// step that is under way must not take what is left for a sign-in. Destroy does not
// do, for it keeps the data if the visitors' store fails.
func (m *Manager) forget(ctx context.Context) { _ = m.sm.Clear(ctx) } // it never fails

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
	m.forget(ctx)
	_ = m.sm.Destroy(ctx) // deletes nothing: the session has ended
	return m.Err(ctx)
}

func (m *Manager) actorID(ctx context.Context) string {
	if record, _ := m.current(ctx); record != nil {
		return record.ID
	}
	return ""
}

package revoke

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// An Action is a revocation that a user has asked for, before it is done.
type Action struct {
	Kind    Kind      // Revoked or RevokedOthers
	Session Session   // the session that asks; see its ProvedAt
	Targets []Session // the sessions that would end; none if the id is not the user's
}

// RecentLogin returns an Authorize function that refuses if the user last proved
// who they are longer than d ago (OWASP ASVS 5.0, 7.5.2).
func RecentLogin(d time.Duration) func(context.Context, Action) error {
	return func(_ context.Context, a Action) error {
		if time.Since(a.Session.ProvedAt) > d {
			return &ReauthenticationError{MaxAge: d}
		}
		return nil
	}
}

// Seasoned returns an Authorize function that refuses if a session younger than d
// wants to end an older one, as a thief with a fresh sign-in would. It does not refuse
// if the user has proved again who they are since that sign-in.
func Seasoned(d time.Duration) func(context.Context, Action) error {
	return func(_ context.Context, a Action) error {
		if time.Since(a.Session.CreatedAt) >= d || a.Session.ProvedAt.After(a.Session.CreatedAt) {
			return nil
		}
		for _, target := range a.Targets {
			if target.CreatedAt.Before(a.Session.CreatedAt) {
				return &ReauthenticationError{MaxAge: d}
			}
		}
		return nil
	}
}

// Reauthenticated notes that the user of the request's session has just proved
// again who they are, and gives the session a fresh token (OWASP ASVS 5.0,
// 7.2.4). Both are stored when the response begins. If another request has renewed the
// token meanwhile, they are not stored: the response is an error that asks to try again.
func (m *Manager) Reauthenticated(ctx context.Context) error {
	record, _ := m.current(ctx)
	if record == nil {
		return m.Err(ctx)
	}
	s := m.request(ctx)
	if s.begun() {
		return errors.New("revoke: reauthenticated: the response has begun")
	}
	if err := m.sm.RenewToken(ctx); err != nil {
		return fmt.Errorf("revoke: reauthenticated: %w", err)
	}
	s.prove(reauthenticated)
	return nil
}

// authorize asks Authorize before the request's session revokes another session of
// its user. Signing oneself out needs no permission.
func (m *Manager) authorize(ctx context.Context, kind Kind, userID, id string) error {
	acting, actingUser := m.current(ctx)
	if m.Authorize == nil || acting == nil || actingUser != userID || acting.ID == id {
		return nil
	}
	sessions, err := m.List(ctx, userID)
	if err != nil {
		return err
	}
	a := Action{Kind: kind, Session: m.session(*acting, userID, acting.ID)}
	for _, s := range sessions {
		if !s.Current && (kind == RevokedOthers || s.ID == id) {
			a.Targets = append(a.Targets, s)
		}
	}
	if err := m.Authorize(ctx, a); err != nil {
		m.emit(ctx, Event{Kind: StepUpRefused, UserID: userID, SessionID: acting.ID, ActorID: acting.ID, Count: len(a.Targets)})
		return &RefusedError{Err: err}
	}
	return nil
}

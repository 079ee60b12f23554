package revoke

import (
	"net/http"
)

// Guard says whether a request may list or revoke sessions: nil if it may. Ask
// it first in a handler of your own, as the API and the page do:
//
//	if err := sessions.Guard(r); err != nil {
//		revoke.ProblemOf(err).Write(w)
//		return
//	}
//
// If the method is neither GET nor HEAD, Guard wants the request to be of the
// same origin ([ErrCrossOrigin]) and then within the Limiter's bounds
// ([*RateLimitedError]), at which it counts. So call Guard once a request. In the
// end, and for every method, it wants a live session, as [Manager.Err] does.
//
// The order matters. A request from another site must not use up the user's
// limit, and a flood of requests without a session must meet the limit.
//
// To sign oneself out is not limited: see [Manager.GuardLogout].
//
// Guard does not ask Authorize: [Manager.Revoke] and [Manager.RevokeOthers] do,
// which know what is to end. Outside of Track it returns [ErrMisconfigured].
func (m *Manager) Guard(r *http.Request) error { return m.guard(r, m.limit) }

// GuardLogout is Guard for a request that ends its own session and no other: it
// does not count, and the Limiter does not refuse it.
func (m *Manager) GuardLogout(r *http.Request) error {
	return m.guard(r, func(*http.Request) error { return nil })
}

func (m *Manager) guard(r *http.Request, limit func(*http.Request) error) error {
	if m.request(r.Context()) == nil {
		return m.misconfigured(r.Context(), "the handler is outside of Track: pass it to Manager.Track")
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		if err := m.checkOrigin(r); err != nil {
			return err
		}
		if err := limit(r); err != nil {
			return err
		}
	}
	return m.Err(r.Context())
}

func (m *Manager) checkOrigin(r *http.Request) error {
	if m.request(r.Context()).came.header {
		return nil // no other site can know the token, and no cookie counts
	}
	protection := m.CrossOrigin
	if protection == nil {
		protection = new(http.CrossOriginProtection)
	}
	if err := protection.Check(r); err != nil {
		_, userID := m.current(r.Context())
		m.emit(r.Context(), Event{Kind: CrossOriginRefused, UserID: userID, SessionID: m.actorID(r.Context())})
		return ErrCrossOrigin
	}
	return nil
}

package revoke

import (
	"context"
	"fmt"
	"log/slog"
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
// Guard does not ask Authorize: [Manager.Revoke] and [Manager.RevokeOthers] do,
// which know what is to end. Outside of Track it returns [ErrMisconfigured].
func (m *Manager) Guard(r *http.Request) error {
	if m.request(r.Context()) == nil {
		return m.misconfigured(r.Context(), "the handler is outside of Track: pass it to Manager.Track")
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		if err := m.checkOrigin(r); err != nil {
			return err
		}
		if err := m.limit(r); err != nil {
			return err
		}
	}
	return m.Err(r.Context())
}

func (m *Manager) checkOrigin(r *http.Request) error {
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

// misconfigured logs a mistake in the program, and returns the error for it.
func (m *Manager) misconfigured(ctx context.Context, mistake string) error {
	m.logger().ErrorContext(ctx, "revoke: misconfigured", slog.String("error.message", mistake))
	return fmt.Errorf("revoke: %w: %s", ErrMisconfigured, mistake)
}

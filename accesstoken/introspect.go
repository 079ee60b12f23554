package accesstoken

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/revoke-sessions/revoke"
)

// Introspection says whether an access token is live (RFC 7662), for services that cannot
// reach the store. It answers those requests that allow lets through.
//
// It always asks the store, even over a [store.Leased]. If a service keeps an answer, it
// must keep it for less than the lease, counted from when it asked. If there are no leases,
// it must keep none. To ask costs as much as to list the user's sessions.
func (t *Tokens) Introspection(allow func(*http.Request) bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !allow(r) {
			w.Header().Set("WWW-Authenticate", "Bearer") // RFC 7662, section 2.3
			fail(w, http.StatusUnauthorized, "invalid_client", "")
			return
		}
		form, ok := parseForm(w, r)
		if !ok {
			return
		}
		if form.Get("token") == "" {
			fail(w, http.StatusBadRequest, "invalid_request", "token is missing")
			return
		}
		c, err := t.introspect(r.Context(), form.Get("token"))
		switch {
		case errors.Is(err, revoke.ErrUnauthenticated): // why is nobody's business: section 2.2
			answer(w, http.StatusOK, struct {
				Active bool `json:"active"`
			}{false})
		case err != nil:
			failLater(w, err)
		default:
			answer(w, http.StatusOK, struct {
				Active    bool   `json:"active"`
				TokenType string `json:"token_type"`
				*Claims
			}{true, "Bearer", c})
		}
	})
}

// introspect verifies a token by the user's list of sessions: that is never from memory.
func (t *Tokens) introspect(ctx context.Context, token string) (*Claims, error) {
	c, err := t.Verifier().verify(ctx, token)
	if err != nil {
		return nil, err
	}
	sessions, err := t.sessions.List(ctx, c.Subject)
	if err != nil {
		return nil, err
	}
	isSession := func(s revoke.Session) bool { return t.sessions.SID(s) == c.SID }
	if !slices.ContainsFunc(sessions, isSession) {
		return nil, revoke.ErrUnauthenticated
	}
	return c, nil
}

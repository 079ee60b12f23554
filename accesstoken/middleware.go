package accesstoken

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/revoke-sessions/revoke"
)

// Middleware lets only requests through that have a valid token of a live session in
// their Authorization header (RFC 6750). It answers the others as [revoke.Manager.Require]
// does: 401 with a challenge, or 503 if the check failed, which is logged.
func (v *Verifier) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, named := bearer(r.Header)
		if !named {
			challenge(w, "Bearer", revoke.ErrUnauthenticated)
			return
		}
		c, err := v.Verify(r.Context(), token)
		switch {
		case err == nil:
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), claimsKey{}, c)))
		case errors.Is(err, revoke.ErrRevoked):
			challenge(w, `Bearer error="invalid_token", error_description="session revoked"`, err)
		case errors.Is(err, revoke.ErrUnauthenticated):
			challenge(w, `Bearer error="invalid_token"`, err)
		default:
			if r.Context().Err() == nil { // else the client has gone, which is no failure
				slog.ErrorContext(r.Context(), "access token cannot be verified", "error", err)
			}
			revoke.ProblemOf(err).Write(w)
		}
	})
}

func challenge(w http.ResponseWriter, challenge string, err error) {
	w.Header().Set("WWW-Authenticate", challenge) // RFC 6750, section 3
	revoke.ProblemOf(err).Write(w)
}

// bearer returns what the Authorization header has after "Bearer", and reports whether it
// names a token at all. Several headers name one that is invalid.
func bearer(h http.Header) (token string, named bool) {
	values := h["Authorization"]
	for _, value := range values {
		scheme, rest, _ := strings.Cut(value, " ")
		if strings.EqualFold(scheme, "Bearer") {
			token, named = strings.TrimLeft(rest, " "), true
		}
	}
	if len(values) > 1 {
		token = ""
	}
	return token, named
}

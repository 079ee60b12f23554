package revoke

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A problem is an error response as in RFC 9457. It says what an honest client
// needs, and nothing of what the server knows.
type problem struct {
	Title     string     `json:"title"`
	Status    int        `json:"status"`
	Detail    string     `json:"detail"`
	Code      string     `json:"code"`
	RevokedAt *time.Time `json:"revoked_at,omitempty"` // with session_revoked
	Reason    string     `json:"reason,omitempty"`     // with session_revoked
	MaxAge    *int64     `json:"max_age,omitempty"`    // seconds, with reauthentication_required
	Count     *int       `json:"count,omitempty"`      // with confirmation_required

	retryAfter int64 // seconds, with rate_limited
}

func problemOf(err error) problem {
	var (
		revoked *RevokedError
		limited *rateLimitedError
		refused *refusedError
		confirm *confirmationError
	)
	switch {
	case errors.As(err, &revoked):
		p := newProblem(http.StatusUnauthorized, "session_revoked", "This session was revoked. Sign in again.")
		p.RevokedAt, p.Reason = &revoked.At, revoked.Reason
		return p
	case errors.Is(err, ErrUnauthenticated):
		return newProblem(http.StatusUnauthorized, "unauthenticated", "Unauthorized.")
	case errors.Is(err, errCrossOrigin):
		return newProblem(http.StatusForbidden, "cross_origin", "This request came from another site.")
	case errors.As(err, &limited):
		p := newProblem(http.StatusTooManyRequests, "rate_limited", "Too many requests. Try again later.")
		p.retryAfter = limited.seconds()
		return p
	case errors.As(err, &refused):
		p := newProblem(http.StatusForbidden, "reauthentication_required", "Sign in again to do this.")
		var stepUp *ReauthenticationError
		if errors.As(err, &stepUp) {
			seconds := int64(stepUp.MaxAge.Seconds())
			p.MaxAge = &seconds
		}
		return p
	case errors.As(err, &confirm):
		p := newProblem(http.StatusPreconditionRequired, "confirmation_required", "Repeat the request with ?confirm=true to end this many sessions. It cannot be undone.")
		p.Count = &confirm.count
		return p
	case errors.Is(err, ErrNotReplicated):
		return newProblem(http.StatusServiceUnavailable, "revocation_not_replicated", "What was to end has ended, but may come back if the server fails in the next moments. Look at the list, and try again.")
	case errors.Is(err, ErrNotFound):
		return newProblem(http.StatusNotFound, "session_not_found", "Session not found.")
	}
	return newProblem(http.StatusServiceUnavailable, "store_unavailable", "Sessions cannot be reached at the moment. It is safe to try again.")
}

func newProblem(status int, code, detail string) problem {
	return problem{Title: http.StatusText(status), Status: status, Detail: detail, Code: code}
}

func (p problem) write(w http.ResponseWriter) {
	if p.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt(p.retryAfter, 10))
	}
	writeJSON(w, p.Status, "application/problem+json", p)
}

func methodNotAllowed(w http.ResponseWriter, allowed ...string) {
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	newProblem(http.StatusMethodNotAllowed, "method_not_allowed", "This method is not allowed here.").write(w)
}

// unavailable is the ErrorFunc of a scs.SessionManager that has none of its own.
func (m *Manager) unavailable(w http.ResponseWriter, _ *http.Request, err error) {
	if errors.Is(err, ErrRevoked) {
		problemOf(err).write(w)
		return
	}
	if errors.Is(err, errEncode) {
		newProblem(http.StatusInternalServerError, "internal_error", "The session could not be saved.").write(w)
		return
	}
	problemOf(errStoreUnavailable).write(w)
}

package revoke

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A Problem is an error as the API answers it: the problem details of RFC 9457.
// It says what an honest client needs, and nothing of what the server knows.
//
//	status  code                       when
//	401     unauthenticated            there is no session
//	401     session_revoked            the session of this very token was revoked
//	403     cross_origin               the request came from another site
//	403     reauthentication_required  Authorize wants a new proof
//	403     refused                    Authorize says no
//	404     session_not_found          ErrNotFound
//	405     method_not_allowed
//	428     confirmation_required      Confirm is set and ?confirm=true is missing
//	429     rate_limited               the Limiter says no
//	500     misconfigured              ErrMisconfigured: the log names the mistake
//	503     store_unavailable          nothing is claimed: it is safe to try again
//	503     revocation_not_replicated  ErrNotReplicated
type Problem struct {
	Title     string    `json:"title"`
	Status    int       `json:"status"`
	Detail    string    `json:"detail"`
	Code      string    `json:"code"`                // stable: one of those above
	RevokedAt time.Time `json:"revoked_at,omitzero"` // with session_revoked
	Reason    string    `json:"reason,omitempty"`    // with session_revoked: a Reason constant
	MaxAge    *int64    `json:"max_age,omitempty"`   // seconds, with reauthentication_required if it is known
	Count     *int      `json:"count,omitempty"`     // with confirmation_required

	RetryAfter int64 `json:"-"` // seconds, with rate_limited and store_unavailable: the header of that name
}

// The codes are part of the HTTP contract: clients compare them.
const (
	codeUnauthenticated  = "unauthenticated"
	codeSessionRevoked   = "session_revoked"
	codeCrossOrigin      = "cross_origin"
	codeReauthentication = "reauthentication_required"
	codeRefused          = "refused"
	codeNotFound         = "session_not_found"
	codeMethod           = "method_not_allowed"
	codeConfirmation     = "confirmation_required"
	codeRateLimited      = "rate_limited"
	codeMisconfigured    = "misconfigured"
	codeStore            = "store_unavailable"
	codeNotReplicated    = "revocation_not_replicated"
)

// ProblemOf returns how the API answers an error of this package. An error that
// it does not know stands for a failure of the store.
func ProblemOf(err error) Problem {
	var (
		refused *RefusedError
		revoked *RevokedError
		limited *RateLimitedError
		confirm *ConfirmationError
	)
	switch {
	case errors.As(err, &refused): // first, as it wraps any error
		return refusal(refused)
	case errors.As(err, &revoked):
		p := newProblem(http.StatusUnauthorized, codeSessionRevoked, "This session was revoked. Sign in again.")
		p.RevokedAt, p.Reason = expressible(revoked.At), revoked.Reason
		return p
	case errors.Is(err, ErrUnauthenticated):
		return newProblem(http.StatusUnauthorized, codeUnauthenticated, "Unauthorized.")
	case errors.Is(err, ErrCrossOrigin):
		return newProblem(http.StatusForbidden, codeCrossOrigin, "This request came from another site.")
	case errors.As(err, &limited):
		p := newProblem(http.StatusTooManyRequests, codeRateLimited, "Too many requests. Try again later.")
		p.RetryAfter = max(1, int64(math.Ceil(limited.RetryAfter.Seconds())))
		return p
	case errors.As(err, &confirm):
		p := newProblem(http.StatusPreconditionRequired, codeConfirmation, "Repeat the request with ?confirm=true to end this many sessions. It cannot be undone.")
		p.Count = &confirm.Count
		return p
	case errors.Is(err, ErrNotReplicated):
		return newProblem(http.StatusServiceUnavailable, codeNotReplicated, "Signed out, but not yet saved everywhere. Try again.")
	case errors.Is(err, ErrNotFound):
		return newProblem(http.StatusNotFound, codeNotFound, "Session not found.")
	case errors.Is(err, ErrMisconfigured):
		return newProblem(http.StatusInternalServerError, codeMisconfigured, "This server has a mistake in its program. Trying again does not help.")
	}
	p := newProblem(http.StatusServiceUnavailable, codeStore, "Sessions cannot be reached at the moment. It is safe to try again.")
	p.RetryAfter = 1
	return p
}

func refusal(refused *RefusedError) Problem {
	var stepUp *ReauthenticationError
	if !errors.As(refused, &stepUp) {
		return newProblem(http.StatusForbidden, codeRefused, "You may not do this.")
	}
	p := newProblem(http.StatusForbidden, codeReauthentication, "Sign in again to do this.")
	seconds := int64(stepUp.MaxAge.Seconds())
	p.MaxAge = &seconds
	return p
}

func newProblem(status int, code, detail string) Problem {
	return Problem{Title: http.StatusText(status), Status: status, Detail: detail, Code: code}
}

// Write answers with the problem as application/problem+json.
func (p Problem) Write(w http.ResponseWriter) {
	if p.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt(p.RetryAfter, 10))
	}
	body, _ := json.Marshal(p) // times that ProblemOf sets can be expressed
	writeJSON(w, p.Status, "application/problem+json", body)
}

func methodNotAllowed(w http.ResponseWriter, allowed ...string) {
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	newProblem(http.StatusMethodNotAllowed, codeMethod, "This method is not allowed here.").Write(w)
}

// unavailable is the ErrorFunc of a scs.SessionManager that has none of its own.
func (m *Manager) unavailable(w http.ResponseWriter, r *http.Request, err error) {
	if !errors.Is(err, ErrMisconfigured) && !errors.Is(err, ErrRevoked) {
		err = nil // whatever it is, nothing is claimed: see ProblemOf
	}
	m.answer(w, r, err)
}

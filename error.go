package revoke

import (
	"errors"
	"fmt"
	"time"
)

// ErrCrossOrigin means that the request came from another site, so nothing was
// done. It is from [Manager.Guard].
var ErrCrossOrigin = errors.New("cross-origin request")

// ErrMisconfigured means a mistake in the program, which trying again does not
// mend. The error's text names the mistake, and the log has it too.
var ErrMisconfigured = errors.New("misconfigured")

// A RateLimitedError means that the request was one too many, so nothing was
// done. It is from [Manager.Guard].
type RateLimitedError struct {
	RetryAfter time.Duration // how long to wait before the next request
}

func (e *RateLimitedError) Error() string {
	return fmt.Sprintf("rate limited: retry after %v", e.RetryAfter)
}

// A RefusedError means that [Manager.Authorize] refused a revocation, so nothing
// was revoked. It is from [Manager.Revoke] and [Manager.RevokeOthers].
//
// It wraps what Authorize returned, which may be any error, even one of this
// package. So look for a RefusedError before you look for any other.
type RefusedError struct {
	Err error // what Authorize returned; a [*ReauthenticationError] asks for a new proof
}

func (e *RefusedError) Error() string { return "refused: " + e.Err.Error() }

func (e *RefusedError) Unwrap() error { return e.Err }

// A ReauthenticationError is what an Authorize function returns if the user has to
// prove again who they are. Any other error refuses without a way out.
type ReauthenticationError struct {
	MaxAge time.Duration // how old the proof may be
}

func (e *ReauthenticationError) Error() string { return "reauthentication required" }

// A ConfirmationError means that [Manager.Confirm] is set and the request to end
// all other sessions was not confirmed, so nothing was revoked. It is what the
// API and the page answer with. The methods of Manager do not ask for a
// confirmation: a handler of your own that does can answer with this error too.
type ConfirmationError struct {
	Count int // how many sessions would end
}

func (e *ConfirmationError) Error() string { return "confirmation required" }

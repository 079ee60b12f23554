package revoke

import (
	"errors"
	"fmt"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// Errors, to be tested with [errors.Is]. Any other error means that the store
// failed, and that the outcome is not known.
var (
	// ErrNotFound stands for an unknown, expired, malformed or revoked id, and
	// for somebody else's.
	ErrNotFound = store.ErrNotFound

	// ErrUnauthenticated means that the request has no session.
	ErrUnauthenticated = errors.New("unauthenticated")

	// ErrRevoked means that the request's session was revoked. It comes as a
	// [*RevokedError].
	ErrRevoked = store.ErrRevoked

	// ErrNotReplicated means that the sessions ended, but that too few replicas
	// confirmed it in time: see [store.Redis.Replicas]. Retry until you get nil
	// or ErrNotFound.
	ErrNotReplicated = store.ErrNotReplicated

	// ErrCrossOrigin means that the request came from another site, so nothing was
	// done. It is from [Manager.Guard].
	ErrCrossOrigin = errors.New("cross-origin request")

	// ErrMisconfigured means that the program has a mistake. Trying again does not
	// help. The error's text names the mistake, and so does the log.
	ErrMisconfigured = errors.New("misconfigured")
)

// A RevokedError tells the holder of a revoked session's token when and why it
// was revoked. It is both [ErrRevoked] and [ErrUnauthenticated].
type RevokedError struct {
	SessionID string    // the session that was revoked
	At        time.Time // when
	Reason    string    // why: one of the Reason constants
	By        string    // the id of the session that did it; may be empty

	user string // the session's user key; "" if it is a sign-in that was refused
}

func (e *RevokedError) Error() string { return "session revoked: " + e.Reason }

// Is makes the error match [ErrRevoked] and [ErrUnauthenticated].
func (e *RevokedError) Is(target error) bool {
	return target == ErrRevoked || target == ErrUnauthenticated
}

func revokedError(tombstone store.Record) *RevokedError {
	return &RevokedError{
		user:      tombstone.User,
		SessionID: tombstone.ID,
		At:        tombstone.Revoked.At.UTC(),
		Reason:    tombstone.Revoked.Reason,
		By:        tombstone.Revoked.By,
	}
}

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

// Errors of the program, or of its data, and not of a store.
var (
	errReplaced      = errors.New("revoke: the session could not be saved, and the response was replaced by an error")
	errUnreadable    = errors.New("stored data cannot be decoded")
	errOtherUser     = errors.New("revoke: a session's data must go on naming its user")
	errNotIterable   = errors.New("revoke: the visitors' store does not support iteration")
	errHashedIterate = errors.New("revoke: Iterate cannot end sessions under HashTokenInStore: use List and Revoke, or RevokeEveryone")

	errEncode             = fmt.Errorf("revoke: %w: encode session", ErrMisconfigured)
	errSignInOutsideTrack = fmt.Errorf("revoke: %w: Commit signs nobody in: Track does, when the response begins; in a test use revoketest.SignIn", ErrMisconfigured)
)

// ignoreEnded passes only the errors that mean that a store failed.
func ignoreEnded(err error) error {
	for _, ended := range []error{store.ErrNotFound, store.ErrRevoked, store.ErrStale, store.ErrActorRevoked} {
		if errors.Is(err, ended) {
			return nil
		}
	}
	return err
}

// failed says what failed, if anything did.
func failed(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("revoke: %s: %w", doing, err)
}

// errEncoding says that an application's value could not be encoded.
func errEncoding(err error) error { return fmt.Errorf("%w: %w", errEncode, err) }

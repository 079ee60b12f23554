// Package store holds the contract between revoke and the place where signed-in
// sessions are kept, and implementations of it: in memory and on Redis.
//
// A third party who writes a store needs this package only, and proves the
// store with package storetest.
package store

import (
	"context"
	"errors"
	"iter"
	"time"
)

// A Store keeps the signed-in sessions of users, and the tombstones of those that
// were revoked. It also keeps what Create needs to refuse a session.
//
// A session is live from its creation until it is revoked or its ExpiresAt has
// come, whichever is first. Every method but RevokeEveryone and All is one atomic
// step: concurrent calls behave as if they had run one after the other, on
// whatever node they were made. A method that returns an error has changed
// nothing, with two exceptions: [ErrNotReplicated], and an error because the store
// did not answer. After the latter the outcome is unknown.
//
// Nodes do not agree on the time. A store that has a clock of its own goes by that
// clock: it alone decides what has expired when a session is created, changed,
// revoked or deleted. So a node whose clock is ahead deletes nothing that is still
// live. It can revoke such a session, even if its own clock says that the session has
// expired. Find, List and All may go by the clock of the caller: they change nothing.
//
// Names (Record.User, Record.ID, Revocation.By) are any non-empty strings to a
// store, and Client and Data any bytes; a store gives meaning to none of them.
// An ID is unique within its user only. A store neither keeps nor changes the
// slices it is given, and what it returns belongs to the caller. It keeps times
// to the microsecond or better, the zero time included.
//
// A call whose context is done before it starts returns the context's error
// and does nothing. Stores are safe for concurrent use.
type Store interface {
	// Create adds a session, unless it has a reason to refuse. The first of these
	// that applies is the error:
	//
	//   - a live session of this user has the id: [ErrExists];
	//   - a tombstone has the id: [ErrRevoked];
	//   - Create added the id before with a Record.Once that has not come yet,
	//     whatever has become of that session since: [ErrRevoked];
	//   - RevokeAll has left a mark that has not expired, and r.CreatedAt is not
	//     after it, or r.Once is set: a [*MarkedError], which is an ErrRevoked.
	//
	// With limit.Max > 0 it also evicts, in the same step, the user's least recently
	// seen live sessions beyond that number, and returns them as List would. A
	// session that has not been seen yet, whose SeenAt is zero, counts as the most
	// recent. The session being created counts, and is never evicted itself. The
	// tombstones carry [Evicted] as their reason and the new session's id as By.
	Create(ctx context.Context, r Record, limit Limit) (evicted []Record, err error)

	// Find returns a live session with its data: [ErrNotFound] if there is none,
	// or, if there is a tombstone, the tombstone and [ErrRevoked].
	Find(ctx context.Context, user, id string) (Record, error)

	// Update replaces a live session whose secret hash is still was. It never
	// creates: [ErrNotFound] or [ErrRevoked] if the session is not live, and
	// [ErrStale] if its secret hash is another.
	//
	// A renewal that comes too late is ErrStale as well: r.Secret is another than
	// was, the stored UsedAt is set, and r.Prev is the stored Prev, and not zero. Its
	// request presented the token before the last renewal, and looked while that still
	// opened the session. The newer token was used meanwhile, and whoever holds it
	// must not lose the session.
	//
	// Some fields it replaces under a condition only. Prev, RenewedAt and UsedAt are
	// written as given if r.Secret is another than was, and are kept otherwise; but
	// if Prev is set and UsedAt is zero, it becomes r.UsedAt. Deadline is kept if
	// r.Deadline is zero. Once is for Create alone.
	Update(ctx context.Context, r Record, was Hash) error

	// Touch records when and from where a live session was last seen, and its
	// new expiry, without changing anything else. It never creates, and never
	// moves either time backwards, nor the expiry beyond the session's Deadline:
	// [ErrNotFound] or [ErrRevoked] if the session is not live.
	//
	// If t.Secret is the session's secret hash, Prev is set and UsedAt is zero,
	// UsedAt becomes t.SeenAt in the same step.
	Touch(ctx context.Context, user, id string, t Touch) error

	// List returns the user's live sessions, without their data, in no
	// particular order.
	List(ctx context.Context, user string) ([]Record, error)

	// Revoke turns a live session into a tombstone, and returns the session as
	// List did before. If the session is not live, even if it was revoked before, the
	// error is [ErrNotFound].
	//
	// If why.By names an acting session, that session must be live in the
	// same step: otherwise nothing is revoked and the error is
	// [ErrActorRevoked], whatever the target. A revoked session revokes nobody.
	// A session may act on itself.
	Revoke(ctx context.Context, user, id string, why Revocation) (Record, error)

	// RevokeAll does the same, in one step, for all the user's live sessions but the
	// one named keep, which may be empty or name no session. If there are
	// none it returns no records and no error.
	//
	// In the same step, and also if there is no session, it leaves a mark at why.At
	// with why's reason and By. After that Create refuses sessions that began at
	// why.At or before. The mark is kept until why.Until, or [TombstoneLifetime] after
	// why.At if that is zero. A mark never moves back: of two marks the one with the
	// later At stays, until the later of their ends. It counts as part of the user, and
	// is in no list. A call that returns [ErrActorRevoked] leaves none.
	RevokeAll(ctx context.Context, user, keep string, why Revocation) ([]Record, error)

	// RevokeEveryone ends every session of every user that was live when it was
	// called. It leaves no tombstones, and need not be one step: a session
	// created while it runs may live or not. It may forget tombstones, marks and
	// what Once was for.
	//
	// First it records the time of the call. RevokedEveryone returns that time from then
	// on, and the store keeps it for good.
	RevokeEveryone(ctx context.Context) error

	// RevokedEveryone returns when RevokeEveryone was last called, by the clock of
	// the store, and the zero time if it never was. That time never moves back.
	RevokedEveryone(ctx context.Context) (time.Time, error)

	// All returns every live session of every user, with its data, in no
	// particular order. What is live throughout comes at least once; what is
	// created, changed or ended meanwhile comes as it was at some moment, or not at
	// all. It holds few sessions at a time, however many there are, and no lock while
	// the caller has one: the caller may call other methods meanwhile. An error comes
	// last, and is [errors.ErrUnsupported] if the store has no way to list them.
	All(ctx context.Context) iter.Seq2[Record, error]
}

// A Limit bounds what [Store.Create] leaves.
type Limit struct {
	Max int // live sessions of the user; no limit unless it is positive
}

// Evicted is the reason on the tombstones that [Store.Create] leaves.
const Evicted = "evicted"

// The bounds on tombstones. Beyond MaxTombstones of one user the oldest
// revocations are forgotten first; a forgotten session stays dead, and only the
// explanation goes.
const (
	TombstoneLifetime = 24 * time.Hour
	MaxTombstones     = 100
)

// The errors of a Store, to be tested with [errors.Is]. Any other error means
// that the store failed.
var (
	ErrNotFound     = errors.New("session not found")
	ErrRevoked      = errors.New("session revoked")
	ErrStale        = errors.New("session renewed elsewhere")
	ErrExists       = errors.New("session exists already")
	ErrActorRevoked = errors.New("acting session is not live")
)

// ErrNotReplicated comes from Revoke, RevokeAll and RevokeEveryone of a store with
// replicas, see [Redis.Replicas]. What was to end has ended, now or before, and the
// call returns what it has ended itself. But too few replicas have confirmed it. If one
// that has not heard of it takes over, the session is live again. So repeat the call
// until it returns another answer. An ErrNotReplicated is none of the other errors.
var ErrNotReplicated = errors.New("not replicated")

// A MarkedError is the ErrRevoked of [Store.Create] for a session that began
// before a RevokeAll.
type MarkedError struct {
	Mark Revocation // left by RevokeAll; if it was called several times, the one with the latest At
}

func (e *MarkedError) Error() string { return "session began before all were revoked" }

// Is reports that the error is an [ErrRevoked].
func (e *MarkedError) Is(target error) bool { return target == ErrRevoked }

// Package store holds the contract between revoke and the place where signed-in
// sessions are kept, and implementations of it: in memory and on Redis.
//
// A third party who writes a store needs this package only, and proves the
// store with package storetest.
package store

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"time"
)

// A Store keeps the signed-in sessions of users, and the tombstones of those
// that were revoked.
//
// A session is live from its creation until it is revoked or its ExpiresAt has
// come, whichever is first. Every method is one atomic step: concurrent calls
// behave as if they had run one after the other, on whatever node they were
// made. A method that returns an error has changed nothing, unless the error is
// [ErrNotReplicated], or a failure to hear from the store, after which the
// outcome is unknown.
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
	// Create adds a session. Where a live session of this user has that id it
	// returns [ErrExists]; where a tombstone has it, [ErrRevoked].
	//
	// With limit > 0 it also evicts, in the same step, the user's least recently
	// seen live sessions beyond limit, and returns them as List would. The
	// session being created counts, and is never evicted itself. The tombstones
	// carry [Evicted] as their reason and the new session's id as By.
	Create(ctx context.Context, r Record, limit int) (evicted []Record, err error)

	// Find returns a live session with its data: [ErrNotFound] where there is
	// none, or, where there is a tombstone, the tombstone and [ErrRevoked].
	Find(ctx context.Context, user, id string) (Record, error)

	// Update replaces a live session whose secret hash is still was. It never
	// creates: [ErrNotFound] or [ErrRevoked] where the session is not live, and
	// [ErrStale] where its secret hash is another.
	Update(ctx context.Context, r Record, was Hash) error

	// Touch records when and from where a live session was last seen, and its
	// new expiry, without changing anything else. It never creates, and never
	// moves either time backwards: [ErrNotFound] or [ErrRevoked] where the
	// session is not live.
	Touch(ctx context.Context, user, id string, t Touch) error

	// List returns the user's live sessions, without their data, in no
	// particular order.
	List(ctx context.Context, user string) ([]Record, error)

	// Revoke turns a live session into a tombstone, and returns the session as
	// List did before: [ErrNotFound] where it is not live, revoked already
	// included.
	//
	// Where why.By names an acting session, that session must be live in the
	// same step: otherwise nothing is revoked and the error is
	// [ErrActorRevoked], whatever the target. A revoked session revokes nobody.
	// A session may act on itself.
	Revoke(ctx context.Context, user, id string, why Revocation) (Record, error)

	// RevokeAll does so, in one step, for all the user's live sessions but the
	// one named keep, which may be empty or name no session. Where there are
	// none it returns no records and no error.
	RevokeAll(ctx context.Context, user, keep string, why Revocation) ([]Record, error)

	// RevokeEveryone ends every session of every user that was live when it was
	// called. It leaves no tombstones, and need not be one step: a session
	// created while it runs may live or not.
	RevokeEveryone(ctx context.Context) error
}

// A Record is a session as stored, or the tombstone of one.
type Record struct {
	User   string // the user key
	ID     string // the public id
	Secret Hash   // of the secret in the session's token

	CreatedAt time.Time // sign-in
	SeenAt    time.Time // last use that was recorded
	ProvedAt  time.Time // when the user last proved who they are
	ExpiresAt time.Time // the session, or the tombstone, is live strictly before

	Client []byte // address, user agent, labels
	Data   []byte // the application's scs data

	// Revoked is set on a tombstone, and only there. A tombstone keeps User, ID,
	// Secret and CreatedAt; its other times are zero but for ExpiresAt, which is
	// the session's own or [TombstoneLifetime] after the revocation, whichever
	// is earlier; Client and Data are nil.
	Revoked *Revocation
}

// A Revocation says when, why and by which session a session was revoked.
type Revocation struct {
	At     time.Time // the zero time stands for now
	Reason string
	By     string // the acting session's id; empty where no session acted
}

// A Touch is what [Store.Touch] records.
type Touch struct {
	SeenAt    time.Time
	ExpiresAt time.Time
	Client    []byte // nil leaves what is stored as it is
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

// ErrNotReplicated comes from a store with replicas, see [Redis.Replicas]. The
// sessions have ended, and are returned with it, but too few replicas have
// confirmed that they know: should one that does not take over, they are live
// again.
var ErrNotReplicated = errors.New("not replicated")

// A Hash is the SHA-256 of a token's secret. The secret itself is never stored.
type Hash [sha256.Size]byte

// HashSecret returns the hash of a token's secret.
func HashSecret(secret string) Hash { return sha256.Sum256([]byte(secret)) }

// Equal compares two hashes in constant time.
func (h Hash) Equal(other Hash) bool { return subtle.ConstantTimeCompare(h[:], other[:]) == 1 }

// tombstone returns what stays of r when it is revoked.
func (r Record) tombstone(why Revocation) Record {
	expires := why.At.Add(TombstoneLifetime)
	if r.ExpiresAt.Before(expires) {
		expires = r.ExpiresAt
	}
	return Record{
		User: r.User, ID: r.ID, Secret: r.Secret,
		CreatedAt: r.CreatedAt, ExpiresAt: expires, Revoked: &why,
	}
}

package store

import (
	"crypto/sha256"
	"crypto/subtle"
	"time"
)

// A Record is a session as stored, or the tombstone of one.
type Record struct {
	User   string // the user key
	ID     string // the public id
	Secret Hash   // of the secret in the session's token

	// Prev is the secret hash before the last renewal, which was at RenewedAt. It is
	// zero if there was none. UsedAt is when Secret was first presented since; while
	// it is zero, Prev may open the session as well. A caller may keep something else in
	// Prev that has to change with Secret, if it sets UsedAt at once.
	Prev      Hash
	RenewedAt time.Time
	UsedAt    time.Time

	CreatedAt time.Time // when the sign-in began
	SeenAt    time.Time // last use that was recorded; zero if there was none yet
	ProvedAt  time.Time // when the user last proved who they are
	ExpiresAt time.Time // the session, or the tombstone, is live strictly before

	// Deadline is the absolute end of the session: a store takes the earlier of it
	// and ExpiresAt for ExpiresAt. Create takes the zero time for no deadline, and
	// Update for the one that is stored. So a request that goes on with a deadline
	// which was brought forward meanwhile does not undo that.
	Deadline time.Time

	// Once is set if the id is not random, so that the session could be created a
	// second time. Until that time Create refuses it. Stores do not return Once.
	Once time.Time

	Client []byte // address, user agent, labels
	Data   []byte // the application's scs data

	// Revoked is set on a tombstone, and only there. A tombstone keeps User, ID, Secret
	// and CreatedAt. It keeps Prev if UsedAt was zero. Its ExpiresAt is the session's, or
	// [TombstoneLifetime] after the revocation, whichever is earlier. All other times are
	// zero. Client and Data are nil.
	Revoked *Revocation
}

// A Revocation says when, why and by which session a session was revoked.
type Revocation struct {
	At     time.Time // the zero time stands for now
	Reason string
	By     string // the acting session's id; empty if no session acted

	// Until is how long [Store.RevokeAll] has its mark kept. Tombstones do not
	// have it.
	Until time.Time
}

// A Touch is what [Store.Touch] records.
type Touch struct {
	SeenAt    time.Time
	ExpiresAt time.Time
	Client    []byte // nil leaves what is stored as it is
	Secret    Hash   // of the token that was presented; zero if none was
}

// A Hash is the SHA-256 of a token's secret. The secret itself is never stored.
type Hash [sha256.Size]byte

// HashSecret returns the hash of a token's secret.
func HashSecret(secret string) Hash {
	var usual [64]byte // of a usual length it is not allocated
	return sha256.Sum256(append(usual[:0], secret...))
}

// Equal compares two hashes in constant time.
func (h Hash) Equal(other Hash) bool { return subtle.ConstantTimeCompare(h[:], other[:]) == 1 }

// expiry returns when the session expires, which is by its deadline.
func (r Record) expiry() time.Time {
	if !r.Deadline.IsZero() && r.Deadline.Before(r.ExpiresAt) {
		return r.Deadline
	}
	return r.ExpiresAt
}

// Opens reports whether a token's secret opens the session, or opened it until it was
// revoked if r is its tombstone. The newest secret does. The one before the last
// renewal does too, until the newest is used: the response that carried the newest may
// have been lost.
func (r Record) Opens(secret Hash) bool {
	return r.Secret.Equal(secret) || !used(r.Prev, r.UsedAt) && r.Prev.Equal(secret)
}

// Retired reports whether a token's secret is the one before the last renewal, and
// opens the session no more, because the newest one was used. A tombstone does not know
// it.
func (r Record) Retired(secret Hash) bool {
	return r.Prev != Hash{} && used(r.Prev, r.UsedAt) && r.Prev.Equal(secret)
}

// used reports whether the newest secret was presented since the last renewal, which
// left prev. It is true if there was no renewal.
func used(prev Hash, usedAt time.Time) bool { return prev == Hash{} || !usedAt.IsZero() }

// tombstone returns what stays of r when it is revoked.
func (r Record) tombstone(why Revocation) Record {
	expires := why.At.Add(TombstoneLifetime)
	if r.ExpiresAt.Before(expires) {
		expires = r.ExpiresAt
	}
	why.Until = time.Time{}
	t := Record{
		User: r.User, ID: r.ID, Secret: r.Secret,
		CreatedAt: r.CreatedAt, ExpiresAt: expires, Revoked: &why,
	}
	if !used(r.Prev, r.UsedAt) {
		t.Prev = r.Prev
	}
	return t
}

// dated returns why with its times, if those were left to the store.
func (why Revocation) dated(now time.Time) Revocation {
	if why.At.IsZero() {
		why.At = now
	}
	if why.Until.IsZero() {
		why.Until = why.At.Add(TombstoneLifetime)
	}
	return why
}

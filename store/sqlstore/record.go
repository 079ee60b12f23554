package sqlstore

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// How records lie in columns: names and bytes as bytes, times as microseconds since
// 1970, and what is zero as null, unless every session has it.

// columns are those of a session that is listed.
const columns = "id, secret, prev, renewed, used, created, seen, proved, expires, deadline, client"

// A row is what columns are scanned into.
type row struct {
	id, secret, prev, client              []byte
	renewed, used, seen, proved, deadline *int64
	created, expires                      int64
}

func (r *row) targets() []any {
	return []any{&r.id, &r.secret, &r.prev, &r.renewed, &r.used, &r.created, &r.seen, &r.proved, &r.expires, &r.deadline, &r.client}
}

var errMalformed = errors.New("malformed record")

func (r *row) record(user string) (store.Record, error) {
	rec := store.Record{
		User: user, ID: string(r.id), Client: some(r.client),
		RenewedAt: timeOf(r.renewed), UsedAt: timeOf(r.used), CreatedAt: timeOf(&r.created), SeenAt: timeOf(r.seen),
		ProvedAt: timeOf(r.proved), ExpiresAt: timeOf(&r.expires), Deadline: timeOf(r.deadline),
	}
	if copy(rec.Secret[:], r.secret) != len(rec.Secret) || r.prev != nil && copy(rec.Prev[:], r.prev) != len(rec.Prev) {
		return store.Record{}, errMalformed
	}
	return rec, nil
}

// some returns nil for no bytes.
func some(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}

func timeOf(micros *int64) time.Time {
	if micros == nil {
		return time.Time{}
	}
	return time.UnixMicro(*micros).UTC()
}

// micros returns a time as it is stored, and null for none.
func micros(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

// bytes returns null for nil; a driver may take a nil slice for an empty one.
func bytes(b []byte) any {
	if b == nil {
		return nil
	}
	return b
}

func hash(h store.Hash) any {
	if h == (store.Hash{}) {
		return nil
	}
	return h[:]
}

// expiry returns when a new session expires, which is by its deadline.
func expiry(r store.Record) int64 {
	at := r.ExpiresAt.UnixMicro()
	if !r.Deadline.IsZero() {
		at = min(at, r.Deadline.UnixMicro())
	}
	return at
}

// lock returns the number that stands for a user. Two users may share one, and then
// wait for each other. The application may use such numbers too, so they are hashed.
func lock(user string) int64 {
	h := sha256.Sum256([]byte("revoke\x00" + user))
	return int64(binary.BigEndian.Uint64(h[:8]))
}

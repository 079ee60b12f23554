package store

import (
	"cmp"
	"math"
	"time"
)

// An entry is a session, a tombstone, a mark or an id that is created once, in its
// place.
type entry struct {
	user  *user
	id    string
	place int // in the queue
	body
}

// A body is what Update replaces. Its strings are the bytes of a record.
type body struct {
	secret       Hash
	times        [5]int64 // in microseconds since 1970, which reach beyond the years 1 and 9999
	client, data string
	rare         *rare // never changed, but replaced
}

const (
	created = iota
	seen
	proved
	expires
	deadline
)

// A rare is what few sessions have: they were renewed, or revoked.
type rare struct {
	prev              Hash
	renewedAt, usedAt time.Time
	revoked           *Revocation
}

func pack(r Record) body {
	b := body{secret: r.Secret, client: string(r.Client), data: string(r.Data)}
	b.setTime(created, r.CreatedAt)
	b.setTime(seen, r.SeenAt)
	b.setTime(proved, r.ProvedAt)
	b.setTime(deadline, r.Deadline)
	b.setTime(expires, r.ExpiresAt)
	if r.Prev != (Hash{}) || !r.RenewedAt.IsZero() || !r.UsedAt.IsZero() || r.Revoked != nil {
		b.rare = &rare{r.Prev, r.RenewedAt.UTC(), r.UsedAt.UTC(), r.Revoked}
	}
	return b
}

// setTime sets a time; that of the expiry goes no further than the deadline.
func (b *body) setTime(i int, t time.Time) {
	b.times[i] = t.UnixMicro()
	if i == expires && b.times[deadline] != never {
		b.times[i] = min(b.times[i], b.times[deadline])
	}
}

func (b *body) time(i int) time.Time { return time.UnixMicro(b.times[i]).UTC() }

func (b *body) expired(now time.Time) bool { return b.times[expires] <= now.UnixMicro() }

func (b *body) revoked() *Revocation {
	if b.rare == nil {
		return nil
	}
	return b.rare.revoked
}

// use notes when the secret was presented, if it is the first time since a renewal.
func (b *body) use(at time.Time) {
	if b.rare != nil && !used(b.rare.prev, b.rare.usedAt) {
		next := *b.rare
		next.usedAt = at.UTC()
		b.rare = &next
	}
}

var never = time.Time{}.UnixMicro()

// bySeen puts the least recently seen first, and what was not seen yet last.
func bySeen(a, b *entry) int { return cmp.Compare(a.lastSeen(), b.lastSeen()) }

func (b *body) lastSeen() int64 {
	if b.times[seen] == never {
		return math.MaxInt64
	}
	return b.times[seen]
}

// record returns a copy of all but the bytes.
func (e *entry) record() Record {
	r := Record{
		User: e.user.key, ID: e.id, Secret: e.secret, CreatedAt: e.time(created), SeenAt: e.time(seen),
		ProvedAt: e.time(proved), ExpiresAt: e.time(expires), Deadline: e.time(deadline),
	}
	if e.rare != nil {
		r.Prev, r.RenewedAt, r.UsedAt = e.rare.prev, e.rare.renewedAt, e.rare.usedAt
	}
	if why := e.revoked(); why != nil {
		copied := *why
		r.Revoked = &copied
	}
	return r
}

// listed returns a copy of all but the data.
func (e *entry) listed() Record {
	r := e.record()
	r.Client, _ = copied(e.client, "")
	return r
}

// copied returns both in one allocation, and nil for an empty one.
func copied(client, data string) (c, d []byte) {
	both := make([]byte, len(client)+len(data))
	if n := copy(both, client); n > 0 {
		c = both[:n:n]
	}
	if n := copy(both[len(client):], data); n > 0 {
		d = both[len(client):]
	}
	return c, d
}

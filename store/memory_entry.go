package store

import (
	"iter"
	"maps"
	"slices"
	"time"
)

// A user has few sessions, as a rule, and then a map of them would take up more
// than they do.
type user struct {
	key        string
	few        []*entry          // while there are up to fewest, without order
	many       map[string]*entry // from then on, by id
	tombstones []*entry          // those among them, oldest revocation first
}

const fewest = 8

// find returns what is kept under the id, live or not, or nil.
func (u *user) find(id string) *entry {
	if u == nil {
		return nil
	}
	if u.many != nil {
		return u.many[id]
	}
	for _, e := range u.few {
		if e.id == id {
			return e
		}
	}
	return nil
}

func (u *user) all() iter.Seq[*entry] {
	if u.many != nil {
		return maps.Values(u.many)
	}
	return slices.Values(u.few)
}

// others returns the live sessions but the one named id.
func (u *user) others(id string, now time.Time) []*entry {
	if u == nil {
		return nil
	}
	var others []*entry
	for e := range u.all() {
		if e.id != id && e.revoked == nil && !e.expired(now) {
			others = append(others, e)
		}
	}
	return others
}

func (u *user) empty() bool { return len(u.few)+len(u.many) == 0 }

func (u *user) add(e *entry) {
	if u.many == nil && len(u.few) < fewest {
		u.few = append(u.few, e)
		return
	}
	if u.many == nil {
		u.many = make(map[string]*entry)
		for _, e := range u.few {
			u.many[e.id] = e
		}
		u.few = nil
	}
	u.many[e.id] = e
}

func (u *user) remove(e *entry) {
	is := func(other *entry) bool { return other == e }
	delete(u.many, e.id)
	u.few = slices.DeleteFunc(u.few, is)
	if e.revoked != nil {
		u.tombstones = slices.DeleteFunc(u.tombstones, is)
	}
}

func (u *user) bury(e *entry) {
	i, _ := slices.BinarySearchFunc(u.tombstones, e.revoked.At, func(t *entry, at time.Time) int {
		if t.revoked.At.After(at) {
			return 1
		}
		return -1
	})
	u.tombstones = slices.Insert(u.tombstones, i, e)
}

// An entry is a session or a tombstone in its place.
type entry struct {
	user  *user
	id    string
	place int // in the queue
	body
}

// A body is what Update replaces. Its strings are the bytes of a record.
type body struct {
	secret       Hash
	micros       [4]int64  // times since 1970, which reach beyond the years 1 and 9999
	nanos        [4]uint16 // what they have below the microsecond
	client, data string
	revoked      *Revocation
}

const (
	created = iota
	seen
	proved
	expires
)

func pack(r Record) body {
	b := body{secret: r.Secret, client: string(r.Client), data: string(r.Data)}
	b.setTime(created, r.CreatedAt)
	b.setTime(seen, r.SeenAt)
	b.setTime(proved, r.ProvedAt)
	b.setTime(expires, r.ExpiresAt)
	return b
}

func (b *body) setTime(i int, t time.Time) {
	b.micros[i], b.nanos[i] = t.UnixMicro(), uint16(t.Nanosecond()%1000)
}

func (b *body) time(i int) time.Time {
	return time.Unix(b.micros[i]/1e6, b.micros[i]%1e6*1e3+int64(b.nanos[i])).UTC()
}

func (b *body) expired(now time.Time) bool {
	left := b.micros[expires] - now.UnixMicro()
	return left < 0 || left == 0 && int(b.nanos[expires]) <= now.Nanosecond()%1000
}

// record returns a copy of all but the bytes.
func (e *entry) record() Record {
	r := Record{
		User: e.user.key, ID: e.id, Secret: e.secret,
		CreatedAt: e.time(created), SeenAt: e.time(seen), ProvedAt: e.time(proved), ExpiresAt: e.time(expires),
	}
	if e.revoked != nil {
		why := *e.revoked
		r.Revoked = &why
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

package storetest

import (
	"fmt"
	"math"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

var createCases = []testCase{
	{
		name: "keeps every field",
		rule: "Create adds a session, which Find returns with every field as it was given.",
		run: func(t *trial) {
			records := t.have("a", "b", "c")
			t.wantLive(records...)
			t.wantList(records...)
		},
	},
	{
		name: "refuses the id of a live session",
		rule: "If a live session of the user has the id, Create returns ErrExists and changes nothing.",
		run: func(t *trial) {
			records := t.have("a", "b", "c")
			another := t.record("a")
			another.Secret, another.Data = store.HashSecret("another"), []byte("another")
			for _, limit := range []int{0, 1} {
				_, err := t.Create(t.ctx, another, store.Limit{Max: limit})
				t.wantError("Create of a live session", err, store.ErrExists)
				t.wantLive(records...)
			}
		},
	},
	{
		name: "refuses the id of a tombstone",
		rule: "If a tombstone has the id, Create returns ErrRevoked and changes nothing: a revoked session stays revoked.",
		run: func(t *trial) {
			records := t.have("a", "b", "c")
			t.revoke("a")
			for _, limit := range []int{0, 1} {
				_, err := t.Create(t.ctx, records[0], store.Limit{Max: limit})
				t.wantError("Create of a revoked session", err, store.ErrRevoked)
				t.wantRevoked(store.Revocation{Reason: "reason of a"}, records[0])
				t.wantLive(records[1:]...)
			}
		},
	},
	{
		name: "adds nothing that is live when its time has come",
		rule: "A session is live strictly before ExpiresAt: if that, or the deadline, has come when it is created, nothing finds it.",
		run: func(t *trial) {
			late, later := t.record("late"), t.record("later")
			late.ExpiresAt = time.Now().Add(-time.Minute)
			later.Deadline = late.ExpiresAt
			t.create(late, later)
			t.ended(store.ErrNotFound, late, later)
			t.wantList()
			t.revokeAll("", store.Revocation{At: time.Now().Add(-25 * time.Hour)})
		},
	},
}

// limited creates a session under a limit, which must evict these.
func (t *trial) limited(r store.Record, limit int, evicts ...store.Record) {
	t.Helper()
	call := fmt.Sprintf("Create of %q with the limit %d", r.ID, limit)
	evicted, err := t.Create(t.ctx, r, store.Limit{Max: limit})
	if err != nil {
		t.Fatalf("%s returned the error %v", call, err)
	}
	t.wantListed(call, evicted, evicts...)
	t.wantLive(r)
	t.wantRevoked(store.Revocation{Reason: store.Evicted, By: r.ID}, evicts...)
}

// seen returns a session that was last seen so many minutes ago. Its other times
// run the other way, so that a store which goes by them is found out.
func (t *trial) seen(id string, minutesAgo int) store.Record {
	r := t.record(id)
	ago := time.Duration(minutesAgo) * time.Minute
	r.SeenAt = r.SeenAt.Add(time.Hour - ago)
	r.CreatedAt = r.CreatedAt.Add(ago)
	r.ProvedAt = r.ProvedAt.Add(ago)
	r.ExpiresAt = r.ExpiresAt.Add(ago)
	return r
}

var limitCases = []testCase{
	{
		name: "none evicts nothing",
		rule: "Without a limit, which is one that is not positive, Create evicts nothing.",
		run: func(t *trial) {
			var records []store.Record
			for i := range 20 {
				records = append(records, t.seen(fmt.Sprint(i), i))
			}
			t.create(records...)
			t.wantList(records...)
			for _, none := range []int{-1, math.MinInt} {
				r := t.record(fmt.Sprint(none))
				t.limited(r, none)
				records = append(records, r)
			}
			t.wantList(records...)
		},
	},
	{
		name: "not exceeded evicts nothing",
		rule: "Create evicts the sessions beyond the limit only, of which the one being created is one.",
		run: func(t *trial) {
			records := []store.Record{t.seen("a", 3), t.seen("b", 2), t.seen("c", 1)}
			for i, r := range records {
				t.limited(r, i+1)
			}
			t.wantLive(records...)
		},
	},
	{
		name: "evicts the least recently seen",
		rule: "With a limit Create evicts the user's least recently seen sessions, whichever were created or expire first, and returns them as List would.",
		run: func(t *trial) {
			a, b, c := t.seen("a", 30), t.seen("b", 10), t.seen("c", 20)
			t.create(b, a, c)
			d := t.seen("d", 0)
			t.limited(d, 3, a)
			t.limited(t.seen("e", 0), 3, c)
			t.wantLive(b, d)
		},
	},
	{
		name: "goes by what Touch recorded",
		rule: "A session that Touch has seen is more recently seen than before.",
		run: func(t *trial) {
			a, b, c := t.seen("a", 30), t.seen("b", 20), t.seen("c", 10)
			t.create(a, b, c)
			a.SeenAt = c.SeenAt.Add(time.Minute)
			if err := t.Touch(t.ctx, t.user, "a", store.Touch{SeenAt: a.SeenAt, ExpiresAt: a.ExpiresAt}); err != nil {
				t.Fatalf("Touch of a live session: %v", err)
			}
			t.limited(t.seen("d", 0), 3, b)
			t.wantLive(a, c)
		},
	},
	{
		name: "goes by what Update recorded",
		rule: "Update replaces the time at which a session was last seen.",
		run: func(t *trial) {
			a, b, c := t.seen("a", 30), t.seen("b", 20), t.seen("c", 10)
			t.create(a, b, c)
			c.SeenAt = a.SeenAt.Add(-time.Minute)
			if err := t.Update(t.ctx, c, c.Secret); err != nil {
				t.Fatalf("Update of a live session: %v", err)
			}
			t.limited(t.seen("d", 0), 3, c)
			t.wantLive(a, b)
		},
	},
	{
		name: "tells microseconds apart",
		rule: "Times are kept to the microsecond: of two sessions the one seen a microsecond earlier is evicted.",
		run: func(t *trial) {
			a, b, c := t.seen("a", 1), t.seen("b", 1), t.seen("c", 1)
			a.SeenAt = b.SeenAt.Add(time.Microsecond)
			c.SeenAt = b.SeenAt.Add(-time.Microsecond)
			t.create(a, b, c)
			t.limited(t.seen("d", 0), 3, c)
			t.limited(t.seen("e", 0), 3, b)
			t.limited(t.seen("f", 0), 3, a)
		},
	},
	{
		name: "never evicts the new session",
		rule: "The session being created is never evicted itself, even if it was seen before all the others.",
		run: func(t *trial) {
			a, b := t.seen("a", 20), t.seen("b", 10)
			t.create(a, b)
			c := t.seen("c", 0)
			c.SeenAt = time.Unix(-1, 0)
			t.limited(c, 2, a)
			d := t.seen("d", 0)
			d.SeenAt = time.Unix(-2, 0)
			t.limited(d, 1, b, c)
		},
	},
	{
		name: "spares what was not seen yet",
		rule: "A session that has not been seen yet, whose SeenAt is zero, counts as the most recent.",
		run: func(t *trial) {
			a, b, c := t.seen("a", 1), t.seen("b", 0), t.seen("c", 2)
			b.SeenAt = time.Time{}
			a.SeenAt = a.SeenAt.Add(time.Hour) // ahead of the clock
			t.create(a, b, c)
			t.limited(t.seen("d", 0), 3, c)
			t.touch("b", store.Touch{SeenAt: time.Unix(-1, 0)})
			b.SeenAt = time.Unix(-1, 0)
			t.limited(t.seen("e", 0), 3, b)
			t.wantLive(a)
		},
	},
	{
		name: "evicts all that are beyond",
		rule: "Create evicts as many sessions as are beyond the limit, be it more than one.",
		run: func(t *trial) {
			var records []store.Record
			for i := range 12 {
				records = append(records, t.seen(fmt.Sprint(i), i*7%12))
			}
			t.create(records...)
			var evicted, kept []store.Record
			for i, r := range records {
				if i*7%12 < 2 {
					kept = append(kept, r)
				} else {
					evicted = append(evicted, r)
				}
			}
			r := t.seen("new", 0)
			t.limited(r, 3, evicted...)
			t.wantList(append(kept, r)...)
		},
	},
	{
		name: "counts no tombstones",
		rule: "A tombstone counts towards no limit and is not evicted.",
		run: func(t *trial) {
			records := []store.Record{t.seen("a", 4), t.seen("b", 3), t.seen("c", 2), t.seen("d", 1)}
			t.create(records...)
			t.revoke("a", "d")
			t.limited(t.seen("e", 0), 3)
			t.limited(t.seen("f", 0), 3, records[1])
			t.wantRevoked(store.Revocation{Reason: "reason of a"}, records[0])
		},
	},
	{
		name: "concerns one user",
		rule: "A limit counts and evicts the sessions of one user only.",
		run: func(t *trial) {
			others := t.have("a", "b", "c")
			t.user = newUser()
			a := t.seen("a", 1)
			t.create(a)
			t.limited(t.seen("d", 0), 1, a)
			t.wantLive(others...)
		},
	},
}

package storetest

import (
	"errors"
	"fmt"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// tombstones counts those of the ids that have one. The others must be unknown.
func (t *trial) tombstones(records ...store.Record) (n int) {
	t.Helper()
	for _, r := range records {
		switch _, err := t.Find(t.ctx, r.User, r.ID); {
		case errors.Is(err, store.ErrRevoked):
			n++
			t.ended(store.ErrRevoked, r)
		default:
			t.ended(store.ErrNotFound, r)
		}
	}
	return n
}

// more returns n sessions beyond the number of tombstones that are kept.
func (t *trial) more(n int) []store.Record {
	t.Helper()
	var records []store.Record
	for i := range store.MaxTombstones + n {
		records = append(records, t.seen(fmt.Sprint("s", i), i))
	}
	t.create(records...)
	return records
}

var tombstoneCases = []testCase{
	{
		name: "expires after a day",
		rule: "A tombstone of a session that has long to live expires TombstoneLifetime after the revocation, which need not be now.",
		run: func(t *trial) {
			a, b, c := t.seen("a", 3), t.seen("b", 2), t.seen("c", 1)
			a.ExpiresAt = time.Now().Add(1000 * time.Hour)
			b.ExpiresAt = a.ExpiresAt
			c.ExpiresAt = a.ExpiresAt
			t.create(a, b, c)
			t.revoke("a")
			t.wantRevoked(store.Revocation{Reason: "reason of a"}, a)
			t.limited(t.record("d"), 2, b)
			t.revokeAll("d", store.Revocation{At: time.Now().Add(-5 * time.Hour)}, c)
		},
	},
	{
		name: "expires with its session",
		rule: "A tombstone expires no later than the session would have.",
		run: func(t *trial) {
			a, b, c := t.seen("a", 3), t.seen("b", 2), t.seen("c", 1)
			a.ExpiresAt = time.Now().Add(time.Hour)
			b.ExpiresAt = a.ExpiresAt.Add(time.Hour)
			c.ExpiresAt = a.ExpiresAt.Add(22 * time.Hour)
			t.create(a, b, c)
			t.revoke("a")
			t.wantRevoked(store.Revocation{Reason: "reason of a"}, a)
			t.limited(t.record("d"), 2, b)
			t.revokeAll("d", store.Revocation{}, c)
		},
	},
	{
		name: "expires with what Touch and Update made of its session",
		rule: "The expiry of a tombstone goes by that of the session when it was revoked.",
		run: func(t *trial) {
			records := t.have("a", "b")
			a, b := &records[0], &records[1]
			a.ExpiresAt = a.ExpiresAt.Add(time.Hour)
			t.touch("a", store.Touch{SeenAt: a.SeenAt, ExpiresAt: a.ExpiresAt})
			b.ExpiresAt = b.ExpiresAt.Add(-time.Minute)
			b.Secret = store.HashSecret("another")
			if err := t.Update(t.ctx, *b, store.HashSecret("secret of b")); err != nil {
				t.Fatalf("Update of a live session: %v", err)
			}
			t.revokeAll("", store.Revocation{}, records...)
		},
	},
	{
		name: "does not last until Until",
		rule: "Until is for marks: a tombstone expires TombstoneLifetime after the revocation, whatever Until is.",
		run: func(t *trial) {
			for _, until := range []time.Duration{time.Hour, 48 * time.Hour} {
				t.user = newUser()
				a, b := t.record("a"), t.record("b")
				a.ExpiresAt = time.Now().Add(1000 * time.Hour)
				b.ExpiresAt = a.ExpiresAt
				t.create(a, b)
				why := store.Revocation{At: time.Now(), Reason: "a reason", Until: time.Now().Add(until)}
				_, err := t.Revoke(t.ctx, t.user, "a", why)
				t.wantError("Revoke of a live session", err, nil)
				t.wantRevoked(why, a)
				t.revokeAll("", why, b)
			}
		},
	},
	{
		name: "is forgotten, the oldest first",
		rule: "Of more than MaxTombstones tombstones of one user the oldest revocations are forgotten first.",
		run: func(t *trial) {
			records := t.more(7)
			live := t.have("live")
			start := time.Now().Add(-time.Hour)
			for i, r := range records {
				why := store.Revocation{At: start.Add(time.Duration(i) * time.Second), Reason: "a reason"}
				if _, err := t.Revoke(t.ctx, t.user, r.ID, why); err != nil {
					t.Fatalf("Revoke of a live session: %v", err)
				}
			}
			for i, r := range records {
				if i < 7 {
					t.wantNotFound(r.ID)
				} else {
					t.wantRevoked(store.Revocation{At: start.Add(time.Duration(i) * time.Second), Reason: "a reason"}, r)
				}
			}
			t.wantList(live...)
			t.wantLive(live...)
		},
	},
	{
		name: "is forgotten by its time",
		rule: "The oldest revocations are those whose time is earliest, in whatever order they came.",
		run: func(t *trial) {
			records := t.more(3)
			start := time.Now().Add(-time.Hour)
			at := func(i int) time.Time { return start.Add(time.Duration(i*37%len(records)) * time.Second) }
			for i, r := range records {
				_, err := t.Revoke(t.ctx, t.user, r.ID, store.Revocation{At: at(i), Reason: "a reason"})
				t.wantError("Revoke of a live session", err, nil)
			}
			for i, r := range records {
				if at(i).Before(start.Add(3 * time.Second)) {
					t.wantNotFound(r.ID)
				} else {
					t.wantRevoked(store.Revocation{At: at(i), Reason: "a reason"}, r)
				}
			}
		},
	},
	{
		name: "is forgotten after RevokeAll",
		rule: "RevokeAll leaves MaxTombstones tombstones of one user at most, those of earlier revocations included; a forgotten session stays dead.",
		run: func(t *trial) {
			other := t.have("a")[0]
			t.revoke("a")
			t.user = newUser()
			early := t.have("early")
			if _, err := t.Revoke(t.ctx, t.user, "early", store.Revocation{At: time.Now().Add(-time.Minute)}); err != nil {
				t.Fatalf("Revoke of a live session: %v", err)
			}
			records := t.more(20)
			if _, err := t.RevokeAll(t.ctx, t.user, "", store.Revocation{}); err != nil {
				t.Fatalf("RevokeAll: %v", err)
			}
			if n := t.tombstones(records...); n != store.MaxTombstones {
				t.Fatalf("RevokeAll of %d sessions left %d tombstones, want %d", len(records), n, store.MaxTombstones)
			}
			t.wantNotFound(ids(early)...)
			t.wantList()
			t.wantRevoked(store.Revocation{Reason: "reason of a"}, other)
		},
	},
	{
		name: "is forgotten after eviction",
		rule: "Create leaves MaxTombstones tombstones of one user at most.",
		run: func(t *trial) {
			records := t.more(20)
			r := t.record("new")
			if _, err := t.Create(t.ctx, r, store.Limit{Max: 1}); err != nil {
				t.Fatalf("Create: %v", err)
			}
			if n := t.tombstones(records...); n != store.MaxTombstones {
				t.Fatalf("Create that evicts %d sessions left %d tombstones, want %d", len(records), n, store.MaxTombstones)
			}
			t.wantList(r)
		},
	},
}

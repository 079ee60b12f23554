package storetest

import (
	"time"

	"github.com/revoke-sessions/revoke/store"
)

var findCases = []testCase{
	{
		name: "of the unknown",
		rule: "Find returns ErrNotFound if the user has no such session.",
		run: func(t *trial) {
			t.wantNotFound("a")
			t.have("a")
			t.wantNotFound("b", "A", "a ", "aa")
			t.user = newUser()
			t.wantNotFound("a")
		},
	},
	{
		name: "of a tombstone",
		rule: "If there is a tombstone, Find returns it and ErrRevoked.",
		run: func(t *trial) {
			records := t.have("a", "b")
			why := store.Revocation{At: time.Now().Add(-time.Minute), Reason: "a reason", By: "b"}
			if _, err := t.Revoke(t.ctx, t.user, "a", why); err != nil {
				t.Fatalf("Revoke of a live session: %v", err)
			}
			t.wantRevoked(why, records[0])
			t.wantLive(records[1])
		},
	},
}

// renewed returns r with every field that Update replaces changed, the times to
// earlier ones.
func renewed(r store.Record) store.Record {
	r.Secret = store.HashSecret("another secret of " + r.ID)
	r.CreatedAt = r.CreatedAt.Add(-time.Second)
	r.SeenAt = r.SeenAt.Add(-2 * time.Second)
	r.ProvedAt = r.ProvedAt.Add(-3 * time.Second)
	r.ExpiresAt = r.ExpiresAt.Add(-4 * time.Second)
	r.Client = []byte("another client of " + r.ID)
	r.Data = []byte("more data of " + r.ID)
	return r
}

var updateCases = []testCase{
	{
		name: "replaces every field",
		rule: "Update replaces a live session, which is every field but the names, and touches no other.",
		run: func(t *trial) {
			records := t.have("a", "b")
			was := records[0].Secret
			records[0] = renewed(records[0])
			if err := t.Update(t.ctx, records[0], was); err != nil {
				t.Fatalf("Update of a live session: %v", err)
			}
			t.wantLive(records...)
			t.wantList(records...)
		},
	},
	{
		name: "replaces bytes with none",
		rule: "Update replaces Client and Data by what it is given, be it nothing.",
		run: func(t *trial) {
			r := t.have("a")[0]
			r.Client, r.Data = nil, nil
			if err := t.Update(t.ctx, r, r.Secret); err != nil {
				t.Fatalf("Update of a live session: %v", err)
			}
			t.wantLive(r)
		},
	},
	{
		name: "follows the secret",
		rule: "Update goes by the secret hash that is stored: after a renewal that is the new one, and the old one is stale.",
		run: func(t *trial) {
			r := t.have("a")[0]
			first := r.Secret
			r.Secret = store.HashSecret("second")
			if err := t.Update(t.ctx, r, first); err != nil {
				t.Fatalf("Update that renews the secret: %v", err)
			}
			late := r
			late.Secret, late.Data = first, []byte("late")
			t.wantError("Update with the old secret", t.Update(t.ctx, late, first), store.ErrStale)
			t.wantLive(r)
			r.Data = []byte("in time")
			if err := t.Update(t.ctx, r, r.Secret); err != nil {
				t.Fatalf("Update with the new secret: %v", err)
			}
			t.wantLive(r)
		},
	},
	{
		name: "refuses another secret",
		rule: "If the session's secret hash is not the one named, Update returns ErrStale and changes nothing.",
		run: func(t *trial) {
			r := t.have("a")[0]
			next := renewed(r)
			first, last := r.Secret, r.Secret
			first[0] ^= 1
			last[len(last)-1] ^= 1
			for _, was := range []store.Hash{first, last, {}, next.Secret} {
				t.wantError("Update with another secret", t.Update(t.ctx, next, was), store.ErrStale)
				t.wantLive(r)
			}
			same := next
			same.Secret = r.Secret
			t.wantError("Update of the same secret that names another", t.Update(t.ctx, same, first), store.ErrStale)
			t.wantLive(r)
		},
	},
	{
		name: "never creates",
		rule: "If there is no such session, Update returns ErrNotFound and creates none.",
		run: func(t *trial) {
			for range 2 { // a user who has nothing, and one who has something
				r := t.record("unknown")
				for _, was := range []store.Hash{r.Secret, {}} {
					t.wantError("Update of an unknown session", t.Update(t.ctx, r, was), store.ErrNotFound)
					t.wantNotFound("unknown")
				}
				t.wantList(t.have("a")...)
				t.user = newUser()
				t.have("b")
				t.revoke("b")
			}
		},
	},
	{
		name: "never brings back",
		rule: "If the session was revoked, Update returns ErrRevoked, whatever secret hash it names, and the tombstone stays.",
		run: func(t *trial) {
			r := t.have("a")[0]
			t.revoke("a")
			for _, was := range []store.Hash{r.Secret, {}} {
				t.wantError("Update of a revoked session", t.Update(t.ctx, renewed(r), was), store.ErrRevoked)
				t.wantRevoked(store.Revocation{Reason: "reason of a"}, r)
				t.wantList()
			}
		},
	},
	{
		name: "ends what is to have expired",
		rule: "Update replaces ExpiresAt and Deadline by what it is given, be it past: the session is not live any more.",
		run: func(t *trial) {
			records := t.have("a", "b", "kept")
			a, b := records[0], records[1]
			a.ExpiresAt = time.Now().Add(-time.Minute)
			b.Deadline = a.ExpiresAt
			for _, r := range []store.Record{a, b} {
				if err := t.Update(t.ctx, r, r.Secret); err != nil {
					t.Fatalf("Update of a live session: %v", err)
				}
			}
			t.wantNotFound("a", "b")
			t.wantList(records[2])
		},
	},
}

// touch touches a live session.
func (t *trial) touch(id string, touch store.Touch) {
	t.Helper()
	if err := t.Touch(t.ctx, t.user, id, touch); err != nil {
		t.Fatalf("Touch of a live session: %v", err)
	}
}

var touchCases = []testCase{
	{
		name: "records when and where",
		rule: "Touch records when and from where a live session was last seen, and its new expiry, and changes nothing else.",
		run: func(t *trial) {
			records := t.have("a", "b")
			r := &records[0]
			r.SeenAt, r.ExpiresAt = r.SeenAt.Add(time.Minute), r.ExpiresAt.Add(time.Hour)
			r.Client = []byte("elsewhere")
			t.touch("a", store.Touch{SeenAt: r.SeenAt, ExpiresAt: r.ExpiresAt, Client: r.Client})
			t.wantLive(records...)
			t.wantList(records...)
		},
	},
	{
		name: "keeps the client",
		rule: "With a nil Client, Touch leaves what is stored as it is; with an empty one it does not.",
		run: func(t *trial) {
			r := t.have("a")[0]
			r.SeenAt, r.ExpiresAt = r.SeenAt.Add(time.Minute), r.ExpiresAt.Add(time.Hour)
			t.touch("a", store.Touch{SeenAt: r.SeenAt, ExpiresAt: r.ExpiresAt})
			t.wantLive(r)
			r.SeenAt, r.Client = r.SeenAt.Add(time.Minute), []byte{}
			t.touch("a", store.Touch{SeenAt: r.SeenAt, ExpiresAt: r.ExpiresAt, Client: r.Client})
			t.wantLive(r)
		},
	},
	{
		name: "never moves back",
		rule: "Touch moves neither the time last seen nor the expiry backwards, and each of the two by itself.",
		run: func(t *trial) {
			r := t.have("a")[0]
			for _, back := range []time.Duration{time.Microsecond, time.Second, 59 * time.Minute} {
				t.touch("a", store.Touch{SeenAt: r.SeenAt.Add(-back), ExpiresAt: r.ExpiresAt.Add(-back)})
				t.wantLive(r)
			}
			t.touch("a", store.Touch{})
			t.wantLive(r)

			r.SeenAt = r.SeenAt.Add(time.Microsecond)
			t.touch("a", store.Touch{SeenAt: r.SeenAt, ExpiresAt: r.ExpiresAt.Add(-time.Minute)})
			t.wantLive(r)
			r.ExpiresAt = r.ExpiresAt.Add(time.Microsecond)
			t.touch("a", store.Touch{SeenAt: r.SeenAt.Add(-time.Minute), ExpiresAt: r.ExpiresAt})
			t.wantLive(r)
		},
	},
	{
		name: "never creates",
		rule: "If there is no such session, Touch returns ErrNotFound and creates none.",
		run: func(t *trial) {
			for range 2 {
				r := t.record("unknown")
				touch := store.Touch{SeenAt: r.SeenAt, ExpiresAt: r.ExpiresAt, Client: r.Client}
				t.wantError("Touch of an unknown session", t.Touch(t.ctx, t.user, r.ID, touch), store.ErrNotFound)
				t.wantNotFound("unknown")
				t.wantList(t.have("a")...)
				t.user = newUser()
				t.have("b")
				t.revoke("b")
			}
		},
	},
	{
		name: "never brings back",
		rule: "If the session was revoked, Touch returns ErrRevoked and the tombstone stays as it is.",
		run: func(t *trial) {
			r := t.have("a")[0]
			t.revoke("a")
			touch := store.Touch{SeenAt: time.Now(), ExpiresAt: r.ExpiresAt.Add(time.Hour), Client: r.Client}
			t.wantError("Touch of a revoked session", t.Touch(t.ctx, t.user, "a", touch), store.ErrRevoked)
			t.wantRevoked(store.Revocation{Reason: "reason of a"}, r)
			t.wantList()
		},
	},
}

var listCases = []testCase{
	{
		name: "of nothing",
		rule: "If the user has no sessions, List returns no records and no error.",
		run: func(t *trial) {
			t.wantList()
			t.have("a")
			t.revoke("a")
			t.wantList()
		},
	},
	{
		name: "leaves the data out",
		rule: "List returns the user's live sessions without their data.",
		run: func(t *trial) {
			records := t.have("a", "b")
			t.wantList(records...)
			t.wantLive(records...)
		},
	},
	{
		name: "leaves tombstones out",
		rule: "A tombstone is in no list.",
		run: func(t *trial) {
			records := t.have("a", "b", "c")
			t.revoke("a", "c")
			t.wantList(records[1])
		},
	},
	{
		name: "has each session once",
		rule: "List returns every live session of the user, once, however many there are, and nobody else's.",
		run: func(t *trial) {
			t.have("a", "b", "another's")
			t.user = newUser()
			t.wantList(t.many(1200)...)
		},
	},
}

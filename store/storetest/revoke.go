package storetest

import (
	"fmt"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// ended checks that no method opens the sessions again, or gives them more time.
func (t *trial) ended(why error, records ...store.Record) {
	t.Helper()
	for _, r := range records {
		r.ExpiresAt = time.Now().Add(time.Hour)
		_, err := t.Find(t.ctx, r.User, r.ID)
		t.wantError("Find of an ended session", err, why)
		t.wantError("Update of an ended session", t.Update(t.ctx, r, r.Secret), why)
		touch := store.Touch{SeenAt: time.Now(), ExpiresAt: r.ExpiresAt, Client: r.Client}
		t.wantError("Touch of an ended session", t.Touch(t.ctx, r.User, r.ID, touch), why)
		_, err = t.Revoke(t.ctx, r.User, r.ID, store.Revocation{})
		t.wantError("Revoke of an ended session", err, store.ErrNotFound)
		_, err = t.Find(t.ctx, r.User, r.ID)
		t.wantError("Find of an ended session, after all the rest", err, why)
	}
}

// changed returns a session that was updated and touched since it was created.
func (t *trial) changed(id string) store.Record {
	t.Helper()
	created := t.have(id)[0]
	r := renewed(created)
	t.update(r, created.Secret)
	r.SeenAt, r.Client = created.SeenAt.Add(time.Minute), []byte("elsewhere "+id)
	t.touch(id, store.Touch{SeenAt: r.SeenAt, Client: r.Client})
	return r
}

var revokeCases = []testCase{
	{
		name: "returns the session",
		rule: "Revoke returns the session as List did before, and leaves the user's other sessions alone.",
		run: func(t *trial) {
			records := t.have("a", "b", "c")
			was, err := t.Revoke(t.ctx, t.user, "b", store.Revocation{Reason: "a reason"})
			if err != nil {
				t.Fatalf("Revoke of a live session: %v", err)
			}
			t.wantListed("Revoke", []store.Record{was}, records[1])
			t.wantList(records[0], records[2])
			t.wantLive(records[0], records[2])
		},
	},
	{
		name: "gives the session as it has become",
		rule: "Revoke and RevokeAll return what they end as it was when it ended, not as it was created.",
		run: func(t *trial) {
			a, b := t.changed("a"), t.changed("b")
			was, err := t.Revoke(t.ctx, t.user, "a", store.Revocation{})
			t.wantError("Revoke of a live session", err, nil)
			t.wantListed("Revoke", []store.Record{was}, a)
			t.revokeAll("", store.Revocation{}, b)
		},
	},
	{
		name: "leaves a tombstone",
		rule: "A tombstone says when, why and by which session, and keeps the session's names, secret hash and sign-in time, and nothing else; Until is not for it.",
		run: func(t *trial) {
			records := t.have("a", "b")
			why := store.Revocation{At: time.Now().Add(-time.Hour).Truncate(time.Microsecond), Reason: "a reason", By: "b", Until: time.Now().Add(48 * time.Hour)}
			if _, err := t.Revoke(t.ctx, t.user, "a", why); err != nil {
				t.Fatalf("Revoke of a live session: %v", err)
			}
			t.wantRevoked(why, records[0])
		},
	},
	{
		name: "stands for now",
		rule: "If a Revocation has no time, the session was revoked now.",
		run: func(t *trial) {
			r := t.have("a")[0]
			t.revoke("a")
			t.wantRevoked(store.Revocation{Reason: "reason of a"}, r)
		},
	},
	{
		name: "takes effect at once",
		rule: "Whatever time a Revocation has, the session ends now, and its tombstone lasts until TombstoneLifetime after that time.",
		run: func(t *trial) {
			for _, at := range []time.Duration{time.Hour, -time.Hour, -25 * time.Hour} {
				t.user = newUser()
				a, b := t.record("a"), t.record("b")
				a.ExpiresAt = time.Now().Add(1000 * time.Hour)
				b.ExpiresAt = a.ExpiresAt
				t.create(a, b)
				why := store.Revocation{At: time.Now().Add(at), Reason: "a reason"}
				was, err := t.Revoke(t.ctx, t.user, "a", why)
				t.wantError("Revoke of a live session", err, nil)
				t.wantListed("Revoke", []store.Record{was}, a)
				t.markAll("", why, b)
				if at > -store.TombstoneLifetime {
					t.wantRevoked(why, a, b)
				} else {
					t.ended(store.ErrNotFound, a, b)
				}
				t.wantList()
			}
		},
	},
	{
		name: "is final",
		rule: "A revoked session is opened by nothing again.",
		run: func(t *trial) {
			records := t.have("a", "b")
			t.revoke("a")
			t.ended(store.ErrRevoked, records[0])
			_, err := t.Create(t.ctx, records[0], store.Limit{})
			t.wantError("Create of a revoked session", err, store.ErrRevoked)
			t.wantList(records[1])
		},
	},
	{
		name: "of the unknown",
		rule: "Revoke returns ErrNotFound if the user has no such session, and leaves no tombstone there.",
		run: func(t *trial) {
			for range 2 {
				_, err := t.Revoke(t.ctx, t.user, "unknown", store.Revocation{})
				t.wantError("Revoke of an unknown session", err, store.ErrNotFound)
				t.wantNotFound("unknown")
				t.wantList(t.have("a")...)
				t.user = newUser()
				t.have("b")
				t.revoke("b")
			}
		},
	},
	{
		name: "of the revoked",
		rule: "Revoke returns ErrNotFound if the session was revoked already, and the tombstone keeps the first reason.",
		run: func(t *trial) {
			r := t.have("a")[0]
			t.revoke("a")
			_, err := t.Revoke(t.ctx, t.user, "a", store.Revocation{Reason: "another"})
			t.wantError("Revoke of a revoked session", err, store.ErrNotFound)
			t.wantRevoked(store.Revocation{Reason: "reason of a"}, r)
		},
	},
}

// revokeAll revokes all of the user's sessions but keep, which must be these.
func (t *trial) revokeAll(keep string, why store.Revocation, want ...store.Record) {
	t.Helper()
	call := fmt.Sprintf("RevokeAll but %q", keep)
	were, err := t.RevokeAll(t.ctx, t.user, keep, why)
	if err != nil {
		t.Fatalf("%s returned the error %v", call, err)
	}
	t.wantListed(call, were, want...)
	t.wantRevoked(why, want...)
}

var revokeAllCases = []testCase{
	{
		name: "keeps one",
		rule: "RevokeAll revokes all the user's live sessions but the one named keep, and returns them as List did.",
		run: func(t *trial) {
			records := t.have("a", "b", "c", "d")
			t.revokeAll("c", store.Revocation{Reason: "a reason"}, records[0], records[1], records[3])
			t.wantList(records[2])
			t.wantLive(records[2])
		},
	},
	{
		name: "keeps none",
		rule: "If keep is empty, RevokeAll revokes all the user's live sessions.",
		run: func(t *trial) {
			records := t.have("a", "b", "c", "d")
			why := store.Revocation{At: time.Now().Add(-time.Minute), Reason: "a reason"}
			t.revokeAll("", why, records...)
			t.ended(store.ErrRevoked, records...)
			t.wantList()
		},
	},
	{
		name: "keeps what is not there",
		rule: "If keep names no live session of the user, RevokeAll revokes all the user's live sessions.",
		run: func(t *trial) {
			t.have("another's")
			t.user = newUser()
			records := t.have("a", "b", "revoked")
			t.revoke("revoked")
			t.revokeAll("revoked", store.Revocation{Reason: "one"}, records[:2]...)
			t.wantRevoked(store.Revocation{Reason: "reason of revoked"}, records[2])
			t.revokeAll("another's", store.Revocation{Reason: "two"}, t.have("c", "d")...)
			t.revokeAll("*", store.Revocation{Reason: "three"}, t.have("e", "f")...)
			t.wantList()
		},
	},
	{
		name: "of nothing",
		rule: "If there is nothing to revoke, RevokeAll returns no records and no error.",
		run: func(t *trial) {
			t.revokeAll("", store.Revocation{})
			t.revokeAll("a", store.Revocation{})
			r := t.have("a")[0]
			t.revokeAll("a", store.Revocation{})
			t.revokeAll("a", store.Revocation{By: "a"})
			t.wantLive(r)
			t.revoke("a")
			t.revokeAll("", store.Revocation{Reason: "another"})
			t.wantRevoked(store.Revocation{Reason: "reason of a"}, r)
		},
	},
	{
		name: "of many",
		rule: "RevokeAll revokes all the user's live sessions, however many there are, and a tombstone that is forgotten brings none back.",
		run: func(t *trial) {
			records := t.many(1200)
			were, err := t.RevokeAll(t.ctx, t.user, "7", store.Revocation{By: "7"})
			if err != nil {
				t.Fatalf("RevokeAll: %v", err)
			}
			t.wantListed("RevokeAll", were, append(records[:7:7], records[8:]...)...)
			t.wantList(records[7])
			t.wantLive(records[7])
		},
	},
	{
		name: "concerns one user",
		rule: "Sessions of other users stay as they are, also if their ids are the same.",
		run: func(t *trial) {
			others := t.have("a", "b", "c")
			t.user = newUser()
			records := t.have("a", "b", "c")
			t.revokeAll("a", store.Revocation{}, records[1:]...)
			t.revoke("a")
			t.wantLive(others...)
			t.wantList()
			t.user = others[0].User
			t.wantList(others...)
		},
	},
}

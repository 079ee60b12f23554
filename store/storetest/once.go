package storetest

import (
	"errors"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

var onceCases = []testCase{
	{
		name: "whatever has become of it",
		rule: "An id that was created with a Once that has not come cannot be created again, with a Once or without: ErrExists while the session is live, and then ErrRevoked, however it has ended.",
		run: func(t *trial) {
			for name, end := range map[string]func(){
				"Revoke":    func() { t.revoke("a") },
				"RevokeAll": func() { t.markAllBut("b", "a") },
				"eviction":  func() { t.limitedTo(2, "new") },
			} {
				t.user = newUser()
				a, b := t.once("a"), t.record("b")
				a.SeenAt = a.SeenAt.Add(-time.Hour)
				t.create(a, b)
				_, err := t.Create(t.ctx, a, store.Limit{})
				t.wantError("Create of a live session, once more", err, store.ErrExists)
				end()
				t.forget()
				t.wantOver(name, a)
			}
		},
	},
	{
		name: "concerns one id of one user",
		rule: "Neither other ids nor the same id of another user are in the way of a session that was created once.",
		run: func(t *trial) {
			a := t.once("a")
			t.create(a)
			t.revoke("a")
			b := t.once("b")
			t.create(b)
			t.user = newUser()
			a.User = t.user
			t.create(a)
			a.Once = time.Time{}
			t.wantLive(a)
		},
	},
	{
		name: "is set by Create alone",
		rule: "Update takes no notice of Once: the session can be created again.",
		run: func(t *trial) {
			r := t.have("a")[0]
			r.Once = time.Now().Add(time.Hour)
			r.ExpiresAt = time.Now().Add(10 * time.Millisecond)
			t.wantError("Update of a live session", t.Update(t.ctx, r, r.Secret), nil)
			t.until(r.ExpiresAt)
			t.have("a")
		},
	},
	{
		name: "counts for what was created",
		rule: "A Create that is refused, and one whose Once has come, leave nothing that stands in the way of the id later.",
		run: func(t *trial) {
			for name, once := range map[string]time.Duration{"that was refused": time.Hour, "that has come": -time.Minute} {
				t.user = newUser()
				r := t.record("a")
				if once < 0 {
					r.Once = time.Now().Add(once)
				}
				t.create(r)
				again := r
				again.Once = time.Now().Add(once)
				_, err := t.Create(t.ctx, again, store.Limit{})
				t.wantError("Create of a live session", err, store.ErrExists)
				t.revoke("a")
				_, err = t.Create(t.ctx, again, store.Limit{})
				t.wantError("Create of a revoked session", err, store.ErrRevoked)
				t.forget()
				if _, err = t.Create(t.ctx, r, store.Limit{}); err != nil {
					t.Fatalf("Create of an id after one with a Once %s returned the error %v", name, err)
				}
			}
		},
	},
	{
		name: "is not returned",
		rule: "Stores do not return Once, and what it was for is in no list.",
		run: func(t *trial) {
			a, b := t.once("a"), t.once("b")
			t.create(a, b)
			t.revoke("b")
			a.Once = time.Time{}
			t.wantLive(a)
			t.wantList(a)
			t.forget()
			t.wantNotFound("b")
			t.wantList(a)
		},
	},
}

// once returns a session whose id cannot be created again for an hour.
func (t *trial) once(id string) store.Record {
	r := t.record(id)
	r.Once = time.Now().Add(time.Hour)
	return r
}

// wantOver checks that an id cannot be created again.
func (t *trial) wantOver(how string, r store.Record) {
	t.Helper()
	for range 2 {
		_, err := t.Create(t.ctx, r, store.Limit{})
		t.wantError("Create of an id that was to be created once, after "+how, err, store.ErrRevoked)
		var marked *store.MarkedError
		if errors.As(err, &marked) {
			t.Fatalf("Create of an id that was to be created once, after %s, returned a MarkedError", how)
		}
		t.wantNotFound(r.ID)
		r.Once = time.Time{}
	}
}

// forget has the store forget the tombstones of the user's sessions.
func (t *trial) forget() {
	t.Helper()
	for i := range store.MaxTombstones + 1 {
		id := newUser()
		r := t.record(id)
		t.create(r)
		why := store.Revocation{At: time.Now().Add(time.Duration(i) * time.Millisecond)}
		if _, err := t.Revoke(t.ctx, t.user, id, why); err != nil {
			t.Fatalf("Revoke of a live session: %v", err)
		}
	}
}

func (t *trial) markAllBut(keep string, want ...string) {
	t.Helper()
	were, err := t.RevokeAll(t.ctx, t.user, keep, store.Revocation{At: time.Now().Add(-25 * time.Hour)})
	t.wantError("RevokeAll", err, nil)
	t.wantIDs("RevokeAll", were, want...)
}

func (t *trial) limitedTo(limit int, id string) {
	t.Helper()
	evicted, err := t.Create(t.ctx, t.record(id), store.Limit{Max: limit})
	t.wantError("Create", err, nil)
	t.wantIDs("Create", evicted, "a")
}

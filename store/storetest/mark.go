package storetest

import (
	"errors"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// began returns a session whose sign-in began then.
func (t *trial) began(id string, at time.Time) store.Record {
	r := t.record(id)
	r.CreatedAt = at
	return r
}

// markAll leaves a mark if there is nothing to revoke but these.
func (t *trial) markAll(keep string, why store.Revocation, ends ...store.Record) {
	t.Helper()
	were, err := t.RevokeAll(t.ctx, t.user, keep, why)
	t.wantError("RevokeAll", err, nil)
	t.wantListed("RevokeAll", were, ends...)
}

// wantMarked checks that Create refuses a session for a mark that says why.
func (t *trial) wantMarked(why store.Revocation, records ...store.Record) {
	t.Helper()
	for _, r := range records {
		_, err := t.Create(t.ctx, r, store.Limit{Max: 1})
		t.wantError("Create of a session that began before the mark", err, store.ErrRevoked)
		var marked *store.MarkedError
		if !errors.As(err, &marked) {
			t.Fatalf("Create of a session that began before the mark returned the error %v, want a MarkedError", err)
		}
		got := marked.Mark
		if got.Reason != why.Reason || got.By != why.By || !why.At.IsZero() && !sameTime(got.At, why.At) {
			t.Fatalf("the MarkedError has the mark %+v, want %+v", got, why)
		}
		t.wantNotFound(r.ID)
	}
}

var markCases = []testCase{
	{
		name: "refuses what began by then",
		rule: "After RevokeAll, Create refuses a session whose CreatedAt is not after why.At with a MarkedError that says when, why and by which session, and creates and evicts nothing.",
		run: func(t *trial) {
			at := time.Now().Add(-time.Minute).Truncate(time.Microsecond)
			records := t.have("a", "b", "c")
			why := store.Revocation{At: at, Reason: "a reason", By: "b"}
			t.markAll("b", why, records[0], records[2])
			t.wantMarked(why, t.began("zero", time.Time{}), t.began("before", at.Add(-time.Microsecond)), t.began("at", at))
			t.wantList(records[1])
			t.wantLive(records[1])
		},
	},
	{
		name: "lets through what began later",
		rule: "After RevokeAll, Create adds a session whose CreatedAt is after why.At, be it by a microsecond.",
		run: func(t *trial) {
			at := time.Now().Truncate(time.Microsecond)
			t.markAll("", store.Revocation{At: at})
			r := t.began("after", at.Add(time.Microsecond))
			t.create(r)
			t.wantLive(r)
			t.wantList(r)
		},
	},
	{
		name: "is left where there is no session",
		rule: "RevokeAll leaves a mark also if the user has no session, or none but the one that is kept.",
		run: func(t *trial) {
			at := time.Now()
			why := store.Revocation{At: at, Reason: "a reason"}
			t.markAll("", why)
			t.wantMarked(why, t.began("a", at.Add(-time.Second)))
			t.user = newUser()
			kept := t.have("kept")[0]
			t.markAll("kept", why)
			t.wantMarked(why, t.began("a", at.Add(-time.Second)))
			t.wantLive(kept)
		},
	},
	{
		name: "stands for now",
		rule: "If RevokeAll is given no time, the mark is at the time of the call.",
		run: func(t *trial) {
			t.markAll("", store.Revocation{})
			t.wantMarked(store.Revocation{}, t.began("before", time.Now().Add(-time.Minute)))
			t.create(t.began("after", time.Now().Add(time.Minute)))
		},
	},
	{
		name: "refuses every id that is created once",
		rule: "While there is a mark, Create refuses a session with Once, be that past, whenever it began; and Once counts for a session only that was created.",
		run: func(t *trial) {
			why := store.Revocation{At: time.Now().Add(-time.Hour), Reason: "a reason"}
			t.markAll("", why)
			r := t.record("once")
			for _, once := range []time.Duration{time.Hour, -time.Minute} {
				r.Once = time.Now().Add(once)
				t.wantMarked(why, r, r)
			}
			r.Once = time.Time{}
			t.create(r)
		},
	},
	{
		name: "is asked last",
		rule: "What else stands in the way of a session decides before the mark does: ErrExists for a live one, and an ErrRevoked that is no MarkedError for a tombstone and for an id that was created once.",
		run: func(t *trial) {
			once := t.record("once")
			once.Once = time.Now().Add(time.Hour)
			t.create(once)
			t.have("live", "revoked")
			t.revoke("revoked")
			if _, err := t.RevokeAll(t.ctx, t.user, "live", store.Revocation{}); err != nil {
				t.Fatalf("RevokeAll: %v", err)
			}
			_, err := t.Create(t.ctx, t.began("live", time.Time{}), store.Limit{})
			t.wantError("Create of a live session", err, store.ErrExists)
			var more []store.Record
			for _, id := range oddNames { // whose tombstones push out that of the id
				more = append(more, t.record("more "+id))
			}
			t.create(more...)
			t.markAll("live", store.Revocation{}, more...)
			for _, id := range []string{"more a", "once"} {
				r := t.began(id, time.Time{})
				_, err := t.Create(t.ctx, r, store.Limit{})
				var marked *store.MarkedError
				if !errors.Is(err, store.ErrRevoked) || errors.As(err, &marked) {
					t.Fatalf("Create of %q returned the error %v, want an ErrRevoked that is no MarkedError", id, err)
				}
			}
		},
	},
	{
		name: "never moves back",
		rule: "Of two marks the later one stays, with its reason and By, whichever was left first.",
		run: func(t *trial) {
			later := time.Now().Truncate(time.Microsecond)
			sooner := later.Add(-time.Hour)
			between := t.began("between", later.Add(-time.Minute))
			why := store.Revocation{At: later, Reason: "later"}
			t.markAll("", why)
			t.markAll("", store.Revocation{At: sooner, Reason: "sooner"})
			t.wantMarked(why, between)

			t.user = newUser()
			between.User = t.user
			t.have("a")
			t.markAll("a", store.Revocation{At: sooner, Reason: "sooner"})
			why.By = "a"
			t.markAll("a", why)
			t.wantMarked(why, between)
		},
	},
	{
		name: "that has expired is none",
		rule: "A mark that has expired is not the later one of two: another takes its place, also one of an earlier time.",
		run: func(t *trial) {
			now := time.Now().Truncate(time.Microsecond)
			t.markAll("", store.Revocation{At: now, Until: now.Add(-time.Minute), Reason: "over"})
			why := store.Revocation{At: now.Add(-time.Hour), Reason: "a reason"}
			t.markAll("", why)
			t.wantMarked(why, t.began("before", why.At))
			t.create(t.began("after", why.At.Add(time.Microsecond)))
		},
	},
	{
		name: "may be ahead of the clock",
		rule: "A mark is at why.At also if that has not come: what begins until then is refused.",
		run: func(t *trial) {
			why := store.Revocation{At: time.Now().Add(time.Hour), Reason: "a reason"}
			t.markAll("", why)
			t.wantMarked(why, t.began("before", why.At.Add(-time.Minute)))
			t.create(t.began("after", why.At.Add(time.Minute)))
		},
	},
	{
		name: "is one user's",
		rule: "A mark concerns the sessions of one user only.",
		run: func(t *trial) {
			t.markAll("", store.Revocation{})
			t.user = newUser()
			t.create(t.began("a", time.Time{}))
		},
	},
	{
		name: "is not left by a refusal",
		rule: "RevokeAll that returns ErrActorRevoked leaves no mark.",
		run: func(t *trial) {
			t.have("revoked")
			t.revoke("revoked")
			for _, by := range []string{"revoked", "unknown"} {
				_, err := t.RevokeAll(t.ctx, t.user, "", store.Revocation{By: by})
				t.wantError("RevokeAll by a session that is not live", err, store.ErrActorRevoked)
			}
			t.create(t.began("a", time.Time{}))
		},
	},
	{
		name: "is left by RevokeAll alone",
		rule: "Neither Revoke nor an eviction leaves a mark.",
		run: func(t *trial) {
			records := t.have("a", "b")
			t.revoke("a")
			t.limited(t.began("c", time.Time{}), 1, records[1])
			t.create(t.began("d", time.Time{}))
		},
	},
	{
		name: "is no session",
		rule: "A mark is in no list, is not found, counts towards no limit, and is not evicted.",
		run: func(t *trial) {
			why := store.Revocation{Reason: "a reason"}
			t.markAll("", why)
			t.wantList()
			t.wantNotFound("mark", "", "a reason")
			a, b := t.seen("a", 2), t.seen("b", 1)
			t.limited(a, 2)
			t.limited(b, 2)
			t.limited(t.seen("c", 0), 1, a, b)
			t.wantMarked(why, t.began("d", time.Time{}))
		},
	},
	{
		name: "outlasts tombstones",
		rule: "A mark stays when tombstones are forgotten, and when the user's last session ends.",
		run: func(t *trial) {
			why := store.Revocation{Reason: "a reason"}
			t.markAll("", why)
			var ids []string
			for _, r := range t.more(5) {
				ids = append(ids, r.ID)
			}
			t.revoke(ids...)
			t.wantList()
			t.wantMarked(why, t.began("new", time.Time{}))
		},
	},
	{
		name: "lasts a day unless it is told",
		rule: "A mark is kept until why.Until, or TombstoneLifetime after why.At if that is zero.",
		run: func(t *trial) {
			now := time.Now()
			r := t.began("a", now.Add(-48*time.Hour))
			t.markAll("", store.Revocation{At: now.Add(-time.Minute - store.TombstoneLifetime)})
			t.create(r)
			t.revoke("a")
			t.user = newUser()
			why := store.Revocation{At: now.Add(time.Minute - store.TombstoneLifetime)}
			t.markAll("", why)
			r.User = t.user
			t.wantMarked(why, r)
			t.user = newUser()
			why = store.Revocation{At: now.Add(-40 * time.Hour), Until: now.Add(time.Hour)}
			t.markAll("", why)
			r.User = t.user
			t.wantMarked(why, r)
			t.user = newUser()
			t.markAll("", store.Revocation{At: now, Until: now.Add(-time.Minute)})
			t.create(t.began("a", time.Time{}))
		},
	},
}

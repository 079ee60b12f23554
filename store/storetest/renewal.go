package storetest

import (
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// pending returns r as a renewal leaves it whose secret was not presented yet.
func pending(r store.Record) store.Record {
	r.Prev, r.Secret = r.Secret, store.HashSecret("renewed secret of "+r.ID)
	r.RenewedAt, r.UsedAt = r.SeenAt.Add(time.Second), time.Time{}
	return r
}

// renew renews a session in the store.
func (t *trial) renew(r store.Record) store.Record {
	t.Helper()
	next := pending(r)
	t.update(next, r.Secret)
	return next
}

func (t *trial) update(r store.Record, was store.Hash) {
	t.Helper()
	if err := t.Update(t.ctx, r, was); err != nil {
		t.Fatalf("Update of a live session: %v", err)
	}
}

var renewalCases = []testCase{
	{
		name: "is kept",
		rule: "Create keeps Prev, RenewedAt and UsedAt as given, and Find and List return them.",
		run: func(t *trial) {
			a, b := pending(t.record("a")), pending(t.record("b"))
			b.UsedAt = b.RenewedAt.Add(time.Second)
			t.create(a, b)
			t.wantLive(a, b)
			t.wantList(a, b)
		},
	},
	{
		name: "is written with another secret",
		rule: "Update that brings another secret hash writes Prev, RenewedAt and UsedAt as given, be they zero.",
		run: func(t *trial) {
			r := t.have("a")[0]
			r = t.renew(r)
			t.wantLive(r)
			t.wantList(r)
			was := r.Secret
			r.Secret, r.UsedAt = store.HashSecret("proved"), r.RenewedAt
			t.update(r, was)
			t.wantLive(r)
			r = t.renew(r)
			t.wantLive(r)
			was = r.Secret
			r.Secret, r.Prev, r.RenewedAt = store.HashSecret("no trace"), store.Hash{}, time.Time{}
			t.update(r, was)
			t.wantLive(r)
		},
	},
	{
		name: "is kept by other updates",
		rule: "Update that brings the same secret hash keeps Prev, RenewedAt and UsedAt, whatever it is given: it does not put an old token back.",
		run: func(t *trial) {
			never := t.have("never")[0]
			late := pending(never)
			late.Secret, late.Data = never.Secret, []byte("late")
			t.update(late, never.Secret)
			never.Data = late.Data
			t.wantLive(never)

			r := t.renew(t.have("a")[0])
			r.UsedAt = r.RenewedAt.Add(time.Second)
			t.touch("a", store.Touch{SeenAt: r.UsedAt, Secret: r.Secret})
			r.SeenAt = r.UsedAt
			for _, given := range []store.Record{{}, {Prev: store.HashSecret("dead"), RenewedAt: r.SeenAt.Add(time.Hour)}} {
				late := r
				late.Prev, late.RenewedAt, late.UsedAt = given.Prev, given.RenewedAt, given.UsedAt
				late.Data = []byte("late")
				t.update(late, r.Secret)
				r.Data = late.Data
				t.wantLive(r)
			}
		},
	},
	{
		name: "is used once, by Update",
		rule: "If Prev is set and UsedAt zero, Update that brings the same secret hash writes r.UsedAt; once it is set, no Update changes it.",
		run: func(t *trial) {
			r := t.renew(t.have("a")[0])
			t.update(r, r.Secret)
			t.wantLive(r)
			r.UsedAt = r.RenewedAt.Add(time.Second)
			t.update(r, r.Secret)
			t.wantLive(r)
			for _, at := range []time.Time{r.UsedAt.Add(time.Hour), r.UsedAt.Add(-time.Hour), {}} {
				again := r
				again.UsedAt = at
				t.update(again, r.Secret)
				t.wantLive(r)
			}
		},
	},
	{
		name: "is used once, by Touch",
		rule: "Touch with the session's secret hash writes its SeenAt as UsedAt, if Prev is set and UsedAt is zero, also if the session was seen later.",
		run: func(t *trial) {
			r := t.renew(t.have("a")[0])
			at := r.SeenAt.Add(-time.Minute)
			t.touch("a", store.Touch{SeenAt: at, Secret: r.Secret})
			r.UsedAt = at
			t.wantLive(r)
			r.SeenAt = r.SeenAt.Add(time.Hour)
			t.touch("a", store.Touch{SeenAt: r.SeenAt, Secret: r.Secret})
			t.wantLive(r)
			t.update(r, r.Secret)
			t.wantLive(r)
		},
	},
	{
		name: "is not used by another token",
		rule: "Touch with another secret hash, with Prev or with none leaves UsedAt as it is.",
		run: func(t *trial) {
			r := t.renew(t.have("a")[0])
			for _, secret := range []store.Hash{{}, r.Prev, store.HashSecret("stranger's")} {
				t.touch("a", store.Touch{SeenAt: r.SeenAt, Secret: secret})
				t.wantLive(r)
			}
		},
	},
	{
		name: "that never was is not used",
		rule: "UsedAt stays zero while Prev is not set.",
		run: func(t *trial) {
			r := t.have("a")[0]
			t.touch("a", store.Touch{SeenAt: r.SeenAt, Secret: r.Secret})
			t.wantLive(r)
			given := r
			given.UsedAt = r.SeenAt
			t.update(given, r.Secret)
			t.wantLive(r)
		},
	},
	{
		name: "does not make the old secret good for writing",
		rule: "Update goes by Secret: one that names Prev is stale.",
		run: func(t *trial) {
			r := t.renew(t.have("a")[0])
			t.wantError("Update that names the old secret", t.Update(t.ctx, r, r.Prev), store.ErrStale)
			t.wantLive(r)
		},
	},
	{
		name: "stays on the tombstone while it is pending",
		rule: "A tombstone keeps Prev if UsedAt was zero, and not otherwise; it keeps neither RenewedAt nor UsedAt.",
		run: func(t *trial) {
			for _, used := range []bool{false, true} {
				t.user = newUser()
				a, b, c := pending(t.seen("a", 3)), pending(t.seen("b", 2)), pending(t.seen("c", 1))
				records := []*store.Record{&a, &b, &c}
				for _, r := range records {
					if used {
						r.UsedAt = r.RenewedAt.Add(time.Second)
					}
					t.create(*r)
				}
				d := t.record("d")
				t.limited(d, 3, a)
				t.revoke("b")
				t.wantRevoked(store.Revocation{Reason: "reason of b"}, b)
				t.revokeAll("d", store.Revocation{}, c)
			}
		},
	},
}

// deadline returns a session whose deadline and expiry are so far from now.
func (t *trial) deadline(id string, deadline, expires time.Duration) store.Record {
	r := t.record(id)
	now := time.Now().Truncate(time.Microsecond)
	r.Deadline, r.ExpiresAt = now.Add(deadline), now.Add(expires)
	return r
}

// ending returns r with another expiry.
func ending(r store.Record, expires time.Time) store.Record {
	r.ExpiresAt = expires
	return r
}

var deadlineCases = []testCase{
	{
		name: "bounds what Create is given",
		rule: "ExpiresAt is never after Deadline: Create takes the earlier of the two.",
		run: func(t *trial) {
			a, b := t.deadline("a", time.Hour, 2*time.Hour), t.deadline("b", 2*time.Hour, time.Hour)
			t.create(a, b)
			a.ExpiresAt = a.Deadline
			t.wantLive(a, b)
			t.wantList(a, b)
			t.revokeAll("", store.Revocation{}, a, b)
		},
	},
	{
		name: "bounds what Touch is given",
		rule: "Touch moves the expiry up to the deadline, and never beyond.",
		run: func(t *trial) {
			a, b := t.deadline("a", 2*time.Hour, time.Hour), t.deadline("b", 2*time.Hour, time.Hour)
			t.create(a, b)
			for range 2 {
				t.touch("a", store.Touch{ExpiresAt: a.Deadline.Add(time.Hour)})
				t.wantLive(ending(a, a.Deadline))
			}
			b.ExpiresAt = b.ExpiresAt.Add(time.Minute)
			t.touch("b", store.Touch{ExpiresAt: b.ExpiresAt})
			t.wantLive(b)
		},
	},
	{
		name: "is kept by an Update that has none",
		rule: "Update without a Deadline keeps the one that is stored, and its expiry is bounded by that, with the same secret and with another.",
		run: func(t *trial) {
			r := t.deadline("a", 2*time.Hour, time.Hour)
			t.create(r)
			for _, secret := range []store.Hash{r.Secret, store.HashSecret("another")} {
				was := r.Secret
				r.Secret = secret
				given := ending(r, r.Deadline.Add(time.Hour))
				given.Deadline = time.Time{}
				t.update(given, was)
				r.ExpiresAt = r.Deadline
				t.wantLive(r)
			}
			given := ending(r, r.Deadline.Add(-time.Hour))
			given.Deadline = time.Time{}
			t.update(given, r.Secret)
			t.wantLive(ending(r, given.ExpiresAt))
		},
	},
	{
		name: "is replaced by an Update that has one",
		rule: "Update with a Deadline brings the stored one forward or puts it off, and its expiry is bounded by the new one.",
		run: func(t *trial) {
			r := t.deadline("a", 2*time.Hour, 2*time.Hour)
			t.create(r)
			sooner, later := r, r
			sooner.Deadline = r.Deadline.Add(-time.Hour)
			t.update(sooner, r.Secret)
			sooner.ExpiresAt = sooner.Deadline
			t.wantLive(sooner)
			late := ending(r, r.Deadline) // of a request that was under way
			late.Deadline = time.Time{}
			t.update(late, r.Secret)
			t.wantLive(sooner)
			t.touch("a", store.Touch{ExpiresAt: r.ExpiresAt})
			t.wantLive(sooner)
			later.Deadline = r.Deadline.Add(time.Hour)
			later.ExpiresAt = later.Deadline.Add(time.Hour)
			t.update(later, r.Secret)
			later.ExpiresAt = later.Deadline
			t.wantLive(later)
		},
	},
	{
		name: "that is zero bounds nothing",
		rule: "A session without a Deadline expires when ExpiresAt says, and gets a deadline from Update only.",
		run: func(t *trial) {
			r := t.have("a")[0]
			r.ExpiresAt = r.ExpiresAt.Add(1000 * time.Hour)
			t.touch("a", store.Touch{ExpiresAt: r.ExpiresAt})
			t.wantLive(r)
			r.ExpiresAt = r.ExpiresAt.Add(1000 * time.Hour)
			t.update(r, r.Secret)
			t.wantLive(r)
			r.Deadline = r.ExpiresAt.Add(-time.Hour)
			t.update(r, r.Secret)
			t.wantLive(ending(r, r.Deadline))
		},
	},
}

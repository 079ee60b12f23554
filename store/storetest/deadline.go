package storetest

import (
	"time"

	"github.com/revoke-sessions/revoke/store"
)

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
				given.Deadline = time.Time{}.Local() // zero, wherever it is
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

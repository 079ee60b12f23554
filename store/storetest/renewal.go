package storetest

import (
	"fmt"
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
		rule: "Create keeps Prev, RenewedAt and UsedAt as given, each by itself, and Find and List return them.",
		run: func(t *trial) {
			a, b := pending(t.record("a")), pending(t.record("b"))
			b.UsedAt = b.RenewedAt.Add(time.Second)
			c, d := t.record("c"), t.record("d")
			c.RenewedAt, d.UsedAt = a.RenewedAt, b.UsedAt
			t.create(a, b, c, d)
			t.wantLive(a, b, c, d)
			t.wantList(a, b, c, d)
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
		name: "by a token that was renewed comes too late once the newer one was used",
		rule: "Update with another secret hash whose Prev is the stored one is ErrStale if UsedAt is set, and changes nothing: the holder of the newer token keeps the session.",
		run: func(t *trial) {
			r := t.have("a")[0]
			old := r.Secret
			r = t.renew(r)
			lost := r // its answer never arrived, and the old token renews again
			lost.Secret = store.HashSecret("renewed again")
			t.update(lost, r.Secret)
			t.wantLive(lost)
			r = lost
			r.UsedAt = r.RenewedAt.Add(time.Second)
			t.touch("a", store.Touch{SeenAt: r.UsedAt, Secret: r.Secret})
			r.SeenAt = r.UsedAt
			for _, used := range []time.Time{{}, r.UsedAt} {
				late := r
				late.Secret, late.UsedAt, late.Data = store.HashSecret("late"), used, []byte("late")
				t.wantError("Update that renews an old token", t.Update(t.ctx, late, r.Secret), store.ErrStale)
				t.wantLive(r)
			}
			if r.Prev != old {
				t.Fatalf("the token before the renewals is another")
			}
			t.wantLive(t.renew(r))
		},
	},
	{
		name: "is never late without a token before",
		rule: "A renewal is too late by its Prev alone: one that has none, or another than the stored one, is written.",
		run: func(t *trial) {
			never := t.have("never")[0]
			was := never.Secret
			never.Secret = store.HashSecret("without a trace")
			t.update(never, was)
			t.wantLive(never)

			r := pending(t.record("a"))
			r.UsedAt = r.RenewedAt.Add(time.Second)
			t.create(r)
			for i, prev := range []store.Hash{store.HashSecret("another"), {}} {
				was := r.Secret
				r.Secret, r.Prev = store.HashSecret(fmt.Sprint("new ", i)), prev
				t.update(r, was)
				t.wantLive(r)
			}
			was = r.Secret
			r.Secret = store.HashSecret("after none")
			t.update(r, was)
			t.wantLive(r)
		},
	},
	{
		name: "stays on the tombstone while it is pending",
		rule: "A tombstone keeps Prev if UsedAt was zero, and not otherwise; it keeps neither RenewedAt nor UsedAt, and nothing is used by it.",
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
				for _, r := range []store.Record{a, b, c} {
					touch := store.Touch{SeenAt: time.Now(), ExpiresAt: r.ExpiresAt, Secret: r.Secret}
					t.wantError("Touch of a tombstone", t.Touch(t.ctx, t.user, r.ID, touch), store.ErrRevoked)
				}
				t.wantRevoked(store.Revocation{Reason: "reason of b"}, b)
			}
		},
	},
}

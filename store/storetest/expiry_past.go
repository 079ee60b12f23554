package storetest

import (
	"errors"
	"fmt"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// These cases are of what ends with a time other than a session's ExpiresAt.
var laterExpiryCases = []testCase{
	{
		name: "is not that of what expires soon",
		rule: "RevokeAll revokes every session that is live, be it for a moment only.",
		run: func(t *trial) {
			for _, left := range []time.Duration{0, time.Second} {
				t.briefly(func(end time.Time) error {
					r := t.record("a")
					r.ExpiresAt = end.Add(left)
					if _, err := t.Create(t.ctx, r, store.Limit{}); err != nil {
						return err
					}
					were, err := t.RevokeAll(t.ctx, t.user, "", store.Revocation{})
					if err == nil && len(were) != 1 {
						err = errors.New("RevokeAll passed over a session that was about to expire")
					}
					return err
				})
			}
		},
	},
	{
		name: "comes with the deadline",
		rule: "A session ends at its Deadline, whatever expiry it was given.",
		run: func(t *trial) {
			var r store.Record
			end := t.briefly(func(end time.Time) error {
				r = t.record("a")
				r.Deadline = end
				_, err := t.Create(t.ctx, r, store.Limit{})
				if err == nil {
					err = t.find(&r)
				}
				t.Touch(t.ctx, t.user, "a", store.Touch{ExpiresAt: r.ExpiresAt.Add(time.Hour)})
				return err
			})
			t.until(end)
			t.ended(store.ErrNotFound, r)
			t.wantList()
		},
	},
	{
		name: "of tombstones makes room for others",
		rule: "A tombstone that has expired pushes out none of the MaxTombstones that have not.",
		run: func(t *trial) {
			const over = 20
			var records []store.Record
			end := t.briefly(func(end time.Time) error {
				records = t.more(0)
				return errors.Join(together(over, func(i int) error {
					r := ending(t.record(fmt.Sprint("over ", i)), end)
					if _, err := t.Create(t.ctx, r, store.Limit{}); err != nil {
						return err
					}
					_, err := t.Revoke(t.ctx, t.user, r.ID, store.Revocation{})
					return err
				})...)
			})
			t.until(end)
			earlier := store.Revocation{At: time.Now().Add(-time.Hour), Reason: "a reason"}
			t.revokeAll("", earlier, records...)
		},
	},
	{
		name: "ends a mark",
		rule: "A mark refuses nothing from why.Until on.",
		run: func(t *trial) {
			end := t.briefly(func(end time.Time) error {
				_, err := t.RevokeAll(t.ctx, t.user, "", store.Revocation{Until: end})
				if err != nil {
					return err
				}
				return t.refused(t.began("a", time.Time{}))
			})
			t.until(end)
			t.create(t.began("a", time.Time{}))
		},
	},
	{
		name: "of marks is the later one",
		rule: "Of two marks the later end counts, whichever of them has it.",
		run: func(t *trial) {
			for _, first := range []bool{true, false} {
				now := time.Now()
				var later store.Revocation
				end := t.briefly(func(end time.Time) error {
					long := store.Revocation{At: now.Add(-time.Hour), Until: now.Add(time.Hour), Reason: "long"}
					later = store.Revocation{At: now.Add(-time.Minute), Until: end, Reason: "later"}
					marks := []store.Revocation{long, later}
					if !first {
						marks = []store.Revocation{later, long}
					}
					for _, why := range marks {
						if _, err := t.RevokeAll(t.ctx, t.user, "", why); err != nil {
							return err
						}
					}
					return nil
				})
				t.until(end)
				t.wantMarked(later, t.began("a", later.At.Add(-time.Second)))
			}
		},
	},
	{
		name: "of sessions leaves the mark",
		rule: "A mark outlasts the user's sessions and tombstones.",
		run: func(t *trial) {
			var kept, gone store.Record
			end := t.briefly(func(end time.Time) error {
				kept, gone = ending(t.record("kept"), end), ending(t.record("gone"), end)
				for _, r := range []store.Record{kept, gone} {
					if _, err := t.Create(t.ctx, r, store.Limit{}); err != nil {
						return err
					}
				}
				_, err := t.RevokeAll(t.ctx, t.user, "kept", store.Revocation{Reason: "a reason"})
				return err
			})
			t.until(end)
			t.wantNotFound("kept", "gone")
			t.wantMarked(store.Revocation{Reason: "a reason"}, t.began("a", time.Time{}))
		},
	},
	{
		name: "ends what Once was for",
		rule: "From Once on the id can be created again, and again once.",
		run: func(t *trial) {
			var r store.Record
			end := t.briefly(func(end time.Time) error {
				r = ending(t.record("a"), end)
				r.Once = end
				if _, err := t.Create(t.ctx, r, store.Limit{}); err != nil {
					return err
				}
				if _, err := t.Revoke(t.ctx, t.user, "a", store.Revocation{}); err != nil {
					return err
				}
				return t.refused(r)
			})
			t.until(end)
			r = t.once("a")
			t.create(r)
			t.revoke("a")
			t.forget()
			t.wantOver("Once of the second time", r)
		},
	},
	{
		name: "of the session leaves what Once was for",
		rule: "While Once has not come, the id cannot be created again, though the session has expired and the user has nothing else.",
		run: func(t *trial) {
			var r store.Record
			end := t.briefly(func(end time.Time) error {
				r = ending(t.once("a"), end)
				_, err := t.Create(t.ctx, r, store.Limit{})
				return err
			})
			t.until(end)
			t.wantNotFound("a")
			t.wantOver("its expiry", t.once("a"))
		},
	},
}

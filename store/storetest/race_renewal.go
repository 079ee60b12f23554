package storetest

import (
	"fmt"
	"runtime"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

var renewalRaceCases = []testCase{
	{
		name: "of renewals",
		rule: "Of several updates at once that name the same secret hash and bring a new one, one succeeds, and the others get ErrStale: one session does not become two.",
		run: func(t *trial) {
			t.rounds(func() {
				r := t.have("a")[0]
				next := make([]store.Record, 6)
				for i := range next {
					next[i] = renewed(r)
					next[i].Secret, next[i].Data = store.HashSecret(fmt.Sprint(i)), fmt.Append(nil, i)
				}
				errs := together(len(next), func(i int) error { return t.Update(t.ctx, next[i], r.Secret) })
				t.wantLive(next[t.wantWinner(errs, store.ErrStale)])
			})
		},
	},
	{
		name: "of first uses",
		rule: "UsedAt is set once, whoever of several is first: it never changes again.",
		run: func(t *trial) {
			t.rounds(func() {
				r := t.renew(t.have("a")[0])
				errs := together(4, func(i int) error {
					at := r.SeenAt.Add(time.Duration(i) * time.Second)
					if err := t.Touch(t.ctx, t.user, "a", store.Touch{SeenAt: at, Secret: r.Secret}); err != nil {
						return err
					}
					first, err := t.Find(t.ctx, t.user, "a")
					if err != nil {
						return err
					}
					runtime.Gosched()
					again, err := t.Find(t.ctx, t.user, "a")
					if err == nil && (first.UsedAt.IsZero() || !again.UsedAt.Equal(first.UsedAt)) {
						err = fmt.Errorf("UsedAt was %v, and then %v", first.UsedAt, again.UsedAt)
					}
					return err
				})
				for _, err := range errs {
					t.wantError("a first use", err, nil)
				}
			})
		},
	},
	{
		name: "of a late renewal with the first use",
		rule: "Update asks in its own step whether it comes too late: once UsedAt was seen to be set, a renewal of the old token takes the session from nobody.",
		run: func(t *trial) {
			t.rounds(func() {
				r := t.renew(t.have("a")[0])
				late, seen := r, store.Record{}
				late.Secret = store.HashSecret("late")
				errs := together(2, func(i int) error {
					if linger(); i == 0 {
						return t.Update(t.ctx, late, r.Secret)
					}
					err := t.Touch(t.ctx, t.user, "a", store.Touch{SeenAt: r.SeenAt, Secret: r.Secret})
					if err == nil {
						seen, err = t.Find(t.ctx, t.user, "a")
					}
					return err
				})
				t.wantError("the first use", errs[1], nil)
				if !seen.UsedAt.IsZero() {
					t.wantError("Update that renews the old token, and ends when the new one was seen to be used,", errs[0], store.ErrStale)
					return
				}
				t.wantError("Update that renews the old token before the new one was used", errs[0], nil)
				t.wantLive(late)
			})
		},
	},
}

package storetest

import (
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// meanwhile calls write a few times, and the others again and again until it has
// ended. None of them may fail.
func (t *trial) meanwhile(write func() error, others ...func() error) {
	t.Helper()
	var ended atomic.Bool
	for _, err := range together(1+len(others), func(i int) error {
		if i == 0 {
			defer ended.Store(true)
			linger()
			return write()
		}
		for last := false; !last; runtime.Gosched() {
			last = ended.Load()
			if err := others[i-1](); err != nil {
				return err
			}
		}
		return nil
	}) {
		t.wantError("one of the parties", err, nil)
	}
}

// These races are of writes that each change a part of a session.
var writeRaceCases = []testCase{
	{
		name: "of a deadline brought forward with writes",
		rule: "Update and Touch ask for the stored deadline in their own step: once it was brought forward, none that was under way undoes that.",
		run: func(t *trial) {
			t.rounds(func() {
				r := t.deadline("a", 3*time.Hour, time.Hour)
				t.create(r)
				sooner := ending(r, r.ExpiresAt.Add(-time.Minute))
				sooner.Deadline = sooner.ExpiresAt
				t.meanwhile(func() error { return t.Update(t.ctx, sooner, r.Secret) },
					func() error {
						late := ending(r, r.Deadline)
						late.Deadline = time.Time{}
						return t.Update(t.ctx, late, r.Secret)
					},
					func() error {
						return t.Touch(t.ctx, t.user, "a", store.Touch{SeenAt: r.SeenAt, ExpiresAt: r.Deadline})
					},
				)
				t.wantLive(sooner)
			})
		},
	},
	{
		name: "of the first use with updates",
		rule: "Update asks in its own step whether the secret was used: once it was, no update of the same secret that was under way undoes that.",
		run: func(t *trial) {
			t.rounds(func() {
				r := t.renew(t.have("a")[0])
				at := r.RenewedAt.Add(time.Second)
				update := func() error { return t.Update(t.ctx, r, r.Secret) }
				t.meanwhile(func() error {
					return t.Touch(t.ctx, t.user, "a", store.Touch{SeenAt: at, Secret: r.Secret})
				}, update, update)
				got, err := t.Find(t.ctx, t.user, "a")
				t.wantError("Find", err, nil)
				if !sameTime(got.UsedAt, at) {
					t.Fatalf("UsedAt is %v after a first use at %v", got.UsedAt, at)
				}
			})
		},
	},
	{
		name: "of touches with reads",
		rule: "Touch is one step: Find and List return all that it records, or nothing.",
		run: func(t *trial) {
			t.rounds(func() {
				r := t.have("a")[0]
				whole := func(got store.Record) error {
					n := got.SeenAt.Sub(r.SeenAt).Round(time.Millisecond)
					want := "client of a"
					if n > 0 {
						want = n.String()
					}
					if string(got.Client) != want || !sameTime(got.ExpiresAt, r.ExpiresAt.Add(n)) {
						return fmt.Errorf("a session has the client %q, was seen at %v and expires at %v, after touches of %q that put off both times by as much",
							got.Client, n, got.ExpiresAt.Sub(r.ExpiresAt), want)
					}
					return nil
				}
				t.meanwhile(func() error {
					for i := range 10 {
						n := time.Duration(i+1) * time.Second
						touch := store.Touch{SeenAt: r.SeenAt.Add(n), ExpiresAt: r.ExpiresAt.Add(n), Client: []byte(n.String())}
						if err := t.Touch(t.ctx, t.user, "a", touch); err != nil {
							return err
						}
						runtime.Gosched()
					}
					return nil
				}, func() error {
					got, err := t.Find(t.ctx, t.user, "a")
					return errors.Join(err, whole(got))
				}, func() error {
					list, err := t.List(t.ctx, t.user)
					if err != nil || len(list) != 1 {
						return fmt.Errorf("%d sessions were listed, with the error %v, want one", len(list), err)
					}
					return whole(list[0])
				})
			})
		},
	},
}

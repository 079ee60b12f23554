package storetest

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// These races are of what has begun before everything was revoked.
var underWayCases = []testCase{
	{
		name: "of RevokeAll with sign-ins under way",
		rule: "RevokeAll leaves its mark in the same step: a session that began before why.At is either revoked by it or not created, and not live after it.",
		run: func(t *trial) {
			t.rounds(func() {
				t.have("kept")
				at := time.Now()
				var started sync.WaitGroup
				var ended atomic.Bool
				var created atomic.Int32
				var revoked []store.Record
				started.Add(3)
				errs := together(4, func(i int) error {
					if i == 0 {
						defer ended.Store(true)
						started.Wait()
						linger()
						var err error
						revoked, err = t.RevokeAll(t.ctx, t.user, "kept", store.Revocation{At: at})
						return err
					}
					for n, last := 0, false; !last && n < 100; n++ {
						last = ended.Load()
						_, err := t.Create(t.ctx, t.began(fmt.Sprint(i, " ", n), at.Add(-time.Second)), store.Limit{})
						if err == nil {
							created.Add(1)
						}
						if n == 0 {
							started.Done()
						}
						if err != nil && !errors.Is(err, store.ErrRevoked) {
							return err
						}
						runtime.Gosched()
					}
					return nil
				})
				for _, err := range errs {
					t.wantError("one of the parties", err, nil)
				}
				live, err := t.List(t.ctx, t.user)
				t.wantError("List", err, nil)
				t.wantIDs("List after RevokeAll", live, "kept")
				if n := int(created.Load()); n != len(revoked) {
					t.Fatalf("%d sessions were created, and %d revoked", n, len(revoked))
				}
			})
		},
	},
	{
		name: "of RevokeAll with others of its kind",
		rule: "A mark is left in one step: of several calls at once the latest mark stays, with its reason.",
		run: func(t *trial) {
			t.rounds(func() {
				at := time.Now()
				for _, err := range together(4, func(i int) error {
					why := store.Revocation{At: at.Add(time.Duration(i) * time.Second), Reason: fmt.Sprint(i)}
					_, err := t.RevokeAll(t.ctx, t.user, "", why)
					return err
				}) {
					t.wantError("RevokeAll", err, nil)
				}
				t.wantMarked(store.Revocation{At: at.Add(3 * time.Second), Reason: "3"}, t.began("a", at.Add(2500*time.Millisecond)))
			})
		},
	},
	{
		name: "of RevokeEveryone with writes under way",
		rule: "No update and no touch that was under way during RevokeEveryone brings a session back.",
		run: func(t *trial) {
			t.rounds(func() {
				r := t.have("a")[0]
				var started sync.WaitGroup
				var ended atomic.Bool
				started.Add(4)
				errs := together(5, func(i int) error {
					if i == 0 {
						defer ended.Store(true)
						started.Wait()
						linger()
						return t.RevokeEveryone(t.ctx)
					}
					for n, last := 0, false; !last; n++ {
						last = ended.Load()
						var err error
						if i%2 == 0 {
							err = t.Update(t.ctx, r, r.Secret)
						} else {
							err = t.Touch(t.ctx, t.user, "a", store.Touch{SeenAt: time.Now()})
						}
						if n == 0 {
							started.Done()
						}
						if err != nil && !errors.Is(err, store.ErrNotFound) {
							return err
						}
						runtime.Gosched()
					}
					return nil
				})
				for _, err := range errs {
					t.wantError("one of the parties", err, nil)
				}
				t.wantNotFound("a")
				t.wantList()
			})
		},
	},
}

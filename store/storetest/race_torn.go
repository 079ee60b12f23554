package storetest

import (
	"errors"
	"fmt"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// These races are of readers, who must not see a revocation half done.
var tornRevokeCases = []testCase{
	{
		name: "of revocations with reads",
		rule: "A session becomes a tombstone in one step: while Revoke, RevokeAll and Create under a limit run, it is live, found and listed, or revoked and in no list, and never gone.",
		run: func(t *trial) {
			for _, end := range []func() error{
				func() error {
					_, err := t.Revoke(t.ctx, t.user, "a", store.Revocation{})
					return err
				},
				func() error {
					_, err := t.RevokeAll(t.ctx, t.user, "", store.Revocation{})
					return err
				},
				func() error {
					_, err := t.Create(t.ctx, t.seen("new", 0), store.Limit{Max: 1})
					return err
				},
			} {
				t.rounds(func() {
					t.create(t.seen("a", 1))
					t.meanwhile(end, func() error {
						_, err := t.Find(t.ctx, t.user, "a")
						if err == nil {
							return nil
						}
						if !errors.Is(err, store.ErrRevoked) {
							return fmt.Errorf("a session that is being revoked was found with the error %w", err)
						}
						list, err := t.List(t.ctx, t.user)
						for _, r := range list {
							if r.ID == "a" {
								return errors.New("a session was listed after it was found to be revoked")
							}
						}
						return err
					}, func() error {
						list, err := t.List(t.ctx, t.user)
						if err != nil || len(list) > 0 && list[0].ID == "a" {
							return err
						}
						if _, err := t.Find(t.ctx, t.user, "a"); !errors.Is(err, store.ErrRevoked) {
							return fmt.Errorf("a session that is in no list was found, with the error %v", err)
						}
						return nil
					})
				})
			}
		},
	},
	{
		name: "of an eviction with reads",
		rule: "Create evicts in the same step: whoever lists meanwhile sees the sessions that the limit allows, neither more nor fewer.",
		run: func(t *trial) {
			t.rounds(func() {
				t.create(t.seen("a", 3), t.seen("b", 2), t.seen("c", 1))
				t.meanwhile(func() error {
					for i := range 5 {
						if _, err := t.Create(t.ctx, t.record(fmt.Sprint(i)), store.Limit{Max: 3}); err != nil {
							return err
						}
					}
					return nil
				}, func() error {
					list, err := t.List(t.ctx, t.user)
					if err == nil && len(list) != 3 {
						err = fmt.Errorf("under a limit of 3, which is reached, List returned %d sessions", len(list))
					}
					return err
				})
			})
		},
	},
	{
		name: "of the mark with reads",
		rule: "RevokeAll revokes and leaves its mark in one step: whoever is refused for the mark finds nothing live that was to end, and whoever finds it ended is refused.",
		run: func(t *trial) {
			t.rounds(func() {
				t.have("a")
				at := time.Now()
				t.meanwhile(func() error {
					_, err := t.RevokeAll(t.ctx, t.user, "", store.Revocation{At: at})
					return err
				}, func() error {
					_, ended := t.Find(t.ctx, t.user, "a")
					_, refused := t.Create(t.ctx, t.began(newUser(), at), store.Limit{})
					_, after := t.Find(t.ctx, t.user, "a")
					switch {
					case ended != nil && !errors.Is(refused, store.ErrRevoked):
						return fmt.Errorf("after RevokeAll, Create of what began before returned the error %v", refused)
					case errors.As(refused, new(*store.MarkedError)) && after == nil:
						return errors.New("what RevokeAll was to end was found live after its mark")
					case refused != nil && !errors.Is(refused, store.ErrRevoked):
						return refused
					}
					return nil
				})
			})
		},
	},
	{
		name: "of revocations with the bound on tombstones",
		rule: "Revoke keeps to MaxTombstones in the same step: however many revocations run at once, no more tombstones are left, and no fewer.",
		run: func(t *trial) {
			for range 3 {
				t.user = newUser()
				records := t.many(store.MaxTombstones + 50)
				for _, err := range together(10, func(i int) error {
					for n := i; n < len(records); n += 10 {
						if _, err := t.Revoke(t.ctx, t.user, records[n].ID, store.Revocation{}); err != nil {
							return err
						}
					}
					return nil
				}) {
					t.wantError("Revoke", err, nil)
				}
				if n := t.tombstones(records...); n != store.MaxTombstones {
					t.Fatalf("%d revocations, of which ten ran at once, left %d tombstones, want %d", len(records), n, store.MaxTombstones)
				}
			}
		},
	},
}

package storetest

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

var revokeRaceCases = []testCase{
	{
		name: "of revocations of one session",
		rule: "Of several revocations of one session at once, one succeeds, and the others get ErrNotFound.",
		run: func(t *trial) {
			t.rounds(func() {
				r := t.have("a")[0]
				errs := together(6, func(i int) error {
					_, err := t.Revoke(t.ctx, t.user, "a", store.Revocation{Reason: fmt.Sprint(i)})
					return err
				})
				t.wantRevoked(store.Revocation{Reason: fmt.Sprint(t.wantWinner(errs, store.ErrNotFound))}, r)
			})
		},
	},
	{
		name: "of a revocation with writes",
		rule: "No update and no touch brings a revoked session back, also if they were under way when it was revoked.",
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
						_, err := t.Revoke(t.ctx, t.user, "a", store.Revocation{Reason: "a reason"})
						return err
					}
					for n := 0; ; n++ {
						late := ended.Load()
						var err error
						if i%2 == 0 {
							err = t.Update(t.ctx, r, r.Secret)
						} else {
							err = t.Touch(t.ctx, t.user, "a", store.Touch{SeenAt: r.SeenAt.Add(time.Duration(n)), ExpiresAt: r.ExpiresAt})
						}
						if n == 0 {
							started.Done()
						}
						if err != nil || late {
							return err
						}
						runtime.Gosched() // for the sake of a single processor
					}
				})
				t.wantError("Revoke", errs[0], nil)
				for _, err := range errs[1:] {
					t.wantError("a write after Revoke", err, store.ErrRevoked)
				}
				t.wantRevoked(store.Revocation{Reason: "a reason"}, r)
				t.wantList()
			})
		},
	},
	{
		name: "of RevokeAll with everything",
		rule: "RevokeAll is one step: after it no session that was created before is live but the one kept, nothing brings one back, and nobody sees it half done.",
		run:  func(t *trial) { t.rounds(func() { raceRevokeAll(t) }) },
	},
	{
		name: "of two sessions that revoke each other",
		rule: "The acting session is live in the same step as it revokes: of two sessions that revoke each other at once, one succeeds and lives.",
		run: func(t *trial) {
			t.rounds(func() {
				records := t.have("0", "1")
				errs := together(2, func(i int) error {
					_, err := t.Revoke(t.ctx, t.user, fmt.Sprint(1-i), store.Revocation{By: fmt.Sprint(i)})
					return err
				})
				t.wantList(records[t.wantWinner(errs, store.ErrActorRevoked)])
			})
		},
	},
	{
		name: "of sessions that revoke all others",
		rule: "The acting session is live in the same step as it revokes: of several that revoke all others at once, one succeeds and lives.",
		run: func(t *trial) {
			t.rounds(func() {
				records := t.have("0", "1", "2", "3")
				errs := together(4, func(i int) error {
					id := fmt.Sprint(i)
					_, err := t.RevokeAll(t.ctx, t.user, id, store.Revocation{By: id})
					return err
				})
				t.wantList(records[t.wantWinner(errs, store.ErrActorRevoked)])
			})
		},
	},
	{
		name: "of a session that acts while it is revoked",
		rule: "Once a session's revocation has been answered, nothing that it asked for is done any more.",
		run: func(t *trial) {
			t.rounds(func() {
				victims := t.have("a", "b", "c")
				actor := t.have("actor")[0]
				var after []store.Record
				errs := together(2, func(i int) error {
					if i == 0 {
						_, err := t.RevokeAll(t.ctx, t.user, "actor", store.Revocation{By: "actor"})
						return err
					}
					if _, err := t.Revoke(t.ctx, t.user, "actor", store.Revocation{Reason: "a reason"}); err != nil {
						return err
					}
					var err error
					after, err = t.List(t.ctx, t.user)
					return err
				})
				t.wantError("Revoke and List", errs[1], nil)
				t.wantRevoked(store.Revocation{Reason: "a reason"}, actor)
				if errs[0] == nil {
					t.wantListed("List after the actor was revoked, though it had revoked all others,", after)
					t.wantList()
					return
				}
				t.wantError("RevokeAll by a session that is being revoked", errs[0], store.ErrActorRevoked)
				t.wantListed("List after the actor was revoked", after, victims...)
				t.wantList(victims...)
			})
		},
	},
}

// raceRevokeAll calls RevokeAll while others sign in, update, touch and list.
func raceRevokeAll(t *trial) {
	t.Helper()
	const (
		old      = 8 // sessions that are there before
		creators = 2
		most     = 40 // sessions of each creator; all in all no more than there may be tombstones
	)
	var (
		before  = make([]store.Record, old)
		keep    = fmt.Sprint(old - 1)
		created [creators]int // in this order, by each creator
		revoked []store.Record
		started sync.WaitGroup
		ended   atomic.Bool
		name    = func(creator, n int) string { return fmt.Sprintf("new %d %d", creator, n) }
	)
	for i := range before {
		before[i] = t.record(fmt.Sprint(i))
	}
	t.create(before...)
	started.Add(creators)

	errs := together(1+creators+3, func(i int) error {
		switch writer := i - 1 - creators; {
		case i == 0:
			defer ended.Store(true)
			started.Wait()
			linger()
			var err error
			revoked, err = t.RevokeAll(t.ctx, t.user, keep, store.Revocation{By: keep})
			return err
		case i <= creators:
			for n := range most {
				last := ended.Load()
				_, err := t.Create(t.ctx, t.record(name(i-1, n)), store.Limit{})
				if n == 0 {
					started.Done()
				}
				if err != nil {
					return err
				}
				created[i-1]++
				runtime.Gosched()
				if last {
					break
				}
			}
		case writer == 0:
			for ; !ended.Load(); runtime.Gosched() {
				list, err := t.List(t.ctx, t.user)
				if err != nil {
					return err
				}
				n := 0
				for _, r := range list {
					if slices.ContainsFunc(before, func(b store.Record) bool { return b.ID == r.ID }) {
						n++
					}
				}
				if n != 1 && n != old {
					return fmt.Errorf("while RevokeAll ran, List had %d of %d sessions, want all or the one kept", n, old)
				}
			}
		default:
			for last := false; !last; {
				last = ended.Load()
				runtime.Gosched()
				for _, r := range before[:old-1] {
					// The errors tell whether the session was still live, which it may be.
					if writer == 1 {
						t.Update(t.ctx, r, r.Secret)
					} else {
						t.Touch(t.ctx, t.user, r.ID, store.Touch{SeenAt: time.Now(), ExpiresAt: r.ExpiresAt})
					}
				}
			}
		}
		return nil
	})
	for _, err := range errs {
		t.wantError("one of the parties", err, nil)
	}

	t.wantRevoked(store.Revocation{By: keep}, before[:old-1]...)
	list, err := t.List(t.ctx, t.user)
	t.wantError("List", err, nil)
	live, gone := ids(list), ids(revoked)
	if !slices.Contains(live, keep) || slices.Contains(gone, keep) {
		t.Fatalf("the session to keep was revoked")
	}
	for _, r := range before[:old-1] {
		if slices.Contains(live, r.ID) || !slices.Contains(gone, r.ID) {
			t.Fatalf("session %q, created before RevokeAll, is live or was not returned as revoked", r.ID)
		}
	}
	all := old
	for creator, n := range created {
		all += n
		lives := false
		for i := range n {
			id := name(creator, i)
			switch isLive, isGone := slices.Contains(live, id), slices.Contains(gone, id); {
			case isLive == isGone:
				t.Fatalf("session %q: live is %v, and returned as revoked is %v", id, isLive, isGone)
			case isGone && lives:
				t.Fatalf("session %q was revoked, and one that was created before it lives", id)
			default:
				lives = isLive
			}
			if i == 0 && lives {
				t.Fatalf("session %q, created before RevokeAll, is live", id)
			}
		}
	}
	if len(live)+len(gone) != all {
		t.Fatalf("%d sessions are live and %d were returned as revoked, of %d in all", len(live), len(gone), all)
	}
}

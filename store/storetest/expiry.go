package storetest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// skew is how far the store's clock may be from ours.
const skew = 100 * time.Millisecond

// fleeting creates a session that expires in a moment, and does something with
// it before that. An error of do counts only if there was time enough; on a
// machine too slow for that fleeting tries again with a longer moment.
func (t *trial) fleeting(do func(r *store.Record) error) store.Record {
	t.Helper()
	for moment := skew + 50*time.Millisecond; ; moment *= 2 {
		r := t.record("fleeting " + moment.String())
		r.SeenAt = r.SeenAt.Add(-24 * time.Hour)
		r.ExpiresAt = time.Now().Add(moment).Truncate(time.Microsecond)
		end := r.ExpiresAt
		_, err := t.Create(t.ctx, r, store.Limit{})
		if err == nil {
			err = do(&r)
		}
		if left := time.Until(end); left > skew {
			if err != nil {
				t.Fatalf("%v before a session expires: %v", left, err)
			}
			return r
		}
		if moment > 10*time.Second {
			t.Fatalf("the store took more than %v to create a session and use it once", moment)
		}
		t.until(end)
		t.Revoke(t.ctx, t.user, r.ID, store.Revocation{}) // it may have been given more time
	}
}

// briefly does something, for a user of its own, that is true until end. Its error
// counts only if there was time enough: as with fleeting.
func (t *trial) briefly(do func(end time.Time) error) (end time.Time) {
	t.Helper()
	for moment := skew + 50*time.Millisecond; ; moment *= 2 {
		t.user = newUser()
		end = time.Now().Add(moment).Truncate(time.Microsecond)
		err := do(end)
		if left := time.Until(end); left > skew {
			t.wantError("a call in time", err, nil)
			return end
		}
		if moment > 10*time.Second {
			t.Fatalf("the store took more than %v for a few calls", moment)
		}
	}
}

// until waits for a time to have come on the store's clock too.
func (t *trial) until(at time.Time) { time.Sleep(time.Until(at.Add(skew))) }

// find finds a session that fleeting created.
func (t *trial) find(r *store.Record) error {
	_, err := t.Find(t.ctx, t.user, r.ID)
	return err
}

var expiryCases = []testCase{
	{
		name: "hides a session",
		rule: "A session is live strictly before ExpiresAt: from then on no method finds it.",
		run: func(t *trial) {
			r := t.fleeting(t.find)
			live := t.have("b")
			t.until(r.ExpiresAt)
			t.wantList(live...)
			if !lacksAll(t.ctx, t.Store) {
				t.wantAll(live...)
			}
			t.ended(store.ErrNotFound, r)
			t.revokeAll("b", store.Revocation{})
			t.wantNotFound(r.ID)
			t.wantList(live...)
		},
	},
	{
		name: "frees the id",
		rule: "An expired session does not stand in the way of another with its id, and leaves that one nothing.",
		run: func(t *trial) {
			var again []store.Record
			r := t.fleeting(func(r *store.Record) error {
				again = []store.Record{t.record(r.ID)}
				again[0].Client, again[0].Data = nil, nil
				for i := range 10 {
					more := t.record(fmt.Sprint(r.ID, i))
					again = append(again, more)
					if _, err := t.Create(t.ctx, ending(more, r.ExpiresAt), store.Limit{}); err != nil {
						return err
					}
				}
				return nil
			})
			t.until(r.ExpiresAt)
			for _, last := range slices.Backward(again) { // a store may give back the first ones first
				t.create(last)
			}
			t.wantLive(again...)
			t.wantList(again...)
			t.revoke(r.ID)
			t.wantRevoked(store.Revocation{Reason: "reason of " + r.ID}, again[0])
		},
	},
	{
		name: "counts towards no limit",
		rule: "An expired session counts towards no limit and is not evicted.",
		run: func(t *trial) {
			kept := []store.Record{t.seen("a", 20), t.seen("b", 10)}
			t.create(kept...)
			r := t.fleeting(t.find)
			t.until(r.ExpiresAt)
			t.limited(t.seen("c", 0), 3)
			t.wantLive(kept...)
			t.limited(t.seen("d", 0), 3, kept[0])
			t.wantNotFound(r.ID)
		},
	},
	{
		name: "ends an acting session",
		rule: "An expired session revokes nobody: nothing is revoked and the error is ErrActorRevoked, whatever the target.",
		run: func(t *trial) {
			live := t.have("a", "b")
			r := t.fleeting(t.find)
			t.until(r.ExpiresAt)
			t.wantActorRevoked(r.ID, live...)
		},
	},
	{
		name: "ends a tombstone",
		rule: "A tombstone goes when its session would have expired, and frees the id.",
		run: func(t *trial) {
			r := t.fleeting(func(r *store.Record) error {
				if _, err := t.Revoke(t.ctx, t.user, r.ID, store.Revocation{}); err != nil {
					return err
				}
				if err := t.find(r); !errors.Is(err, store.ErrRevoked) {
					return err
				}
				return nil
			})
			t.until(r.ExpiresAt)
			t.ended(store.ErrNotFound, r)
			again := t.have(r.ID)
			t.wantLive(again...)
			t.wantList(again...)
		},
	},
	{
		name: "is put off by Touch",
		rule: "After a Touch the session lives until its new expiry.",
		run: func(t *trial) {
			r := t.fleeting(func(r *store.Record) error {
				old := r.ExpiresAt
				r.SeenAt, r.ExpiresAt = old, old.Add(time.Hour)
				return t.Touch(t.ctx, t.user, r.ID, store.Touch{SeenAt: r.SeenAt, ExpiresAt: r.ExpiresAt})
			})
			other := t.have("b")[0]
			t.until(r.ExpiresAt.Add(-time.Hour))
			t.wantLive(r, other)
			t.wantList(r, other)
		},
	},
	{
		name: "is moved by Update",
		rule: "After an Update the session lives until its new expiry, be it later or earlier.",
		run: func(t *trial) {
			r := t.fleeting(func(r *store.Record) error {
				r.ExpiresAt = r.ExpiresAt.Add(time.Hour)
				return t.Update(t.ctx, *r, r.Secret)
			})
			sooner := t.have("sooner")[0]
			sooner.ExpiresAt = time.Now().Add(10 * time.Millisecond)
			if err := t.Update(t.ctx, sooner, sooner.Secret); err != nil {
				t.Fatalf("Update of a live session: %v", err)
			}
			t.until(sooner.ExpiresAt)
			t.until(r.ExpiresAt.Add(-time.Hour))
			t.wantLive(r)
			t.wantList(r)
			t.ended(store.ErrNotFound, sooner)
		},
	},
	{
		name: "of one leaves the others",
		rule: "A user's other sessions and tombstones outlive one that expires.",
		run: func(t *trial) {
			records := t.have("a", "b")
			t.revoke("b")
			r := t.fleeting(t.find)
			t.until(r.ExpiresAt)
			t.wantLive(records[0])
			t.wantRevoked(store.Revocation{Reason: "reason of b"}, records[1])
			t.wantList(records[0])
		},
	},
}

// refused returns an error unless Create refuses a session.
func (t *trial) refused(r store.Record) error {
	switch _, err := t.Create(t.ctx, r, store.Limit{}); {
	case err == nil:
		return errors.New("a session was created that was to be refused")
	case !errors.Is(err, store.ErrRevoked):
		return err
	}
	return nil
}

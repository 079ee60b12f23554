package sqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/revoke-sessions/revoke/store"
	"github.com/revoke-sessions/revoke/store/sqlstore"
)

// A node whose clock is ahead ends nothing that is live elsewhere, and can revoke
// it; one whose clock is behind makes nothing last longer.
func testClock(t *testing.T, d sqlstore.Dialect, driver, dsn string) {
	ctx := context.Background()
	here := migrated(t, open(t, driver, dsn), d)
	user := "clock of " + driver
	soon := time.Now().Add(30 * time.Minute)
	ids := []string{"revoked", "left alone", "renewed", "evicted"}
	for i, id := range ids {
		r := record(user, id)
		r.ExpiresAt, r.SeenAt = soon, r.SeenAt.Add(-time.Duration(i)*time.Minute)
		must(here.Create(ctx, r, store.Limit{}))
	}
	node := func(at time.Time, act func(t *testing.T, there *sqlstore.Store)) {
		synctest.Test(t, func(t *testing.T) { // in the year 2000
			time.Sleep(time.Until(at))
			db := must(sql.Open(driver, dsn))
			defer db.Close()
			act(t, sqlstore.New(db, d))
		})
	}
	node(soon.Add(2*time.Hour), func(t *testing.T, there *sqlstore.Store) {
		for i := range 20 { // which deletes what has expired
			must(there.Create(ctx, record("another "+user, fmt.Sprint(i)), store.Limit{}))
		}
		check(there.Prune(ctx))
		if _, err := there.Create(ctx, record(user, "renewed"), store.Limit{}); !errors.Is(err, store.ErrExists) {
			t.Errorf("Create of a live session returned %v", err)
		}
		r := record(user, "renewed")
		r.ExpiresAt = soon.Add(3 * time.Hour)
		check(there.Update(ctx, r, r.Secret))
		check(there.Touch(ctx, user, "left alone", store.Touch{SeenAt: time.Now()}))
		must(there.Revoke(ctx, user, "revoked", store.Revocation{By: "left alone"}))
		if evicted := must(there.Create(ctx, record(user, "new"), store.Limit{Max: 3})); len(evicted) != 1 || evicted[0].ID != "evicted" {
			t.Errorf("Create under a limit evicted %v", evicted)
		}
	})
	if n := len(must(here.List(ctx, user))); n != 3 {
		t.Errorf("%d of 3 sessions are left", n)
	}
	r := record(user, "short")
	r.ExpiresAt = time.Now().Add(time.Millisecond)
	must(here.Create(ctx, r, store.Limit{}))
	time.Sleep(10 * time.Millisecond)
	node(time.Unix(1e9, 0), func(t *testing.T, there *sqlstore.Store) {
		r.ExpiresAt = soon
		if err := there.Update(ctx, r, r.Secret); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Update of an expired session returned %v", err)
		}
		if _, err := there.Revoke(ctx, user, "renewed", store.Revocation{By: "short"}); !errors.Is(err, store.ErrActorRevoked) {
			t.Errorf("Revoke by an expired session returned %v", err)
		}
		if n := len(must(there.RevokeAll(ctx, user, "", store.Revocation{}))); n != 3 {
			t.Errorf("RevokeAll revoked %d of 3", n)
		}
	})
}

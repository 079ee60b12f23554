package sqlstore_test

import (
	"database/sql"
	"testing"
	"time"

	"github.com/revoke-sessions/revoke/internal/servertest"
	"github.com/revoke-sessions/revoke/store"
	"github.com/revoke-sessions/revoke/store/sqlstore"
)

// A call that loses its answer fails. The statement is not sent again, since the second
// answer would be that the session exists already, or not any more, or is stale, or that
// there was nothing to revoke.
func testLost(t *testing.T, d sqlstore.Dialect, proxy *servertest.Proxy, db *sql.DB) {
	st := migrated(t, db, d)
	ctx := t.Context()
	user := t.Name()
	for _, id := range []string{"a", "b"} {
		must(st.Create(ctx, record(user, id), store.Limit{}))
	}
	renewed := record(user, "a")
	renewed.Prev, renewed.Secret, renewed.RenewedAt = renewed.Secret, store.HashSecret("another"), time.Now()
	for _, call := range []struct {
		name string
		do   func() error
	}{
		{"Create", func() error { return ignore(st.Create(ctx, record(user, "c"), store.Limit{})) }},
		{"Update", func() error { return st.Update(ctx, renewed, renewed.Prev) }},
		{"Revoke", func() error { return ignore(st.Revoke(ctx, user, "b", store.Revocation{})) }},
		{"RevokeAll", func() error { return ignore(st.RevokeAll(ctx, user, "a", store.Revocation{})) }},
	} {
		for range 2 { // pgx tests a new connection when it is used the second time
			must(st.List(ctx, user))
		}
		proxy.Lose()
		switch err := call.do(); err {
		case nil, store.ErrExists, store.ErrStale, store.ErrNotFound:
			t.Errorf("%s, whose answer was lost, returned %v", call.name, err)
		}
	}
}

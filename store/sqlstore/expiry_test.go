package sqlstore_test

import (
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/revoke-sessions/revoke/store"
	"github.com/revoke-sessions/revoke/store/sqlstore"
)

// What has ended does not stay in the tables. The database is of the test's own.
func testExpiry(t *testing.T, d sqlstore.Dialect, db *sql.DB) {
	st := migrated(t, db, d)
	ctx := t.Context()
	count := func(table string) (n int) {
		check(db.QueryRow("select count(*) from " + table).Scan(&n))
		return n
	}
	long := time.Now().Add(-3 * time.Hour)
	for i := range 50 {
		r := record("gone", fmt.Sprint(i))
		r.ExpiresAt = long
		must(st.Create(ctx, r, store.Limit{}))
	}
	for i := range 20 {
		must(st.Create(ctx, record("here", fmt.Sprint(i)), store.Limit{}))
	}
	if n := count("revoke_sessions"); n > 25 {
		t.Errorf("after 20 sign-ins %d rows are left of 70, of which 50 have expired", n)
	}

	must(st.RevokeAll(ctx, "marked", "", store.Revocation{At: long, Until: long.Add(time.Minute)}))
	must(st.RevokeAll(ctx, "here", "", store.Revocation{}))
	for i := range 30 {
		must(st.Create(ctx, record("there", fmt.Sprint(i)), store.Limit{}))
	}
	r := record("there", "once")
	r.Once = time.Now().Add(time.Hour)
	must(st.Create(ctx, r, store.Limit{}))
	check(st.Prune(ctx))
	if n := count("revoke_sessions"); n != 20+31 {
		t.Errorf("Prune left %d sessions and tombstones of %d", n, 20+31)
	}
	if n := count("revoke_users where mark_until > 0"); n != 1 {
		t.Errorf("Prune left %d marks of 1 that stands", n)
	}
	must(db.Exec(fmt.Sprintf("update revoke_onces set until = %d", long.UnixMicro())))
	check(st.RevokeEveryone(ctx))
	check(st.Prune(ctx))
	if n, m := count("revoke_sessions"), count("revoke_onces"); n+m != 0 {
		t.Errorf("Prune left %d sessions and %d ids after RevokeEveryone", n, m)
	}
	if n := len(must(st.List(ctx, "there"))); n != 0 {
		t.Errorf("%d sessions are listed after RevokeEveryone", n)
	}
}

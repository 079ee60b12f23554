package sqlstore_test

import (
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/revoke-sessions/revoke/store"
	"github.com/revoke-sessions/revoke/store/sqlstore"
	"github.com/revoke-sessions/revoke/store/sqlstore/internal/servertest"
)

// calls are the methods, each over sessions of a user of its own.
func calls(t *testing.T, st *sqlstore.Store, user string) map[string]func() {
	ctx := t.Context()
	r := record(user, "a")
	for i := range 9 {
		must(st.Create(ctx, record(user, fmt.Sprint(i)), store.Limit{}))
	}
	must(st.Create(ctx, r, store.Limit{}))
	created := 0
	return map[string]func(){
		"Find":   func() { must(st.Find(ctx, user, "a")) },
		"List":   func() { must(st.List(ctx, user)) },
		"Update": func() { check(st.Update(ctx, r, r.Secret)) },
		"Touch":  func() { check(st.Touch(ctx, user, "a", store.Touch{SeenAt: time.Now(), ExpiresAt: r.ExpiresAt})) },
		"Create": func() {
			created++
			must(st.Create(ctx, record("another "+user, fmt.Sprint(created)), store.Limit{Max: 2}))
		},
		"Revoke":         func() { st.Revoke(ctx, user, "8", store.Revocation{By: "a"}) },
		"RevokeAll":      func() { must(st.RevokeAll(ctx, user, "a", store.Revocation{By: "a"})) },
		"RevokeEveryone": func() { check(st.RevokeEveryone(ctx)); must(st.Create(ctx, r, store.Limit{})) },
	}
}

// testRoundTrips counts how often each method waits for the database, once the
// connection has done it before. A rest is what RevokeEveryone creates again.
func testRoundTrips(t *testing.T, d sqlstore.Dialect, proxy *servertest.Proxy, db *sql.DB, most int64) {
	db.SetMaxOpenConns(1)
	st := migrated(t, db, d)
	for name, call := range calls(t, st, "round trips") {
		limit := most
		if name == "RevokeEveryone" {
			limit *= 2
		}
		for range 5 { // until nothing is learned any more
			call()
		}
		before := proxy.Exchanges()
		call()
		if n := proxy.Exchanges() - before; n > limit {
			t.Errorf("%s took %d round trips, want %d", name, n, limit)
		}
	}
}

// testPlans has no method but All read the whole table, whatever its size.
func testPlans(t *testing.T, driver, dsn string) {
	db := open(t, driver, dsn)
	migrated(t, db, sqlstore.Postgres)
	must(db.Exec(`insert into revoke_sessions (usr, id, secret, created, seen, expires, era)
		select convert_to('user ' || i / 5, 'UTF8'), convert_to(i::text, 'UTF8'), sha256('x'), 1, 1, revoke_now_1() + i * 1000000, 1
		from generate_series(1, 20000) i`))
	must(db.Exec("analyze revoke_sessions"))
	scans := func() (n int) {
		check(db.QueryRow("select seq_scan from pg_stat_user_tables where relname = 'revoke_sessions'").Scan(&n))
		return n
	}
	before := scans()
	other := must(sql.Open(driver, dsn)) // what a connection has counted is certain when it is closed
	st := sqlstore.New(other, sqlstore.Postgres)
	st.Timeout = patience
	for name, call := range calls(t, st, "plans") {
		if name != "RevokeEveryone" {
			for range 8 {
				call()
			}
		}
	}
	check(st.Prune(t.Context()))
	n := 0
	for _, err := range st.All(t.Context()) {
		check(err)
		n++
	}
	if n < 20000 {
		t.Errorf("All returned %d sessions", n)
	}
	other.Close()
	time.Sleep(100 * time.Millisecond)
	if n := scans() - before; n > 0 {
		t.Errorf("the whole table was read %d times", n)
	}
}

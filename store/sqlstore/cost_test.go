package sqlstore_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/revoke-sessions/revoke/internal/servertest"
	"github.com/revoke-sessions/revoke/store"
	"github.com/revoke-sessions/revoke/store/sqlstore"
)

// A call is a method at work for a user who has ten sessions at first.
type call struct {
	name string
	run  func()
}

func calls(t *testing.T, st *sqlstore.Store, user string) []call {
	ctx := t.Context()
	r := record(user, "a")
	for i := range 9 {
		must(st.Create(ctx, record(user, fmt.Sprint(i)), store.Limit{}))
	}
	must(st.Create(ctx, r, store.Limit{}))
	created := 0
	return []call{
		{"Find", func() { must(st.Find(ctx, user, "a")) }},
		{"List", func() { must(st.List(ctx, user)) }},
		{"Update", func() { check(st.Update(ctx, r, r.Secret)) }},
		{"Touch", func() { check(st.Touch(ctx, user, "a", store.Touch{SeenAt: time.Now(), ExpiresAt: r.ExpiresAt})) }},
		{"Create", func() {
			created++
			must(st.Create(ctx, record("another "+user, fmt.Sprint(created)), store.Limit{Max: 2}))
		}},
		{"Revoke", func() { st.Revoke(ctx, user, "8", store.Revocation{By: "a"}) }},
		{"RevokeAll", func() { must(st.RevokeAll(ctx, user, "a", store.Revocation{By: "a"})) }},
		{"RevokedEveryone", func() { must(st.RevokedEveryone(ctx)) }},
		{"RevokeEveryone", func() { check(st.RevokeEveryone(ctx)) }},
	}
}

// testRoundTrips counts how often each method waits for the database, once the
// connection has done it before.
func testRoundTrips(t *testing.T, d sqlstore.Dialect, proxy *servertest.Proxy, db *sql.DB, most int64) {
	db.SetMaxOpenConns(1)
	st := migrated(t, db, d)
	for _, call := range calls(t, st, "round trips") {
		for range 5 { // until nothing is learned any more
			call.run()
		}
		before := proxy.Exchanges()
		call.run()
		if n := proxy.Exchanges() - before; n > most {
			t.Errorf("%s took %d round trips, want %d", call.name, n, most)
		}
	}
}

// Each method of SQLite runs few statements, of which those of a transaction are at least
// four: one asks for the time that SQLite waits, and two begin and commit. What can end
// a session asks for synchronous as well.
func TestSQLiteStatements(t *testing.T) {
	r, db := recorded(t, filepath.Join(t.TempDir(), "db"))
	st := migrated(t, db, sqlstore.SQLite)
	most := map[string]int{
		"Find": 1, "List": 1, "Update": 4, "Touch": 4, "Create": 9, "Revoke": 9,
		"RevokeAll":       9 + 9, // one for each session that ends, and one for tombstones beyond the limit
		"RevokedEveryone": 1, "RevokeEveryone": 5,
	}
	for _, call := range calls(t, st, "statements") {
		r.statements = nil
		call.run()
		if n := len(r.statements); n == 0 || n > most[call.name] {
			t.Errorf("%s ran %d statements, want %d: %q", call.name, n, most[call.name], r.statements)
		}
	}
}

// testReads has no method but All read more rows than the user has, and what it
// deletes.
func testReads(t *testing.T, db *sql.DB) {
	db.SetMaxOpenConns(1)
	st := migrated(t, db, sqlstore.MySQL)
	for i := range 500 {
		must(st.Create(t.Context(), record(fmt.Sprint("reads ", i), "a"), store.Limit{}))
	}
	reads := func() (n int) {
		rows := must(db.Query("show session status where variable_name in ('Handler_read_next', 'Handler_read_rnd_next', 'Handler_read_prev')"))
		defer rows.Close()
		for rows.Next() {
			var name string
			var value int
			check(rows.Scan(&name, &value))
			n += value
		}
		check(rows.Err())
		return n
	}
	reads()
	rest := reads() // what the question itself takes
	rest = reads() - rest
	for _, call := range calls(t, st, "reads") {
		before := reads()
		call.run()
		if n := reads() - before - rest; n > 100 {
			t.Errorf("%s read %d rows", call.name, n)
		}
	}
}

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
		"Find": 1, "List": 1, "Update": 4, "Touch": 4, "Create": 10, "Revoke": 9,
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

// testPlans has no method but All read the whole table, whatever its size.
func testPlans(t *testing.T, driver, dsn string) {
	const sessions = 20_000
	counted := func(work func(db *sql.DB)) (scans, due int) {
		db := must(sql.Open(driver, dsn))
		work(db)
		db.Close() // what a connection has counted is certain when it is closed
		admin := must(sql.Open(driver, dsn))
		defer admin.Close()
		admin.SetMaxOpenConns(1)
		for open := 1; open > 0; time.Sleep(10 * time.Millisecond) {
			check(admin.QueryRow("select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()").Scan(&open))
		}
		check(admin.QueryRow("select seq_scan from pg_stat_user_tables where relname = 'revoke_sessions'").Scan(&scans))
		check(admin.QueryRow("select idx_tup_read from pg_stat_user_indexes where indexrelname = 'revoke_sessions_due'").Scan(&due))
		return scans, due
	}
	scans, due := counted(func(db *sql.DB) {
		migrated(t, db, sqlstore.Postgres)
		must(db.Exec(`insert into revoke_sessions (usr, id, secret, created, seen, expires, era)
			select convert_to('user ' || i / 5, 'UTF8'), convert_to(i::text, 'UTF8'), sha256('x'), 1, 1, revoke_now_1() + i * 1000000::bigint, 1
			from generate_series(1, $1) i`, sessions))
		must(db.Exec("analyze revoke_sessions"))
	})
	scansAfter, dueAfter := counted(func(db *sql.DB) {
		st := migrated(t, db, sqlstore.Postgres)
		for _, call := range calls(t, st, "plans") {
			if call.name != "RevokeEveryone" {
				for range 8 {
					call.run()
				}
			}
		}
		check(st.Prune(t.Context()))
		n := 0
		for _, err := range st.All(t.Context()) {
			check(err)
			n++
		}
		if n < sessions {
			t.Errorf("All returned %d sessions", n)
		}
	})
	if n := scansAfter - scans; n > 0 {
		t.Errorf("the whole table was read %d times", n)
	}
	if n := dueAfter - due; n > 100 {
		t.Errorf("%d sessions were read that had not ended", n)
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
		check(db.QueryRow(`select sum(variable_value) from information_schema.session_status
			where variable_name like 'handler_read_%next' or variable_name like 'handler_read_prev'`).Scan(&n))
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

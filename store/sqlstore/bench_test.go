package sqlstore_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/alexedwards/scs/mysqlstore"
	"github.com/alexedwards/scs/postgresstore"
	"github.com/alexedwards/scs/sqlite3store"
	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke/internal/servertest"
	"github.com/revoke-sessions/revoke/store"
	"github.com/revoke-sessions/revoke/store/sqlstore"
)

// The benchmarks compare with what scs's own stores take. Both work in turns, so that
// what disturbs one disturbs the other, each on a connection of its own. They report
// the median of each in microseconds, and how many times the other's it is:
//
//	go test -run '^$' -bench BesideSCS -benchtime 2000x
//
// On a million sessions, which takes a minute to prepare:
//
//	REVOKE_MILLION=1 go test -run '^$' -bench Million -benchtime 2000x

// A contest is what the two do for the same purpose.
type contest struct {
	name         string
	ours, theirs func(i int)
	prepare      func(i int) // is not counted
}

func contests(b *testing.B, st *sqlstore.Store, other scs.Store, round string) []contest {
	ctx := b.Context()
	data, expiry := make([]byte, 180), time.Now().Add(time.Hour)
	session := func(user, id string) store.Record {
		r := record(user, id)
		r.Client, r.Data = make([]byte, 100), data
		return r
	}
	token := func(name string, i int) string {
		return fmt.Sprintf("%s %s %d ........................", round, name, i)
	}
	for i := range 10 {
		must(st.Create(ctx, session("ten"+round, fmt.Sprint(i)), store.Limit{}))
	}
	one := session("ten"+round, "0")
	check(other.Commit(token("one", 0), data, expiry))
	const others = 100
	return []contest{
		{"read", func(int) { must(st.Find(ctx, one.User, one.ID)) }, func(int) { other.Find(token("one", 0)) }, nil},
		{"write", func(i int) {
			one.Data = fmt.Appendf(nil, "%180d", i)
			check(st.Update(ctx, one, one.Secret))
		}, func(i int) { check(other.Commit(token("one", 0), fmt.Appendf(nil, "%180d", i), expiry)) }, nil},
		{"sign-in", func(i int) {
			must(st.Create(ctx, session(fmt.Sprint("new", round, i), "a"), store.Limit{Max: 10}))
		}, func(i int) { check(other.Commit(token("new", i), data, expiry)) }, nil},
		{"list 10", func(int) { must(st.List(ctx, one.User)) }, nil, nil},
		{"sign-out", func(i int) { must(st.Revoke(ctx, fmt.Sprint("new", round, i), "a", store.Revocation{})) },
			func(i int) { check(other.Delete(token("new", i))) }, nil},
		{"end others 100", func(i int) {
			must(st.RevokeAll(ctx, fmt.Sprint("many", round, i), "0", store.Revocation{}))
		}, func(i int) {
			for n := range others - 1 {
				check(other.Delete(token("many", n)))
			}
		}, func(i int) {
			for n := range others {
				must(st.Create(ctx, session(fmt.Sprint("many", round, i), fmt.Sprint(n)), store.Limit{}))
				check(other.Commit(token("many", n), data, expiry))
			}
		}},
	}
}

func run(b *testing.B, contests []contest) {
	for _, c := range contests {
		b.Run(c.name, func(b *testing.B) {
			var ours, theirs []time.Duration
			for i := 0; b.Loop(); i++ {
				if c.prepare != nil {
					c.prepare(i)
				}
				ours = append(ours, clocked(func() { c.ours(i) }))
				if c.theirs != nil {
					theirs = append(theirs, clocked(func() { c.theirs(i) }))
				}
			}
			b.ReportMetric(0, "ns/op")
			o := median(ours)
			b.ReportMetric(o, "µs")
			if theirs != nil {
				b.ReportMetric(median(theirs), "scs-µs")
				b.ReportMetric(o/median(theirs), "times")
			}
		})
	}
}

func clocked(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}

func median(all []time.Duration) float64 {
	slices.Sort(all)
	return float64(all[len(all)/2].Nanoseconds()) / 1000
}

func one(b *testing.B, driver, dsn string) *sql.DB {
	db := open(b, driver, dsn)
	db.SetMaxOpenConns(1)
	return db
}

func BenchmarkBesideSCS(b *testing.B) {
	for _, driver := range []string{"pgx", "postgres"} {
		b.Run("postgres by "+driver, func(b *testing.B) {
			dsn := servertest.StartPostgres(b).DSN()
			if driver == "postgres" {
				dsn += "&binary_parameters=yes"
			}
			theirs := one(b, driver, dsn)
			must(theirs.Exec("create table sessions (token text primary key, data bytea not null, expiry timestamptz not null)"))
			must(theirs.Exec("create index on sessions (expiry)"))
			st := migrated(b, one(b, driver, dsn), sqlstore.Postgres)
			run(b, contests(b, st, postgresstore.NewWithCleanupInterval(theirs, 0), "a"))
		})
	}
	for name, driver := range sqliteDrivers {
		for _, level := range []string{"normal", "full"} {
			b.Run("sqlite by "+name+" "+level, func(b *testing.B) {
				option := "?_pragma=busy_timeout(5000)&_pragma=synchronous(" + level + ")"
				if driver == "sqlite3" {
					option = "?_busy_timeout=5000&_synchronous=" + level
				}
				file := "file:" + filepath.Join(b.TempDir(), "db") + option
				st := migrated(b, one(b, driver, file), sqlstore.SQLite)
				theirs := one(b, driver, file)
				must(theirs.Exec("create table sessions (token text primary key, data blob not null, expiry real not null)"))
				must(theirs.Exec("create index sessions_expiry_idx on sessions (expiry)"))
				run(b, contests(b, st, sqlite3store.NewWithCleanupInterval(theirs, 0), "a"))
			})
		}
	}
	b.Run("mariadb", func(b *testing.B) {
		dsn := servertest.StartMariaDB(b).DSN() + "?interpolateParams=true&parseTime=true"
		theirs := one(b, "mysql", dsn)
		must(theirs.Exec("create table sessions (token char(43) primary key, data blob not null, expiry timestamp(6) not null, index (expiry))"))
		st := migrated(b, one(b, "mysql", dsn), sqlstore.MySQL)
		run(b, contests(b, st, mysqlstore.NewWithCleanupInterval(theirs, 0), "a"))
	})
}

// The cost of a call does not depend on how many sessions there are.
func BenchmarkMillion(b *testing.B) {
	if os.Getenv("REVOKE_MILLION") == "" {
		b.Skip("REVOKE_MILLION is not set")
	}
	server := servertest.StartPostgres(b)
	db := one(b, "pgx", server.DSN())
	st := migrated(b, db, sqlstore.Postgres)
	must(db.Exec("create table sessions (token text primary key, data bytea not null, expiry timestamptz not null)"))
	theirs := postgresstore.NewWithCleanupInterval(one(b, "pgx", server.DSN()), 0)
	b.Run("empty", func(b *testing.B) { run(b, contests(b, st, theirs, "a")) })
	must(db.Exec(`insert into revoke_sessions (usr, id, secret, created, seen, proved, expires, era, client, data)
		select convert_to('user ' || i / 5, 'UTF8'), sha256(i::text::bytea), sha256('x'), 1, 1, 1, revoke_now_1() + i * 1000000::bigint, 1,
		convert_to(repeat(md5(i::text), 3), 'UTF8'), convert_to(repeat(md5(i::text), 6), 'UTF8') from generate_series(1, 1000000) i`))
	must(db.Exec("vacuum analyze revoke_sessions"))
	b.Run("a million", func(b *testing.B) { run(b, contests(b, st, theirs, "b")) })
	var size int64
	check(db.QueryRow("select pg_total_relation_size('revoke_sessions')").Scan(&size))
	b.Logf("%d bytes a session, with 96 of the client's and 192 of data", size/1_000_000)
}

package sqlstore_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
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

// A contest is what the two do for the same purpose.
type contest struct {
	name         string
	calls        int // of a batch
	ours, theirs func(i int)
	prepare      func(i int) // is not counted
}

func contests(b *testing.B, st *sqlstore.Store, other scs.Store) []contest {
	ctx := b.Context()
	data, expiry := make([]byte, 180), time.Now().Add(time.Hour)
	session := func(user, id string) store.Record {
		r := record(user, id)
		r.Client, r.Data = make([]byte, 100), data
		return r
	}
	token := func(name string, i int) string {
		return fmt.Sprintf("%-32s", fmt.Sprint(name, " ", i))
	}
	for i := range 10 {
		must(st.Create(ctx, session("ten", fmt.Sprint(i)), store.Limit{}))
	}
	one := session("ten", "0")
	check(other.Commit(token("one", 0), data, expiry))
	signIn := func(name string) func(i int) {
		return func(i int) {
			must(st.Create(ctx, session(fmt.Sprint(name, " ", i), "a"), store.Limit{Max: 10}))
		}
	}
	const others = 100
	return []contest{
		{"read", 20, func(int) { must(st.Find(ctx, one.User, one.ID)) }, func(int) { other.Find(token("one", 0)) }, nil},
		{"write", 10, func(i int) {
			one.Data = fmt.Appendf(nil, "%180d", i)
			check(st.Update(ctx, one, one.Secret))
		}, func(i int) { check(other.Commit(token("one", 0), fmt.Appendf(nil, "%180d", i), expiry)) }, nil},
		{"sign-in", 10, signIn("in"), func(i int) { check(other.Commit(token("in", i), data, expiry)) }, nil},
		{"list 10", 10, func(int) { must(st.List(ctx, one.User)) }, nil, nil},
		{"sign-out", 10, func(i int) {
			must(st.Revoke(ctx, fmt.Sprint("out ", i), "a", store.Revocation{}))
		}, func(i int) { check(other.Delete(token("out", i))) }, func(i int) {
			signIn("out")(i)
			check(other.Commit(token("out", i), data, expiry))
		}},
		{"end others 100", 1, func(i int) {
			must(st.RevokeAll(ctx, fmt.Sprint("many ", i), "0", store.Revocation{}))
		}, func(i int) {
			for n := range others - 1 {
				check(other.Delete(token("many", n)))
			}
		}, func(i int) {
			for n := range others {
				must(st.Create(ctx, session(fmt.Sprint("many ", i), fmt.Sprint(n)), store.Limit{}))
				check(other.Commit(token("many", n), data, expiry))
			}
		}},
	}
}

// run adds a row to the table.
func run(b *testing.B, table *strings.Builder, name string, contests []contest) {
	fmt.Fprintf(table, "| %s |", name)
	for _, c := range contests {
		b.Run(c.name, func(b *testing.B) {
			var ours, theirs []float64
			for i := 0; b.Loop(); i++ {
				if c.prepare != nil {
					for n := range c.calls {
						c.prepare(i*c.calls + n)
					}
				}
				ours = append(ours, clocked(c.calls, func(n int) { c.ours(i*c.calls + n) }))
				if c.theirs != nil {
					theirs = append(theirs, clocked(c.calls, func(n int) { c.theirs(i*c.calls + n) }))
				}
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(undisturbed(ours), "µs")
			if theirs == nil {
				fmt.Fprintf(table, " %.0f µs |", undisturbed(ours))
				return
			}
			times := undisturbed(ours) / undisturbed(theirs)
			b.ReportMetric(times, "times-scs")
			fmt.Fprintf(table, " **%.2f** %.0f µs |", times, undisturbed(ours))
		})
	}
	table.WriteString("\n")
}

// clocked returns how many microseconds a call of a batch takes.
func clocked(calls int, call func(n int)) float64 {
	start := time.Now()
	for n := range calls {
		call(n)
	}
	return float64(time.Since(start).Nanoseconds()) / 1000 / float64(calls)
}

// undisturbed returns the time of a batch that nothing has disturbed.
func undisturbed(all []float64) float64 {
	slices.Sort(all)
	return all[len(all)/10]
}

// BenchmarkBesideSCS compares with what scs's own stores take. Both work in turns, a
// batch of calls each, so that what disturbs one disturbs the other. At the end it prints
// a table of how many times as long as scs's a call takes, and how long that is: the
// tenth part of the batches were faster. It takes a few minutes:
//
//	go test -run '^$' -bench BesideSCS -benchtime 300x -timeout 30m
func BenchmarkBesideSCS(b *testing.B) {
	var table strings.Builder
	table.WriteString("| beside scs | read | write | sign-in | list 10 | sign-out | end others 100 |\n|---|---|---|---|---|---|---|\n")
	defer func() { fmt.Print("\n", table.String()) }()
	for _, driver := range []string{"pgx", "postgres"} {
		b.Run("postgres by "+driver, func(b *testing.B) {
			dsn := servertest.StartPostgres(b).DSN()
			if driver == "postgres" {
				dsn += "&binary_parameters=yes"
			}
			theirs := open(b, driver, dsn)
			must(theirs.Exec("create table sessions (token text primary key, data bytea not null, expiry timestamptz not null)"))
			must(theirs.Exec("create index on sessions (expiry)"))
			st := migrated(b, open(b, driver, dsn), sqlstore.Postgres)
			run(b, &table, "PostgreSQL, "+driver, contests(b, st, postgresstore.NewWithCleanupInterval(theirs, 0)))
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
				st := migrated(b, open(b, driver, file), sqlstore.SQLite)
				theirs := open(b, driver, file)
				must(theirs.Exec("create table sessions (token text primary key, data blob not null, expiry real not null)"))
				must(theirs.Exec("create index sessions_expiry_idx on sessions (expiry)"))
				run(b, &table, "SQLite, "+name+", "+level, contests(b, st, sqlite3store.NewWithCleanupInterval(theirs, 0)))
			})
		}
	}
	b.Run("mariadb", func(b *testing.B) {
		dsn := servertest.StartMariaDB(b).DSN() + "?interpolateParams=true&parseTime=true"
		theirs := open(b, "mysql", dsn)
		must(theirs.Exec("create table sessions (token char(43) primary key, data blob not null, expiry timestamp(6) not null, index (expiry))"))
		st := migrated(b, open(b, "mysql", dsn), sqlstore.MySQL)
		run(b, &table, "MariaDB", contests(b, st, mysqlstore.NewWithCleanupInterval(theirs, 0)))
	})
}

package sqlstore_test

import (
	"context"
	"database/sql"
	"strings"
	"sync"
	"testing"

	"github.com/alexedwards/scs/postgresstore"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/lib/pq"

	"github.com/revoke-sessions/revoke/internal/servertest"
	"github.com/revoke-sessions/revoke/store"
	"github.com/revoke-sessions/revoke/store/sqlstore"
	"github.com/revoke-sessions/revoke/store/storetest"
)

// postgresDrivers are the drivers, and what their DSN needs to spare a round trip.
var postgresDrivers = map[string]struct{ driver, option string }{
	"pgx": {"pgx", ""},
	"pq":  {"postgres", "&binary_parameters=yes"},
}

func TestPostgres(t *testing.T) {
	t.Parallel()
	server := servertest.StartPostgres(t)
	for name, d := range postgresDrivers {
		t.Run(name, func(t *testing.T) {
			if name != "pgx" {
				long(t)
			}
			db := open(t, d.driver, server.DSN()+d.option)
			db.SetMaxIdleConns(32)
			st := migrated(t, db, sqlstore.Postgres)
			st.Listen = listenPgx(server.DSN())
			storetest.Run(t, func() store.Store { return st })
			storetest.RunLeases(t, func() store.Store { return st })
		})
	}
	t.Run("Encrypted", func(t *testing.T) {
		long(t)
		st := migrated(t, open(t, "pgx", server.DSN()), sqlstore.Postgres)
		testEncrypted(t, st)
	})
	t.Run("MigrateAtOnce", func(t *testing.T) {
		dsn := isolated(t, server, "migrate")
		tenMigrate(t, sqlstore.Postgres, func() *sql.DB { return open(t, "pgx", dsn) })
	})
	t.Run("Clock", func(t *testing.T) { testClock(t, sqlstore.Postgres, "pgx", isolated(t, server, "clock")) })
	t.Run("Held", func(t *testing.T) { testHeld(t, sqlstore.Postgres, open(t, "pgx", isolated(t, server, "held"))) })
	t.Run("Expiry", func(t *testing.T) { testExpiry(t, sqlstore.Postgres, open(t, "pgx", isolated(t, server, "expiry"))) })
	t.Run("Plans", func(t *testing.T) { testPlans(t, isolated(t, server, "plans")) })
	t.Run("Listen", func(t *testing.T) { testListen(t, server) })
	t.Run("Isolation", func(t *testing.T) { testIsolation(t, server) })
	t.Run("RoundTrips", func(t *testing.T) {
		for name, d := range postgresDrivers {
			proxy := servertest.StartProxy(t, server.Addr)
			t.Run(name, func(t *testing.T) {
				testRoundTrips(t, sqlstore.Postgres, proxy, open(t, d.driver, servertest.DSN(proxy.Addr)+d.option), 1)
			})
		}
	})
	t.Run("Lost", func(t *testing.T) {
		for driver, option := range map[string]string{"pgx": "&default_query_exec_mode=exec", "postgres": "&binary_parameters=yes"} {
			proxy := servertest.StartProxy(t, server.Addr)
			t.Run(driver, func(t *testing.T) {
				testLost(t, sqlstore.Postgres, proxy, open(t, driver, servertest.DSN(proxy.Addr)+option))
			})
		}
	})
	t.Run("HTTP", func(t *testing.T) {
		db := open(t, "postgres", server.DSN()+"&binary_parameters=yes")
		must(db.Exec("create table sessions (token text primary key, data bytea not null, expiry timestamptz not null)"))
		testHTTP(t, migrated(t, db, sqlstore.Postgres), postgresstore.NewWithCleanupInterval(db, 0))
	})
}

// Under another isolation a limit would be overrun without an error.
func testIsolation(t *testing.T, server *servertest.Postgres) {
	migrated(t, open(t, "pgx", server.DSN()), sqlstore.Postgres)
	st := sqlstore.New(open(t, "pgx", server.DSN()+"&default_transaction_isolation=repeatable%20read"), sqlstore.Postgres)
	ctx := t.Context()
	_, created := st.Create(ctx, record("isolation", "a"), store.Limit{})
	_, revoked := st.Revoke(ctx, "isolation", "a", store.Revocation{})
	_, all := st.RevokeAll(ctx, "isolation", "", store.Revocation{})
	for _, err := range []error{created, revoked, all} {
		if err == nil || !strings.Contains(err.Error(), "needs read committed") {
			t.Errorf("the error is %v", err)
		}
	}
}

// isolated returns a database of its own on the server.
func isolated(t testing.TB, server *servertest.Postgres, name string) (dsn string) {
	t.Helper()
	if _, err := open(t, "pgx", server.DSN()).Exec("create database " + name); err != nil {
		t.Fatal(err)
	}
	return strings.Replace(server.DSN(), "/postgres?", "/"+name+"?", 1)
}

// tenMigrate has ten processes, so to speak, migrate at once.
func tenMigrate(t *testing.T, d sqlstore.Dialect, open func() *sql.DB) {
	t.Helper()
	var wait sync.WaitGroup
	for range 10 {
		st := sqlstore.New(open(), d)
		wait.Go(func() {
			if err := st.Migrate(context.Background()); err != nil {
				t.Error(err)
			}
			r := record("user", "session")
			if _, err := st.Find(context.Background(), r.User, r.ID); err != store.ErrNotFound {
				t.Errorf("Find returned %v", err)
			}
		})
	}
	wait.Wait()
}

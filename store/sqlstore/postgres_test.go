package sqlstore_test

import (
	"context"
	"database/sql"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/lib/pq"

	"github.com/revoke-sessions/revoke/store"
	"github.com/revoke-sessions/revoke/store/sqlstore"
	"github.com/revoke-sessions/revoke/store/sqlstore/internal/servertest"
	"github.com/revoke-sessions/revoke/store/storetest"
)

// postgresDrivers are the drivers, and what their DSN needs to spare a round trip.
var postgresDrivers = map[string]struct{ driver, option string }{
	"pgx": {"pgx", ""},
	"pq":  {"postgres", "&binary_parameters=yes"},
}

func TestPostgres(t *testing.T) {
	server := servertest.StartPostgres(t)
	for name, d := range postgresDrivers {
		t.Run(name, func(t *testing.T) {
			db := open(t, d.driver, server.DSN()+d.option)
			db.SetMaxIdleConns(32)
			st := migrated(t, db, sqlstore.Postgres)
			st.Listen = listenPgx(server.DSN())
			storetest.Run(t, func() store.Store { return st })
		})
	}
}

// What a program uses for Listen that has pgx.
func listenPgx(dsn string) func(ctx context.Context, channel string, heard func(payload string)) error {
	return func(ctx context.Context, channel string, heard func(payload string)) error {
		conn, err := pgx.Connect(ctx, dsn)
		if err != nil {
			return err
		}
		defer conn.Close(context.WithoutCancel(ctx))
		if _, err := conn.Exec(ctx, "listen "+pgx.Identifier{channel}.Sanitize()); err != nil {
			return err
		}
		heard("")
		for {
			wait, cancel := context.WithTimeout(ctx, 3*time.Second)
			notice, err := conn.WaitForNotification(wait)
			cancel()
			switch {
			case err == nil:
				heard(notice.Payload)
			case ctx.Err() != nil || wait.Err() == nil:
				return err
			default: // nothing came; is it still there?
				wait, cancel := context.WithTimeout(ctx, 3*time.Second)
				err := conn.Ping(wait)
				cancel()
				if err != nil {
					return err
				}
			}
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

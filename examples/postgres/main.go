// Postgres is the basic example on PostgreSQL: visitors' sessions in scs's own
// postgresstore, signed-in ones in sqlstore, both in the database that the environment
// variable DATABASE_URL names. Any number of copies share their sessions, and
// Manager.Watch hears of a revocation at once on each.
package main

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/alexedwards/scs/postgresstore"
	"github.com/alexedwards/scs/v2"
	"github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/examples/internal/site"
	"github.com/revoke-sessions/revoke/page"
	"github.com/revoke-sessions/revoke/store/sqlstore"
)

// The table that scs's README has. The lock is for two copies that start at once.
const visitors = `
select pg_advisory_xact_lock(20211);
create table if not exists sessions (token text primary key, data bytea not null, expiry timestamptz not null);
create index if not exists sessions_expiry_idx on sessions (expiry);`

func main() {
	listen := flag.String("listen", "127.0.0.1:4000", "`address` to listen on; port 0 picks one")
	replicated := flag.Bool("replicated", false, "the database has a synchronous standby, which must have a revocation before it is answered")
	flag.Parse()

	address := os.Getenv("DATABASE_URL")
	db, err := connect(address)
	if err != nil {
		log.Fatal(err)
	}
	st := sqlstore.New(db, sqlstore.Postgres)
	st.Replicated = *replicated
	st.Listen = func(ctx context.Context, channel string, heard func(payload string)) error {
		return hear(ctx, address, channel, heard)
	}
	if err := st.Migrate(context.Background()); err != nil {
		log.Fatal(err)
	}
	if _, err := db.Exec(visitors); err != nil {
		log.Fatal(err)
	}
	sm := scs.New()
	sm.Store = postgresstore.New(db)
	sessions := revoke.New(sm, st)

	mux := site.New(sm, sessions)
	sessions.Mount(mux, "/api/auth/sessions")
	mux.Handle("/account/sessions", page.New(sessions, page.Options{LoginURL: "/"}))
	log.Fatal(site.Serve(*listen, sessions.Track(mux)))
}

// connect says how to get a PostgreSQL if there is none.
func connect(address string) (*sql.DB, error) {
	err := errors.New("DATABASE_URL is not set")
	if address != "" {
		var db *sql.DB
		if db, err = sql.Open("pgx", address); err == nil {
			if err = db.Ping(); err == nil {
				return db, nil
			}
		}
	}
	return nil, fmt.Errorf(`no PostgreSQL answers: %w
Start one and try again:
  docker run --rm -p 5432:5432 -e POSTGRES_HOST_AUTH_METHOD=trust postgres:17
  DATABASE_URL=postgres://postgres@127.0.0.1/postgres
or name another in DATABASE_URL`, err)
}

// hear listens on a connection of its own, and asks every 3 seconds whether it is still
// there.
func hear(ctx context.Context, address, channel string, heard func(payload string)) error {
	conn, err := pgx.Connect(ctx, address)
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
		if err != nil && wait.Err() != nil && ctx.Err() == nil { // nothing came
			err = conn.Ping(ctx)
		}
		cancel()
		switch {
		case err != nil:
			return err
		case notice != nil:
			heard(notice.Payload)
		}
	}
}

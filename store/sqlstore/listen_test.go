package sqlstore_test

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/lib/pq"

	"github.com/revoke-sessions/revoke/internal/servertest"
	"github.com/revoke-sessions/revoke/store"
	"github.com/revoke-sessions/revoke/store/sqlstore"
)

type listen = func(ctx context.Context, channel string, heard func(payload string)) error

// ExampleStore_Subscribe has Manager.Watch hear of revocations at once, with pgx.
// The server is asked every 3 seconds whether it is still there.
func ExampleStore_Subscribe() {
	dsn := "postgres://localhost/app"
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		panic(err)
	}
	st := sqlstore.New(db, sqlstore.Postgres)
	st.Listen = listenPgx(dsn)
}

func listenPgx(dsn string) listen {
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
}

// The same with lib/pq, which connects again by itself.
func listenPQ(dsn string) listen {
	return func(ctx context.Context, channel string, heard func(payload string)) error {
		l := pq.NewListener(dsn, 50*time.Millisecond, 2*time.Second, nil)
		defer l.Close()
		if err := l.Listen(channel); err != nil {
			return err
		}
		heard("")
		for {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case notice := <-l.Notify:
				if notice == nil { // connected anew
					heard("")
				} else {
					heard(notice.Extra)
				}
			case <-time.After(3 * time.Second):
				if err := l.Ping(); err != nil {
					return err
				}
			}
		}
	}
}

func testListen(t *testing.T, server *servertest.Postgres) {
	for name, listen := range map[string]listen{"pgx": listenPgx(server.DSN()), "pq": listenPQ(server.DSN())} {
		t.Run(name, func(t *testing.T) {
			db := open(t, "pgx", server.DSN())
			st := migrated(t, db, sqlstore.Postgres)
			st.Listen = listen
			ctx, cancel := context.WithCancel(t.Context())
			told, returned := make(chan string, 100), make(chan struct{})
			go func() {
				defer close(returned)
				st.Subscribe(ctx, func(user string) { told <- user })
			}()
			want := func(user string) {
				t.Helper()
				select {
				case got := <-told:
					if got != user {
						t.Fatalf("told of %q, want %q", got, user)
					}
				case <-time.After(patience):
					t.Fatalf("not told of %q", user)
				}
			}
			want("")
			user := "a user of " + name + " \x00\xff"
			must(st.Create(t.Context(), record(user, "a"), store.Limit{}))
			must(st.Create(t.Context(), record(user, "b"), store.Limit{Max: 1}))
			want(user)
			must(st.RevokeAll(t.Context(), "somebody", "", store.Revocation{})) // ends nothing
			must(st.Revoke(t.Context(), user, "b", store.Revocation{}))
			want(user)
			must(db.Exec("select pg_terminate_backend(pid) from pg_stat_activity where query ilike 'listen %'"))
			want("")
			cancel()
			<-returned
		})
	}
}

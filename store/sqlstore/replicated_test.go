package sqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/revoke-sessions/revoke/internal/servertest"
	"github.com/revoke-sessions/revoke/store"
	"github.com/revoke-sessions/revoke/store/sqlstore"
)

// After a crash of the server no session is live whose revocation was answered, even
// if the database is set up to lose what was committed last.
func TestPostgresCrash(t *testing.T) {
	server := servertest.StartPostgres(t, "synchronous_commit=off", "wal_writer_delay=10s")
	st := migrated(t, open(t, "pgx", server.DSN()), sqlstore.Postgres)
	ctx := t.Context()
	for _, user := range []string{"one", "all", "limited"} {
		must(st.Create(ctx, record(user, "a"), store.Limit{}))
	}
	must(st.Revoke(ctx, "one", "a", store.Revocation{}))
	must(st.RevokeAll(ctx, "all", "", store.Revocation{}))
	must(st.Create(ctx, record("limited", "b"), store.Limit{Max: 1}))
	server.Kill()
	server.Start()
	st = migrated(t, open(t, "pgx", server.DSN()), sqlstore.Postgres)
	for _, user := range []string{"one", "all", "limited"} {
		if _, err := st.Find(ctx, user, "a"); !errors.Is(err, store.ErrRevoked) {
			t.Errorf("%s: Find returned %v", user, err)
		}
	}
	check(st.RevokeEveryone(ctx))
	server.Kill()
	server.Start()
	st = migrated(t, open(t, "pgx", server.DSN()), sqlstore.Postgres)
	if _, err := st.Find(ctx, "limited", "b"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("after RevokeEveryone Find returned %v", err)
	}
}

// What was answered without an error is over on the standby that takes over. What was
// answered as not replicated was visible at once, held nobody up, and is lost.
func TestPostgresFailover(t *testing.T) {
	t.Parallel()
	for _, driver := range []string{"pgx", "postgres"} {
		t.Run(driver, func(t *testing.T) { failover(t, driver) })
	}
}

func failover(t *testing.T, driver string) {
	primary := servertest.StartPostgres(t)
	admin := open(t, "pgx", primary.DSN())
	link := servertest.StartProxy(t, primary.Addr)
	standby := primary.Standby("standby1", link.Addr)
	must(admin.Exec("alter system set synchronous_standby_names = 'standby1'"))
	must(admin.Exec("select pg_reload_conf()"))
	must(admin.Exec("create role app login; grant all on schema public to app")) // not a superuser
	dsn := "postgres://app@" + primary.Addr + "/postgres?sslmode=disable"
	st := migrated(t, open(t, driver, dsn), sqlstore.Postgres)
	st.Replicated = true
	ctx := t.Context()
	for i := range 20 {
		for _, id := range []string{"before", "after", "stays"} {
			must(st.Create(ctx, record(fmt.Sprint("user ", i), id), store.Limit{}))
		}
	}
	for i := range 20 {
		user := fmt.Sprint("user ", i)
		if i%2 == 0 {
			must(st.Revoke(ctx, user, "before", store.Revocation{}))
		} else {
			must(st.RevokeAll(ctx, user, "after", store.Revocation{}))
		}
	}

	link.Cut()
	st.Timeout = time.Second
	was, err := st.Revoke(ctx, "user 0", "after", store.Revocation{})
	if !errors.Is(err, store.ErrNotReplicated) || was.ID != "after" {
		t.Fatalf("Revoke without the standby returned %q and %v", was.ID, err)
	}
	if _, err := st.Find(ctx, "user 0", "after"); !errors.Is(err, store.ErrRevoked) {
		t.Errorf("Find of a session that was revoked without the standby: %v", err)
	}
	if _, err := st.Revoke(ctx, "user 0", "after", store.Revocation{}); !errors.Is(err, store.ErrNotReplicated) || errors.Is(err, store.ErrNotFound) {
		t.Errorf("the same again: %v", err)
	}
	if were, err := st.RevokeAll(ctx, "user 0", "", store.Revocation{}); !errors.Is(err, store.ErrNotReplicated) || len(were) != 1 {
		t.Errorf("RevokeAll without the standby returned %d sessions and %v", len(were), err)
	}
	if evicted, err := st.Create(ctx, record("user 2", "new"), store.Limit{Max: 1}); err != nil || len(evicted) != 2 {
		t.Errorf("Create without the standby evicted %d and returned %v", len(evicted), err)
	}
	if err := st.Touch(ctx, "user 4", "after", store.Touch{SeenAt: time.Now().Add(time.Hour)}); err == nil {
		t.Error("Touch, which waits for the standby, was answered as a success")
	}
	if err := st.RevokeEveryone(ctx); !errors.Is(err, store.ErrNotReplicated) {
		t.Errorf("RevokeEveryone without the standby returned %v", err)
	}
	if list := must(st.List(ctx, "user 4")); len(list) != 0 {
		t.Errorf("after it %d sessions are left", len(list))
	}

	emptied(t, admin, st)

	standby.Promote()
	oldPrimary(t, primary, standby)
	primary.Kill()
	st = sqlstore.New(open(t, driver, standby.DSN()), sqlstore.Postgres)
	st.Timeout = patience
	for i := range 20 {
		user := fmt.Sprint("user ", i)
		if _, err := st.Find(ctx, user, "before"); !errors.Is(err, store.ErrRevoked) {
			t.Errorf("%s: a session whose revocation was answered is back: %v", user, err)
		}
		if _, err := st.Find(ctx, user, "after"); err != nil {
			t.Errorf("%s: what was not replicated is there: %v", user, err)
		}
	}
}

// emptied empties the list of standbys while a revocation waits for one, which ends the
// wait as if the standby had answered.
func emptied(t *testing.T, admin *sql.DB, st *sqlstore.Store) {
	st.Timeout = patience
	answer := make(chan error, 1)
	go func() {
		_, err := st.Revoke(t.Context(), "user 0", "after", store.Revocation{})
		answer <- err
	}()
	for waits := 0; waits == 0; {
		check(admin.QueryRow("select count(*) from pg_stat_activity where wait_event = 'SyncRep' and usename = 'app'").Scan(&waits))
	}
	must(admin.Exec("alter system set synchronous_standby_names = ''"))
	must(admin.Exec("select pg_reload_conf()"))
	if err := <-answer; !errors.Is(err, store.ErrNotReplicated) {
		t.Errorf("Revoke, while the list of standbys was emptied, returned %v", err)
	}
}

// oldPrimary revokes over a connection to the old primary, which nobody has stopped, while
// every other connection leads to the new one, which has a standby of its own. That one
// confirms nothing of the old one.
func oldPrimary(t *testing.T, primary, next *servertest.Postgres) {
	admin := open(t, "pgx", next.DSN())
	must(admin.Exec("alter system set synchronous_standby_names = 'standby2'"))
	must(admin.Exec("select pg_reload_conf()"))
	next.Standby("standby2", next.Addr)
	config := must(pgx.ParseConfig(primary.DSN()))
	dialled := false
	config.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if dialled {
			addr = next.Addr
		}
		dialled = true
		return new(net.Dialer).DialContext(ctx, network, addr)
	}
	db := sql.OpenDB(stdlib.GetConnector(*config))
	defer db.Close()
	db.SetMaxIdleConns(-1)
	st := sqlstore.New(db, sqlstore.Postgres)
	st.Timeout, st.Replicated = patience, true
	if _, err := st.Revoke(t.Context(), "user 6", "after", store.Revocation{}); !errors.Is(err, store.ErrNotReplicated) {
		t.Errorf("Revoke on the old primary returned %v", err)
	}
	if _, err := st.Find(t.Context(), "user 6", "after"); err != nil {
		t.Errorf("the new primary returned %v", err)
	}
}

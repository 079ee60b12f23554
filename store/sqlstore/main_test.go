package sqlstore_test

import (
	"database/sql"
	"testing"
	"time"

	"github.com/revoke-sessions/revoke/store"
	"github.com/revoke-sessions/revoke/store/sqlstore"
)

// patience is the time limit of calls on a machine that is busy.
const patience = 30 * time.Second

// open opens a database, which is closed when the test ends.
func open(t testing.TB, driver, name string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// migrated returns a store that is ready for use.
func migrated(t testing.TB, db *sql.DB, d sqlstore.Dialect) *sqlstore.Store {
	t.Helper()
	s := sqlstore.New(db, d)
	s.Timeout = patience
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// encrypted returns a store that keeps its sessions in st, encrypted.
func encrypted(st store.Store) store.Store {
	return must(store.Encrypt(st, must(store.AESGCM("key", make([]byte, 32)))))
}

func must[T any](v T, err error) T {
	check(err)
	return v
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// record returns a live session.
func record(user, id string) store.Record {
	now := time.Now().Truncate(time.Microsecond)
	return store.Record{
		User: user, ID: id, Secret: store.HashSecret("secret of " + id),
		CreatedAt: now, SeenAt: now, ProvedAt: now, ExpiresAt: now.Add(time.Hour),
		Client: []byte("client of " + id), Data: []byte("data of " + id),
	}
}

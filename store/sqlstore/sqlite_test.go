package sqlstore_test

import (
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/revoke-sessions/revoke/store"
	"github.com/revoke-sessions/revoke/store/sqlstore"
	"github.com/revoke-sessions/revoke/store/storetest"

	_ "github.com/mattn/go-sqlite3"
	_ "modernc.org/sqlite"
)

var sqliteDrivers = map[string]string{"modernc": "sqlite", "mattn": "sqlite3"}

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

// eachSQLite runs a test on a file by each driver that was built in.
func eachSQLite(t *testing.T, test func(t *testing.T, driver, file string)) {
	for name, driver := range sqliteDrivers {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "sessions.db")
			if err := open(t, driver, file).Ping(); err != nil {
				t.Skip(err) // go-sqlite3 needs cgo
			}
			test(t, driver, file)
		})
	}
}

func TestSQLite(t *testing.T) {
	eachSQLite(t, func(t *testing.T, driver, file string) {
		st := migrated(t, open(t, driver, file), sqlstore.SQLite)
		storetest.Run(t, func() store.Store { return st })
	})
}

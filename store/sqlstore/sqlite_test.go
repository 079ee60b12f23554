package sqlstore_test

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alexedwards/scs/sqlite3store"

	"github.com/revoke-sessions/revoke/store"
	"github.com/revoke-sessions/revoke/store/sqlstore"
	"github.com/revoke-sessions/revoke/store/storetest"

	_ "github.com/mattn/go-sqlite3"
	_ "modernc.org/sqlite"
)

var sqliteDrivers = map[string]string{"modernc": "sqlite", "mattn": "sqlite3"}

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
	t.Parallel()
	eachSQLite(t, func(t *testing.T, driver, file string) {
		st := migrated(t, open(t, driver, file), sqlstore.SQLite)
		storetest.Run(t, func() store.Store { return st })
		storetest.RunLeases(t, func() store.Store { return st })
	})
}

func TestSQLiteEncrypted(t *testing.T) {
	t.Parallel()
	long(t)
	eachSQLite(t, func(t *testing.T, driver, file string) {
		st := migrated(t, open(t, driver, file), sqlstore.SQLite)
		if driver == "sqlite" {
			testEncrypted(t, st)
		} else {
			testEncrypted(t, st, sameEncrypted...)
		}
	})
}

// Two processes share a file, each with pools of its own.
func TestSQLiteOfTwoProcesses(t *testing.T) {
	t.Parallel()
	long(t)
	eachSQLite(t, func(t *testing.T, driver, file string) {
		a := migrated(t, open(t, driver, file), sqlstore.SQLite)
		b := migrated(t, open(t, driver, file), sqlstore.SQLite)
		turn := 0
		storetest.Run(t, func() store.Store {
			turn++
			return struct{ store.Store }{[]store.Store{a, b}[turn%2]}
		})
	})
}

// A database in memory is that of one connection.
func TestSQLiteInMemory(t *testing.T) {
	eachSQLite(t, func(t *testing.T, driver, _ string) {
		db := open(t, driver, ":memory:")
		db.SetMaxOpenConns(1)
		st := migrated(t, db, sqlstore.SQLite)
		must(st.Create(t.Context(), record("user", "a"), store.Limit{Max: 1}))
		must(st.Create(t.Context(), record("user", "b"), store.Limit{Max: 1}))
		for r, err := range st.All(t.Context()) {
			check(err)
			must(st.Revoke(t.Context(), r.User, r.ID, store.Revocation{}))
		}
		check(st.Prune(t.Context()))
	})
}

func TestSQLiteMigratesAtOnce(t *testing.T) {
	eachSQLite(t, func(t *testing.T, driver, file string) {
		tenMigrate(t, sqlstore.SQLite, func() *sql.DB { return open(t, driver, file) })
	})
}

func TestSQLiteExpiry(t *testing.T) {
	eachSQLite(t, func(t *testing.T, driver, file string) {
		testExpiry(t, sqlstore.SQLite, open(t, driver, file))
	})
}

// No statement but the page of All goes through the sessions of all users.
func TestSQLitePlans(t *testing.T) {
	db := open(t, "sqlite", filepath.Join(t.TempDir(), "db"))
	migrated(t, db, sqlstore.SQLite)
	for _, text := range sqlstore.Texts(sqlstore.SQLite) {
		rows := must(db.Query("explain query plan "+text, make([]any, 20)...))
		for rows.Next() {
			var a, b, c any
			var step string
			check(rows.Scan(&a, &b, &c, &step))
			if strings.HasPrefix(step, "SCAN revoke_sessions") || strings.Contains(step, "revoke_sessions_due (era=?") {
				t.Errorf("%s\n%s", step, text)
			}
		}
		check(rows.Err())
	}
}

func TestSQLiteHTTP(t *testing.T) {
	db := open(t, "sqlite", filepath.Join(t.TempDir(), "db"))
	must(db.Exec("create table sessions (token text primary key, data blob not null, expiry real not null)"))
	testHTTP(t, migrated(t, db, sqlstore.SQLite), sqlite3store.NewWithCleanupInterval(db, 0))
}

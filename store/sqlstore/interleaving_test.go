package sqlstore_test

import (
	"database/sql"
	"testing"

	"github.com/revoke-sessions/revoke/internal/servertest"
	"github.com/revoke-sessions/revoke/internal/theatre"
	"github.com/revoke-sessions/revoke/store"
	"github.com/revoke-sessions/revoke/store/sqlstore"
)

// In whatever order the calls of a store are made, no session that was ended comes back.
func TestInterleaving(t *testing.T) {
	long(t)
	run := func(t *testing.T, db *sql.DB, d sqlstore.Dialect) {
		st := migrated(t, db, d)
		theatre.OnStore(t, func() store.Store {
			for _, table := range []string{"revoke_sessions", "revoke_users", "revoke_onces"} {
				must(db.Exec("delete from " + table))
			}
			return st
		})
	}
	t.Run("sqlite", func(t *testing.T) {
		db := open(t, "sqlite", ":memory:") // no two calls are made at once, and nothing waits for a disk
		db.SetMaxOpenConns(1)
		run(t, db, sqlstore.SQLite)
	})
	t.Run("postgres", func(t *testing.T) {
		run(t, open(t, "pgx", servertest.StartPostgres(t, "fsync=off").DSN()), sqlstore.Postgres)
	})
}

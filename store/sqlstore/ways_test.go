package sqlstore_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/revoke-sessions/revoke/internal/servertest"
	"github.com/revoke-sessions/revoke/internal/trial"
	"github.com/revoke-sessions/revoke/store"
	"github.com/revoke-sessions/revoke/store/sqlstore"
)

// The ways in which a session that was ended would come back, R1 to R18, are closed.
// Each is tried on tables of its own.
func TestRevokedStaysRevoked(t *testing.T) {
	ways := slices.Concat(trial.Sessions(), trial.Tokens(), trial.Leases())
	run := func(t *testing.T, d sqlstore.Dialect, open func(t *testing.T, name string) *sql.DB) {
		databases := 0
		ways.Run(t, func(t *testing.T, try func(*testing.T, store.Store)) {
			databases++
			try(t, migrated(t, open(t, fmt.Sprint("way", databases)), d))
		})
	}
	t.Run("sqlite", func(t *testing.T) {
		run(t, sqlstore.SQLite, func(t *testing.T, name string) *sql.DB {
			return open(t, "sqlite", filepath.Join(t.TempDir(), name))
		})
	})
	t.Run("postgres", func(t *testing.T) {
		server := servertest.StartPostgres(t, "fsync=off")
		run(t, sqlstore.Postgres, func(t *testing.T, name string) *sql.DB {
			must(open(t, "pgx", server.DSN()).Exec("create schema " + name))
			return open(t, "pgx", server.DSN()+"&search_path="+name)
		})
	})
	t.Run("mariadb", func(t *testing.T) {
		long(t)
		server := servertest.StartMariaDB(t)
		run(t, sqlstore.MySQL, func(t *testing.T, name string) *sql.DB {
			root := "root@tcp(" + server.Addr + ")/"
			must(open(t, "mysql", root).Exec("create database " + name))
			return open(t, "mysql", root+name)
		})
	})
}

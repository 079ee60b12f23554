package sqlstore_test

import (
	"testing"

	"github.com/revoke-sessions/revoke/internal/servertest"
	"github.com/revoke-sessions/revoke/store"
	"github.com/revoke-sessions/revoke/store/sqlstore"
	"github.com/revoke-sessions/revoke/store/storetest"
)

// Behind pgbouncer in transaction mode each statement may run on another connection
// of the server, which has nothing that was prepared or set before.
func TestPgBouncer(t *testing.T) {
	t.Parallel()
	long(t)
	server := servertest.StartPostgres(t, "fsync=off")
	dsn := servertest.StartPgBouncer(t, server)
	for driver, option := range map[string]string{
		"pgx":      "&default_query_exec_mode=exec",
		"postgres": "&binary_parameters=yes",
	} {
		t.Run(driver, func(t *testing.T) {
			db := open(t, driver, dsn+option)
			db.SetMaxIdleConns(32)
			st := migrated(t, db, sqlstore.Postgres)
			st.Listen = listenPgx(server.DSN()) // needs the server itself
			// Left out is what takes long and is of one connection.
			storetest.Run(t, func() store.Store { return st }, "RevokeEveryone", "All", "Value", "Once", "List", "Tombstone")
		})
	}
}

package sqlstore_test

import (
	"database/sql"
	"testing"

	_ "github.com/go-sql-driver/mysql"

	"github.com/revoke-sessions/revoke/store"
	"github.com/revoke-sessions/revoke/store/sqlstore"
	"github.com/revoke-sessions/revoke/store/sqlstore/internal/servertest"
	"github.com/revoke-sessions/revoke/store/storetest"
)

func TestMariaDB(t *testing.T) {
	dsn := servertest.StartMariaDB(t)
	t.Run("MigrateAtOnce", func(t *testing.T) {
		tenMigrate(t, sqlstore.MySQL, func() *sql.DB { return open(t, "mysql", dsn) })
	})
	for name, options := range map[string]string{
		"as it is":    "",
		"interpolate": "?interpolateParams=true",
		"found rows":  "?interpolateParams=true&clientFoundRows=true",
	} {
		t.Run(name, func(t *testing.T) {
			if testing.Short() && options != "" {
				t.Skip("in short mode")
			}
			db := open(t, "mysql", dsn+options)
			db.SetMaxIdleConns(32)
			st := struct{ store.Store }{migrated(t, db, sqlstore.MySQL)} // without Subscribe, since nothing is told
			storetest.Run(t, func() store.Store { return st })
		})
	}
}

package sqlstore_test

import (
	"database/sql"
	"strings"
	"testing"

	_ "github.com/go-sql-driver/mysql"

	"github.com/revoke-sessions/revoke/internal/servertest"
	"github.com/revoke-sessions/revoke/store"
	"github.com/revoke-sessions/revoke/store/sqlstore"
	"github.com/revoke-sessions/revoke/store/storetest"
)

func TestMariaDB(t *testing.T) { testMySQL(t, servertest.StartMariaDB(t)) }

// TestMySQL needs mysqld in the PATH.
func TestMySQL(t *testing.T) { testMySQL(t, servertest.StartMySQL(t)) }

func testMySQL(t *testing.T, server *servertest.MySQL) {
	dsn := server.DSN()
	t.Run("MigrateAtOnce", func(t *testing.T) {
		tenMigrate(t, sqlstore.MySQL, func() *sql.DB { return open(t, "mysql", dsn) })
	})
	for name, options := range map[string]string{
		"as it is":    "",
		"interpolate": "?interpolateParams=true",
		"found rows":  "?interpolateParams=true&clientFoundRows=true",
	} {
		t.Run(name, func(t *testing.T) {
			if options != "" {
				long(t)
			}
			db := open(t, "mysql", dsn+options)
			db.SetMaxIdleConns(32)
			st := struct{ store.Store }{migrated(t, db, sqlstore.MySQL)} // without Subscribe, since nothing is told
			storetest.Run(t, func() store.Store { return st })
			storetest.RunLeases(t, func() store.Store { return st })
		})
	}
	t.Run("Encrypted", func(t *testing.T) {
		long(t)
		st := migrated(t, open(t, "mysql", dsn), sqlstore.MySQL)
		storetest.Run(t, func() store.Store { return encrypted(struct{ store.Store }{st}) })
	})
	const interpolate = "?interpolateParams=true"
	t.Run("Clock", func(t *testing.T) { testClock(t, sqlstore.MySQL, "mysql", dsn+interpolate) })
	t.Run("Held", func(t *testing.T) { testHeld(t, sqlstore.MySQL, open(t, "mysql", dsn)) })
	t.Run("Reads", func(t *testing.T) { testReads(t, open(t, "mysql", dsn+interpolate)) })
	t.Run("RoundTrips", func(t *testing.T) {
		for options, most := range map[string]int64{"": 2, interpolate: 1} {
			proxy := servertest.StartProxy(t, server.Addr)
			testRoundTrips(t, sqlstore.MySQL, proxy, open(t, "mysql", servertest.MySQLDSN(proxy.Addr)+options), most)
		}
	})
	t.Run("Autocommit", func(t *testing.T) {
		err := sqlstore.New(open(t, "mysql", dsn+"?autocommit=0"), sqlstore.MySQL).Migrate(t.Context())
		if err == nil || !strings.Contains(err.Error(), "autocommit") {
			t.Errorf("without autocommit Migrate returned %v", err)
		}
	})
	t.Run("Lost", func(t *testing.T) {
		proxy := servertest.StartProxy(t, server.Addr)
		testLost(t, sqlstore.MySQL, proxy, open(t, "mysql", servertest.MySQLDSN(proxy.Addr)+interpolate))
	})
	t.Run("Expiry", func(t *testing.T) {
		db := open(t, "mysql", dsn)
		must(db.Exec("delete from revoke_sessions"))
		must(db.Exec("delete from revoke_users"))
		must(db.Exec("delete from revoke_onces"))
		testExpiry(t, sqlstore.MySQL, db)
	})
}

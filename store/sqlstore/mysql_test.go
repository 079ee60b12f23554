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

func TestMariaDB(t *testing.T) {
	t.Parallel()
	testMySQL(t, servertest.StartMariaDB(t))
}

// TestMySQL needs mysqld in the PATH.
func TestMySQL(t *testing.T) {
	t.Parallel()
	testMySQL(t, servertest.StartMySQL(t))
}

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
		testEncrypted(t, struct{ store.Store }{st}, sameEncrypted...)
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
	t.Run("Modes", func(t *testing.T) { testModes(t, dsn) })
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

// The server's mode changes nothing: in one it cuts what is too long, in another an empty
// text is null.
func testModes(t *testing.T, dsn string) {
	for name, mode := range map[string]string{"lax": "", "null": "EMPTY_STRING_IS_NULL"} {
		admin := open(t, "mysql", dsn)
		if _, err := admin.Exec("set sql_mode = ?", mode); err != nil {
			continue // MySQL does not know it
		}
		must(admin.Exec("create database mode_" + name))
		db := open(t, "mysql", strings.Replace(dsn, "/revoke_test", "/mode_"+name, 1)+"?sql_mode=%27"+mode+"%27")
		st := migrated(t, db, sqlstore.MySQL)
		ctx := t.Context()
		user := strings.Repeat("u", 1536)
		for _, id := range []string{"a", "b"} {
			must(st.Create(ctx, record(user, id), store.Limit{}))
		}
		if were, err := st.RevokeAll(ctx, user+"u", "", store.Revocation{}); err == nil {
			t.Errorf("%s: RevokeAll of a name that is too long returned %d sessions of another user", name, len(were))
		}
		if was, err := st.Revoke(ctx, user, "a", store.Revocation{}); err != nil || was.ID != "a" {
			t.Errorf("%s: Revoke returned %q and %v", name, was.ID, err)
		}
		if were, err := st.RevokeAll(ctx, user, "", store.Revocation{}); err != nil || len(were) != 1 {
			t.Errorf("%s: RevokeAll returned %d sessions and %v", name, len(were), err)
		}
	}
}

package proof_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/revoke-sessions/revoke/internal/servertest"
	"github.com/revoke-sessions/revoke/proof/internal/site"
)

func TestSessionsAreLinearizableInPostgres(t *testing.T) {
	server := servertest.StartPostgres(t)
	testSQL(t, site.Place{Kind: site.Postgres, Address: server.DSN()})
}

// Both processes have the file open.
func TestSessionsAreLinearizableInSQLite(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sessions.db")
	testSQL(t, site.Place{Kind: site.SQLite, Address: file + "?_pragma=busy_timeout(10000)"})
}

// testSQL has two processes share a database. Clients hang up in some of the histories,
// so that calls are cancelled.
func testSQL(t *testing.T, place site.Place) {
	if err := site.Prepare(place); err != nil {
		t.Fatal(err)
	}
	t.Run("all answered", func(t *testing.T) {
		deploy(t, "", place, place).expectLinearizable(t, 2*time.Second, false)
	})
	t.Run("clients hang up", func(t *testing.T) {
		deploy(t, "", place, place).expectLinearizable(t, 2*time.Second, true)
	})
	const defect = "recreate"
	t.Run(defect, func(t *testing.T) { deploy(t, defect, place, place).expectDefect(t, site.Defects[defect]) })
}

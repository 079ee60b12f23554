package sqlstore_test

import (
	"database/sql"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/revoke-sessions/revoke/store"
	"github.com/revoke-sessions/revoke/store/sqlstore"
	"github.com/revoke-sessions/revoke/store/storetest"
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

// long skips a test that takes long in short mode.
func long(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("in short mode")
	}
}

// The driver is the application's choice.
func TestImportsNoDriver(t *testing.T) {
	out := must(exec.Command("go", "list", "-deps", ".").Output())
	for path := range strings.Lines(string(out)) {
		if host, _, _ := strings.Cut(path, "/"); strings.Contains(host, ".") && !strings.HasPrefix(path, "github.com/revoke-sessions/revoke") {
			if strings.Contains(path, "sql") || strings.Contains(path, "pq") || strings.Contains(path, "pgx") {
				t.Errorf("the package imports %s", path)
			}
		}
	}
}

// testEncrypted tests a store that keeps its sessions in st, encrypted, but for subjects
// that are left out.
func testEncrypted(t *testing.T, st store.Store, without ...string) {
	encrypted := must(store.Encrypt(st, must(store.AESGCM("key", make([]byte, 32)))))
	storetest.Run(t, func() store.Store { return encrypted }, without...)
}

// sameEncrypted are subjects that take long. Under encryption they say of one driver what
// they say of another.
var sameEncrypted = []string{"Race", "RevokeRace", "RevokeEveryone", "Limit", "Once"}

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

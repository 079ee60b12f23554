package sqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/revoke-sessions/revoke/store"
	"github.com/revoke-sessions/revoke/store/sqlstore"
)

// endings are how sessions end, each that of the user who has its name.
var endings = []struct {
	name string
	end  func(ctx context.Context, st *sqlstore.Store, db *sql.DB) error
}{
	{byHand, func(_ context.Context, _ *sqlstore.Store, db *sql.DB) error {
		return ignore(db.Exec("delete from revoke_sessions where usr = ?", []byte(byHand)))
	}},
	{"Revoke", func(ctx context.Context, st *sqlstore.Store, _ *sql.DB) error {
		return ignore(st.Revoke(ctx, "Revoke", "a", store.Revocation{}))
	}},
	{"RevokeAll", func(ctx context.Context, st *sqlstore.Store, _ *sql.DB) error {
		return ignore(st.RevokeAll(ctx, "RevokeAll", "", store.Revocation{}))
	}},
	{"Create", func(ctx context.Context, st *sqlstore.Store, db *sql.DB) error {
		check(checkpoint(db))
		return ignore(st.Create(ctx, record("Create", "b"), store.Limit{Max: 1}))
	}},
	{"Update", func(ctx context.Context, st *sqlstore.Store, _ *sql.DB) error {
		r := record("Update", "a")
		was := r.Secret
		r.Secret = renewed
		return st.Update(ctx, r, was)
	}},
	{"RevokeEveryone", func(ctx context.Context, st *sqlstore.Store, _ *sql.DB) error { return st.RevokeEveryone(ctx) }},
}

// byHand ends a session without the store.
const byHand = "by hand"

var renewed = store.HashSecret("the secret after Update")

func checkpoint(db *sql.DB) error { return ignore(db.Exec("pragma wal_checkpoint(truncate)")) }

// A power cut brings no session back whose end was answered, even if the application
// has SQLite leave its writes to the system. The cuts come when a file was synced, and
// after each answer. Of what was not synced nothing is left, or any part.
func TestSQLitePowerCut(t *testing.T) {
	if driver, source, ok := strings.Cut(os.Getenv("SQLSTORE_POWER_CUT"), " "); ok {
		endSessions(t, driver, source) // in the process that will be cut off
		return
	}
	eachSQLite(t, func(t *testing.T, driver, file string) {
		for _, level := range []string{"normal", "full"} {
			t.Run(level, func(t *testing.T) { testPowerCut(t, driver, level, filepath.Dir(file)) })
		}
	})
}

func testPowerCut(t *testing.T, driver, level, dir string) {
	dir = must(filepath.EvalSymlinks(dir)) // as the trace has it
	cmd := exec.Command(os.Args[0], "-test.run=^TestSQLitePowerCut$")
	cmd.Env = append(os.Environ(), "SQLSTORE_POWER_CUT="+driver+" "+filepath.Join(dir, level)+"?_pragma=synchronous("+level+")&_synchronous="+level)
	log := traced(t, cmd)
	d := newDisk(dir)
	left := func(keep func() bool) (file string) {
		dir := t.TempDir()
		d.leave(dir, keep)
		return filepath.Join(dir, level)
	}
	var answered []string
	cuts := 0
	cut := func() {
		if len(answered) > 0 {
			cuts++
			expectOver(t, driver, left(never), answered)
			expectOver(t, driver, left(perhaps), answered)
		}
	}
	d.replay(t, log, cut, func(line string) {
		switch name, ok := strings.CutPrefix(line, "answered "); {
		case name == byHand:
			expectByHand(t, driver, left(never), level == "normal")
		case ok:
			answered = append(answered, name)
			cut()
		}
	})
	if t.Logf("%d cuts", cuts); len(answered) != len(endings)-1 {
		t.Errorf("answered were %q", answered)
	}
}

func never() bool   { return false }
func perhaps() bool { return rand.IntN(2) == 0 }

// endSessions ends a session in each way, says so, and leaves without closing anything.
func endSessions(t *testing.T, driver, source string) {
	db := must(sql.Open(driver, source))
	st := migrated(t, db, sqlstore.SQLite)
	for _, e := range endings {
		must(st.Create(t.Context(), record(e.name, "a"), store.Limit{}))
	}
	check(checkpoint(db)) // of what was not synced anything may be lost
	for _, e := range endings {
		check(e.end(t.Context(), st, db))
		os.Stdout.WriteString("answered " + e.name + "\n")
	}
	os.Exit(0)
}

// expectOver fails the test if one of the sessions is live whose end was answered.
func expectOver(t *testing.T, driver, file string, answered []string) {
	t.Helper()
	db := must(sql.Open(driver, file))
	defer db.Close()
	var integrity string
	if check(db.QueryRow("pragma integrity_check").Scan(&integrity)); integrity != "ok" {
		t.Errorf("the database is broken: %s", integrity)
	}
	st := sqlstore.New(db, sqlstore.SQLite)
	st.Timeout = patience
	for _, name := range answered {
		r, err := st.Find(t.Context(), name, "a")
		over := errors.Is(err, store.ErrRevoked) || errors.Is(err, store.ErrNotFound)
		if name == "Update" {
			over = over || err == nil && r.Secret.Equal(renewed)
		}
		if !over {
			t.Errorf("after %q the session that %s had ended is back: %v", answered, name, err)
		}
	}
}

// expectByHand shows that the cuts would bring a session back.
func expectByHand(t *testing.T, driver, file string, back bool) {
	t.Helper()
	db := must(sql.Open(driver, file))
	defer db.Close()
	st := sqlstore.New(db, sqlstore.SQLite)
	st.Timeout = patience
	if _, err := st.Find(t.Context(), byHand, "a"); back && err != nil || !back && !errors.Is(err, store.ErrNotFound) {
		t.Errorf("what was deleted by hand is back: %v, and is to be: %v", err, back)
	}
}

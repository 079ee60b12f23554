package sqlstore_test

import (
	"database/sql"
	"testing"
	"time"

	"github.com/revoke-sessions/revoke/store"
	"github.com/revoke-sessions/revoke/store/sqlstore"
)

// While a RevokeAll waits for a row, a sign-in waits for it: otherwise a list could
// show both what RevokeAll ends and what it leaves.
func testHeld(t *testing.T, d sqlstore.Dialect, db *sql.DB) {
	st := migrated(t, db, d)
	ctx := t.Context()
	const user = "held"
	must(st.Create(ctx, record(user, "old"), store.Limit{}))
	tx := must(db.BeginTx(ctx, nil))
	defer tx.Rollback()
	var id []byte
	check(tx.QueryRow("select id from revoke_sessions where usr = 'held' for update").Scan(&id))

	revoked, created := make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := st.RevokeAll(ctx, user, "", store.Revocation{})
		revoked <- err
	}()
	waiting(t, d, db, 1, revoked)
	go func() {
		_, err := st.Create(ctx, record(user, "new"), store.Limit{})
		created <- err
	}()
	waiting(t, d, db, 2, created)
	check(tx.Commit())
	check(<-revoked)
	if err := <-created; err == nil {
		t.Error("a session that began before RevokeAll was created after it")
	}
}

// waiting waits until that many statements wait for a lock, and none is answered.
func waiting(t *testing.T, d sqlstore.Dialect, db *sql.DB, want int, answered <-chan error) {
	t.Helper()
	query := "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
	if d == sqlstore.MySQL {
		query = "select count(*) from information_schema.innodb_trx where trx_state = 'LOCK WAIT'"
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(150 * time.Millisecond) { // MariaDB looks anew after 100 ms
		var n int
		check(db.QueryRow(query).Scan(&n))
		select {
		case err := <-answered:
			t.Fatalf("it was answered (%v), and did not wait", err)
		default:
		}
		if n == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d statements wait, want %d", n, want)
		}
	}
}

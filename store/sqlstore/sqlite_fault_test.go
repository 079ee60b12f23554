package sqlstore_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/revoke-sessions/revoke/store"
	"github.com/revoke-sessions/revoke/store/sqlstore"
)

// A call that is cancelled at any moment leaves no connection inside a transaction.
func TestSQLiteCancelled(t *testing.T) {
	eachSQLite(t, func(t *testing.T, driver, file string) {
		st := migrated(t, open(t, driver, file), sqlstore.SQLite)
		check(ignore(st.Create(t.Context(), record("user", "a"), store.Limit{})))
		var wait sync.WaitGroup
		for range 4 {
			wait.Go(func() {
				for range 500 {
					ctx, cancel := context.WithTimeout(t.Context(), rand.N(500*time.Microsecond))
					err := st.Touch(ctx, "user", "a", store.Touch{SeenAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour)})
					cancel()
					if err != nil && !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("Touch returned %v", err)
					}
				}
			})
		}
		wait.Wait()
		for range 8 {
			check(st.Touch(t.Context(), "user", "a", store.Touch{}))
		}
	})
}

// While another holds the lock, a call waits for its own time and no longer, and
// says so.
func TestSQLiteLocked(t *testing.T) {
	eachSQLite(t, func(t *testing.T, driver, file string) {
		db := open(t, driver, file)
		st := migrated(t, db, sqlstore.SQLite)
		must(st.Create(t.Context(), record("user", "a"), store.Limit{}))
		must(db.Exec("pragma busy_timeout = 600000")) // which must not count
		other := must(open(t, driver, file).Conn(t.Context()))
		defer other.Close()
		must(other.ExecContext(t.Context(), "begin immediate"))
		st.Timeout = 300 * time.Millisecond
		_, err := st.Revoke(t.Context(), "user", "a", store.Revocation{})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Revoke returned %v", err)
		}
		must(st.Find(t.Context(), "user", "a")) // a reader does not wait
		st.Timeout = patience
		done := make(chan error)
		go func() { done <- ignore(st.Revoke(t.Context(), "user", "a", store.Revocation{})) }()
		must(other.ExecContext(t.Context(), "commit"))
		check(<-done)
	})
}

func ignore[T any](_ T, err error) error { return err }

// What ends a session is on the disk when it is answered, although SQLite would leave
// the rest to the system. The application's settings are back afterwards.
func TestSQLiteDurable(t *testing.T) {
	r, db := recorded(t, filepath.Join(t.TempDir(), "db")+"?_pragma=synchronous(1)&_pragma=busy_timeout(7000)")
	db.SetMaxOpenConns(1)
	st := migrated(t, db, sqlstore.SQLite)
	ctx := t.Context()
	now := record("user", "a")
	renewed := now
	renewed.Secret = store.HashSecret("another")
	for _, call := range []struct {
		name    string
		durable bool
		run     func() error
	}{
		{"Create", false, func() error { return ignore(st.Create(ctx, now, store.Limit{})) }},
		{"Touch", false, func() error { return st.Touch(ctx, "user", "a", store.Touch{}) }},
		{"Update", false, func() error { return st.Update(ctx, now, now.Secret) }},
		{"Update that renews", true, func() error { return st.Update(ctx, renewed, now.Secret) }},
		{"Create under a limit", false, func() error { return ignore(st.Create(ctx, record("user 2", "a"), store.Limit{Max: 2})) }},
		{"Create that evicts", true, func() error { return ignore(st.Create(ctx, record("user", "b"), store.Limit{Max: 1})) }},
		{"Revoke", true, func() error { return ignore(st.Revoke(ctx, "user", "b", store.Revocation{})) }},
		{"RevokeAll", true, func() error { return ignore(st.RevokeAll(ctx, "user", "", store.Revocation{})) }},
		{"RevokeEveryone", true, func() error { return st.RevokeEveryone(ctx) }},
	} {
		r.statements = nil
		if err := call.run(); err != nil {
			t.Fatalf("%s: %v", call.name, err)
		}
		durable := false // in the transaction that is the last to begin
		for i, statement := range r.statements {
			if statement == "begin" {
				durable = slices.Contains(r.statements[:i], "pragma synchronous = 2")
			}
		}
		if durable != call.durable {
			t.Errorf("%s is durable: %v, want %v", call.name, durable, call.durable)
		}
		for pragma, want := range map[string]int{"synchronous": 1, "busy_timeout": 7000} {
			var is int
			if check(db.QueryRow("pragma " + pragma).Scan(&is)); is != want {
				t.Errorf("%s left %s at %d", call.name, pragma, is)
			}
		}
	}
}

// Sessions whose revocation was answered are over after the process was killed.
func TestSQLiteKilled(t *testing.T) {
	if file := os.Getenv("SQLSTORE_KILLED"); file != "" { // the process that will be
		st := sqlstore.New(must(sql.Open("sqlite", file)), sqlstore.SQLite)
		for i := range 1000 {
			must(st.Revoke(t.Context(), "user", fmt.Sprint(i), store.Revocation{}))
			fmt.Printf("revoked %d\n", i)
		}
		return
	}
	for _, level := range []string{"full", "normal"} {
		t.Run(level, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "db") + "?_pragma=synchronous(" + level + ")"
			st := migrated(t, open(t, "sqlite", file), sqlstore.SQLite)
			for i := range 1000 {
				must(st.Create(t.Context(), record("user", fmt.Sprint(i)), store.Limit{}))
			}
			cmd := exec.Command(os.Args[0], "-test.run=^TestSQLiteKilled$")
			cmd.Env = append(os.Environ(), "SQLSTORE_KILLED="+file)
			lines := bufio.NewScanner(must(cmd.StdoutPipe()))
			check(cmd.Start())
			last, enough := "", 20+rand.N(50)
			for lines.Scan() {
				id, ok := strings.CutPrefix(lines.Text(), "revoked ")
				if !ok {
					continue
				}
				if last = id; enough == 0 {
					cmd.Process.Kill()
				}
				enough--
			}
			cmd.Wait()
			if last == "" || last == "999" {
				t.Fatalf("the process got to %q", last)
			}
			for i := 0; ; i++ {
				if _, err := st.Find(t.Context(), "user", fmt.Sprint(i)); !errors.Is(err, store.ErrRevoked) {
					t.Errorf("session %d, whose revocation was answered: %v", i, err)
				}
				if fmt.Sprint(i) == last {
					break
				}
			}
		})
	}
}

package store_test

import (
	"context"
	"errors"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/revoke-sessions/revoke/internal/redistest"
	"github.com/revoke-sessions/revoke/store"
)

// impatient returns a store that gives up soon.
func impatient(pool store.Pool) *store.Redis {
	st := store.NewRedis(pool)
	st.Timeout = 200 * time.Millisecond
	return st
}

// wantFailures calls every method, all at once, and checks that each ends in time
// with an error that says that the store failed. "In time" has to do on a machine
// that is busy with other things.
func wantFailures(t *testing.T, ctx context.Context, st store.Store) {
	t.Helper()
	var wg sync.WaitGroup
	for _, m := range methods {
		wg.Go(func() {
			start := time.Now()
			wantFailure(t, m.name, m.call(ctx, st))
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("%s took %v", m.name, took)
			}
		})
	}
	wg.Wait()
}

func wantFailure(t *testing.T, call string, err error) {
	t.Helper()
	if err == nil {
		t.Errorf("%s returned no error", call)
	} else if !strings.HasPrefix(err.Error(), "store: ") {
		t.Errorf("%s returned the error %q, which does not say what failed", call, err)
	}
	for _, answer := range []error{store.ErrNotFound, store.ErrRevoked, store.ErrStale, store.ErrExists, store.ErrActorRevoked} {
		if errors.Is(err, answer) {
			t.Errorf("%s returned the error %q, which is an answer", call, err)
		}
	}
}

// wantWorks checks that every method works, after at most so many failures.
func wantWorks(t *testing.T, pool store.Pool, failures int) {
	t.Helper()
	st := patient(pool)
	for _, m := range methods {
		err := m.call(t.Context(), st)
		for ; err != nil && failures > 0; failures-- {
			err = m.call(t.Context(), st)
		}
		if err != nil {
			t.Errorf("%s does not work again: %v", m.name, err)
		}
	}
}

func TestRedisDown(t *testing.T) {
	server := redistest.Start(t)
	pool := server.Pool()
	st := impatient(pool)
	wantWorks(t, pool, 0)
	server.Kill()
	wantFailures(t, t.Context(), st)
	server.Restart()
	wantWorks(t, pool, pool.IdleCount())
}

func TestRedisRestartsBetweenCalls(t *testing.T) {
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	pool := server.Pool()
	st := patient(pool)
	var conns []redis.Conn
	for range 5 {
		conns = append(conns, pool.Get())
		must(conns[len(conns)-1].Do("PING"))
	}
	for _, conn := range conns {
		conn.Close()
	}
	r := record("user", "a")
	must(st.Create(t.Context(), r, store.Limit{}))
	must(st.Create(t.Context(), record("user", "b"), store.Limit{}))
	must(st.Revoke(t.Context(), "user", "b", store.Revocation{}))
	server.Restart()

	stale := pool.IdleCount() // each fails once
	for ; stale > 0; stale-- {
		if _, err := st.List(t.Context(), "user"); err == nil {
			break
		}
	}
	if !server.Real {
		must(st.List(t.Context(), "user"))
		return // miniredis has forgotten
	}
	if got := must(st.Find(t.Context(), "user", "a")); got.Secret != r.Secret {
		t.Error("a session is another after a restart")
	}
	if _, err := st.Find(t.Context(), "user", "b"); !errors.Is(err, store.ErrRevoked) {
		t.Errorf("Find of a session revoked before the restart: %v", err)
	}
	wantWorks(t, pool, 0)
}

func TestRedisForgetsItsScripts(t *testing.T) {
	server := redistest.Start(t)
	st := patient(server.Pool())
	for _, m := range methods {
		server.Do("SCRIPT", "FLUSH")
		check(m.call(t.Context(), st))
	}
}

func TestRedisOutOfMemory(t *testing.T) {
	server := redistest.Start(t)
	server.NeedReal(t)
	ctx := t.Context()
	pool := server.Pool()
	st := patient(pool)
	a, b, c, d := record("user", "a"), record("user", "b"), record("user", "c"), record("user", "d")
	for _, r := range []store.Record{a, b, c, d} {
		must(st.Create(ctx, r, store.Limit{}))
	}
	before := must(redis.StringMap(server.Do("HGETALL", "revoke:user"), nil))
	server.Do("CONFIG", "SET", "maxmemory", 1)

	_, err := st.Create(ctx, record("user", "new"), store.Limit{})
	wantFailure(t, "Create", err)
	_, err = st.Create(ctx, record("user", "new"), store.Limit{Max: 1})
	wantFailure(t, "Create with a limit", err)
	renewed := a
	renewed.Secret, renewed.Data = store.HashSecret("another"), nil
	wantFailure(t, "Update", st.Update(ctx, renewed, a.Secret))
	wantFailure(t, "Touch", st.Touch(ctx, "user", "a", store.Touch{SeenAt: time.Now().Add(time.Minute), Client: []byte("another")}))
	if after := must(redis.StringMap(server.Do("HGETALL", "revoke:user"), nil)); !maps.Equal(before, after) {
		t.Fatalf("calls that failed have left\n%q of\n%q", after, before)
	}

	if list := must(st.List(ctx, "user")); len(list) != 4 {
		t.Errorf("List returned %d sessions of 4", len(list))
	}
	must(st.Find(ctx, "user", "a"))
	must(st.Revoke(ctx, "user", "b", store.Revocation{By: "a", Reason: "a reason"}))
	if got, err := st.Find(ctx, "user", "b"); !errors.Is(err, store.ErrRevoked) || got.Revoked.Reason != "a reason" {
		t.Errorf("Find of a session that was revoked meanwhile: %v", err)
	}
	if revoked := must(st.RevokeAll(ctx, "user", "a", store.Revocation{By: "a"})); len(revoked) != 2 {
		t.Errorf("RevokeAll revoked %d sessions of 2", len(revoked))
	}
	if _, err := st.Find(ctx, "user", "c"); !errors.Is(err, store.ErrRevoked) {
		t.Errorf("Find of a session that was revoked meanwhile: %v", err)
	}
	must(st.RevokeAll(ctx, "nobody", "", store.Revocation{Reason: "a reset"}))
	check(st.RevokeEveryone(ctx))
	if at := must(st.RevokedEveryone(ctx)); time.Since(at).Abs() > time.Minute {
		t.Errorf("everyone was revoked at %v", at)
	}
	server.Do("CONFIG", "SET", "maxmemory", 0)
	wantWorks(t, pool, 0)
}

func TestRedisReadOnly(t *testing.T) {
	server := redistest.Start(t)
	server.NeedReal(t)
	ctx := t.Context()
	pool := server.Pool()
	st := patient(pool)
	must(st.Create(ctx, record("user", "0"), store.Limit{}))
	server.Do("REPLICAOF", "127.0.0.1", "1")
	for _, m := range methods {
		if err := m.call(ctx, st); m.name == "Find" || m.name == "List" {
			check(err)
		} else if m.name != "Create with a limit" || err != nil {
			wantFailure(t, m.name, err)
		}
	}
	server.Do("REPLICAOF", "NO", "ONE")
	must(st.Find(ctx, "user", "0"))
	wantWorks(t, pool, 0)
}

package store_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/revoke-sessions/revoke/internal/redistest"
	"github.com/revoke-sessions/revoke/store"
)

func TestRedisTellsOfReplicasThatDoNotKnow(t *testing.T) {
	t.Parallel()
	for name, end := range endings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			primary, _, link := severed(t)
			st := replicated(primary.Pool(), 1)
			st.Timeout = time.Second
			for _, attempt := range []string{"first", "second"} {
				start := time.Now()
				err := end(t.Context(), st)
				if !errors.Is(err, store.ErrNotReplicated) {
					t.Fatalf("the %s attempt returned the error %v", attempt, err)
				}
				if took := time.Since(start); took < 400*time.Millisecond {
					t.Errorf("the %s attempt took %v, of half a second", attempt, took)
				}
				if _, err := st.Find(t.Context(), "user", "7"); err == nil {
					t.Fatal("the session is live on the primary")
				}
			}
			link.Heal()
			st.Timeout = time.Minute
			if err := but(end(t.Context(), st), store.ErrNotFound); err != nil || errors.Is(err, store.ErrNotReplicated) {
				t.Fatalf("when the replica is back, an attempt returned the error %v", err)
			}
		})
	}
}

func TestRedisReturnsWhatHasEndedAndIsNotReplicated(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	primary, _, link := severed(t)
	st := replicated(primary.Pool(), 1)
	st.Timeout = 2 * time.Second
	late := func(call string, err error) {
		t.Helper()
		if !errors.Is(err, store.ErrNotReplicated) {
			t.Errorf("%s returned the error %v", call, err)
		}
	}
	for name, st := range map[string]store.Store{"1": st, "2": must(store.Encrypt(st, must(store.AESGCM("key", make([]byte, 32)))))} {
		r, err := st.Revoke(ctx, "user", name, store.Revocation{})
		late("Revoke", err)
		if r.ID != name || r.Secret != store.HashSecret(name) {
			t.Errorf("Revoke returned the session %+v", r)
		}
		r, err = st.Revoke(ctx, "user", name, store.Revocation{})
		late("Revoke of a tombstone", err)
		if errors.Is(err, store.ErrNotFound) || r.ID != "" {
			t.Errorf("Revoke of a tombstone returned %+v and the error %v", r, err)
		}
	}
	for _, id := range []string{"unknown", "s:3"} {
		_, err := st.Revoke(ctx, "user", id, store.Revocation{})
		late("Revoke of a session that may never have been", err)
	}
	_, err := st.Revoke(ctx, "user", "3", store.Revocation{By: "1"})
	late("Revoke by a revoked session", err)
	_, err = st.RevokeAll(ctx, "user", "3", store.Revocation{By: "1"})
	late("RevokeAll by a revoked session", err)
	_, err = st.Revoke(ctx, "nobody", "3", store.Revocation{})
	late("Revoke of a user who has nothing", err)
	revoked, err := st.RevokeAll(ctx, "user", "5", store.Revocation{})
	late("RevokeAll", err)
	if len(revoked) != 6 {
		t.Errorf("RevokeAll returned %d sessions of 6", len(revoked))
	}
	if _, err := st.Create(ctx, record("user", "new"), store.Limit{Max: 1}); err != nil {
		t.Errorf("Create that evicts, and waits for nobody, returned the error %v", err)
	}
	link.Heal()
	st.Timeout = time.Minute
	if _, err := st.Revoke(ctx, "user", "1", store.Revocation{}); err != store.ErrNotFound {
		t.Errorf("Revoke of a tombstone that the replica has returned the error %v", err)
	}
	if _, err := st.Revoke(ctx, "user", "new", store.Revocation{By: "1"}); err != store.ErrActorRevoked {
		t.Errorf("Revoke by a revoked session returned the error %v", err)
	}
	if revoked, err := st.RevokeAll(ctx, "user", "new", store.Revocation{}); err != nil || len(revoked) != 0 {
		t.Errorf("RevokeAll when the replica has all returned %v and the error %v", revoked, err)
	}
}

// What is not found may have been revoked, its tombstone be forgotten, and replicas
// know nothing of that: so no answer is certain before they have all.
func TestRedisNotFoundIsCertain(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	forgotten := func(quick *store.Redis) error {
		for i := range store.MaxTombstones + 1 {
			id := fmt.Sprint("more ", i)
			if _, err := quick.Create(ctx, record("user", id), store.Limit{}); err != nil {
				return err
			}
			if _, err := quick.Revoke(ctx, "user", id, store.Revocation{}); err != nil {
				return err
			}
		}
		return nil
	}
	for name, end := range map[string]func(st, quick *store.Redis) error{
		"its tombstone is forgotten": func(st, quick *store.Redis) error {
			_, err := st.Revoke(ctx, "user", "7", store.Revocation{})
			check(forgotten(quick))
			return err
		},
		"everyone was revoked": func(st, _ *store.Redis) error { return st.RevokeEveryone(ctx) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			primary, replica, link := severed(t)
			st := replicated(primary.Pool(), 1)
			st.Timeout = 2 * time.Second // each call waits for the replica in vain
			if err := end(st, patient(primary.Pool())); !errors.Is(err, store.ErrNotReplicated) {
				t.Fatalf("the first attempt returned the error %v", err)
			}
			for call, again := range map[string]func() error{
				"Revoke":              func() error { _, err := st.Revoke(ctx, "user", "7", store.Revocation{}); return err },
				"Revoke by a session": func() error { _, err := st.Revoke(ctx, "user", "8", store.Revocation{By: "7"}); return err },
				"RevokeAll":           func() error { _, err := st.RevokeAll(ctx, "user", "", store.Revocation{}); return err },
				"RevokeEveryone":      func() error { return st.RevokeEveryone(ctx) },
			} {
				err := again()
				if !errors.Is(err, store.ErrNotReplicated) || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrActorRevoked) {
					t.Errorf("%s returned the error %v, and the replica has not heard of anything", call, err)
				}
			}
			link.Heal()
			st.Timeout = time.Minute
			if _, err := st.Revoke(ctx, "user", "7", store.Revocation{}); err != store.ErrNotFound {
				t.Errorf("Revoke when the replica is back returned the error %v", err)
			}
			primary.Kill()
			replica.Promote()
			if _, err := patient(replica.Pool()).Find(ctx, "user", "7"); err == nil {
				t.Error("a session that was said to be gone is live on the replica")
			}
		})
	}
}

// A connection waits for what it wrote itself, since Redis 7.2 for no more: so a call
// that finds nothing has to write something, also on a node that has nothing.
func TestRedisWritesWhatItCanWaitFor(t *testing.T) {
	ctx := t.Context()
	primary := redistest.Start(t)
	primary.StartReplica(t, nil)
	st := replicated(primary.Pool(), 1)
	written := func() string { // how often
		t.Helper()
		_, after, _ := strings.Cut(must(redis.String(primary.Do("INFO", "commandstats"), nil)), "cmdstat_hset:")
		calls, _, _ := strings.Cut(after, ",")
		return calls
	}
	for _, full := range []bool{false, true} {
		if full {
			must(st.Create(ctx, record("user", "a"), store.Limit{}))
		}
		for name, call := range map[string]func() error{
			"Revoke":                  func() error { _, err := st.Revoke(ctx, "user", "unknown", store.Revocation{}); return err },
			"Revoke by no session":    func() error { _, err := st.Revoke(ctx, "user", "a", store.Revocation{By: "b"}); return err },
			"RevokeAll by no session": func() error { _, err := st.RevokeAll(ctx, "user", "", store.Revocation{By: "b"}); return err },
			"RevokeEveryone":          func() error { return store.Confirm(ctx, st) },
		} {
			before := written()
			check(but(call(), store.ErrNotFound, store.ErrActorRevoked))
			if written() == before {
				t.Errorf("%s wrote nothing", name)
			}
		}
		if keys := must(redis.Strings(primary.Do("KEYS", "*"), nil)); !full && len(keys) > 0 {
			t.Errorf("%q are left of nothing", keys)
		}
	}
}

func TestRedisRepeatsNothingWhileItLacksMemory(t *testing.T) {
	primary, _, link := severed(t)
	st := replicated(primary.Pool(), 1)
	link.Heal()
	must(st.Revoke(t.Context(), "user", "1", store.Revocation{}))
	ttl := must(redis.Int64(primary.Do("PTTL", "revoke:user"), nil))
	primary.Do("CONFIG", "SET", "maxmemory", 1)
	if _, err := st.Revoke(t.Context(), "user", "1", store.Revocation{}); err != store.ErrNotFound {
		t.Errorf("Revoke of a tombstone returned the error %v", err)
	}
	if now := must(redis.Int64(primary.Do("PTTL", "revoke:user"), nil)); now > ttl || now < ttl-60_000 {
		t.Errorf("the key was to last %d ms, and now %d", ttl, now)
	}
}

func TestRedisWaitsInTheSameRoundTrip(t *testing.T) {
	primary := redistest.Start(t)
	primary.StartReplica(t, nil)
	proxy := redistest.NewProxy(t, primary)
	st := replicated(proxy.Pool(), 1)
	for _, name := range []string{"Revoke", "RevokeAll"} {
		end := endings[name]
		for _, want := range [][]string{{"EVALSHA", "WAIT", "EVAL", "WAIT"}, {"EVALSHA", "WAIT"}} {
			for id := range 10 {
				must(st.Create(t.Context(), record("user", fmt.Sprint(id)), store.Limit{}))
			}
			if len(want) > 2 {
				primary.Do("SCRIPT", "FLUSH")
			}
			trips, commands := proxy.Count(func() { check(end(t.Context(), st)) })
			if trips != len(want)/2 || !slices.Equal(commands, want) {
				t.Errorf("%s took %d round trips, with %q, want %q", name, trips, commands, want)
			}
			check(st.RevokeEveryone(t.Context()))
		}
	}
}

// A primary that dies while it waits for replicas has revoked.
func TestRedisDiesWhileItWaits(t *testing.T) {
	primary, _, _ := severed(t)
	st := replicated(primary.Pool(), 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		r, err := st.Revoke(t.Context(), "user", "7", store.Revocation{})
		if !errors.Is(err, store.ErrNotReplicated) || r.ID != "7" {
			t.Errorf("Revoke returned %+v and the error %v", r, err)
		}
	}()
	time.Sleep(100 * time.Millisecond)
	primary.Kill()
	<-done
}

func BenchmarkRedisReplicas(b *testing.B) {
	primary := redistest.Start(b)
	primary.StartReplica(b, nil)
	pool := primary.Pool()
	for n := range 2 {
		b.Run(fmt.Sprint("replicas=", n), func(b *testing.B) {
			st := replicated(pool, n)
			next := 0
			for b.Loop() {
				b.StopTimer()
				id := fmt.Sprintf("session-%d-%d", n, next)
				next++
				must(st.Create(b.Context(), record("user", id), store.Limit{}))
				b.StartTimer()
				must(st.Revoke(b.Context(), "user", id, store.Revocation{}))
			}
		})
	}
}

package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/revoke-sessions/revoke/internal/redistest"
	"github.com/revoke-sessions/revoke/store"
)

func TestRedisManySessions(t *testing.T) {
	ctx := t.Context()
	server := redistest.Start(t)
	st := patient(server.Pool())
	const many = 2600
	fill(t, server, st, "user", many)
	if list := must(st.List(ctx, "user")); len(list) != many {
		t.Fatalf("List returned %d sessions of %d", len(list), many)
	}
	if evicted := must(st.Create(ctx, record("user", "new"), store.Limit{Max: 1300})); len(evicted) != many+1-1300 {
		t.Fatalf("Create evicted %d sessions", len(evicted))
	}
	if revoked := must(st.RevokeAll(ctx, "user", "new", store.Revocation{By: "new"})); len(revoked) != 1299 {
		t.Fatalf("RevokeAll revoked %d sessions", len(revoked))
	}
	if n := must(redis.Int(server.Do("HLEN", "revoke:user"), nil)); n != 2+store.MaxTombstones+3 { // mark, count and order
		t.Fatalf("a session and its tombstones take %d fields", n)
	}
}

func TestRedisTakesOneRoundTrip(t *testing.T) {
	for _, n := range []int{1, 1000} {
		t.Run(fmt.Sprintf("with %d sessions", n), func(t *testing.T) {
			server := redistest.Start(t)
			proxy := redistest.NewProxy(t, server)
			st := patient(proxy.Pool())
			for _, m := range methods {
				check(m.call(t.Context(), st)) // from then on Redis knows the script
			}
			server.Do("FLUSHALL")
			fill(t, server, st, "user", n)
			for _, m := range methods[:len(methods)-1] {
				trips, commands := proxy.Count(func() { check(m.call(t.Context(), st)) })
				if trips != 1 || len(commands) != 1 {
					t.Errorf("%s took %d round trips: %q", m.name, trips, commands)
				}
			}
		})
	}
}

// methods calls each once, with success whatever is in the store.
var methods = []struct {
	name string
	call func(ctx context.Context, st store.Store) error
}{
	{"Find", func(ctx context.Context, st store.Store) error {
		_, err := st.Find(ctx, "user", "0")
		return but(err, store.ErrNotFound, store.ErrRevoked)
	}},
	{"List", func(ctx context.Context, st store.Store) error {
		_, err := st.List(ctx, "user")
		return err
	}},
	{"Create", func(ctx context.Context, st store.Store) error {
		_, err := st.Create(ctx, record("user", "created"), store.Limit{})
		return but(err, store.ErrExists, store.ErrRevoked)
	}},
	{"Create with a limit", func(ctx context.Context, st store.Store) error {
		_, err := st.Create(ctx, record("user", "limited"), store.Limit{Max: 500})
		return but(err, store.ErrExists, store.ErrRevoked)
	}},
	{"Update", func(ctx context.Context, st store.Store) error {
		return but(st.Update(ctx, record("user", "0"), record("user", "0").Secret), store.ErrNotFound, store.ErrRevoked)
	}},
	{"Touch", func(ctx context.Context, st store.Store) error {
		return but(st.Touch(ctx, "user", "0", store.Touch{SeenAt: time.Now()}), store.ErrNotFound, store.ErrRevoked)
	}},
	{"Revoke", func(ctx context.Context, st store.Store) error {
		_, err := st.Revoke(ctx, "user", "0", store.Revocation{})
		return but(err, store.ErrNotFound)
	}},
	{"RevokeAll", func(ctx context.Context, st store.Store) error {
		_, err := st.RevokeAll(ctx, "user", "created", store.Revocation{})
		return err
	}},
	{"RevokeEveryone", func(ctx context.Context, st store.Store) error {
		return st.RevokeEveryone(ctx)
	}},
}

func but(err error, allowed ...error) error {
	for _, a := range allowed {
		if errors.Is(err, a) {
			return nil
		}
	}
	return err
}

func BenchmarkRedis(b *testing.B) {
	server := redistest.Start(b)
	server.NeedReal(b)
	pool := server.Pool()
	st := patient(pool)
	server.Do("SET", "bytes", make([]byte, 200))
	bare := func(b *testing.B) {
		for b.Loop() {
			conn := pool.Get()
			must(redis.DoWithTimeout(conn, time.Second, "GET", "bytes"))
			conn.Close()
		}
	}
	b.Run("GET", bare)
	for _, n := range []int{1, 100_000} {
		b.Run(fmt.Sprint("sessions=", n), func(b *testing.B) {
			ctx := b.Context()
			server.Do("FLUSHALL")
			fill(b, server, st, "user", n)
			next := 0
			create := func() string {
				next++
				id := fmt.Sprintf("session-%014d", next)
				must(st.Create(ctx, record("user", id), store.Limit{}))
				return id
			}
			r := record("user", "0")
			for _, op := range []struct {
				name string
				call func()
			}{
				{"Find", func() { must(st.Find(ctx, "user", "0")) }},
				{"Update", func() { check(st.Update(ctx, r, r.Secret)) }},
				{"Touch", func() {
					check(st.Touch(ctx, "user", "0", store.Touch{SeenAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour)}))
				}},
				{"CreateAndRevoke", func() { must(st.Revoke(ctx, "user", create(), store.Revocation{})) }},
				{"Create", func() { create() }},
			} {
				b.Run(op.name, func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						op.call()
					}
				})
			}
			server.Do("FLUSHALL")
			fill(b, server, st, "user", n)
			b.Run("List", func(b *testing.B) {
				for b.Loop() {
					if list := must(st.List(ctx, "user")); len(list) != n {
						b.Fatalf("List returned %d sessions of %d", len(list), n)
					}
				}
			})
		})
	}
	for _, n := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprint("RevokeAll=", n), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				server.Do("FLUSHALL")
				fill(b, server, st, "user", n)
				b.StartTimer()
				if revoked := must(st.RevokeAll(b.Context(), "user", "", store.Revocation{})); len(revoked) != n {
					b.Fatalf("RevokeAll returned %d sessions of %d", len(revoked), n)
				}
			}
		})
	}
	b.Run("GET again", bare)
}

package faults

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/internal/redistest"
	"github.com/revoke-sessions/revoke/internal/testapp"
	"github.com/revoke-sessions/revoke/store"
)

// TestRedisFaults shows what a fault of Redis costs: the requests made while it
// lasts fail, closed and in time, and everything works again afterwards.
func TestRedisFaults(t *testing.T) {
	var held redis.Conn
	faults := []struct {
		name string
		real bool
		cut  func(*redistest.Server, *redis.Pool)
		mend func(*redistest.Server, *redis.Pool)
		lost bool // the sessions are gone, as Redis kept nothing on disk
	}{
		{"down", false, func(r *redistest.Server, _ *redis.Pool) { r.Stop() }, func(r *redistest.Server, _ *redis.Pool) { r.Restart() }, true},
		{"stalled", true, func(r *redistest.Server, _ *redis.Pool) { r.Pause() }, func(r *redistest.Server, _ *redis.Pool) { r.Resume() }, false},
		{"pool exhausted", false, func(_ *redistest.Server, p *redis.Pool) {
			p.MaxActive = 1
			held = p.Get()
		}, func(_ *redistest.Server, p *redis.Pool) { held.Close() }, false},
	}
	for _, fault := range faults {
		t.Run(fault.name, func(t *testing.T) {
			redisServer := redistest.Start(t)
			if fault.real {
				redisServer.NeedReal(t)
			}
			pool := redisServer.Pool()
			st := store.NewRedis(pool)
			st.Timeout = 20 * time.Second
			app := testapp.New(t, st)
			b, other := app.SignedIn(t, "ann"), app.SignedIn(t, "ann")
			cookie := b.Cookie

			fault.cut(redisServer, pool)
			st.Timeout = 300 * time.Millisecond // only here: it must not fail what is to succeed
			began := time.Now()
			for _, request := range []struct{ method, path string }{
				{"GET", "/me"}, {"GET", testapp.APIPath}, {"DELETE", testapp.APIPath}, {"DELETE", testapp.APIPath + "/" + other.ID()}, {"POST", "/logout"},
			} {
				got := b.Do(request.method, request.path)
				if got.Status != http.StatusServiceUnavailable || got.Code(t) != "store_unavailable" {
					t.Errorf("%s %s: %d %q", request.method, request.path, got.Status, got.Body)
				}
				if strings.Contains(got.Body, "redis") || strings.Contains(got.Body, "dial") || strings.Contains(got.Body, "127.0.0.1") {
					t.Errorf("%s %s tells of the inside: %q", request.method, request.path, got.Body)
				}
			}
			visitor := app.Browser(t)
			if got := visitor.Post("/login?user=ann"); got.Status != http.StatusServiceUnavailable || visitor.Cookie != "" {
				t.Errorf("sign-in: %d %q", got.Status, got.Body)
			}
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("six requests took %v", took)
			}
			if b.Cookie != cookie {
				t.Errorf("a fault took the cookie: now %q", b.Cookie)
			}
			if app.Log.Count(revoke.StoreFailed) != 6 {
				t.Errorf("%d failures logged, want 6:\n%s", app.Log.Count(revoke.StoreFailed), app.Log)
			}

			fault.mend(redisServer, pool)
			st.Timeout = 20 * time.Second
			if fault.lost {
				app.SignedIn(t, "ann") // at most the stale connections of the pool fail
				return
			}
			for tries := 0; b.Get("/me").Status != http.StatusOK; tries++ {
				if tries == 10 {
					t.Fatal("does not work again")
				}
			}
			if got := b.Delete(testapp.APIPath); got.Status != http.StatusOK {
				t.Errorf("revoking again: %d %s", got.Status, got.Body)
			}
		})
	}
}

func TestRedisOutOfMemory(t *testing.T) {
	redisServer := redistest.Start(t)
	redisServer.NeedReal(t)
	app := testapp.New(t, store.NewRedis(redisServer.Pool()))
	app.Handle("POST /put", func(w http.ResponseWriter, r *http.Request) {
		app.SCS.Put(r.Context(), "cart", "book")
		io.WriteString(w, "saved")
	})
	b, other := app.SignedIn(t, "ann"), app.SignedIn(t, "ann")
	redisServer.Do("CONFIG", "SET", "maxmemory", "1")
	if got := b.Post("/put"); got.Status != http.StatusServiceUnavailable || strings.Contains(got.Body, "saved") {
		t.Errorf("a write that was lost was answered with %d %q", got.Status, got.Body)
	}
	if got := b.Get("/me"); got.Body != "ann" {
		t.Errorf("reading: %d %q", got.Status, got.Body)
	}
	if got := b.Delete(testapp.APIPath + "/" + other.ID()); got.Status != http.StatusOK {
		t.Errorf("revoking: %d %q", got.Status, got.Body)
	}
	if got := other.Get("/me"); got.Status != http.StatusUnauthorized {
		t.Errorf("the revoked session: %d", got.Status)
	}
	redisServer.Do("CONFIG", "SET", "maxmemory", "0")
	if got := b.Post("/put"); got.Body != "saved" {
		t.Errorf("with memory again: %d %q", got.Status, got.Body)
	}
}

func TestRedisForgetsScripts(t *testing.T) {
	redisServer := redistest.Start(t)
	app := testapp.New(t, store.NewRedis(redisServer.Pool()))
	b := app.SignedIn(t, "ann")
	redisServer.Do("SCRIPT", "FLUSH")
	if got := b.Delete(testapp.APIPath); got.Status != http.StatusOK {
		t.Errorf("%d %s", got.Status, got.Body)
	}
}

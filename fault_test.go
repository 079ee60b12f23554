package revoke_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/internal/redistest"
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
			st.Timeout = 300 * time.Millisecond
			s := newServer(t, st)
			b, other := s.signedIn(t, "ann"), s.signedIn(t, "ann")
			cookie := b.cookie

			fault.cut(redisServer, pool)
			began := time.Now()
			for _, request := range []struct{ method, path string }{
				{"GET", "/me"}, {"GET", apiPath}, {"DELETE", apiPath}, {"DELETE", apiPath + "/" + other.id()}, {"POST", "/logout"},
			} {
				got := b.do(request.method, request.path)
				if got.status != http.StatusServiceUnavailable || problemCode(t, got) != "store_unavailable" {
					t.Errorf("%s %s: %d %q", request.method, request.path, got.status, got.body)
				}
				if strings.Contains(got.body, "redis") || strings.Contains(got.body, "dial") || strings.Contains(got.body, "127.0.0.1") {
					t.Errorf("%s %s tells of the inside: %q", request.method, request.path, got.body)
				}
			}
			visitor := s.browser(t)
			if got := visitor.post("/login?user=ann"); got.status != http.StatusServiceUnavailable || visitor.cookie != "" {
				t.Errorf("sign-in: %d %q", got.status, got.body)
			}
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("six requests took %v", took)
			}
			if b.cookie != cookie {
				t.Errorf("a fault took the cookie: now %q", b.cookie)
			}
			if s.log.count(revoke.StoreFailed) != 6 {
				t.Errorf("%d failures logged, want 6:\n%s", s.log.count(revoke.StoreFailed), s.log)
			}

			fault.mend(redisServer, pool)
			if fault.lost {
				s.signedIn(t, "ann") // at most the stale connections of the pool fail
				return
			}
			deadline := time.Now().Add(5 * time.Second)
			for b.get("/me").status != http.StatusOK {
				if time.Now().After(deadline) {
					t.Fatal("does not work again")
				}
			}
			if got := b.delete(apiPath); got.status != http.StatusOK {
				t.Errorf("revoking again: %d %s", got.status, got.body)
			}
		})
	}
}

func TestRedisOutOfMemory(t *testing.T) {
	redisServer := redistest.Start(t)
	redisServer.NeedReal(t)
	s := newServer(t, store.NewRedis(redisServer.Pool()), func(s *server) {
		s.handle("POST /put", func(w http.ResponseWriter, r *http.Request) {
			s.sm.Put(r.Context(), "cart", "book")
			io.WriteString(w, "saved")
		})
	})
	b, other := s.signedIn(t, "ann"), s.signedIn(t, "ann")
	redisServer.Do("CONFIG", "SET", "maxmemory", "1")
	if got := b.post("/put"); got.status != http.StatusServiceUnavailable || strings.Contains(got.body, "saved") {
		t.Errorf("a write that was lost was answered with %d %q", got.status, got.body)
	}
	if got := b.get("/me"); got.body != "ann" {
		t.Errorf("reading: %d %q", got.status, got.body)
	}
	if got := b.delete(apiPath + "/" + other.id()); got.status != http.StatusOK {
		t.Errorf("revoking: %d %q", got.status, got.body)
	}
	if got := other.get("/me"); got.status != http.StatusUnauthorized {
		t.Errorf("the revoked session: %d", got.status)
	}
	redisServer.Do("CONFIG", "SET", "maxmemory", "0")
	if got := b.post("/put"); got.body != "saved" {
		t.Errorf("with memory again: %d %q", got.status, got.body)
	}
}

func TestRedisForgetsScripts(t *testing.T) {
	redisServer := redistest.Start(t)
	s := newServer(t, store.NewRedis(redisServer.Pool()))
	b := s.signedIn(t, "ann")
	redisServer.Do("SCRIPT", "FLUSH")
	if got := b.delete(apiPath); got.status != http.StatusOK {
		t.Errorf("%d %s", got.status, got.body)
	}
}

// failingStore fails as a store that cannot be reached.
type failingStore struct {
	store.Store
	fail func(method string) bool
}

var errDown = errors.New("the store is down")

func (f *failingStore) Create(ctx context.Context, r store.Record, limit store.Limit) ([]store.Record, error) {
	if f.fail("Create") {
		return nil, errDown
	}
	return f.Store.Create(ctx, r, limit)
}

func (f *failingStore) Find(ctx context.Context, user, id string) (store.Record, error) {
	if f.fail("Find") {
		return store.Record{}, errDown
	}
	return f.Store.Find(ctx, user, id)
}

func (f *failingStore) Touch(ctx context.Context, user, id string, t store.Touch) error {
	if f.fail("Touch") {
		return errDown
	}
	return f.Store.Touch(ctx, user, id, t)
}

func (f *failingStore) Revoke(ctx context.Context, user, id string, why store.Revocation) (store.Record, error) {
	if f.fail("Revoke") {
		return store.Record{}, errDown
	}
	return f.Store.Revoke(ctx, user, id, why)
}

// TestFailureAfterAdoption shows that a store that fails just after it has adopted
// a session does not keep its new cookie from the browser.
func TestFailureAfterAdoption(t *testing.T) {
	var finds int
	s := newServer(t, &failingStore{Store: store.NewMemory(), fail: func(m string) bool {
		if m == "Find" {
			finds++
		}
		return m == "Find" && finds == 2
	}})
	b := s.browser(t)
	b.s = newPlainServer(t, s)
	b.post("/login?user=ann")
	b.s = s
	old := b.cookie
	if got := b.get("/me"); got.body != "ann" || b.cookie == old || s.log.count(revoke.StoreFailed) != 1 {
		t.Errorf("%d %q, cookie %q after %d look-ups:\n%s", got.status, got.body, b.cookie, finds, s.log)
	}
	if got := b.get("/me"); got.body != "ann" {
		t.Errorf("afterwards: %d %q", got.status, got.body)
	}
}

// TestFailedSignInLeavesTheVisitor shows that a sign-in that cannot be stored
// costs the visitor nothing.
func TestFailedSignInLeavesTheVisitor(t *testing.T) {
	failing := &failingStore{Store: store.NewMemory(), fail: func(m string) bool { return m == "Create" }}
	s := newServer(t, failing, func(s *server) {
		s.handle("POST /visit", func(w http.ResponseWriter, r *http.Request) { s.sm.Put(r.Context(), "cart", "book") })
		s.handle("GET /cart", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, s.sm.GetString(r.Context(), "cart")) })
	})
	b := s.browser(t)
	b.post("/visit")
	before := b.cookie
	if got := b.post("/login?user=ann"); got.status != http.StatusServiceUnavailable || strings.Contains(got.body, "in\n") {
		t.Errorf("%d %q", got.status, got.body)
	}
	if got := b.get("/cart"); b.cookie != before || got.body != "book" {
		t.Errorf("the visitor's session: cookie %q, cart %q", b.cookie, got.body)
	}
	failing.fail = func(string) bool { return false }
	if b.post("/login?user=ann"); b.get("/me").body != "ann" || b.get("/cart").body != "book" {
		t.Error("signing in again did not work")
	}
}

// TestFailedLogoutIsNotClaimed shows that nobody is told to be signed out who
// is not.
func TestFailedLogoutIsNotClaimed(t *testing.T) {
	failing := &failingStore{Store: store.NewMemory(), fail: func(m string) bool { return m == "Revoke" }}
	s := newServer(t, failing, func(s *server) {
		s.handle("POST /convenient", func(w http.ResponseWriter, r *http.Request) {
			if err := s.sessions.Logout(r.Context()); err == nil {
				t.Error("Logout claims what did not happen")
			}
		})
	})
	b := s.signedIn(t, "ann")
	if got := b.post("/logout"); got.status != http.StatusServiceUnavailable || got.body == "out" {
		t.Errorf("%d %q", got.status, got.body)
	}
	b.post("/convenient")
	if got := b.get("/me"); got.body != "ann" {
		t.Errorf("the session: %d %q", got.status, got.body)
	}
}

func TestFailedTouchCostsNothing(t *testing.T) {
	failing := &failingStore{Store: store.NewMemory(), fail: func(m string) bool { return m == "Touch" }}
	s := newServer(t, failing, func(s *server) { s.sessions.TouchInterval = 0 })
	b := s.signedIn(t, "ann")
	if got := b.get("/me"); got.body != "ann" || s.log.count(revoke.StoreFailed) != 1 {
		t.Errorf("%d %q, log %s", got.status, got.body, s.log)
	}
}

// TestHangUpDuringLogout shows that a client that does not wait for the answer
// is signed out all the same.
func TestHangUpDuringLogout(t *testing.T) {
	eachStore(t, func(t *testing.T, st store.Store) {
		s := newServer(t, st)
		for _, path := range []string{"/logout", apiPath} {
			b, other := s.signedIn(t, "ann"), s.signedIn(t, "ann")
			method := "POST"
			if path == apiPath {
				method = "DELETE"
			}
			ctx, hangUp := context.WithCancel(context.Background())
			r := httptest.NewRequest(method, path, nil).WithContext(ctx)
			r.AddCookie(&http.Cookie{Name: "session", Value: b.cookie})
			inner := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				hangUp()
				s.mux.ServeHTTP(w, r)
			})
			s.sessions.Track(inner).ServeHTTP(httptest.NewRecorder(), r)
			ended := b
			if path == apiPath {
				ended = other
			}
			if got := ended.get("/me"); got.status != http.StatusUnauthorized {
				t.Errorf("%s: the session lives: %d %q", path, got.status, got.body)
			}
		}
	})
}

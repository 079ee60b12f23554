package revoke_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/store"
)

// writesStore counts what is written for a session after it was created.
type writesStore struct {
	store.Store
	writes atomic.Int32
}

func (w *writesStore) Update(ctx context.Context, r store.Record, was store.Hash) error {
	w.writes.Add(1)
	return w.Store.Update(ctx, r, was)
}

func (w *writesStore) Touch(ctx context.Context, user, id string, t store.Touch) error {
	w.writes.Add(1)
	return w.Store.Touch(ctx, user, id, t)
}

// A clockedServer is an application whose time a test makes pass.
type clockedServer struct {
	sm       *scs.SessionManager
	sessions *revoke.Manager
	writes   *writesStore
	handler  http.Handler
}

func inBubble(t *testing.T, test func(t *testing.T, s *clockedServer)) {
	synctest.Test(t, func(t *testing.T) {
		s := &clockedServer{sm: newPlainManager(), writes: &writesStore{Store: store.NewMemory()}}
		s.sessions = revoke.New(s.sm, s.writes)
		s.handler = s.sessions.Track(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.URL.Path == "/login":
				s.sessions.Login(r.Context(), "ann")
				s.sm.RememberMe(r.Context(), r.URL.Query().Has("remember"))
			case r.URL.Path == "/remember":
				s.sm.RememberMe(r.Context(), true)
			case s.sm.GetString(r.Context(), "userID") == "":
				w.WriteHeader(http.StatusUnauthorized)
			}
		}))
		test(t, s)
	})
}

// newPlainManager is scs.New without the goroutine of its store, in a bubble.
func newPlainManager() *scs.SessionManager {
	sm := scs.New()
	synctest.Wait()
	sm.Store.(*memstore.MemStore).StopCleanup()
	sm.Store = memstore.NewWithCleanupInterval(0)
	return sm
}

// get returns whether the token opened the page, and the cookie that was set.
func (s *clockedServer) get(path, token, peer string) (ok bool, cookie *http.Cookie) {
	r := httptest.NewRequest("GET", path, nil)
	r.RemoteAddr = peer + ":1234"
	if token != "" {
		r.AddCookie(&http.Cookie{Name: s.sm.Cookie.Name, Value: token})
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		cookie = c
	}
	return w.Code == http.StatusOK, cookie
}

func (s *clockedServer) signIn(path string) (token string) {
	_, cookie := s.get(path, "", "192.0.2.1")
	return cookie.Value
}

func (s *clockedServer) opens(token string) bool {
	ok, _ := s.get("/", token, "192.0.2.1")
	return ok
}

func TestAbsoluteExpiry(t *testing.T) {
	inBubble(t, func(t *testing.T, s *clockedServer) {
		s.sm.Lifetime = 2 * time.Hour
		token := s.signIn("/login")
		for range 119 {
			time.Sleep(time.Minute)
			if !s.opens(token) {
				t.Fatal("expired early")
			}
		}
		time.Sleep(time.Minute)
		if s.opens(token) {
			t.Error("use has prolonged an absolute lifetime")
		}
		if left, _ := s.sessions.List(t.Context(), "ann"); len(left) != 0 {
			t.Errorf("an expired session is listed: %v", left)
		}
	})
}

func TestIdleExpiry(t *testing.T) {
	inBubble(t, func(t *testing.T, s *clockedServer) {
		s.sm.IdleTimeout = 20 * time.Minute
		token := s.signIn("/login")
		time.Sleep(59 * time.Second) // within the touch interval: not written
		if !s.opens(token) {
			t.Fatal("expired at once")
		}
		time.Sleep(20*time.Minute - time.Second)
		if !s.opens(token) {
			t.Error("a use that was not written did not count: the session expired early")
		}
		time.Sleep(20 * time.Minute)
		if !s.opens(token) {
			t.Error("expired at the very idle timeout")
		}
		time.Sleep(21 * time.Minute)
		if s.opens(token) {
			t.Error("an idle session is live beyond the idle timeout and a touch interval")
		}
	})
}

func TestIdleTimeoutShorterThanTouchInterval(t *testing.T) {
	inBubble(t, func(t *testing.T, s *clockedServer) {
		s.sm.IdleTimeout = 10 * time.Second
		token := s.signIn("/login")
		for range 20 {
			time.Sleep(9 * time.Second)
			if !s.opens(token) {
				t.Fatal("expired early")
			}
		}
		time.Sleep(15 * time.Second)
		if s.opens(token) {
			t.Error("an idle session is live after one and a half idle timeouts")
		}
	})
}

// TestReadsDoNotWrite counts the writes of an hour of reading once a second.
func TestReadsDoNotWrite(t *testing.T) {
	for name, idle := range map[string]time.Duration{"lifetime": 0, "idle timeout": 20 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *clockedServer) {
				s.sm.IdleTimeout = idle
				token := s.signIn("/login")
				for range 3600 {
					time.Sleep(time.Second)
					if !s.opens(token) {
						t.Fatal("expired")
					}
				}
				if got := s.writes.writes.Load(); got != 60 {
					t.Errorf("%d writes in an hour, want one a minute", got)
				}
			})
		})
	}
}

func TestAddressChangeIsTouchedAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, s *clockedServer) {
		token := s.signIn("/login")
		s.get("/", token, "198.51.100.7")
		sessions, _ := s.sessions.List(t.Context(), "ann")
		if got := sessions[0].IP.String(); got != "198.51.100.7" || s.writes.writes.Load() != 1 {
			t.Errorf("address %s after %d writes", got, s.writes.writes.Load())
		}
		s.get("/", token, "198.51.100.7")
		if got := s.writes.writes.Load(); got != 1 {
			t.Errorf("%d writes for one change of address", got)
		}
	})
}

func TestTombstonesEnd(t *testing.T) {
	inBubble(t, func(t *testing.T, s *clockedServer) {
		revokedErr := func(token string) bool {
			r := httptest.NewRequest("GET", "/", nil)
			r.AddCookie(&http.Cookie{Name: s.sm.Cookie.Name, Value: token})
			var err error
			s.sessions.Track(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				err = s.sessions.Err(r.Context())
			})).ServeHTTP(httptest.NewRecorder(), r)
			_, ok := err.(*revoke.RevokedError)
			return ok
		}
		for lifetime, want := range map[time.Duration]time.Duration{time.Hour: time.Hour, 30 * 24 * time.Hour: 24 * time.Hour} {
			s.sm.Lifetime = lifetime
			token := s.signIn("/login")
			if _, err := s.sessions.RevokeAll(t.Context(), "ann"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(want - time.Second)
			if !revokedErr(token) {
				t.Errorf("lifetime %v: the holder is not told a second before %v", lifetime, want)
			}
			time.Sleep(time.Second)
			if revokedErr(token) || s.opens(token) {
				t.Errorf("lifetime %v: a tombstone outlives %v", lifetime, want)
			}
		}
	})
}

// TestDeadlineBroughtForward shows that a session ends at the deadline in its
// data, even where a request that was under way has prolonged its record.
func TestDeadlineBroughtForward(t *testing.T) {
	inBubble(t, func(t *testing.T, s *clockedServer) {
		token := s.signIn("/login")
		h := s.sessions.Track(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.sm.SetDeadline(r.Context(), time.Now().Add(time.Minute))
		}))
		r := httptest.NewRequest("GET", "/", nil)
		r.AddCookie(&http.Cookie{Name: s.sm.Cookie.Name, Value: token})
		h.ServeHTTP(httptest.NewRecorder(), r)
		err := s.writes.Touch(t.Context(), token[:22], token[23:45], store.Touch{SeenAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if s.opens(token) {
			t.Error("the session is live after its deadline")
		}
	})
}

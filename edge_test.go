package revoke_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/store"
)

// TestDataOfAnotherUser shows that a session's data cannot come to name another
// user behind the back of the save step.
func TestDataOfAnotherUser(t *testing.T) {
	eachStore(t, func(t *testing.T, st store.Store) {
		s := newServer(t, st, func(s *server) {
			s.handle("POST /late", func(w http.ResponseWriter, r *http.Request) {
				http.NewResponseController(w).Flush()
				s.sm.Put(r.Context(), "userID", r.FormValue("user"))
				if _, _, err := s.sm.Commit(r.Context()); err == nil {
					t.Error("a late commit has changed the user")
				}
			})
		})
		b := s.signedIn(t, "ann")
		b.post("/late?user=bob")
		b.post("/late?user=")
		if got := b.get("/me"); got.body != "ann" {
			t.Errorf("the session is of %q", got.body)
		}
		s.sessions.UserIDKey = "accountID" // as a deployment might
		if got := b.get(apiPath); got.status != http.StatusUnauthorized {
			t.Errorf("a session whose data names nobody: %d %s", got.status, got.body)
		}
	})
}

// jsonCodec makes floats of integers, as JSON does.
type jsonCodec struct{}

func (jsonCodec) Encode(deadline time.Time, values map[string]any) ([]byte, error) {
	return json.Marshal(map[string]any{"deadline": deadline, "values": values})
}

func (jsonCodec) Decode(b []byte) (time.Time, map[string]any, error) {
	var v struct {
		Deadline time.Time
		Values   map[string]any
	}
	err := json.Unmarshal(b, &v)
	return v.Deadline, v.Values, err
}

func TestIntegersUnderJSON(t *testing.T) {
	s := newServer(t, store.NewMemory(), func(s *server) {
		s.sm.Codec = jsonCodec{}
		s.handle("POST /seven", func(w http.ResponseWriter, r *http.Request) { s.sm.Put(r.Context(), "userID", 7) })
	})
	b := s.browser(t)
	b.post("/seven")
	if got := b.get(apiPath); got.status != http.StatusOK || len(list(t, s, "7")) != 1 {
		t.Errorf("%d %s", got.status, got.body)
	}
}

// TestUserIDOfAnotherType shows that nobody is signed in without being tracked.
func TestUserIDOfAnotherType(t *testing.T) {
	for _, value := range []any{[]byte("ann"), 3.5, true} {
		s := newServer(t, store.NewMemory(), func(s *server) {
			s.handle("POST /put", func(w http.ResponseWriter, r *http.Request) { s.sm.Put(r.Context(), "userID", value) })
		})
		if got := s.browser(t).post("/put"); got.status != http.StatusInternalServerError {
			t.Errorf("%T: %d", value, got.status)
		}
	}
}

// TestRevokedActorStaysOverruled shows that a request whose session was revoked
// meanwhile revokes nobody, however often it tries.
func TestRevokedActorStaysOverruled(t *testing.T) {
	eachStore(t, func(t *testing.T, st store.Store) {
		var id, other string
		s := newServer(t, st, func(s *server) {
			s.handle("POST /bulk", func(w http.ResponseWriter, r *http.Request) {
				s.sessions.Revoke(context.Background(), "ann", id)
				for range 2 {
					if err := s.sessions.Revoke(r.Context(), "ann", other); !errors.Is(err, revoke.ErrRevoked) {
						t.Errorf("revoke one: %v", err)
					}
				}
				if _, err := s.sessions.RevokeAll(r.Context(), "ann"); !errors.Is(err, revoke.ErrRevoked) {
					t.Errorf("revoke all: %v", err)
				}
				// For another user the application answers.
				if ended, err := s.sessions.RevokeAll(r.Context(), "bob"); err != nil || len(ended) != 1 {
					t.Errorf("revoke all of another user: %v, %v", ended, err)
				}
			})
		})
		b, victim := s.signedIn(t, "ann"), s.signedIn(t, "ann")
		s.signedIn(t, "bob")
		id, other = b.id(), victim.id()
		b.post("/bulk")
		if victim.get("/me").status != http.StatusOK {
			t.Error("a revoked session has revoked another")
		}
	})
}

// TestRevokedDataGoesToNoOtherUser shows that a request whose session was
// revoked meanwhile cannot carry its data over to another user.
func TestRevokedDataGoesToNoOtherUser(t *testing.T) {
	s := newServer(t, store.NewMemory(), func(s *server) {
		s.handle("POST /rename", func(w http.ResponseWriter, r *http.Request) {
			s.sessions.RevokeAll(context.Background(), "ann")
			s.sm.Put(r.Context(), "userID", "anna")
		})
	})
	b := s.signedIn(t, "ann")
	b.post("/rename")
	if got := b.get("/me"); got.status != http.StatusUnauthorized || len(list(t, s, "anna")) != 0 {
		t.Errorf("%d %q", got.status, got.body)
	}
}

// onlyUnwrap is what many a logging middleware hands on.
type onlyUnwrap struct{ http.ResponseWriter }

func (o onlyUnwrap) Unwrap() http.ResponseWriter { return o.ResponseWriter }

func TestFlushThroughUnwrap(t *testing.T) {
	s := newServer(t, store.NewMemory(), func(s *server) {
		s.handle("POST /flush", func(w http.ResponseWriter, r *http.Request) {
			s.sessions.Login(r.Context(), "ann")
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Error(err)
			}
			io.WriteString(w, "whole")
		})
	})
	tracked := s.Config.Handler
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { tracked.ServeHTTP(onlyUnwrap{w}, r) })
	b := s.browser(t)
	if got := b.post("/flush"); got.body != "whole" || b.get("/me").body != "ann" {
		t.Errorf("%d %q, cookie %q", got.status, got.body, b.cookie)
	}
}

// TestDestroyAfterTheResponse shows that a session that a request has created or
// renewed can still be destroyed when its response is out.
func TestDestroyAfterTheResponse(t *testing.T) {
	for _, hashed := range []bool{false, true} {
		s := newServer(t, store.NewMemory(), func(s *server) {
			s.sm.HashTokenInStore = hashed
			s.handle("POST /inout", func(w http.ResponseWriter, r *http.Request) {
				s.sessions.Login(r.Context(), "ann")
				http.NewResponseController(w).Flush()
				if err := s.sm.Destroy(r.Context()); err != nil {
					t.Error(err)
				}
			})
		})
		b := s.browser(t)
		b.post("/inout")
		if got := b.get("/me"); got.status != http.StatusUnauthorized || s.log.count(revoke.LoggedOut) != 1 {
			t.Errorf("hashed %v: %d %q, log %s", hashed, got.status, got.body, s.log)
		}
	}
}

// TestLostRenewal shows that a browser that never got its renewed cookie can hold
// a visitor's session again after a while.
func OldTestLostRenewal(t *testing.T) {
	inBubble(t, func(t *testing.T, s *clockedServer) {
		token := s.signIn("/login")
		send := func(h http.HandlerFunc) *http.Response {
			r := httptest.NewRequest("GET", "/", nil)
			r.AddCookie(&http.Cookie{Name: s.sm.Cookie.Name, Value: token})
			w := httptest.NewRecorder()
			s.sessions.Track(h).ServeHTTP(w, r)
			return w.Result()
		}
		send(func(_ http.ResponseWriter, r *http.Request) { s.sm.RenewToken(r.Context()) }) // the answer is lost
		visit := func(_ http.ResponseWriter, r *http.Request) { s.sm.Put(r.Context(), "state", "xyz") }
		if cookies := send(visit).Cookies(); len(cookies) != 0 {
			t.Errorf("right after the renewal the browser's newer cookie is overwritten: %v", cookies)
		}
		time.Sleep(3 * time.Minute)
		if cookies := send(visit).Cookies(); len(cookies) != 1 || cookies[0].Value == "" {
			t.Errorf("the browser gets no cookie: %v", cookies)
		}
	})
}

// TestDroppedLogoutErrorIsAnsweredFor shows that a handler that ignores the error
// of Logout does not tell anyone that they are signed out.
func TestDroppedLogoutErrorIsAnsweredFor(t *testing.T) {
	failing := &failingStore{Store: store.NewMemory(), fail: func(m string) bool { return m == "Revoke" }}
	s := newServer(t, failing, func(s *server) {
		s.handle("POST /careless", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Clear-Site-Data", `"cookies"`)
			s.sessions.Logout(r.Context())
			io.WriteString(w, "out")
		})
	})
	b := s.signedIn(t, "ann")
	got := b.post("/careless")
	if got.status != http.StatusServiceUnavailable || got.header.Get("Clear-Site-Data") != "" || b.get("/me").body != "ann" {
		t.Errorf("%d %q, %v", got.status, got.body, got.header)
	}
}

func TestFarDeadline(t *testing.T) {
	s := newServer(t, store.NewMemory(), func(s *server) {
		s.handle("POST /far", func(w http.ResponseWriter, r *http.Request) {
			s.sm.SetDeadline(r.Context(), time.Date(9999, 12, 31, 23, 59, 59, 0, time.FixedZone("", -5*3600)))
		})
	})
	b := s.signedIn(t, "ann")
	b.post("/far")
	if got := b.get(apiPath); got.status != http.StatusOK || !json.Valid([]byte(got.body)) {
		t.Errorf("%d %q", got.status, got.body)
	}
}

func TestStoreReplacedAfterNew(t *testing.T) {
	s := newServer(t, store.NewMemory(), func(s *server) { s.sm.Store = memstore.New() })
	b := s.browser(t)
	if got := b.post("/login?user=ann"); got.status != http.StatusInternalServerError || b.cookie != "" {
		t.Errorf("%d %q", got.status, got.body)
	}
}

// TestPanicInTheSaveStep shows that nothing goes out where the application's own
// code panics in the save step, even if a handler recovers.
func TestPanicInTheSaveStep(t *testing.T) {
	sm := scs.New()
	m := revoke.New(sm, store.NewMemory())
	m.Describe = func(*http.Request) map[string]string { panic("in a hook") }
	h := m.Track(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			recover()
			io.WriteString(w, "welcome")
		}()
		m.Login(r.Context(), "ann")
		io.WriteString(w, "welcome")
	}))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("POST", "/", nil))
	if w.Body.Len() != 0 {
		t.Errorf("answered %q", w.Body)
	}
}

// TestDeadlineOfASignIn shows that a deadline that the handler has set holds also
// where the session takes a fresh token.
func TestDeadlineOfASignIn(t *testing.T) {
	s := newServer(t, store.NewMemory(), func(s *server) {
		s.handle("POST /visit", func(w http.ResponseWriter, r *http.Request) { s.sm.Put(r.Context(), "cart", "book") })
		s.handle("POST /in", func(w http.ResponseWriter, r *http.Request) {
			s.sm.SetDeadline(r.Context(), time.Now().Add(time.Hour))
			s.sm.Put(r.Context(), "userID", "ann")
		})
	})
	visitor := s.browser(t)
	visitor.post("/visit")
	for _, b := range []*browser{s.browser(t), visitor} {
		b.post("/in")
	}
	for _, session := range list(t, s, "ann") {
		if left := time.Until(session.ExpiresAt); left > time.Hour {
			t.Errorf("a session that is to last an hour lasts %v", left)
		}
	}
}

// TestGoroutinesOfAHandler shows that what a handler leaves running meets the save
// step without a race, and without either waiting for the other for good.
func TestGoroutinesOfAHandler(t *testing.T) {
	var left sync.WaitGroup
	s := newServer(t, store.NewMemory())
	inBackground := map[string]func(ctx context.Context){
		"commit":         func(ctx context.Context) { s.sm.Commit(ctx) },
		"destroy":        func(ctx context.Context) { s.sm.Destroy(ctx) },
		"renew":          func(ctx context.Context) { s.sm.RenewToken(ctx) },
		"sign in":        func(ctx context.Context) { s.sessions.Login(ctx, "ann") },
		"switch":         func(ctx context.Context) { s.sessions.Login(ctx, "bob") },
		"sign out":       func(ctx context.Context) { s.sessions.Logout(ctx) },
		"prove":          func(ctx context.Context) { s.sessions.Reauthenticated(ctx) },
		"revoke others":  func(ctx context.Context) { s.sessions.RevokeOthers(ctx) },
		"revoke all":     func(ctx context.Context) { s.sessions.RevokeAll(ctx, "ann") },
		"ask who it is":  func(ctx context.Context) { s.sessions.Current(ctx); s.sessions.Err(ctx) },
		"watch, shortly": func(ctx context.Context) { _, cancel := s.sessions.Watch(ctx); cancel() },
	}
	for name, f := range inBackground {
		t.Run(name, func(t *testing.T) {
			requests := 3_000
			if name == "commit" {
				requests = 30_000
			}
			if testing.Short() {
				requests /= 10
			}
			h := s.sessions.Track(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				s.sm.Put(r.Context(), "cart", "book")
				for range 3 {
					left.Go(func() { f(r.Context()) })
				}
			}))
			var cookie *http.Cookie
			for i := range requests {
				if i%10 == 0 {
					cookie = &http.Cookie{Name: "session", Value: s.signedIn(t, "ann").cookie}
				}
				r := httptest.NewRequest("POST", "/", nil)
				if i%2 == 0 {
					r.AddCookie(cookie)
				}
				h.ServeHTTP(httptest.NewRecorder(), r)
			}
			left.Wait()
		})
	}
}

package revoke_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/store"
)

// hookedVisitors lets a test act between two steps of the visitors' store.
type hookedVisitors struct {
	*memstore.MemStore
	onAll, onCommit func()
}

func (h *hookedVisitors) All() (map[string][]byte, error) {
	if f := h.onAll; f != nil {
		h.onAll = nil
		f()
	}
	return h.MemStore.All()
}

func (h *hookedVisitors) Commit(token string, b []byte, expiry time.Time) error {
	if f := h.onCommit; f != nil {
		h.onCommit = nil
		f()
	}
	return h.MemStore.Commit(token, b, expiry)
}

// newDeployment returns a server that has just come to revoke, and a browser in
// which ann had signed in before.
func newDeployment(t *testing.T) (*server, *browser, *hookedVisitors) {
	visitors := &hookedVisitors{MemStore: memstore.New()}
	s := &server{mux: http.NewServeMux(), sm: scs.New(), log: new(logBuffer)}
	s.sm.Store, s.visitors = visitors, visitors
	s.sessions = revoke.New(s.sm, store.NewMemory())
	s.sessions.Limiter = nil
	s.addLogin()
	s.sessions.Mount(s.mux, apiPath)
	s.handle("POST /renew", func(w http.ResponseWriter, r *http.Request) { s.sm.RenewToken(r.Context()) })
	s.handle("POST /shorten", func(w http.ResponseWriter, r *http.Request) {
		s.sm.SetDeadline(r.Context(), time.Now().Add(300*time.Millisecond))
	})
	s.Server = httptest.NewServer(s.sessions.Track(s.mux))
	t.Cleanup(s.Close)
	plain := newPlainServer(t, s).browser(t)
	plain.post("/login?user=ann")
	b := s.browser(t)
	b.cookie = plain.cookie
	return s, b, visitors
}

// TestOldCookieIsNoWayBack shows that what adoption leaves in the visitors' store
// never creates a session.
func TestOldCookieIsNoWayBack(t *testing.T) {
	everyone := func(s *server) {
		if err := s.sessions.RevokeEveryone(context.Background()); err != nil {
			t.Error(err)
		}
	}
	for name, end := range map[string]func(s *server, b *browser, visitors *hookedVisitors){
		"its tombstone is forgotten": func(s *server, b *browser, _ *hookedVisitors) {
			b.get("/me")
			if err := s.sessions.Revoke(context.Background(), "ann", b.id()); err != nil {
				t.Error(err)
			}
			for range store.MaxTombstones {
				s.signedIn(t, "ann").post("/logout")
			}
		},
		"one of too many to leave a tombstone": func(s *server, b *browser, _ *hookedVisitors) {
			s.sessions.MaxPerUser = 0
			b.get("/me")
			for range 2 * store.MaxTombstones {
				s.signedIn(t, "ann")
			}
			if _, err := s.sessions.RevokeAll(context.Background(), "ann"); err != nil {
				t.Error(err)
			}
		},
		"its deadline was brought forward": func(s *server, b *browser, _ *hookedVisitors) {
			b.get("/me")
			b.post("/shorten")
			time.Sleep(350 * time.Millisecond)
		},
		"everyone was revoked":                          func(s *server, b *browser, _ *hookedVisitors) { b.get("/me"); everyone(s) },
		"everyone was revoked before its first request": func(s *server, b *browser, _ *hookedVisitors) { everyone(s) },
		"everyone is revoked while it is adopted": func(s *server, b *browser, visitors *hookedVisitors) {
			visitors.onCommit = func() { everyone(s) }
			b.get("/me")
		},
		"it is adopted while everyone is revoked": func(s *server, b *browser, visitors *hookedVisitors) {
			visitors.onAll = func() { b.get("/me") }
			everyone(s)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, b, visitors := newDeployment(t)
			old := b.cookie
			end(s, b, visitors)
			for _, cookie := range []string{b.cookie, old} {
				b := &browser{t: t, s: s, cookie: cookie}
				if got := b.get("/me"); got.status != http.StatusUnauthorized {
					t.Errorf("cookie %q opens: %d %q", cookie, got.status, got.body)
				}
			}
		})
	}
}

// TestOldCookieAfterRenewal shows that an old cookie goes the way of any token
// that was renewed.
func TestOldCookieAfterRenewal(t *testing.T) {
	s, b, _ := newDeployment(t)
	old := b.cookie
	b.get("/me")
	b.post("/renew")
	stale := &browser{t: t, s: s, cookie: old}
	if got := stale.get("/me"); got.status != http.StatusUnauthorized || stale.cookie != old {
		t.Errorf("the old cookie: %d %q, now %q", got.status, got.body, stale.cookie)
	}
	if got := b.get("/me"); got.body != "ann" {
		t.Errorf("the renewed cookie: %d", got.status)
	}
}

// TestOldTokenOutsideOfRequests shows what scs does with an old token in a
// goroutine of the application's: it acts on the session, and not on what is
// left in the visitors' store.
func TestOldTokenOutsideOfRequests(t *testing.T) {
	s, b, _ := newDeployment(t)
	old := b.cookie
	b.get("/me")
	ctx, err := s.sm.Load(context.Background(), old)
	if err != nil || s.sm.GetString(ctx, "userID") != "ann" {
		t.Fatalf("loaded %q, %v", s.sm.GetString(ctx, "userID"), err)
	}
	if err := s.sm.Destroy(ctx); err != nil {
		t.Fatal(err)
	}
	if got := b.get("/me"); got.status != http.StatusUnauthorized {
		t.Errorf("a session that was destroyed opens: %d", got.status)
	}
}

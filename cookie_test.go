package revoke_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// TestCookieIsSetForAReason shows that no response touches the cookie for what
// other requests have done: responses arrive in any order, and the browser may
// hold the cookie of a newer session by then.
func TestCookieIsSetForAReason(t *testing.T) {
	const left, cleared, repeated, new = "left alone", "cleared", "repeated", "new"
	eachStore(t, func(t *testing.T, st store.Store) {
		hooked := &hookedStore{Store: st}
		s := newServer(t, hooked, func(s *server) {
			s.sessions.TouchInterval = 0
			handle := func(pattern string, f func(context.Context) error) {
				s.handle(pattern, func(_ http.ResponseWriter, r *http.Request) {
					if err := f(r.Context()); err != nil {
						t.Errorf("%s: %v", pattern, err)
					}
				})
			}
			handle("POST /write", func(ctx context.Context) error { s.sm.Put(ctx, "cart", "book"); return nil })
			handle("POST /renew", s.sm.RenewToken)
			handle("POST /convenient", s.sessions.Logout)
			handle("POST /clear", s.sm.Clear)
			handle("POST /longer", func(ctx context.Context) error {
				s.sm.SetDeadline(ctx, time.Now().Add(48*time.Hour))
				return nil
			})
			handle("POST /others", func(ctx context.Context) error { s.sessions.RevokeOthers(ctx); return nil })
		})
		revoke := func(b *browser) {
			if err := s.sessions.Revoke(context.Background(), "ann", b.id()); err != nil {
				t.Error(err)
			}
		}
		for _, test := range []struct {
			name     string
			is       func() *browser
			meantime func(*browser)
			what     map[string]string // path: what is done to the cookie
		}{
			{"live", func() *browser { return s.signedIn(t, "ann") }, nil, map[string]string{
				"/me": left, "/write": left, "/longer": repeated, "/renew": new,
				"/logout": cleared, "/convenient": cleared, "/clear": cleared,
			}},
			{"revoked meanwhile", func() *browser { return s.signedIn(t, "ann") }, revoke, map[string]string{
				"/me": left, "/write": left, "/longer": left, "/renew": left, "/others": left,
				"/logout": cleared, "/convenient": cleared, "/clear": cleared,
			}},
			{"revoked before", func() *browser { b := s.signedIn(t, "ann"); revoke(b); return b }, nil, map[string]string{
				"/me": left, apiPath: left, "/write": new, "/logout": cleared, "/convenient": cleared,
			}},
			{"stale", func() *browser {
				b := s.signedIn(t, "ann")
				old := &browser{t: t, s: s, cookie: b.cookie}
				b.post("/renew")
				return old
			}, nil, map[string]string{
				"/me": left, apiPath: left, "/write": left, "/logout": cleared, "/convenient": cleared,
			}},
			{"of no session", func() *browser { return &browser{t: t, s: s, cookie: "garbage"} }, nil, map[string]string{
				"/me": left, apiPath: left, "/write": new, "/logout": cleared, "/convenient": cleared,
			}},
			{"a visitor's", func() *browser { b := s.browser(t); b.post("/write"); return b }, nil, map[string]string{
				"/me": left, "/write": left, "/longer": repeated, "/renew": new, "/logout": cleared,
			}},
		} {
			t.Run(test.name, func(t *testing.T) {
				for path, want := range test.what {
					b := test.is()
					if hooked.afterFind = nil; test.meantime != nil {
						hooked.afterFind = func() { test.meantime(b) }
					}
					method := "POST"
					if path == "/me" || path == apiPath {
						method = "GET"
					}
					_, cookie, set := b.send(method, path)
					got := new
					switch {
					case !set:
						got = left
					case cookie == "":
						got = cleared
					case cookie == b.cookie:
						got = repeated
					}
					if got != want {
						t.Errorf("%s: the cookie is %s, want %s", path, got, want)
					}
				}
			})
		}
	})
}

func TestCookiePersistence(t *testing.T) {
	inBubble(t, func(t *testing.T, s *clockedServer) {
		_, cookie := s.get("/login", "", "192.0.2.1")
		if want := 24*time.Hour + time.Second; cookie.MaxAge != int(want.Seconds()) {
			t.Errorf("a persistent cookie lasts %d s", cookie.MaxAge)
		}
		s.sm.Cookie.Persist = false
		if _, cookie = s.get("/login", "", "192.0.2.1"); cookie.MaxAge != 0 || !cookie.Expires.IsZero() {
			t.Errorf("a cookie that is not to persist: %v", cookie)
		}
		if _, cookie = s.get("/login?remember", "", "192.0.2.1"); cookie.MaxAge <= 0 {
			t.Errorf("RememberMe: %v", cookie)
		}
		token := s.signIn("/login")
		if _, cookie = s.get("/remember", token, "192.0.2.1"); cookie == nil || cookie.MaxAge <= 0 || cookie.Value != token {
			t.Errorf("RememberMe, later: %v", cookie)
		}
		if _, cookie = s.get("/remember", token, "192.0.2.1"); cookie != nil {
			t.Errorf("RememberMe, again: %v", cookie)
		}
		s.sm.Cookie.Persist, s.sm.IdleTimeout = true, 20*time.Minute
		if _, cookie = s.get("/login", "", "192.0.2.1"); cookie.MaxAge < 24*60*60 {
			t.Errorf("an idle timeout is the cookie's: %v", cookie)
		}
		token = s.signIn("/login")
		time.Sleep(time.Minute)
		if _, cookie = s.get("/", token, "192.0.2.1"); cookie != nil {
			t.Errorf("a touch has set the cookie again: %v", cookie)
		}
	})
}

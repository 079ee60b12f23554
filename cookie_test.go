package revoke_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// TestCookieIsSetForAReason shows that no response touches the cookie for what
// other requests have done: responses arrive in any order, and the browser may
// hold the cookie of a newer session by then.
func TestCookieIsSetForAReason(t *testing.T) {
	const left, cleared, repeated, new = "left alone", "cleared", "repeated", "new"
	eachStore(t, func(t *testing.T, st store.Store) {
		var end func(*browser)
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
			handle("POST /others-or-out", func(ctx context.Context) error {
				if _, err := s.sessions.RevokeOthers(ctx); err != nil {
					return s.sessions.Logout(ctx)
				}
				return nil
			})
			handle("POST /all", func(ctx context.Context) error {
				_, err := s.sessions.RevokeAll(ctx, "ann")
				return errors.Join(err, s.sm.RenewToken(ctx))
			})
			for path, user := range map[string]string{"own": "ann", "others": "bob"} {
				handle("POST /merge-"+path, func(ctx context.Context) error {
					other := s.signedIn(t, user)
					hooked.afterFind = func() { end(other) }
					err := errors.Join(s.sessions.Logout(ctx), s.sm.MergeSession(ctx, other.cookie))
					s.sm.Put(ctx, "userID", "ann")
					return err
				})
			}
			handle("POST /farewell", func(ctx context.Context) error {
				err := s.sessions.Logout(ctx)
				s.sm.Put(ctx, "flash", "goodbye")
				return err
			})
		})
		end = func(b *browser) {
			user, id, _ := strings.Cut(b.cookie[:45], ".")
			if _, err := st.Revoke(context.Background(), user, id, store.Revocation{}); err != nil {
				t.Error(err)
			}
		}
		before := newPlainServer(t, s)
		stored := func(b *browser) store.Record {
			r, err := st.Find(context.Background(), b.cookie[:22], b.id())
			if err != nil {
				t.Error(err)
			}
			return r
		}
		spoilt := func(spoil func(*store.Record)) *browser {
			b := s.signedIn(t, "ann")
			r := stored(b)
			spoil(&r)
			if err := st.Update(context.Background(), r, r.Secret); err != nil {
				t.Error(err)
			}
			return b
		}
		bobs := stored(s.signedIn(t, "bob"))
		for _, test := range []struct {
			name     string
			is       func() *browser
			meantime func(*browser)
			what     map[string]string // path: what is done to the cookie
		}{
			{"live", func() *browser { return s.signedIn(t, "ann") }, nil, map[string]string{
				"/me": left, "/write": left, "/longer": repeated, "/renew": new,
				"/logout": cleared, "/convenient": cleared, "/clear": cleared, "/all": cleared, "/farewell": new, "/merge-own": cleared, "/merge-others": cleared,
			}},
			{"revoked meanwhile", func() *browser { return s.signedIn(t, "ann") }, end, map[string]string{
				"/me": left, "/write": left, "/longer": left, "/renew": left, "/others": left,
				"/logout": cleared, "/convenient": cleared, "/clear": cleared, "/others-or-out": cleared,
			}},
			{"revoked before", func() *browser { b := s.signedIn(t, "ann"); end(b); return b }, nil, map[string]string{
				"/me": left, apiPath: left, "/write": new, "/logout": cleared, "/convenient": cleared,
			}},
			{"stale", func() *browser {
				b := s.signedIn(t, "ann")
				old := &browser{t: t, s: s, cookie: b.cookie}
				b.post("/renew")
				return old
			}, nil, map[string]string{
				"/me": left, apiPath: left, "/write": left, "/logout": cleared, "/convenient": cleared, "/farewell": new,
			}},
			{"of no session", func() *browser { return &browser{t: t, s: s, cookie: "garbage"} }, nil, map[string]string{
				"/me": left, apiPath: left, "/write": new, "/logout": cleared, "/convenient": cleared,
			}},
			{"from before revoke came", func() *browser {
				b := s.browser(t)
				b.s = before
				b.post("/login?user=ann")
				b.s = s
				return b
			}, nil, map[string]string{
				"/me": new, "/write": new, "/renew": new, "/logout": cleared,
			}},
			{"of data that cannot be read", func() *browser {
				return spoilt(func(r *store.Record) { r.Data = []byte("\xff") })
			}, nil, map[string]string{
				"/me": cleared, apiPath: cleared, "/write": new, "/logout": cleared,
			}},
			{"of another's data", func() *browser {
				return spoilt(func(r *store.Record) { r.Data = bobs.Data })
			}, nil, map[string]string{
				"/me": cleared, apiPath: cleared, "/write": new, "/logout": cleared,
			}},
			{"stale, beside data that cannot be read", func() *browser {
				b, dead := s.signedIn(t, "ann"), spoilt(func(r *store.Record) { r.Data = nil })
				old := &browser{t: t, s: s, cookie: b.cookie, header: http.Header{"Cookie": {"session=" + dead.cookie}}}
				b.post("/renew")
				return old
			}, nil, map[string]string{
				"/me": left, "/write": left, "/logout": cleared,
			}},
			{"live, beside one from before that was revoked", func() *browser {
				b := s.browser(t)
				b.s = before
				b.post("/login?user=ann")
				old := b.cookie
				b.s = s
				b.get("/me")
				end(b)
				live := s.signedIn(t, "ann")
				live.header = http.Header{"Cookie": {"session=" + old}}
				return live
			}, nil, map[string]string{
				"/me": left, "/write": left, "/logout": cleared,
			}},
			{"a visitor's, beside data that cannot be read", func() *browser {
				b, dead := s.browser(t), spoilt(func(r *store.Record) { r.Data = nil })
				b.post("/write")
				b.header = http.Header{"Cookie": {"session=" + dead.cookie}}
				return b
			}, nil, map[string]string{
				"/me": left, "/write": left, "/logout": cleared,
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
		if _, cookie = s.get("/remember", "", "192.0.2.1"); cookie.MaxAge < 24*60*60 {
			t.Errorf("an idle timeout is the visitor's cookie's: %v", cookie)
		}
		token = s.signIn("/login")
		time.Sleep(time.Minute)
		if _, cookie = s.get("/", token, "192.0.2.1"); cookie != nil {
			t.Errorf("a touch has set the cookie again: %v", cookie)
		}
	})
}

// TestVisitorsCookieFromBefore shows that a visitor who is active keeps the session
// through the deployment of revoke: plain scs has let the cookie expire with the
// idle timeout, and put that off with each response.
func TestVisitorsCookieFromBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &application{sm: newPlainManager()}
		a.sm.IdleTimeout = 20 * time.Minute
		a.handler = a.sm.LoadAndSave(a)
		a.send(usualActs[:1])
		a.deploy()
		for range 3 {
			time.Sleep(15 * time.Minute)
			if had := a.send(nil); had != "cart " {
				t.Errorf("the session has %q", had)
			}
		}
	})
}

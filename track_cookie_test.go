package revoke_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/revoke-sessions/revoke/internal/testapp"
	"github.com/revoke-sessions/revoke/store"
)

// TestCookieIsSetForAReason shows that no response touches the cookie for what
// other requests have done: responses arrive in any order, and the browser may
// hold the cookie of a newer session by then.
func TestCookieIsSetForAReason(t *testing.T) {
	const left, cleared, repeated, new = "left alone", "cleared", "repeated", "new"
	testapp.EachStore(t, func(t *testing.T, st store.Store) {
		var end func(*testapp.Browser)
		tap := testapp.NewTap(st)
		app := testapp.New(t, tap)
		app.Sessions.TouchInterval = 0
		handle := func(pattern string, f func(context.Context) error) {
			app.Handle(pattern, func(_ http.ResponseWriter, r *http.Request) {
				if err := f(r.Context()); err != nil {
					t.Errorf("%s: %v", pattern, err)
				}
			})
		}
		handle("POST /write", func(ctx context.Context) error { app.SCS.Put(ctx, "cart", "book"); return nil })
		handle("POST /convenient", app.Sessions.Logout)
		handle("POST /clear", app.SCS.Clear)
		handle("POST /longer", func(ctx context.Context) error {
			app.SCS.SetDeadline(ctx, time.Now().Add(48*time.Hour))
			return nil
		})
		handle("POST /others", func(ctx context.Context) error { app.Sessions.RevokeOthers(ctx); return nil })
		handle("POST /others-or-out", func(ctx context.Context) error {
			if _, err := app.Sessions.RevokeOthers(ctx); err != nil {
				return app.Sessions.Logout(ctx)
			}
			return nil
		})
		handle("POST /all", func(ctx context.Context) error {
			_, err := app.Sessions.RevokeAll(ctx, "ann")
			return errors.Join(err, app.SCS.RenewToken(ctx))
		})
		for path, user := range map[string]string{"own": "ann", "others": "bob"} {
			handle("POST /merge-"+path, func(ctx context.Context) error {
				other := app.SignedIn(t, user)
				tap.AfterNext("Find", func() { end(other) })
				err := errors.Join(app.Sessions.Logout(ctx), app.SCS.MergeSession(ctx, other.Cookie))
				app.SCS.Put(ctx, "userID", "ann")
				return err
			})
		}
		handle("POST /farewell", func(ctx context.Context) error {
			err := app.Sessions.Logout(ctx)
			app.SCS.Put(ctx, "flash", "goodbye")
			return err
		})
		end = func(b *testapp.Browser) {
			if _, err := st.Revoke(context.Background(), b.UserKey(), b.ID(), store.Revocation{}); err != nil {
				t.Error(err)
			}
		}
		before := app.Before(t)
		stored := func(b *testapp.Browser) store.Record {
			r, err := st.Find(context.Background(), b.UserKey(), b.ID())
			if err != nil {
				t.Error(err)
			}
			return r
		}
		spoilt := func(spoil func(*store.Record)) *testapp.Browser {
			b := app.SignedIn(t, "ann")
			r := stored(b)
			spoil(&r)
			if err := st.Update(context.Background(), r, r.Secret); err != nil {
				t.Error(err)
			}
			return b
		}
		bobs := stored(app.SignedIn(t, "bob"))
		for _, test := range []struct {
			name     string
			is       func() *testapp.Browser
			meantime func(*testapp.Browser)
			what     map[string]string // path: what is done to the cookie
		}{
			{"live", func() *testapp.Browser { return app.SignedIn(t, "ann") }, nil, map[string]string{
				"/me": left, "/write": left, "/longer": repeated, "/renew": new,
				"/logout": cleared, "/convenient": cleared, "/clear": cleared, "/all": cleared, "/farewell": new, "/merge-own": cleared, "/merge-others": cleared,
			}},
			{"revoked meanwhile", func() *testapp.Browser { return app.SignedIn(t, "ann") }, end, map[string]string{
				"/me": left, "/write": left, "/longer": left, "/renew": left, "/others": left,
				"/logout": cleared, "/convenient": cleared, "/clear": cleared, "/others-or-out": cleared,
			}},
			{"revoked before", func() *testapp.Browser { b := app.SignedIn(t, "ann"); end(b); return b }, nil, map[string]string{
				"/me": left, testapp.APIPath: left, "/write": new, "/logout": cleared, "/convenient": cleared,
			}},
			{"stale", func() *testapp.Browser {
				b := app.SignedIn(t, "ann")
				old := app.BrowserWith(t, b.Cookie)
				b.Post("/renew")
				return old
			}, nil, map[string]string{
				"/me": left, testapp.APIPath: left, "/write": left, "/logout": cleared, "/convenient": cleared, "/farewell": new,
			}},
			{"of no session", func() *testapp.Browser { return app.BrowserWith(t, "garbage") }, nil, map[string]string{
				"/me": left, testapp.APIPath: left, "/write": new, "/logout": cleared, "/convenient": cleared,
			}},
			{"from before revoke came", func() *testapp.Browser {
				b := app.Browser(t)
				b.App = before
				b.Post("/login?user=ann")
				b.App = app
				return b
			}, nil, map[string]string{
				"/me": new, "/write": new, "/renew": new, "/logout": cleared,
			}},
			{"of data that cannot be read", func() *testapp.Browser {
				return spoilt(func(r *store.Record) { r.Data = []byte("\xff") })
			}, nil, map[string]string{
				"/me": cleared, testapp.APIPath: cleared, "/write": new, "/logout": cleared,
			}},
			{"of another's data", func() *testapp.Browser {
				return spoilt(func(r *store.Record) { r.Data = bobs.Data })
			}, nil, map[string]string{
				"/me": cleared, testapp.APIPath: cleared, "/write": new, "/logout": cleared,
			}},
			{"stale, beside data that cannot be read", func() *testapp.Browser {
				b, dead := app.SignedIn(t, "ann"), spoilt(func(r *store.Record) { r.Data = nil })
				old := app.BrowserWith(t, b.Cookie)
				old.Header.Set("Cookie", "session="+dead.Cookie)
				b.Post("/renew")
				return old
			}, nil, map[string]string{
				"/me": left, "/write": left, "/logout": cleared,
			}},
			{"live, beside one from before that was revoked", func() *testapp.Browser {
				b := app.Browser(t)
				b.App = before
				b.Post("/login?user=ann")
				old := b.Cookie
				b.App = app
				b.Get("/me")
				end(b)
				live := app.SignedIn(t, "ann")
				live.Header.Set("Cookie", "session="+old)
				return live
			}, nil, map[string]string{
				"/me": left, "/write": left, "/logout": cleared,
			}},
			{"a visitor's, beside data that cannot be read", func() *testapp.Browser {
				b, dead := app.Browser(t), spoilt(func(r *store.Record) { r.Data = nil })
				b.Post("/write")
				b.Header.Set("Cookie", "session="+dead.Cookie)
				return b
			}, nil, map[string]string{
				"/me": left, "/write": left, "/logout": cleared,
			}},
			{"a visitor's", func() *testapp.Browser { b := app.Browser(t); b.Post("/write"); return b }, nil, map[string]string{
				"/me": left, "/write": left, "/longer": repeated, "/renew": new, "/logout": cleared,
			}},
		} {
			t.Run(test.name, func(t *testing.T) {
				for path, want := range test.what {
					b := test.is()
					if tap.AfterNext("", nil); test.meantime != nil {
						tap.AfterNext("Find", func() { test.meantime(b) })
					}
					method := "POST"
					if path == "/me" || path == testapp.APIPath {
						method = "GET"
					}
					got := new
					switch cookie := b.Send(method, path).Cookie; {
					case cookie == nil:
						got = left
					case cookie.Value == "":
						got = cleared
					case cookie.Value == b.Cookie:
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
	synctest.Test(t, func(t *testing.T) {
		app := testapp.InBubble(store.NewMemory())
		app.Handle("POST /remember", func(_ http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Has("user") {
				app.Sessions.Login(r.Context(), "ann")
			}
			app.SCS.RememberMe(r.Context(), true)
		})
		if cookie := app.Browser(t).Post("/login?user=ann").Cookie; cookie.MaxAge != int((24*time.Hour + time.Second).Seconds()) {
			t.Errorf("a persistent cookie lasts %d s", cookie.MaxAge)
		}
		app.SCS.Cookie.Persist = false
		if cookie := app.Browser(t).Post("/login?user=ann").Cookie; cookie.MaxAge != 0 || !cookie.Expires.IsZero() {
			t.Errorf("a cookie that is not to persist: %v", cookie)
		}
		if cookie := app.Browser(t).Post("/remember?user=ann").Cookie; cookie.MaxAge <= 0 {
			t.Errorf("RememberMe: %v", cookie)
		}
		b := app.SignedIn(t, "ann")
		if cookie := b.Send("POST", "/remember").Cookie; cookie == nil || cookie.MaxAge <= 0 || cookie.Value != b.Cookie {
			t.Errorf("RememberMe, later: %v", cookie)
		}
		if cookie := b.Send("POST", "/remember").Cookie; cookie != nil {
			t.Errorf("RememberMe, again: %v", cookie)
		}
		app.SCS.Cookie.Persist, app.SCS.IdleTimeout = true, 20*time.Minute
		if cookie := app.Browser(t).Post("/login?user=ann").Cookie; cookie.MaxAge < 24*60*60 {
			t.Errorf("an idle timeout is the cookie's: %v", cookie)
		}
		if cookie := app.Browser(t).Post("/remember").Cookie; cookie.MaxAge < 24*60*60 {
			t.Errorf("an idle timeout is the visitor's cookie's: %v", cookie)
		}
		b = app.SignedIn(t, "ann")
		time.Sleep(time.Minute)
		if cookie := b.Send("GET", "/me").Cookie; cookie != nil {
			t.Errorf("a touch has set the cookie again: %v", cookie)
		}
	})
}

// TestLostRenewal shows that a browser that never got its renewed cookie can hold
// a visitor's session again after a while.
func TestLostRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := testapp.InBubble(store.NewMemory())
		b := app.SignedIn(t, "ann")
		b.Send("POST", "/renew") // the answer is lost
		if cookie := b.Send("POST", "/cart?put=book").Cookie; cookie != nil {
			t.Errorf("right after the renewal the browser's newer cookie is overwritten: %v", cookie)
		}
		time.Sleep(3 * time.Minute)
		if cookie := b.Send("POST", "/cart?put=book").Cookie; cookie == nil || cookie.Value == "" {
			t.Errorf("the browser gets no cookie: %v", cookie)
		}
	})
}

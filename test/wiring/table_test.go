package wiring

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/internal/testapp"
	"github.com/revoke-sessions/revoke/store"
)

// answered has mistakes that are answered with 500.
var answered = map[string]struct {
	wire    func(app *testapp.App, b *testapp.Browser)
	request string // of the browser
	mistake string // as docs/mistakes.md has it
}{
	"LoadAndSave around Track": {
		func(app *testapp.App, _ *testapp.Browser) {
			app.Handler = app.SCS.LoadAndSave(app.Sessions.Track(app.Mux))
		},
		"POST /login?user=ann", "LoadAndSave is around Track",
	},
	"LoadAndSave inside Track": {
		func(app *testapp.App, _ *testapp.Browser) {
			app.Handler = app.Sessions.Track(app.SCS.LoadAndSave(app.Mux))
		},
		"POST /login?user=ann", "LoadAndSave is inside Track",
	},
	"LoadAndSave inside Track, for a visitor": {
		func(app *testapp.App, _ *testapp.Browser) {
			app.Handler = app.Sessions.Track(app.SCS.LoadAndSave(app.Mux))
		},
		"POST /cart?put=book", "LoadAndSave is inside Track",
	},
	"LoadAndSave beside Track": {
		func(app *testapp.App, _ *testapp.Browser) { app.Handler = app.SCS.LoadAndSave(app.Mux) },
		"POST /login?user=ann", "LoadAndSave is left on a route",
	},
	"no Track": {
		func(app *testapp.App, _ *testapp.Browser) { app.Handler = app.Mux },
		"DELETE " + testapp.APIPath, "the handler is outside of Track",
	},
	"sm.Store replaced": {
		func(app *testapp.App, _ *testapp.Browser) { app.SCS.Store = memstore.NewWithCleanupInterval(0) },
		"POST /login?user=ann", "sm.Store was replaced after New",
	},
	"New twice": {
		func(app *testapp.App, _ *testapp.Browser) {
			second := revoke.New(app.SCS, store.NewMemory())
			second.Logger = app.Sessions.Logger
			app.Handler = second.Track(app.Mux)
		},
		"POST /cart?put=book", "New was called twice over one sm.Store",
	},
	"New twice, and the first used": {
		func(app *testapp.App, _ *testapp.Browser) { revoke.New(app.SCS, store.NewMemory()) },
		"POST /login?user=ann", "New was called twice over one sm.Store",
	},
	"a wrong prefix": {
		func(app *testapp.App, _ *testapp.Browser) {
			app.Mux.Handle("/other/", app.Sessions.Handler("/api/auth/sessions"))
		},
		"DELETE /other/AAAAAAAAAAAAAAAAAAAAAA", "the handler was made for the prefix …",
	},
	"UserIDKey late": {
		func(app *testapp.App, b *testapp.Browser) {
			b.Post("/login?user=ann")
			app.Sessions.UserIDKey = "account"
		},
		"GET /me", "UserIDKey or the cookie's name was changed after the first request",
	},
	"the cookie's name late": {
		func(app *testapp.App, b *testapp.Browser) {
			b.Post("/login?user=ann")
			app.SCS.Cookie.Name = "id"
		},
		"GET /me", "UserIDKey or the cookie's name was changed after the first request",
	},
	"a user ID of another type": {
		func(app *testapp.App, _ *testapp.Browser) {
			app.Handle("POST /number", func(_ http.ResponseWriter, r *http.Request) {
				app.SCS.Put(r.Context(), "userID", struct{ N complex128 }{1})
			})
		},
		"POST /number", "the value under … is a …",
	},
	"a value that cannot be encoded": {
		func(app *testapp.App, _ *testapp.Browser) {
			app.Handle("POST /function", func(_ http.ResponseWriter, r *http.Request) { app.SCS.Put(r.Context(), "f", func() {}) })
		},
		"POST /function", "encode session",
	},
	"a sign-in by cookie in a request with a token": {
		func(app *testapp.App, b *testapp.Browser) {
			app.TakeTokens()
			b.Header.Set("Authorization", "Bearer unknown")
		},
		"POST /login?user=ann", "a request whose Authorization header names a token cannot sign in by a cookie",
	},
	"a store of one's own that returns nonsense": {
		func(app *testapp.App, b *testapp.Browser) {
			*app = *testapp.Over(scs.New(), distant{store.NewMemory()})
			b.Post("/login?user=bob")
		},
		"GET " + testapp.APIPath, "the store returns what JSON cannot express",
	},
}

// A distant store lists sessions of a year that RFC 3339 has no way to write.
type distant struct{ *store.Memory }

func (s distant) List(ctx context.Context, user string) ([]store.Record, error) {
	records, err := s.Memory.List(ctx, user)
	for i := range records {
		records[i].CreatedAt = time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return records, err
}

// returned has mistakes that an error of a call names, by what docs/mistakes.md has.
var returned = map[string]struct {
	call   func(t *testing.T, app *testapp.App) error
	logged bool
}{
	"Login is called outside of Track": {func(t *testing.T, app *testapp.App) error {
		return app.Sessions.Login(t.Context(), "ann")
	}, true},
	"Login is called after the response has begun": {func(t *testing.T, app *testapp.App) error {
		return inside(app, app.Browser(t), func(w http.ResponseWriter, r *http.Request) error {
			w.WriteHeader(http.StatusOK)
			return app.Sessions.Login(r.Context(), "ann")
		})
	}, true},
	"Login is called before the session has the value …": {func(t *testing.T, app *testapp.App) error {
		nameByAccount(app)
		return inside(app, app.Browser(t), func(_ http.ResponseWriter, r *http.Request) error {
			return app.Sessions.Login(r.Context(), "ann")
		})
	}, true},
	"Login is called for another user than the one of the token …": {func(t *testing.T, app *testapp.App) error {
		b, _ := app.TakeTokens().Serve(t).Issued(t, "ann")
		return inside(app, b, func(_ http.ResponseWriter, r *http.Request) error {
			return app.Sessions.Login(r.Context(), "bob")
		})
	}, true},
	"Issue is called after the response has begun": {func(t *testing.T, app *testapp.App) error {
		return inside(app, app.Browser(t), func(w http.ResponseWriter, r *http.Request) error {
			w.WriteHeader(http.StatusOK)
			_, err := app.Sessions.Issue(r.Context(), "ann")
			return err
		})
	}, true},
	"Issue is called after Login": {func(t *testing.T, app *testapp.App) error {
		return inside(app, app.Browser(t), func(_ http.ResponseWriter, r *http.Request) error {
			if err := app.Sessions.Login(r.Context(), "ann"); err != nil {
				t.Error(err)
			}
			_, err := app.Sessions.Issue(r.Context(), "ann")
			return err
		})
	}, true},
	"Issue is called before the session has the value …": {func(t *testing.T, app *testapp.App) error {
		nameByAccount(app)
		return inside(app, app.Browser(t), func(_ http.ResponseWriter, r *http.Request) error {
			_, err := app.Sessions.Issue(r.Context(), "ann")
			return err
		})
	}, true},
	"with Manager.UserID, Issue has to be called in a request without a session": {func(t *testing.T, app *testapp.App) error {
		nameByAccount(app)
		_, err := app.Sessions.Issue(t.Context(), "ann")
		return err
	}, true},
	"Rotate is called in a request that did not come with a token of Issue": {func(t *testing.T, app *testapp.App) error {
		b := app.SignedIn(t, "ann")
		return inside(app, b, func(_ http.ResponseWriter, r *http.Request) error {
			_, err := app.Sessions.Rotate(r.Context())
			return err
		})
	}, true},
	"Open is called under Track": {func(t *testing.T, app *testapp.App) error {
		return inside(app, app.Browser(t), func(_ http.ResponseWriter, r *http.Request) error {
			_, err := app.Sessions.Open(r)
			return err
		})
	}, true},
	"Commit signs nobody in: Track does, when the response begins": {func(t *testing.T, app *testapp.App) error {
		return commit(t, app, "", "ann")
	}, false},
	"a session's data must go on naming its user": {func(t *testing.T, app *testapp.App) error {
		return commit(t, app, app.SignedIn(t, "ann").Cookie, "bob")
	}, false},
	"Iterate cannot end sessions under HashTokenInStore": {func(t *testing.T, app *testapp.App) error {
		app.SCS.HashTokenInStore = true
		return iterate(t, app)
	}, false},
	"the visitors' store does not support iteration": {func(t *testing.T, app *testapp.App) error {
		sm := scs.New()
		sm.Store = struct{ scs.Store }{sm.Store}
		return iterate(t, testapp.Over(sm, store.NewMemory()))
	}, false},
}

// nameByAccount has the application name its users elsewhere.
func nameByAccount(app *testapp.App) {
	app.Sessions.UserID = func(get func(string) any) string { id, _ := get("account").(string); return id }
}

// inside returns the error of a call in a handler.
func inside(app *testapp.App, b *testapp.Browser, call func(w http.ResponseWriter, r *http.Request) error) (err error) {
	app.Handle("POST /inside", func(w http.ResponseWriter, r *http.Request) { err = call(w, r) })
	app.Handler.ServeHTTP(httptest.NewRecorder(), b.Request("POST", "/inside"))
	return err
}

// commit stores another user in a session outside of Track.
func commit(t *testing.T, app *testapp.App, cookie, user string) error {
	t.Helper()
	ctx, err := app.SCS.Load(t.Context(), cookie)
	if err != nil {
		t.Fatal(err)
	}
	app.SCS.Put(ctx, "userID", user)
	_, _, err = app.SCS.Commit(ctx)
	return err
}

func iterate(t *testing.T, app *testapp.App) error {
	return app.SCS.Iterate(t.Context(), func(context.Context) error { return nil })
}

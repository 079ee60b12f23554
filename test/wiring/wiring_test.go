package wiring

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/internal/testapp"
	"github.com/revoke-sessions/revoke/store"
)

// TestMistakesExplainThemselves wires programs wrongly. Each is answered with 500
// misconfigured, one line in the log names the mistake, and nobody is signed in all
// the same.
func TestMistakesExplainThemselves(t *testing.T) {
	type number struct{ N complex128 }
	for name, c := range map[string]struct {
		wire    func(app *testapp.App)
		request string
		mistake string
	}{
		"LoadAndSave around Track": {
			func(app *testapp.App) { app.Handler = app.SCS.LoadAndSave(app.Sessions.Track(app.Mux)) },
			"POST /login?user=ann", "LoadAndSave is around Track",
		},
		"LoadAndSave inside Track": {
			func(app *testapp.App) { app.Handler = app.Sessions.Track(app.SCS.LoadAndSave(app.Mux)) },
			"POST /login?user=ann", "LoadAndSave is inside Track",
		},
		"LoadAndSave inside Track, for a visitor": {
			func(app *testapp.App) { app.Handler = app.Sessions.Track(app.SCS.LoadAndSave(app.Mux)) },
			"POST /cart?put=book", "LoadAndSave is inside Track",
		},
		"LoadAndSave beside Track": {
			func(app *testapp.App) { app.Handler = app.SCS.LoadAndSave(app.Mux) },
			"POST /login?user=ann", "LoadAndSave is left on a route",
		},
		"no Track": {
			func(app *testapp.App) { app.Handler = app.Mux },
			"DELETE " + testapp.APIPath, "the handler is outside of Track",
		},
		"sm.Store replaced": {
			func(app *testapp.App) { app.SCS.Store = memstore.NewWithCleanupInterval(0) },
			"POST /login?user=ann", "sm.Store was replaced",
		},
		"New twice": {
			func(app *testapp.App) {
				second := revoke.New(app.SCS, store.NewMemory())
				second.Logger = app.Sessions.Logger
				app.Handler = second.Track(app.Mux)
			},
			"POST /cart?put=book", "New was called twice",
		},
		"New twice, and the first used": {
			func(app *testapp.App) { revoke.New(app.SCS, store.NewMemory()) },
			"POST /login?user=ann", "New was called twice",
		},
		"a wrong prefix": {
			func(app *testapp.App) { app.Mux.Handle("/other/", app.Sessions.Handler("/api/auth/sessions")) },
			"DELETE /other/AAAAAAAAAAAAAAAAAAAAAA", `made for the prefix "/api/auth/sessions"`,
		},
		"a user ID of another type": {
			func(app *testapp.App) {
				app.Handle("POST /number", func(_ http.ResponseWriter, r *http.Request) {
					app.SCS.Put(r.Context(), "userID", number{1})
				})
			},
			"POST /number", `the value under "userID" is a wiring.number`,
		},
		"a value that cannot be encoded": {
			func(app *testapp.App) {
				app.Handle("POST /function", func(_ http.ResponseWriter, r *http.Request) { app.SCS.Put(r.Context(), "f", func() {}) })
			},
			"POST /function", "encode session",
		},
	} {
		t.Run(name, func(t *testing.T) {
			app := testapp.Over(scs.New(), store.NewMemory())
			c.wire(app)
			method, path, _ := strings.Cut(c.request, " ")
			b := app.Browser(t)
			got := b.Do(method, path)
			if got.Status != http.StatusInternalServerError || !strings.Contains(got.Body, `"code":"misconfigured"`) {
				t.Errorf("%d %s", got.Status, got.Body)
			}
			if got.Cookie != nil {
				t.Error("a cookie is set")
			}
			waitFor(t, func() bool { return strings.Count(app.Log.String(), "misconfigured") > 0 })
			if log := app.Log.String(); strings.Count(log, "\n") != 1 || !strings.Contains(strings.ReplaceAll(log, `\"`, `"`), c.mistake) {
				t.Errorf("the log does not say %q in one line:\n%s", c.mistake, log)
			}
			if n := len(app.List(t, "ann")); n != 0 {
				t.Errorf("%d sessions, want none", n)
			}
		})
	}
}

// TestSettingsThatComeLate shows that a key or a cookie that is renamed while the
// server runs is said to be a mistake, and not taken for another manager's.
func TestSettingsThatComeLate(t *testing.T) {
	for name, change := range map[string]func(app *testapp.App){
		"UserIDKey":         func(app *testapp.App) { app.Sessions.UserIDKey = "account" },
		"the cookie's name": func(app *testapp.App) { app.SCS.Cookie.Name = "id" },
	} {
		t.Run(name, func(t *testing.T) {
			app := testapp.Over(scs.New(), store.NewMemory())
			b := app.SignedIn(t, "ann")
			change(app)
			if got := b.Get("/me"); got.Status != http.StatusInternalServerError || got.Code(t) != "misconfigured" {
				t.Errorf("%d %s", got.Status, got.Body)
			}
		})
	}
}

// TestNestedManagers shows that a manager whose save step fails does not take away
// the cookie that a manager inside has set, nor leave any header of the handler's.
func TestNestedManagers(t *testing.T) {
	failing := testapp.NewTap(store.NewMemory())
	outer, inner := testapp.Over(scs.New(), failing), testapp.Over(scs.New(), store.NewMemory())
	inner.SCS.Cookie.Name = "inner"
	handler := outer.Sessions.Track(inner.Sessions.Track(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("X-Before", "of the handler")
		inner.Sessions.Login(r.Context(), "ann")
		outer.Sessions.Login(r.Context(), "ann")
	})))
	failing.Fail = func(testapp.Call) error { return errors.New("down") }
	w := httptest.NewRecorder()
	w.Header().Set("X-Before", "of the server")
	handler.ServeHTTP(w, httptest.NewRequest("POST", "/", nil))
	if w.Code != http.StatusServiceUnavailable {
		t.Errorf("%d", w.Code)
	}
	if got := w.Header()["X-Before"]; len(got) != 1 || got[0] != "of the server" {
		t.Errorf("X-Before: %q", got)
	}
	cookies := w.Result().Cookies()
	if len(cookies) != 1 || cookies[0].Name != "inner" {
		t.Fatalf("cookies %v, want the inner manager's", cookies)
	}
	b := inner.BrowserWith(t, cookies[0].Value)
	if !b.Opens() {
		t.Error("the inner manager's cookie opens nothing")
	}
}

// waitFor waits for what another goroutine is about to do.
func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	for range 1000 {
		if done() {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Error("waited in vain")
}

package faults

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/internal/testapp"
	"github.com/revoke-sessions/revoke/store"
)

func TestMain(m *testing.M) { testapp.Main(m) }

// failing returns a store that cannot be reached for one of its methods.
func failing(method string) *testapp.Tap {
	tap := testapp.NewTap(store.NewMemory())
	tap.Fail = func(c testapp.Call) error {
		if c.Method == method {
			return errors.New("the store is down")
		}
		return nil
	}
	return tap
}

// TestFailedSignInLeavesTheVisitor shows that a sign-in that cannot be stored
// costs the visitor nothing.
func TestFailedSignInLeavesTheVisitor(t *testing.T) {
	tap := failing("Create")
	app := testapp.New(t, tap)
	b := app.Browser(t)
	b.Post("/cart?put=book")
	before := b.Cookie
	if got := b.Post("/login?user=ann"); got.Status != http.StatusServiceUnavailable || strings.Contains(got.Body, "in\n") {
		t.Errorf("%d %q", got.Status, got.Body)
	}
	if got := b.Get("/cart"); b.Cookie != before || got.Body != "book" {
		t.Errorf("the visitor's session: cookie %q, cart %q", b.Cookie, got.Body)
	}
	tap.Fail = nil
	if b.Post("/login?user=ann"); b.Get("/me").Body != "ann" || b.Get("/cart").Body != "book" {
		t.Error("signing in again did not work")
	}
}

// TestFailedLogoutIsNotClaimed shows that nobody is told to be signed out who
// is not.
func TestFailedLogoutIsNotClaimed(t *testing.T) {
	app := testapp.New(t, failing("Revoke"))
	app.Handle("POST /convenient", func(w http.ResponseWriter, r *http.Request) {
		if err := app.Sessions.Logout(r.Context()); err == nil {
			t.Error("Logout claims what did not happen")
		}
	})
	b := app.SignedIn(t, "ann")
	if got := b.Post("/logout"); got.Status != http.StatusServiceUnavailable || got.Body == "out" {
		t.Errorf("%d %q", got.Status, got.Body)
	}
	b.Post("/convenient")
	if got := b.Get("/me"); got.Body != "ann" {
		t.Errorf("the session: %d %q", got.Status, got.Body)
	}
}

// TestDroppedLogoutErrorIsAnsweredFor shows that a handler that ignores the error
// of Logout does not tell anyone that they are signed out.
func TestDroppedLogoutErrorIsAnsweredFor(t *testing.T) {
	app := testapp.New(t, failing("Revoke"))
	app.Handle("POST /careless", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Clear-Site-Data", `"cookies"`)
		app.Sessions.Logout(r.Context())
		io.WriteString(w, "out")
	})
	b := app.SignedIn(t, "ann")
	got := b.Post("/careless")
	if got.Status != http.StatusServiceUnavailable || got.Header.Get("Clear-Site-Data") != "" || b.Get("/me").Body != "ann" {
		t.Errorf("%d %q, %v", got.Status, got.Body, got.Header)
	}
}

func TestFailedTouchCostsNothing(t *testing.T) {
	app := testapp.New(t, failing("Touch"))
	app.Sessions.TouchInterval = 0
	b := app.SignedIn(t, "ann")
	if got := b.Get("/me"); got.Body != "ann" || app.Log.Count(revoke.StoreFailed) != 1 {
		t.Errorf("%d %q, log %s", got.Status, got.Body, app.Log)
	}
}

// TestHangUpDuringLogout shows that a client that does not wait for the answer
// is signed out all the same.
func TestHangUpDuringLogout(t *testing.T) {
	testapp.EachStore(t, func(t *testing.T, st store.Store) {
		app := testapp.Over(scs.New(), st)
		for _, path := range []string{"/logout", testapp.APIPath} {
			b, other := app.SignedIn(t, "ann"), app.SignedIn(t, "ann")
			method := "POST"
			if path == testapp.APIPath {
				method = "DELETE"
			}
			ctx, hangUp := context.WithCancel(context.Background())
			handler := app.Sessions.Track(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				hangUp()
				app.Mux.ServeHTTP(w, r)
			}))
			handler.ServeHTTP(httptest.NewRecorder(), b.Request(method, path).WithContext(ctx))
			ended := b
			if path == testapp.APIPath {
				ended = other
			}
			if got := ended.Get("/me"); got.Status != http.StatusUnauthorized {
				t.Errorf("%s: the session lives: %d %q", path, got.Status, got.Body)
			}
		}
	})
}

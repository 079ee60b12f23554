// Package testapp is the application that the tests have: a small one over
// revoke, or over plain scs, with browsers to use it and stores to watch.
//
// A test that needs HTTP itself begins with [New]; one that needs only requests
// and responses, or a clock of its own, with [Over] or [InBubble].
package testapp

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/store"
)

// APIPath is where an App has the API.
const APIPath = "/api/auth/sessions"

// An App is an application under test, written as scs's README has it:
//
//	POST /login?user=ann  signs in
//	POST /logout          signs out, by Destroy
//	GET  /me              answers with the user, or 401
//	POST /renew           renews the token
//	POST /cart?put=book   puts a text into the cart; it needs no sign-in
//	GET  /cart            answers with the cart
//
// Set the fields of its managers, and add handlers, before the requests that
// they are for.
type App struct {
	SCS      *scs.SessionManager
	Sessions *revoke.Manager // nil over plain scs
	Mux      *http.ServeMux
	Handler  http.Handler     // the Mux, under Track or LoadAndSave
	Visitors scs.Store        // the store that SCS was given
	Log      *Log             // the audit log
	Server   *httptest.Server // nil if it is not served
}

// New returns an application that keeps its sessions in st, and serves it until
// the test ends.
func New(t testing.TB, st store.Store) *App {
	t.Helper()
	return Over(scs.New(), st).Serve(t)
}

// Over returns an application over the given manager of scs. It keeps its
// sessions in st, or, if st is nil, has plain scs alone. Nothing serves it:
// browsers call its Handler.
func Over(sm *scs.SessionManager, st store.Store) *App {
	a := &App{SCS: sm, Mux: http.NewServeMux(), Visitors: sm.Store, Log: new(Log)}
	a.addHandlers()
	if st == nil {
		a.Handler = sm.LoadAndSave(a.Mux)
		return a
	}
	a.Sessions = revoke.New(sm, st)
	a.Sessions.Logger = slog.New(slog.NewJSONHandler(a.Log, nil))
	a.Sessions.Limiter = nil // the tests of limits set their own
	a.Sessions.Mount(a.Mux, APIPath)
	a.Handler = a.Sessions.Track(a.Mux)
	return a
}

// InBubble returns an application over [NewSCS] for the inside of a synctest
// bubble, where time is the test's.
func InBubble(st store.Store) *App { return Over(NewSCS(), st) }

// NewSCS is scs.New for the inside of a synctest bubble: it leaves no goroutine
// behind.
func NewSCS() *scs.SessionManager {
	sm := scs.New()
	synctest.Wait() // the goroutine can be stopped only when it has begun
	sm.Store.(*memstore.MemStore).StopCleanup()
	sm.Store = memstore.NewWithCleanupInterval(0)
	return sm
}

// Before serves the application as it was before it came to revoke: over plain
// scs, with the store that a keeps its visitors in.
func (a *App) Before(t testing.TB) *App {
	t.Helper()
	sm := scs.New()
	sm.Store, sm.HashTokenInStore = a.Visitors, a.SCS.HashTokenInStore
	return Over(sm, nil).Serve(t)
}

// Serve serves the application over HTTP until the test ends, and returns it.
func (a *App) Serve(t testing.TB) *App {
	t.Helper()
	// By way of the field, so that a test can put another handler in front.
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.Handler.ServeHTTP(w, r) }))
	t.Cleanup(a.Server.Close)
	return a
}

// Handle adds a handler.
func (a *App) Handle(pattern string, h http.HandlerFunc) { a.Mux.HandleFunc(pattern, h) }

// List returns the sessions of a user.
func (a *App) List(t testing.TB, user string) []revoke.Session {
	t.Helper()
	sessions, err := a.Sessions.List(context.Background(), user)
	if err != nil {
		t.Fatal(err)
	}
	return sessions
}

func (a *App) addHandlers() {
	a.Handle("POST /login", func(w http.ResponseWriter, r *http.Request) {
		if err := a.SCS.RenewToken(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		a.SCS.Put(r.Context(), "userID", r.FormValue("user"))
		io.WriteString(w, "in")
	})
	a.Handle("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		if err := a.SCS.Destroy(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		io.WriteString(w, "out")
	})
	a.Handle("GET /me", func(w http.ResponseWriter, r *http.Request) {
		user := a.SCS.GetString(r.Context(), "userID")
		if user == "" {
			http.Error(w, "nobody", http.StatusUnauthorized)
			return
		}
		io.WriteString(w, user)
	})
	a.Handle("POST /renew", func(w http.ResponseWriter, r *http.Request) {
		if err := a.SCS.RenewToken(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	a.Handle("POST /cart", func(_ http.ResponseWriter, r *http.Request) { a.SCS.Put(r.Context(), "cart", r.FormValue("put")) })
	a.Handle("GET /cart", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, a.SCS.GetString(r.Context(), "cart")) })
}

package revoketest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/revoketest"
	"github.com/revoke-sessions/revoke/store"
)

// newApp stands for an application's own.
func newApp() (http.Handler, *revoke.Manager) {
	sessions := revoke.New(scs.New(), store.NewMemory())
	mux := http.NewServeMux()
	sessions.Mount(mux, "/api/auth/sessions")
	mux.HandleFunc("GET /account", func(w http.ResponseWriter, r *http.Request) {
		current, signedIn := sessions.Current(r.Context())
		if !signedIn {
			http.Error(w, "sign in first", http.StatusUnauthorized)
			return
		}
		fmt.Fprintf(w, "the account of %s", current.UserID)
	})
	return sessions.Track(mux), sessions
}

func ExampleSignIn() {
	t := new(testing.T) // stands for that of your test
	app, sessions := newApp()
	r := httptest.NewRequest("GET", "/account", nil)
	r.AddCookie(revoketest.SignIn(t, sessions, "ann"))
	w := httptest.NewRecorder()
	app.ServeHTTP(w, r)
	fmt.Println(w.Code, w.Body)
	// Output: 200 the account of ann
}

func ExampleOver() {
	t := new(testing.T) // stands for that of your test
	app, sessions := newApp()
	phone, laptop := revoketest.SignIn(t, sessions, "ann"), revoketest.SignIn(t, sessions, "ann")
	r := httptest.NewRequest("DELETE", "/api/auth/sessions", nil)
	r.AddCookie(laptop)
	app.ServeHTTP(httptest.NewRecorder(), r)
	revoketest.Live(t, sessions, laptop)
	fmt.Println(revoketest.Over(t, sessions, phone))
	// Output: session revoked: revoked_others
}

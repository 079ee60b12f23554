// Package site is the little application that the examples share: a user signs
// in by name, sees a protected page, and signs out.
package site

import (
	"errors"
	"net/http"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke"
)

// New returns the routes of Pages, and
//
//	POST /login   signs in as the form field "user"
//	POST /logout  signs out
func New(_ *scs.SessionManager, sessions *revoke.Manager) *http.ServeMux {
	mux := Pages(sessions)
	sameOrigin := http.NewCrossOriginProtection()

	mux.Handle("POST /login", sameOrigin.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user := r.PostFormValue("user")
		if user == "" || len(user) > 100 {
			Fail(w, r, http.StatusBadRequest, "Who are you? Type a name.")
			return
		}
		if err := sessions.Login(r.Context(), user); err != nil {
			Fail(w, r, http.StatusInternalServerError, "Sign-in failed. Try again.")
			return
		}
		Done(w, r, "Signed in as "+user+".")
	})))

	mux.Handle("POST /logout", sameOrigin.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch err := sessions.Logout(r.Context()); {
		case err == nil:
			Done(w, r, "Signed out.")
		case errors.Is(err, revoke.ErrNotReplicated):
			Fail(w, r, http.StatusServiceUnavailable, "Signed out, but not on every replica yet: after a failover you could be signed in again.")
		default:
			Fail(w, r, http.StatusServiceUnavailable, "Sign-out failed. Try again.")
		}
	})))
	return mux
}

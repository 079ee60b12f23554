// Package site is the little application that the examples share: a user signs
// in by name, sees a protected page, and signs out.
package site

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke"
)

// New returns the application's routes:
//
//	GET  /        a form to sign in with
//	POST /login   signs in as the form field "user"
//	POST /logout  signs out
//	GET  /me      the protected page
func New(sm *scs.SessionManager, sessions *revoke.Manager) *http.ServeMux {
	mux := http.NewServeMux()
	sameOrigin := http.NewCrossOriginProtection()

	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
		io.WriteString(w, form)
	})

	mux.Handle("POST /login", sameOrigin.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user := r.PostFormValue("user")
		if user == "" || len(user) > 100 {
			http.Error(w, "Who are you? Send the form field \"user\".", http.StatusBadRequest)
			return
		}
		if err := sessions.Login(r.Context(), user); err != nil {
			http.Error(w, "Sign-in failed. Try again.", http.StatusInternalServerError)
			return
		}
		if strings.Contains(r.Header.Get("Accept"), "text/html") {
			http.Redirect(w, r, "/account/sessions", http.StatusSeeOther)
			return
		}
		fmt.Fprintf(w, "Signed in as %s.\n", user)
	})))

	mux.Handle("POST /logout", sameOrigin.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch err := sessions.Logout(r.Context()); {
		case err == nil:
			fmt.Fprintln(w, "Signed out.")
		case errors.Is(err, revoke.ErrNotReplicated):
			http.Error(w, "Signed out, but not on every replica yet: after a failover you could be signed in again.", http.StatusServiceUnavailable)
		default:
			http.Error(w, "Sign-out failed. Try again.", http.StatusServiceUnavailable)
		}
	})))

	mux.HandleFunc("GET /me", func(w http.ResponseWriter, r *http.Request) {
		var revoked *revoke.RevokedError
		switch err := sessions.Err(r.Context()); {
		case errors.As(err, &revoked):
			http.Error(w, fmt.Sprintf("This session was revoked at %s (%s).", revoked.At.Format(time.TimeOnly), revoked.Reason), http.StatusUnauthorized)
		case err != nil:
			http.Error(w, "You are not signed in.", http.StatusUnauthorized)
		default:
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			w.Header().Set("Cache-Control", "no-store")
			fmt.Fprintf(w, "Hello, %s.\n", sm.GetString(r.Context(), sessions.UserIDKey))
		}
	})
	return mux
}

const form = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Sign in</title>
<h1>Sign in</h1>
<form method="post" action="/login">
<label>Your name: <input name="user" value="ann" required autofocus></label>
<button>Sign in</button>
</form>
`

// Serve listens on address, prints what it got, and serves until it fails.
func Serve(address string, h http.Handler) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Printf(tour, "http://"+l.Addr().String())
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	return server.Serve(l)
}

const tour = `Listening on %[1]s

Open it in two browsers, sign in, and see where you are signed in. Or paste:

Sign in twice, on a phone and a laptop:
  curl -c phone  -d user=ann %[1]s/login
  curl -c laptop -d user=ann %[1]s/login

Where is ann signed in?
  curl -b laptop %[1]s/api/auth/sessions

The phone is lost. End its session, and see that it is over:
  phone=$(curl -s -b phone %[1]s/api/auth/sessions | sed 's/.*"id":"\([^"]*\)","current":true.*/\1/')
  curl -b laptop -X DELETE %[1]s/api/auth/sessions/$phone
  curl -b phone %[1]s/me

End all sessions but the laptop's:
  curl -b laptop -X DELETE %[1]s/api/auth/sessions
`

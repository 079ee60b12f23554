// Basic is a small server that needs nothing but Go: sign-in, sign-out, a
// protected page, the sessions API and the page for people, on the in-memory stores.
package main

import (
	"flag"
	"log"
	"net/http"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/examples/internal/site"
	"github.com/revoke-sessions/revoke/page"
	"github.com/revoke-sessions/revoke/store"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:4000", "`address` to listen on; port 0 picks one")
	flag.Parse()

	sessions := revoke.New(scs.New(), store.NewMemory())
	sameOrigin := http.NewCrossOriginProtection() // other sites sign nobody in or out

	mux := site.Pages(sessions)
	mux.Handle("POST /login", sameOrigin.Handler(signIn(sessions)))
	mux.Handle("POST /logout", sameOrigin.Handler(signOut(sessions)))
	sessions.Mount(mux, "/api/auth/sessions")
	mux.Handle("/account/sessions", page.New(sessions, page.Options{LoginURL: "/"}))
	log.Fatal(site.Serve(*listen, sessions.Track(mux)))
}

func signIn(sessions *revoke.Manager) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		user := r.PostFormValue("user") // an application asks for a password as well
		if err := sessions.Login(r.Context(), user); err != nil {
			site.Fail(w, r, http.StatusBadRequest, "Who are you? Type a name.")
			return
		}
		site.Done(w, r, "Signed in as "+user+".")
	}
}

func signOut(sessions *revoke.Manager) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := sessions.Logout(r.Context()); err != nil {
			site.Fail(w, r, http.StatusServiceUnavailable, "Sign-out failed. Try again.")
			return
		}
		site.Done(w, r, "Signed out.")
	}
}

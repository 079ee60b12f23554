// Basic is a small server that needs nothing but Go: sign-in, sign-out, a
// protected page, the sessions API and the page for people, on the in-memory stores.
package main

import (
	"flag"
	"log"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/examples/internal/site"
	"github.com/revoke-sessions/revoke/page"
	"github.com/revoke-sessions/revoke/store"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:4000", "`address` to listen on; port 0 picks one")
	flag.Parse()

	sm := scs.New()
	sessions := revoke.New(sm, store.NewMemory())

	mux := site.New(sm, sessions)
	sessions.Mount(mux, "/api/auth/sessions")
	mux.Handle("/account/sessions", page.New(sessions, page.Options{LoginURL: "/"}))
	log.Fatal(site.Serve(*listen, sessions.Track(mux)))
}

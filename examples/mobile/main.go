// Mobile is an API for an app that signs in by itself and keeps its token, beside pages for
// browsers. Users see both in one list, and end either from the other. api.go is the part
// to copy; tour.sh uses all of it with curl.
//
// It has no passwords: to name a user is to be that user.
package main

import (
	"crypto/ed25519"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/examples/internal/site"
	"github.com/revoke-sessions/revoke/page"
	"github.com/revoke-sessions/revoke/store"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:4000", "`address` to listen on; port 0 picks one")
	flag.Parse()
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	url := "http://" + l.Addr().String()

	// This key lasts as long as the process, and so do the sessions. Where they are to
	// last longer, read it from where your secrets are.
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		log.Fatal(err)
	}
	sm := scs.New()
	sessions := revoke.New(sm, store.NewMemory())
	mux := site.New(sm, sessions)
	mux.Handle("/account/sessions", page.New(sessions, page.Options{LoginURL: "/"}))
	if err := addAPI(mux, sm, sessions, key, url); err != nil {
		log.Fatal(err)
	}
	fmt.Printf(tour, url)
	server := &http.Server{Handler: sessions.Track(mux), ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(server.Serve(l))
}

const tour = `Listening on %[1]s

See with curl what an app does, and what ends its session. In another terminal, in this
folder:

  sh tour.sh %[1]s

Or be the app yourself, with the token that you get:

  curl -d user=ann %[1]s/api/login
  curl -H 'Authorization: Bearer TOKEN' %[1]s/api/notes

Then sign in as ann in your browser at %[1]s, end the app's session, and ask
for the notes again.

`

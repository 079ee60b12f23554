// Memcached is the basic example on Memcached: visitors' sessions and signed-in ones.
// Two copies of it on two ports share their sessions.
//
// Install Memcached (apt-get install memcached, or docker run --rm -p 11211:11211
// memcached:1). It may forget anything at any time: whoever is forgotten is signed out.
package main

import (
	"flag"
	"log"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/bradfitz/gomemcache/memcache"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/examples/internal/site"
	"github.com/revoke-sessions/revoke/page"
	"github.com/revoke-sessions/revoke/store/memcachestore"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:4000", "`address` to listen on; port 0 picks one")
	address := flag.String("memcached", "127.0.0.1:11211", "`address` of Memcached")
	flag.Parse()

	client := memcache.New(*address)
	client.Timeout = time.Second
	client.MaxIdleConns = 64
	if err := client.Ping(); err != nil {
		log.Fatalf("no Memcached answers at %s: %v\nStart one with memcached, or name another with -memcached host:port", *address, err)
	}
	sm := scs.New()
	sm.Store = memcachestore.NewVisitors(client)
	sessions := revoke.New(sm, memcachestore.New(client))

	mux := site.New(sm, sessions)
	sessions.Mount(mux, "/api/auth/sessions")
	mux.Handle("/account/sessions", page.New(sessions, page.Options{LoginURL: "/"}))
	log.Fatal(site.Serve(*listen, sessions.Track(mux)))
}

// Rueidis is the basic example on Redis for an application that has a client of rueidis,
// which sends the commands of many requests together. Two copies of it on two ports
// share their sessions.
//
// Install Redis (apt-get install redis-server, or docker run --rm -p 6379:6379 redis:7).
// For a Redis that sentinels watch, or for a cluster, say so in the ClientOption: nothing
// else changes.
//
// As scs has no store for rueidis, each copy keeps its visitors in memory; they need no
// more than that to sign in.
package main

import (
	"flag"
	"log"

	"github.com/alexedwards/scs/v2"
	client "github.com/redis/rueidis"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/examples/internal/site"
	"github.com/revoke-sessions/revoke/page"
	"github.com/revoke-sessions/revoke/store"
	"github.com/revoke-sessions/revoke/store/rueidis"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:4000", "`address` to listen on; port 0 picks one")
	address := flag.String("redis", "127.0.0.1:6379", "`address` of Redis")
	flag.Parse()

	redis, err := client.NewClient(client.ClientOption{InitAddress: []string{*address}})
	if err != nil {
		log.Fatalf("no Redis answers at %s: %v\nStart one with redis-server, or name another with -redis host:port", *address, err)
	}
	sm := scs.New()
	sessions := revoke.New(sm, store.NewRedis(rueidis.Pool(redis)))

	mux := site.New(sm, sessions)
	sessions.Mount(mux, "/api/auth/sessions")
	mux.Handle("/account/sessions", page.New(sessions, page.Options{LoginURL: "/"}))
	log.Fatal(site.Serve(*listen, sessions.Track(mux)))
}

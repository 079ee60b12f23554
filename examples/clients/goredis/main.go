// Goredis is the basic example on Redis for an application that has a client of
// go-redis: signed-in sessions share its connections, and so do the visitors', in scs's
// own goredisstore. Two copies of it on two ports share their sessions.
//
// Install Redis (apt-get install redis-server, or docker run --rm -p 6379:6379 redis:7).
// For a Redis that sentinels watch, use redis.NewFailoverClient: nothing else changes.
package main

import (
	"context"
	"flag"
	"log"

	"github.com/alexedwards/scs/goredisstore"
	"github.com/alexedwards/scs/v2"
	"github.com/redis/go-redis/v9"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/examples/internal/site"
	"github.com/revoke-sessions/revoke/page"
	"github.com/revoke-sessions/revoke/store"
	"github.com/revoke-sessions/revoke/store/goredis"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:4000", "`address` to listen on; port 0 picks one")
	address := flag.String("redis", "127.0.0.1:6379", "`address` of Redis")
	flag.Parse()

	client := redis.NewClient(&redis.Options{Addr: *address})
	if err := client.Ping(context.Background()).Err(); err != nil {
		log.Fatalf("no Redis answers at %s: %v\nStart one with redis-server, or name another with -redis host:port", *address, err)
	}
	sm := scs.New()
	sm.Store = goredisstore.New(client)
	sessions := revoke.New(sm, store.NewRedis(goredis.Pool(client)))

	mux := site.New(sm, sessions)
	sessions.Mount(mux, "/api/auth/sessions")
	mux.Handle("/account/sessions", page.New(sessions, page.Options{LoginURL: "/"}))
	log.Fatal(site.Serve(*listen, sessions.Track(mux)))
}

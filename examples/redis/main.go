// Redis is the basic example on Redis: visitors' sessions in scs's own
// redisstore, signed-in ones in store.NewRedis. Two copies of it on two ports
// share their sessions.
package main

import (
	"flag"
	"log"

	"github.com/alexedwards/scs/redisstore"
	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/examples/internal/site"
	"github.com/revoke-sessions/revoke/store"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:4000", "`address` to listen on; port 0 picks one")
	address := flag.String("redis", "127.0.0.1:6379", "`address` of Redis")
	flag.Parse()

	pool := site.RedisPool(*address)
	if err := site.CheckRedis(pool, *address); err != nil {
		log.Fatal(err)
	}

	sm := scs.New()
	sm.Store = redisstore.New(pool)
	sessions := revoke.New(sm, store.NewRedis(pool))

	mux := site.New(sm, sessions)
	sessions.Mount(mux, "/api/auth/sessions")
	mux.Handle("/account/sessions", sessions.Page(revoke.PageOptions{LoginURL: "/"}))
	log.Fatal(site.Serve(*listen, sessions.Track(mux)))
}

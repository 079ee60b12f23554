// Live is the basic example with connections that outlast a request: an event
// stream and a WebSocket. Both end as soon as their session does, on whatever
// node, and say why. live.go is the part to copy.
//
// It has no passwords: to name a user is to be that user.
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/alexedwards/scs/redisstore"
	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/examples/internal/site"
	"github.com/revoke-sessions/revoke/store"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:4000", "`address` to listen on; port 0 picks one")
	address := flag.String("redis", "", "`address` of Redis, host:port; without it, sessions are kept in memory")
	flag.Parse()

	sm := scs.New()
	var st store.Store = store.NewMemory()
	if *address != "" {
		pool := site.RedisPool(*address)
		if err := site.CheckRedis(pool, *address); err != nil {
			log.Fatal(err)
		}
		sm.Store, st = redisstore.New(pool), store.NewRedis(pool)
	}
	server := &http.Server{Handler: newHandler(sm, st), ReadHeaderTimeout: 10 * time.Second}
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf(tour, "http://"+l.Addr().String())
	log.Fatal(server.Serve(l))
}

func newHandler(sm *scs.SessionManager, st store.Store) http.Handler {
	sessions := revoke.New(sm, st)
	mux := http.NewServeMux()
	mux.Handle("/", site.New(sm, sessions))
	sessions.Mount(mux, "/api/auth/sessions")
	mux.Handle("GET /events", events(sessions))
	mux.Handle("GET /ws", socket(sessions))
	addPage(mux)
	return sessions.Track(mux)
}

const tour = `Listening on %[1]s

Open it in two browsers, or in a window and a private one, sign in to both as the
same user, and revoke one session from the other. With curl:

  curl -c phone  -d user=ann %[1]s/login
  curl -c laptop -d user=ann %[1]s/login
  curl -N -b phone %[1]s/events

and meanwhile, in another terminal:

  curl -b laptop -X DELETE %[1]s/api/auth/sessions

`

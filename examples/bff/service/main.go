// Service is a server that has no sessions of its own. It takes access tokens, and asks
// the store whether their sessions are live.
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/accesstoken"
	"github.com/revoke-sessions/revoke/examples/internal/site"
	"github.com/revoke-sessions/revoke/store"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:5000", "`address` to listen on; port 0 picks one")
	redisAddress := flag.String("redis", "127.0.0.1:6379", "`address` of Redis")
	issuer := flag.String("issuer", "http://127.0.0.1:4000", "`URL` of the backend")
	flag.Parse()

	pool := site.RedisPool(*redisAddress)
	if err := site.CheckRedis(pool, *redisAddress); err != nil {
		log.Fatal(err)
	}
	live := revoke.LiveIn(store.NewRedis(pool))
	v := accesstoken.NewVerifier(*issuer, "notes", *issuer+"/jwks", live)

	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/notes", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "Notes of %s.\n", accesstoken.From(r.Context()).Subject)
	})
	mux.HandleFunc("POST /api/notes", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("Listening on http://%s\n", l.Addr())
	server := &http.Server{Handler: v.Middleware(mux), ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(server.Serve(l))
}

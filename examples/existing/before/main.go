// Before is an application that keeps its sessions with scs, written as scs's
// README has it. Compare it with the one in the folder after.
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"strconv"

	"github.com/alexedwards/scs/redisstore"
	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke/examples/internal/site"
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

	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		id, err := strconv.Atoi(r.PostFormValue("user"))
		if err != nil {
			http.Error(w, "Send the form field \"user\": the number of your account.", http.StatusBadRequest)
			return
		}
		if err := sm.RenewToken(r.Context()); err != nil {
			http.Error(w, "Sign-in failed. Try again.", http.StatusInternalServerError)
			return
		}
		sm.Put(r.Context(), "authenticatedUserID", id)
		fmt.Fprintf(w, "Signed in as account %d.\n", id)
	})
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		if err := sm.Destroy(r.Context()); err != nil {
			http.Error(w, "Sign-out failed. Try again.", http.StatusInternalServerError)
			return
		}
		fmt.Fprintln(w, "Signed out.")
	})
	mux.HandleFunc("GET /me", func(w http.ResponseWriter, r *http.Request) {
		id := sm.GetInt(r.Context(), "authenticatedUserID")
		if id == 0 {
			http.Error(w, "You are not signed in.", http.StatusUnauthorized)
			return
		}
		fmt.Fprintf(w, "Hello, account %d.\n", id)
	})

	l, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("Listening on http://%s\n", l.Addr())
	log.Fatal(http.Serve(l, sm.LoadAndSave(mux)))
}

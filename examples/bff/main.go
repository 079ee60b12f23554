// Bff is a backend for a page in the browser. The browser has a cookie and no token; the
// backend calls a service in another process with an access token of the same session.
// So who is signed out of the list is out of the service too, at once. proxy.go is the part
// to copy, and service/main.go is the service.
//
// It has no passwords: to name a user is to be that user.
package main

import (
	"cmp"
	"crypto"
	"crypto/ed25519"
	"embed"
	"flag"
	"fmt"
	"io/fs"
	"log"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/alexedwards/scs/redisstore"
	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/accesstoken"
	"github.com/revoke-sessions/revoke/examples/internal/site"
	"github.com/revoke-sessions/revoke/page"
	"github.com/revoke-sessions/revoke/store"
)

//go:embed page
var pageFiles embed.FS

func main() {
	listen := flag.String("listen", "127.0.0.1:4000", "`address` to listen on; port 0 picks one")
	redisAddress := flag.String("redis", "127.0.0.1:6379", "`address` of Redis")
	service := flag.String("service", "http://127.0.0.1:5000", "`URL` of the service")
	issuer := flag.String("issuer", "", "`URL` by which the service knows this server; if empty, where it listens")
	flag.Parse()

	pool := site.RedisPool(*redisAddress)
	if err := site.CheckRedis(pool, *redisAddress); err != nil {
		log.Fatal(err)
	}
	sm := scs.New()
	sm.Store = redisstore.New(pool)
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	address := "http://" + l.Addr().String()
	*issuer = cmp.Or(*issuer, address)
	handler, err := newHandler(sm, revoke.New(sm, store.NewRedis(pool)), *service, *issuer)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf(tour, address, *issuer, *redisAddress)
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(server.Serve(l))
}

func newHandler(sm *scs.SessionManager, sessions *revoke.Manager, service, issuer string) (http.Handler, error) {
	// This key lasts as long as the process. Where there are several, read it from where
	// your secrets are.
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, err
	}
	tokens, err := accesstoken.New(sessions, accesstoken.Config{
		Issuer: issuer, Audience: "notes", Keys: []crypto.Signer{key},
	})
	if err != nil {
		return nil, err
	}
	target, err := url.Parse(service)
	if err != nil {
		return nil, err
	}
	files, err := fs.Sub(pageFiles, "page")
	if err != nil {
		return nil, err
	}
	mux := site.New(sm, sessions)
	mux.Handle("/account/sessions", page.New(sessions, page.Options{LoginURL: "/"}))
	mux.Handle("GET /notes/", withPolicy(http.StripPrefix("/notes/", http.FileServerFS(files))))
	sessions.Mount(mux, "/api/auth/sessions")
	mux.Handle("/api/", proxy(sessions, tokens, target))
	mux.Handle("GET /jwks", tokens.JWKS())
	return sessions.Track(mux), nil
}

func withPolicy(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'")
		next.ServeHTTP(w, r)
	})
}

const tour = `Listening on %[1]s

Start the service as well, in another terminal:

  go run ./service -issuer %[2]s -redis %[3]s

Open %[1]s in two browsers, sign in, and go to %[1]s/notes/ in both.
End one session from the other. With curl:

  curl -c phone  -d user=ann %[1]s/login
  curl -c laptop -d user=ann %[1]s/login
  curl -b phone %[1]s/api/notes
  curl -b laptop -X DELETE %[1]s/api/auth/sessions
  curl -b phone %[1]s/api/notes

`

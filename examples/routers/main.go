// Routers is one small application on seven routers. Each file has one of them:
// Track, sign-in, the three handlers, the API under a prefix, and the page.
package main

import (
	"flag"
	"fmt"
	"log"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/examples/internal/site"
	"github.com/revoke-sessions/revoke/store"
)

// servers has each application by the name of its router. All have the same routes:
//
//	POST   /login          signs in as the form field "user"
//	POST   /login/stream   signs in, says so at once, and ends when the client goes
//	GET    /me             the protected page
//	GET    /sessions       the three handlers, each on a route of its own
//	DELETE /sessions/{id}
//	DELETE /sessions
//	*      /api/auth/sessions and all below it: the API under a prefix
//	*      /account/sessions: the page
var servers = map[string]func(*revoke.Manager) http.Handler{
	"net/http":    netHTTP,
	"chi":         chiRouter,
	"gin":         ginEngine,
	"gin-use":     ginUse,
	"echo4":       echo4,
	"echo5":       echo5,
	"gorilla/mux": gorilla,
	"httprouter":  httpRouter,
}

func main() {
	names := strings.Join(slices.Sorted(maps.Keys(servers)), ", ")
	listen := flag.String("listen", "127.0.0.1:4000", "`address` to listen on; port 0 picks one")
	router := flag.String("router", "net/http", "the `router`: "+names)
	flag.Parse()
	server, ok := servers[*router]
	if !ok {
		fmt.Fprintf(os.Stderr, "unknown router %q: use one of %s\n", *router, names)
		os.Exit(2)
	}
	sessions := revoke.New(scs.New(), store.NewMemory())
	handler := server(sessions)
	log.Fatal(site.Serve(*listen, http.NewCrossOriginProtection().Handler(handler)))
}

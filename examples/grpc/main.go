// Grpc is a server of gRPC whose calls are made in a session. A stream ends as soon as its
// session does, and says why. auth.go is the part to copy.
//
// It has no passwords: to name a user is to be that user.
package main

import (
	"flag"
	"fmt"
	"log"
	"net"

	"github.com/alexedwards/scs/v2"
	"google.golang.org/grpc"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/store"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:4000", "`address` to listen on; port 0 picks one")
	flag.Parse()

	sessions := revoke.New(scs.New(), store.NewMemory())
	sessions.Bearer = true
	server := grpc.NewServer(grpc.UnaryInterceptor(openCall(sessions)), grpc.StreamInterceptor(openStream(sessions)))
	server.RegisterService(&notesService, &notes{sessions})

	l, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("Listening on %s\n", l.Addr())
	log.Fatal(server.Serve(l))
}

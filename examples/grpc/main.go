// Grpc is a server of gRPC whose calls are made in a session. A stream ends as soon as its
// session does, and says why. auth.go is the part to copy. The program is a client as well,
// to see it by: client.go.
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
	as := flag.String("as", "", "be a client of the server there: sign in as this `user`, and follow the notes")
	alone := flag.Bool("alone", false, "as a client, end all other sessions of the user first")
	flag.Parse()
	if *as != "" {
		if err := follow(*listen, *as, *alone); err != nil {
			log.Fatal(err)
		}
		return
	}

	sessions := revoke.New(scs.New(), store.NewMemory())
	sessions.Bearer = true
	server := grpc.NewServer(grpc.UnaryInterceptor(openCall(sessions)), grpc.StreamInterceptor(openStream(sessions)))
	server.RegisterService(&notesService, &notes{sessions})

	l, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf(tour, l.Addr())
	log.Fatal(server.Serve(l))
}

const tour = `Listening on %[1]s

Follow ann's notes in another terminal, and then in one more. The second ends the first,
whose stream ends at once:

  go run . -listen %[1]s -as ann
  go run . -listen %[1]s -as ann -alone

`

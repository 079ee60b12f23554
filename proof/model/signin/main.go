// Command signin enumerates a sign-in that is under way while sessions are revoked or renewed.
//
//	go run ./model/signin [text]
//
// runs the scenarios that contain the text.
package main

import (
	"os"
	"strings"

	"github.com/revoke-sessions/revoke/proof/model/explore"
)

func main() {
	if !explore.Print(os.Stdout, scenarios(), strings.Join(os.Args[1:], " ")) {
		os.Exit(1)
	}
}

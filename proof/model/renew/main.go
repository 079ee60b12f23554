// Command renew enumerates renewals of a token: a browser with several requests at once,
// answers that are lost or overtake each other, a thief with a copy of the first token.
//
//	go run ./model/renew [text]
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

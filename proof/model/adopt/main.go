// Command adopt enumerates the adoption of a session from before: requests on new
// nodes and on nodes of plain scs, calls that end sessions, faults, lost stores.
//
//	go run ./model/adopt [text]
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

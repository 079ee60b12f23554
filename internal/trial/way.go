// Package trial tries each way in which a session that was ended would come back, over
// real HTTP and on any store.
//
// A way brings a request to the point at which it would do harm, has the session ended,
// and lets the request go on. After that no token that was ever issued may open anything.
package trial

import (
	"testing"

	"github.com/revoke-sessions/revoke/store"
)

// A Way is one of the ways in which a session that was ended would come back.
type Way struct {
	Name  string // "R5", as in the README
	Story string
	Try   func(t *testing.T, st store.Store) // fails t if a session comes back; st is empty
}

// Ways are some of them.
type Ways []Way

// Run tries each way on every store, as the test named by the way and the store.
func (ws Ways) Run(t *testing.T, eachStore func(t *testing.T, test func(t *testing.T, st store.Store))) {
	for _, way := range ws {
		t.Run(way.Name, func(t *testing.T) { eachStore(t, way.Try) })
	}
}

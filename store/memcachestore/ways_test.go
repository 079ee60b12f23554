package memcachestore_test

import (
	"slices"
	"testing"

	"github.com/revoke-sessions/revoke/internal/trial"
	"github.com/revoke-sessions/revoke/store"
)

// The ways in which a session that was ended would come back are closed, R1 to R18. There
// is no R9: Memcached cannot list its keys, so Iterate hands out nothing.
func TestRevokedStaysRevoked(t *testing.T) {
	server := start(t)
	ways := slices.Concat(trial.Sessions(), trial.Tokens(), trial.Leases())
	ways = slices.DeleteFunc(ways, func(w trial.Way) bool { return w.Name == "R9" })
	ways.Run(t, func(t *testing.T, try func(*testing.T, store.Store)) {
		client := server.client()
		check(client.FlushAll())
		try(t, patient(client))
	})
}

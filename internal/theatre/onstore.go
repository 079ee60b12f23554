package theatre

import (
	"testing"

	"github.com/revoke-sessions/revoke/store"
)

// onStore are the programs for a store that is not in memory, of which each call takes
// time. They use all of its methods.
var onStore = func() []program {
	programs := []program{
		{name: "two revoke at once", casts: pairs(revocations)},
		{name: "a sign-in is under way", casts: each(signIns, []role{owner(toRevoke(laptop)), owner(toRevokeAll), in(phone, toRevokeOthers)})},
		{name: "a session is in use, and revoked", casts: each(usual, revocations)},
		{name: "a session from before revoke came is in use, and revoked", casts: each(old, []role{owner(toRevokeAll), owner(toRevokeEveryone)})},
	}
	for i := range programs {
		programs[i].settings, programs[i].within = []setting{limited}, 1
	}
	return programs
}()

// How many orders OnStore must have run.
const leastOrdersOnStore = 500

// OnStore runs some programs over a store that is not in memory, in all orders with one
// interruption. The store that fresh returns is empty.
func OnStore(t *testing.T, fresh func() store.Store) {
	orders := newStage(t, limited, fresh, nil).playAll(t, onStore)
	if t.Logf("%d orders", orders); orders < leastOrdersOnStore {
		t.Errorf("%d orders are fewer than %d", orders, leastOrdersOnStore)
	}
}

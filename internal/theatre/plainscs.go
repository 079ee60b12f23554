package theatre

import (
	"testing"

	"github.com/revoke-sessions/revoke/internal/interleave"
)

// PlainSCS shows that the enumeration finds sessions that come back. It plays some of the
// ways back over plain scs, which revokes a session by deleting its tokens from the store.
// Each of these ways must be found open.
func PlainSCS(t *testing.T) {
	var shortest *interleave.Failure
	for _, way := range []struct {
		name    string
		setting setting
		cast    []role
	}{
		{"R1", rare, []role{in(laptop, toWrite), owner(toDelete(laptop))}},
		{"R2", idle, []role{in(laptop, toRead), owner(toDelete(laptop))}},
		{"R4", idle, []role{in(laptop, toHijack), owner(toDelete(laptop))}},
		{"R5", rare, []role{in(laptop, toRenew), owner(toDelete(laptop))}},
		{"R6", rare, []role{in(laptop, toRenew), in(laptop, toWrite)}},
		{"R7", rare, []role{in(laptop, toRenew), in(laptop, toRenew)}},
		{"R8", rare, []role{in(kiosk, toMerge(laptop)), owner(toDelete(laptop))}},
		{"R10", rare, []role{in(laptop, toCommitLate), owner(toDelete(laptop))}},
	} {
		result := interleave.All(newPlainStage(t, way.setting).play(way.cast))
		if result.Failure == nil {
			t.Errorf("%s: not found in %d orders", way.name, result.Orders)
			continue
		}
		t.Logf("%s, in %d of %d orders: %v", way.name, result.Failed, result.Orders, result.Failure)
		if result.Failure.Simpler(shortest) {
			shortest = result.Failure
		}
	}
	const want = "request A loads the session · the owner revokes it · request A writes 'cart' · the old cookie opens /me again"
	if shortest == nil || shortest.String() != want {
		t.Errorf("the shortest story is\n%v\nwant\n%s", shortest, want)
	}
}

package theatre

import (
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/revoke-sessions/revoke/internal/interleave"
	"github.com/revoke-sessions/revoke/internal/racedetector"
)

// How many orders Every must have run.
const leastOrders, leastOrdersShort = 150_000, 50_000

// shortly reports whether the programs that take long are left out. The race detector makes
// them seven times slower and has little to find, as no two roles run at the same time.
func shortly() bool { return testing.Short() || racedetector.On }

// Every runs each program in every order in which the calls of its stores can be made,
// or in those with few interruptions, over the store in memory.
func Every(t *testing.T) {
	// Hardly anything outlives an order, so that to collect more at once is faster.
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	var orders, played atomic.Int64
	t.Run("with", func(t *testing.T) {
		for _, how := range settings {
			t.Run(how.name, func(t *testing.T) {
				t.Parallel()
				orders.Add(newStage(t, how, inMemory, nil).playAll(t, programs))
				played.Add(1)
			})
		}
	})
	least := int64(leastOrders)
	if shortly() {
		least = leastOrdersShort
	}
	t.Logf("%d orders", orders.Load())
	if all := played.Load() == int64(len(settings)); all && orders.Load() < least {
		t.Errorf("%d orders are fewer than %d", orders.Load(), least)
	}
}

// playAll plays those of the programs that are for the setting, and returns in how
// many orders.
func (s *stage) playAll(t *testing.T, programs []program) (orders int64) {
	for _, p := range programs {
		if p.long && shortly() || !slices.Contains(p.settings, s.setting) {
			continue
		}
		for _, cast := range p.casts {
			result := p.run(s, cast)
			if orders += int64(result.Orders); result.Failure != nil {
				t.Errorf("%s: %s: %d of %d orders fail:\n%v", p.name, does(cast), result.Failed, result.Orders, result.Failure)
			}
		}
	}
	return orders
}

// run plays a cast in the orders that the program is for.
func (p program) run(s *stage, cast []role) interleave.Result {
	if p.within == 0 {
		return interleave.All(s.play(cast))
	}
	return interleave.Within(p.within, s.play(cast))
}

func does(cast []role) string {
	var all []string
	for _, p := range cast {
		all = append(all, p.does)
	}
	return strings.Join(all, ", ")
}

package ways

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke/internal/testapp"
	"github.com/revoke-sessions/revoke/store"
)

func TestMain(m *testing.M) { testapp.Main(m) }

// TestRevokedStaysRevoked shows that each of the ways is closed.
func TestRevokedStaysRevoked(t *testing.T) {
	for _, way := range slices.Concat(ways, onlyHere) {
		t.Run(way.name, func(t *testing.T) {
			testapp.EachStore(t, func(t *testing.T, st store.Store) {
				tr := tryTracked(t, st)
				way.run(tr)
				if token := tr.opens(); token != "" {
					t.Errorf("a revoked session came back: %s", way.story)
				}
				if left := tr.app.List(t, "ann"); len(left) != 0 {
					t.Errorf("sessions left after %s: %v", way.story, left)
				}
			})
		})
	}
}

// tryTracked is try over revoke. A session is ended by its id.
func tryTracked(t *testing.T, st store.Store) *trial {
	tap := testapp.NewTap(st)
	app := testapp.Over(scs.New(), tap)
	app.Sessions.TouchInterval = 0                      // every request touches
	app.Sessions.AdoptUntil = time.Now().Add(time.Hour) // also under encryption
	tr := try(t, app)
	tr.tap = tap
	tr.find = func(then func()) { tap.AfterNext("Find", then) }
	tr.end = func(ctx context.Context, token string) {
		id := app.BrowserWith(t, token).ID()
		if err := app.Sessions.Revoke(ctx, "ann", id); err != nil {
			t.Errorf("revoke: %v", err)
		}
	}
	return tr
}

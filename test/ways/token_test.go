package ways

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/revoke-sessions/revoke/internal/testapp"
	"github.com/revoke-sessions/revoke/internal/trial"
	"github.com/revoke-sessions/revoke/store"
)

// TestRevokedTokensStayRevoked shows that R16 and R17 are closed.
func TestRevokedTokensStayRevoked(t *testing.T) { trial.Tokens().Run(t, testapp.EachStore) }

// TestRevokedStaysRevokedUnderLeases shows that R18 is.
func TestRevokedStaysRevokedUnderLeases(t *testing.T) { trial.Leases().Run(t, testapp.EachStore) }

// TestLeaseIsAsLongAsItIs shows R18 on the clock of the test: a yes is given until the
// lease ends, and a revocation is answered after that.
func TestLeaseIsAsLongAsItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := store.NewMemory()
		app := testapp.InBubble(store.Lease(st, time.Second)).TakeTokens()
		service := testapp.InBubble(store.Lease(st, time.Second))
		service.Sessions.Authenticate = testapp.Minted
		_, own := app.Issued(t, "ann")
		token := testapp.Mint(app.Sessions, app.List(t, "ann")[0])
		service.With(t, token).Get("/me")
		session := app.List(t, "ann")[0]
		go func() {
			if err := app.Sessions.Revoke(t.Context(), "ann", session.ID); err != nil {
				t.Error(err)
			}
		}()
		synctest.Wait()
		time.Sleep(time.Second / 2)
		if !service.With(t, token).Opens() {
			t.Error("no lease is held")
		}
		if app.With(t, own).Opens() {
			t.Error("a token of Issue is answered from memory")
		}
		time.Sleep(time.Second/2 - time.Nanosecond)
		if service.With(t, token).Opens() {
			t.Error("a yes beyond the lease")
		}
		time.Sleep(time.Nanosecond) // the revocation is answered
	})
}

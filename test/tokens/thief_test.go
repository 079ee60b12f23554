package tokens

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/internal/testapp"
	"github.com/revoke-sessions/revoke/store"
)

// TestThiefWhoRotatesAllTheTime shows that whoever took a token raises the alarm when its
// owner uses the copy, however often they have rotated since.
func TestThiefWhoRotatesAllTheTime(t *testing.T) {
	for _, every := range []time.Duration{time.Second, 50 * time.Second, time.Minute, 61 * time.Second, 10 * time.Minute} {
		t.Run(every.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				app := testapp.InBubble(store.NewMemory()).TakeTokens()
				owner, _ := app.Issued(t, "ann")
				time.Sleep(time.Hour)
				thief := owner
				for begun := time.Now(); time.Since(begun) < time.Hour; time.Sleep(every) {
					thief = app.With(t, thief.Post("/rotate").Body)
					if !thief.Opens() {
						t.Fatal("the thief is out before the owner comes")
					}
				}
				thief = app.With(t, thief.Post("/rotate").Body)
				if !thief.Opens() {
					t.Fatal("the thief is out before the owner comes")
				}
				time.Sleep(time.Second)
				if owner.Opens() {
					t.Error("the owner's token opens the session")
				}
				got := thief.Get(testapp.APIPath)
				if got.Status != http.StatusUnauthorized || !strings.Contains(got.Body, "token_reused") || app.Log.Count(revoke.TokenReused) != 1 {
					t.Errorf("the thief goes on: %d, %d alarms", got.Status, app.Log.Count(revoke.TokenReused))
				}
			})
		})
	}
}

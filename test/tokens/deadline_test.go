package tokens

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/internal/testapp"
	"github.com/revoke-sessions/revoke/store"
)

// TestDeadlineBroughtForward shows that a session ends when a request has said, whatever a
// request that was under way writes for itself.
func TestDeadlineBroughtForward(t *testing.T) {
	const soon = time.Minute
	testapp.EachStore(t, func(t *testing.T, st store.Store) {
		tap := testapp.NewTap(st)
		app := testapp.New(t, tap).TakeTokens()
		app.Handle("POST /soon", func(_ http.ResponseWriter, r *http.Request) {
			app.SCS.SetDeadline(r.Context(), time.Now().Add(soon))
		})
		app.Handle("POST /prove", func(_ http.ResponseWriter, r *http.Request) { app.Sessions.Reauthenticated(r.Context()) })
		app.Sessions.Authenticate = func(r *http.Request) (userID, sid string, err error) {
			sid, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer sid:")
			if !ok {
				return "", "", revoke.ErrUnauthenticated
			}
			return "ann", sid, nil
		}
		ends := func(when string) {
			t.Helper()
			if list := app.List(t, "ann"); len(list) != 1 || time.Until(list[0].ExpiresAt) > soon {
				t.Errorf("%s: the session goes on until %v", when, list[0].ExpiresAt)
			}
		}
		phone, _ := app.Issued(t, "ann")
		next := app.With(t, phone.Post("/rotate").Body)
		tap.AfterNext("Find", func() { phone.Post("/soon") })
		if !next.Opens() {
			t.Error("the next token opens nothing")
		}
		ends("first use of the next token")

		app.Sessions.RevokeAll(t.Context(), "ann")
		phone, _ = app.Issued(t, "ann")
		service := app.With(t, "sid:"+app.Sessions.SID(app.List(t, "ann")[0]))
		tap.AfterNext("Find", func() { tap.AfterNext("Find", func() { phone.Post("/soon") }) })
		if got := service.Post("/prove"); got.Status != http.StatusOK {
			t.Errorf("prove: %d %s", got.Status, got.Body)
		}
		ends("a proof by a token of another package")
	})
}

package tokens

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/revoke-sessions/revoke/internal/testapp"
	"github.com/revoke-sessions/revoke/store"
)

// TestSignOutTwiceUnderLeases shows that a sign-out which finds that another is ending
// the session is not answered either while a node may still say that it is live.
func TestSignOutTwiceUnderLeases(t *testing.T) {
	for _, test := range []struct {
		name, path string
		late       bool // the second sign-out comes when the first has ended the session
		bearer     bool
	}{
		{"Destroy, cookie, both at once", "/logout", false, false},
		{"Destroy, token, both at once", "/logout", false, true},
		{"Logout, cookie, both at once", "/leave", false, false},
		{"Logout, token, both at once", "/leave", false, true},
		{"Destroy, cookie, one after the other", "/logout", true, false},
		{"Destroy, token, one after the other", "/logout", true, true},
		{"Logout, cookie, one after the other", "/leave", true, false},
		{"Logout, token, one after the other", "/leave", true, true},
	} {
		t.Run(test.name, testapp.Bubble(func(t *testing.T) {
			const lease = time.Second
			st := store.NewMemory()
			loaded, goOn := make(chan struct{}), make(chan struct{})
			node := func() *testapp.App {
				app := testapp.InBubble(store.Lease(st, lease)).TakeTokens()
				app.Handle("POST /leave", func(_ http.ResponseWriter, r *http.Request) { app.Sessions.Logout(r.Context()) })
				app.Handler = app.Sessions.Track(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.Header.Get("Wait") != "" {
						close(loaded)
						<-goOn
					}
					app.Mux.ServeHTTP(w, r)
				}))
				return app
			}
			first, second, service := node(), node(), node()
			one := first.SignedIn(t, "ann")
			two := second.BrowserWith(t, one.Cookie)
			if test.bearer {
				client, token := first.Issued(t, "bob")
				one, two = client, second.With(t, token)
			}
			user := map[bool]string{true: "bob", false: "ann"}[test.bearer]
			sid := first.Sessions.SID(first.List(t, user)[0])
			answer := make(chan testapp.Answer)
			signOut := func() { answer <- two.Send("POST", test.path) }
			if !test.late {
				two.Header.Set("Wait", "yes")
				go signOut()
				<-loaded
			}
			if err := service.Sessions.Live(t.Context(), sid); err != nil {
				t.Fatal(err)
			}
			go one.Send("POST", test.path)
			synctest.Wait() // the session has ended, and the answer waits for the leases
			if test.late {
				go signOut()
			}
			close(goOn)
			got := <-answer
			if err := service.Sessions.Live(t.Context(), sid); err == nil || got.Status != http.StatusOK {
				t.Errorf("answered with %d, and the session is live elsewhere: %v", got.Status, err)
			}
			time.Sleep(2 * lease)
		}))
	}
}

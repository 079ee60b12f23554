package ways

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/internal/redistest"
	"github.com/revoke-sessions/revoke/internal/testapp"
)

// TestRevocationThatIsNotReplicated shows what is answered if the replica does not
// confirm a revocation. No clock decides when that is: the test gives up waiting
// for the store, as soon as it waits.
func TestRevocationThatIsNotReplicated(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	app := p.serve(t, p.primary, 1)
	var ended []revoke.Session
	var endErr error
	app.Handle("POST /reset", func(_ http.ResponseWriter, r *http.Request) {
		ended, endErr = app.Sessions.RevokeAll(r.Context(), "bob")
	})
	app.Handle("POST /leave", func(_ http.ResponseWriter, r *http.Request) { endErr = app.Sessions.Logout(r.Context()) })
	app.Handle("POST /breach", func(_ http.ResponseWriter, r *http.Request) { endErr = app.Sessions.RevokeEveryone(r.Context()) })
	const code = `"code":"revocation_not_replicated"`
	wantLate := func(got testapp.Answer) {
		t.Helper()
		if got.Status != http.StatusServiceUnavailable || !strings.Contains(got.Body, code) {
			t.Errorf("%d %s", got.Status, got.Body)
		}
	}
	wantOver := func(b *testapp.Browser, cookie string) {
		t.Helper()
		if b.Cookie != "" {
			t.Error("the cookie is left")
		}
		b.Cookie = cookie
		if got := b.Get("/me"); got.Status != http.StatusUnauthorized {
			t.Errorf("a session that has ended opens the page: %d", got.Status)
		}
	}
	wantEvents := func(want map[revoke.Kind]int) {
		t.Helper()
		for kind, n := range want {
			if got := app.Log.Count(kind); got != n {
				t.Errorf("%d events %s, want %d", got, kind, n)
			}
		}
	}
	laptop, phone, tablet, desk := app.SignedIn(t, "ann"), app.SignedIn(t, "ann"), app.SignedIn(t, "ann"), app.SignedIn(t, "ann")
	app.SignedIn(t, "bob")
	p.inStep(t)
	p.link.Stall()
	stop := giveUpWaiting(t, p.primary)

	first := phone.ID()
	wantLate(laptop.Delete(testapp.APIPath + "/" + first))
	wantLate(laptop.Delete(testapp.APIPath + "/" + first))
	wantEvents(map[revoke.Kind]int{revoke.Revoked: 1, revoke.Refused: 0, revoke.StoreFailed: 2})
	if got := phone.Get("/me"); got.Status != http.StatusUnauthorized {
		t.Errorf("a session that has ended opens the page: %d", got.Status)
	}
	if got := laptop.Delete(testapp.APIPath + "/" + strings.Repeat("A", 22)); got.Status != http.StatusNotFound {
		t.Errorf("an unknown session: %d %s", got.Status, got.Body)
	}

	cookie := tablet.Cookie // its own, by the API
	wantLate(tablet.Delete(testapp.APIPath + "/" + tablet.ID()))
	wantOver(tablet, cookie)
	wantEvents(map[revoke.Kind]int{revoke.Revoked: 2, revoke.StoreFailed: 3})

	cookie = desk.Cookie // a sign-out by scs's Destroy, which has no error to return
	if got := desk.Post("/logout"); got.Status != http.StatusOK || got.Body != "out" {
		t.Errorf("sign-out: %d %s", got.Status, got.Body)
	}
	wantOver(desk, cookie)
	wantEvents(map[revoke.Kind]int{revoke.LoggedOut: 1, revoke.StoreFailed: 4})

	desk = app.SignedIn(t, "ann")
	cookie = desk.Cookie
	desk.Post("/leave")
	if !errors.Is(endErr, revoke.ErrNotReplicated) {
		t.Errorf("Logout returned the error %v", endErr)
	}
	wantOver(desk, cookie)
	wantEvents(map[revoke.Kind]int{revoke.LoggedOut: 2, revoke.StoreFailed: 5})

	laptop.Post("/reset")
	if !errors.Is(endErr, revoke.ErrNotReplicated) || len(ended) != 1 || ended[0].Device == "" {
		t.Errorf("RevokeAll returned %+v and the error %v", ended, endErr)
	}
	wantEvents(map[revoke.Kind]int{revoke.RevokedAll: 1, revoke.StoreFailed: 6})

	wantLate(laptop.Delete(testapp.APIPath))
	wantEvents(map[revoke.Kind]int{revoke.RevokedOthers: 0, revoke.StoreFailed: 7}) // there are none

	stop()
	p.link.Heal()
	if got := laptop.Delete(testapp.APIPath + "/" + first); got.Status != http.StatusNotFound {
		t.Errorf("tried again when the replica is back: %d %s", got.Status, got.Body)
	}
	p.link.Stall()
	giveUpWaiting(t, p.primary)
	cookie = laptop.Cookie
	laptop.Post("/breach")
	if !errors.Is(endErr, revoke.ErrNotReplicated) {
		t.Errorf("RevokeEveryone returned the error %v", endErr)
	}
	wantOver(laptop, cookie)
	wantEvents(map[revoke.Kind]int{revoke.RevokedEveryone: 1, revoke.StoreFailed: 8})
}

// giveUpWaiting ends every WAIT of a server as if its time were over, until stop
// is called or the test ends.
func giveUpWaiting(t *testing.T, server *redistest.Server) (stop func()) {
	t.Helper()
	conn, err := redistest.Dial(server.Addr)
	if err != nil {
		t.Fatal(err)
	}
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		defer conn.Close()
		for {
			select {
			case <-done:
				return
			case <-time.After(5 * time.Millisecond):
			}
			clients, err := redis.String(conn.Do("CLIENT", "LIST"))
			if err != nil {
				t.Error(err)
				return
			}
			for client := range strings.Lines(clients) {
				var id, flags string
				for field := range strings.FieldsSeq(client) {
					switch name, value, _ := strings.Cut(field, "="); name {
					case "id":
						id = value
					case "flags":
						flags = value
					}
				}
				if strings.Contains(flags, "b") {
					conn.Do("CLIENT", "UNBLOCK", id)
				}
			}
		}
	}()
	stop = sync.OnceFunc(func() {
		close(done)
		<-stopped
	})
	t.Cleanup(stop)
	return stop
}

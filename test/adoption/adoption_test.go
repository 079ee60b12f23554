package adoption

import (
	"context"
	"encoding/gob"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/internal/testapp"
	"github.com/revoke-sessions/revoke/store"
)

// TestAdoption shows that whoever was signed in before stays so, on the new node
// and on a plain one, with the cookie that they have.
func TestAdoption(t *testing.T) {
	for name, set := range map[string][]func(*scs.SessionManager){
		"":                   nil,
		"hashed tokens":      {withHashes},
		"idle timeout":       {withIdle(time.Hour)},
		"hashed and idle":    {withHashes, withIdle(time.Hour)},
		"an own cookie name": {func(sm *scs.SessionManager) { sm.Cookie.Name = "id" }},
	} {
		t.Run(name, testapp.Bubble(func(t *testing.T) {
			d := deploy(t, store.NewMemory(), set...)
			b := d.signedInBefore(t)
			b.App = d.plain
			b.Post("/cart?put=book")
			b.App = d.app
			old := b.Cookie
			for range 3 {
				if got := b.Get("/cart"); got.Body != "book" || b.Cookie != old {
					t.Fatalf("%d %q, cookie %q, want %q", got.Status, got.Body, b.Cookie, old)
				}
			}
			if n := len(d.app.List(t, "ann")); n != 1 {
				t.Errorf("%d sessions, want 1", n)
			}
			if n := d.app.Log.Count(revoke.Adopted); n != 1 {
				t.Errorf("adopted %d times, want once", n)
			}
			b.App = d.plain
			if !b.Opens() {
				t.Error("a plain node has signed the user out")
			}
			b.App = d.app
			if got := b.Delete(testapp.APIPath + "/" + d.app.List(t, "ann")[0].ID); got.Status != http.StatusOK {
				t.Errorf("signing oneself out: %d %s", got.Status, got.Body)
			}
			b.Cookie = old
			if b.Opens() {
				t.Error("the old cookie opens after a sign-out")
			}
			b.App = d.plain
			if b.Opens() {
				t.Error("the old cookie opens on a plain node after a sign-out on the new one")
			}
		}))
	}
}

type cart struct{ Books int }

// TestDataThatCannotBeReadIsLeftAlone shows that a node that lacks a type of the
// application's answers 503 and clears nothing: others can read the data.
func TestDataThatCannotBeReadIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gob.RegisterName("test.cart", cart{})
		d := deploy(t, store.NewMemory())
		d.plain.Handle("POST /own", func(_ http.ResponseWriter, r *http.Request) { d.plain.SCS.Put(r.Context(), "cart", cart{3}) })
		b := d.signedInBefore(t)
		b.App = d.plain
		b.Post("/own")
		data, _, _ := d.visitors.Find(b.Cookie)
		unknown := []byte(strings.Replace(string(data), "test.cart", "none.cart", 1))
		d.visitors.MemStore.Commit(b.Cookie, unknown, time.Now().Add(time.Hour))
		b.App = d.app
		if got := b.Get("/me"); got.Status != http.StatusServiceUnavailable || got.Cookie != nil {
			t.Errorf("%d, cookie %v; want 503 and no cookie", got.Status, got.Cookie)
		}
		if err := d.app.Sessions.RevokeEveryone(context.Background()); err != nil {
			t.Fatal(err)
		}
		d.visitors.MemStore.Commit(b.Cookie, data, time.Now().Add(time.Hour)) // as it can be read again
		if b.Opens() {
			t.Error("a session that RevokeEveryone could not read opens later")
		}
	})
}

// TestVisitorsStayReadable shows that plain scs reads what the new node has written
// for a visitor, and the other way round: during a rolling deployment, and after a
// rollback.
func TestVisitorsStayReadable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deploy(t, store.NewMemory())
		b := d.app.Browser(t)
		b.Post("/cart?put=book")
		for i := range 4 {
			b.App = []*testapp.App{d.plain, d.app}[i%2]
			if got := b.Get("/cart"); got.Body != "book" {
				t.Fatalf("%d %q", got.Status, got.Body)
			}
			b.Post("/cart?put=book")
		}
		d.app.Sessions.AdoptUntil = time.Now()
		b.App = d.app
		b.Post("/cart?put=pen")
		if data, _, _ := d.visitors.Find(b.Cookie); len(data) == 0 || data[0] != 0x83 {
			t.Error("a visitor's session is not written by revoke's own codec after AdoptUntil")
		}
	})
}

// TestAdoptUntil shows when sessions from before are taken over, and that a record
// that is not taken over stays what it is to plain nodes.
func TestAdoptUntil(t *testing.T) {
	for name, c := range map[string]struct {
		encrypted bool
		in        time.Duration // from now; zero is not set
		adopts    bool
	}{
		"no end":                         {false, 0, true},
		"not over":                       {false, time.Hour, true},
		"over":                           {false, -time.Hour, false},
		"under encryption":               {true, 0, false},
		"under encryption, if it is set": {true, time.Hour, true},
	} {
		t.Run(name, testapp.Bubble(func(t *testing.T) {
			var st store.Store = store.NewMemory()
			if c.encrypted {
				st = testapp.Encrypted(t, st)
			}
			d := deploy(t, st)
			if c.in != 0 {
				d.app.Sessions.AdoptUntil = time.Now().Add(c.in)
			}
			b := d.signedInBefore(t)
			if got := b.Opens(); got != c.adopts {
				t.Errorf("the old cookie opens: %v, want %v", got, c.adopts)
			}
			b.App = d.plain
			if !b.Opens() {
				t.Error("a plain node has signed the user out")
			}
		}))
	}
}

// TestOverlap renews the token on plain nodes again and again while new nodes see
// it now and then, and once cannot write what they should: it stays one session.
func TestOverlap(t *testing.T) {
	for name, set := range map[string][]func(*scs.SessionManager){"": nil, "idle timeout": {withIdle(time.Hour)}} {
		t.Run(name, testapp.Bubble(func(t *testing.T) {
			d := deploy(t, store.NewMemory(), set...)
			b := d.signedInBefore(t)
			seen := []string{b.Cookie}
			on := func(app *testapp.App) *testapp.Browser { b.App = app; return b }
			opens := func(app *testapp.App, cookie string) bool { return app.BrowserWith(t, cookie).Opens() }
			renew := func(app *testapp.App) {
				if got := on(app).Post("/renew"); got.Status != http.StatusOK {
					t.Fatalf("renewal: %d", got.Status)
				}
				seen = append(seen, b.Cookie)
			}
			one := func(after string) {
				t.Helper()
				if !on(d.app).Opens() {
					t.Fatalf("signed out after %s", after)
				}
				if n := len(d.app.List(t, "ann")); n != 1 {
					t.Fatalf("%d sessions after %s", n, after)
				}
			}
			one("the first request")
			renew(d.plain)
			one("a renewal on a plain node")
			renew(d.plain)
			one("another")
			renew(d.plain)
			d.visitors.setFail(errors.New("down"))
			one("a renewal while the visitors' store cannot be written")
			d.visitors.setFail(nil)
			renew(d.plain)
			one("another")
			renew(d.plain)
			renew(d.plain)
			one("two renewals of which no new node has seen the first")

			time.Sleep(time.Minute) // within one the next renewal is skipped
			before := b.Cookie
			renew(d.app)
			if !opens(d.app, before) || !opens(d.plain, before) {
				t.Error("the old cookie does not open before the renewed one is used")
			}
			one("a renewal on the new node")
			if opens(d.app, before) {
				t.Error("the old cookie opens after the renewed one was used")
			}
			if _, err := d.app.Sessions.RevokeAll(context.Background(), "ann"); err != nil {
				t.Fatal(err)
			}
			for _, cookie := range seen {
				if opens(d.app, cookie) {
					t.Errorf("the cookie %q opens after RevokeAll", cookie)
				}
			}
		}))
	}
}

// TestOldTokenOutsideOfRequests shows what scs does with an old token in a
// goroutine of the application's: it acts on the session, and not on what is
// left in the visitors' store.
func TestOldTokenOutsideOfRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deploy(t, store.NewMemory())
		b := d.signedInBefore(t)
		b.Get("/me")
		ctx, err := d.app.SCS.Load(context.Background(), b.Cookie)
		if err != nil || d.app.SCS.GetString(ctx, "userID") != "ann" {
			t.Fatalf("loaded %q, %v", d.app.SCS.GetString(ctx, "userID"), err)
		}
		if err := d.app.SCS.Destroy(ctx); err != nil {
			t.Fatal(err)
		}
		if b.Opens() {
			t.Error("a session that was destroyed opens")
		}
	})
}

// TestAdoptedUnderAnIdleTimeout shows that an adopted session lives as long after its last
// use as any other, and that the cookie, which plain scs let end with the idle timeout,
// does not end before it.
func TestAdoptedUnderAnIdleTimeout(t *testing.T) {
	testapp.Bubble(func(t *testing.T) {
		const idle = 30 * time.Minute
		d := deploy(t, store.NewMemory(), withIdle(idle))
		b := d.signedInBefore(t)
		time.Sleep(idle / 2)
		if got := b.Get("/me"); got.Cookie == nil || got.Cookie.MaxAge < int(idle.Seconds()) {
			t.Errorf("at the adoption the cookie is %v", got.Cookie)
		}
		if ends := time.Until(d.app.List(t, "ann")[0].ExpiresAt); ends > 2*idle {
			t.Errorf("the session ends in %v", ends)
		}
		if got := b.Get("/me"); got.Cookie != nil {
			t.Errorf("the next response sets the cookie too: %v", got.Cookie)
		}
		time.Sleep(d.app.Sessions.TouchInterval - time.Second) // what is not written is a use as well
		if !b.Opens() {
			t.Fatal("it does not open")
		}
		time.Sleep(idle - time.Second)
		if !b.Opens() {
			t.Error("it has ended before the idle timeout")
		}
		time.Sleep(idle + d.app.Sessions.TouchInterval)
		if b.Opens() || len(d.app.List(t, "ann")) != 0 {
			t.Error("it lives beyond the idle timeout")
		}
	})(t)
}

package plainscs

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/revoke-sessions/revoke/internal/testapp"
	"github.com/revoke-sessions/revoke/store"
)

func TestMain(m *testing.M) { testapp.Main(m) }

// TestSameAsPlainSCS has one browser do the same, by turns, with an application
// over plain scs and with one over revoke, which may be deployed in the middle:
// one request at a time, they cannot be told apart.
func TestSameAsPlainSCS(t *testing.T) {
	stories := uint64(1500)
	if testing.Short() {
		stories = 200
	}
	for seed := range stories {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			plain, tracked := newUser(t), newUser(t)
			idle, persist, hashed, deployed := rnd.IntN(2) == 0, rnd.IntN(2) == 0, rnd.IntN(4) == 0, rnd.IntN(6)-2
			for _, u := range []*user{plain, tracked} {
				if idle {
					u.app().SCS.IdleTimeout = 20 * time.Minute
				}
				u.app().SCS.Cookie.Persist, u.app().SCS.HashTokenInStore = persist, hashed
			}
			able := slices.Concat(usualActs, deadlineActs)
			if rnd.IntN(2) == 0 {
				able = slices.Concat(usualActs, emptyingActs)
			}
			story := fmt.Sprintf("seed %d, idle %v, persist %v, hashed %v:", seed, idle, persist, hashed)
			for n := range 8 {
				if n == max(deployed, 0) {
					tracked.deploy()
					story += " deployed,"
				}
				var acts []act
				for range rnd.IntN(4) {
					a := able[rnd.IntN(len(able))]
					acts, story = append(acts, a), story+" "+a.name
				}
				plain.send(acts)
				tracked.send(acts)
				if rnd.IntN(10) == 0 {
					plain.closeBrowser()
					tracked.closeBrowser()
					story += ", browser restarted"
				}
				if rnd.IntN(2) == 0 {
					pause := []time.Duration{time.Second, 70 * time.Second, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute, 2 * time.Hour, 26 * time.Hour}[rnd.IntN(7)]
					time.Sleep(pause)
					story += fmt.Sprintf(", %v", pause)
				}
				story += ";"
				if want, got := plain.send(nil), tracked.send(nil); got != want {
					t.Fatalf("%s the session has %q, and over plain scs %q", story, got, want)
				}
			}
		})
	}
}

// TestVisitorsCookieFromBefore shows that a visitor who is active keeps the session
// through the deployment of revoke: plain scs has let the cookie expire with the
// idle timeout, and put that off with each response.
func TestVisitorsCookieFromBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUser(t)
		u.app().SCS.IdleTimeout = 20 * time.Minute
		u.send(usualActs[:1])
		u.deploy()
		for range 3 {
			time.Sleep(15 * time.Minute)
			if had := u.send(nil); had != "cart " {
				t.Errorf("the session has %q", had)
			}
		}
	})
}

// An act is something that a handler does with the session.
type act struct {
	name string
	do   func(*testapp.App, context.Context)
}

var usualActs = []act{
	{"puts", func(a *testapp.App, ctx context.Context) { a.SCS.Put(ctx, "cart", "book") }},
	{"flashes", func(a *testapp.App, ctx context.Context) { a.SCS.Put(ctx, "flash", "hello") }},
	{"pops", func(a *testapp.App, ctx context.Context) { a.SCS.PopString(ctx, "flash") }},
	{"removes", func(a *testapp.App, ctx context.Context) { a.SCS.Remove(ctx, "cart") }},
	{"signs ann in", func(a *testapp.App, ctx context.Context) { signIn(a, ctx, "ann") }},
	{"signs bob in", func(a *testapp.App, ctx context.Context) { signIn(a, ctx, "bob") }},
	{"signs out", func(a *testapp.App, ctx context.Context) { signOut(a, ctx) }},
	{"destroys", func(a *testapp.App, ctx context.Context) { a.SCS.Destroy(ctx) }},
	{"renews", func(a *testapp.App, ctx context.Context) { a.SCS.RenewToken(ctx) }},
	{"remembers", func(a *testapp.App, ctx context.Context) { a.SCS.RememberMe(ctx, true) }},
	{"remembers no more", func(a *testapp.App, ctx context.Context) { a.SCS.RememberMe(ctx, false) }},
}

// These sign out by what they leave of the data. Over plain scs that goes on until
// the deadline of the session, here as a visitor's of its own.
var emptyingActs = []act{
	{"clears", func(a *testapp.App, ctx context.Context) { a.SCS.Clear(ctx) }},
	{"forgets the user", func(a *testapp.App, ctx context.Context) {
		a.SCS.RenewToken(ctx)
		a.SCS.Remove(ctx, "userID")
	}},
}

var deadlineActs = []act{
	{"shortens", func(a *testapp.App, ctx context.Context) { a.SCS.SetDeadline(ctx, time.Now().Add(61*time.Minute)) }},
	{"prolongs", func(a *testapp.App, ctx context.Context) { a.SCS.SetDeadline(ctx, time.Now().Add(72*time.Hour)) }},
}

func signIn(a *testapp.App, ctx context.Context, user string) {
	if a.Sessions != nil {
		a.Sessions.Login(ctx, user)
		return
	}
	a.SCS.RenewToken(ctx)
	a.SCS.Put(ctx, "userID", user)
}

func signOut(a *testapp.App, ctx context.Context) {
	if a.Sessions != nil {
		a.Sessions.Logout(ctx)
		return
	}
	a.SCS.Destroy(ctx)
}

// A user has a browser, which forgets its cookie when it is closed or the cookie
// expires, and an application that does with the session what it is told.
type user struct {
	browser *testapp.Browser
	expires time.Time // of the cookie; zero: when the browser is closed
	acts    []act     // what the application is to do
}

// newUser returns a user of plain scs.
func newUser(t *testing.T) *user {
	u := new(user)
	u.browser = u.serve(testapp.Over(testapp.NewSCS(), nil)).Browser(t)
	return u
}

func (u *user) app() *testapp.App { return u.browser.App }

// deploy has the application come to revoke.
func (u *user) deploy() {
	sm, old := testapp.NewSCS(), u.app().SCS
	sm.Store, sm.IdleTimeout, sm.HashTokenInStore, sm.Cookie = old.Store, old.IdleTimeout, old.HashTokenInStore, old.Cookie
	u.browser.App = u.serve(testapp.Over(sm, store.NewMemory()))
}

// serve adds the handler that does what it is told.
func (u *user) serve(app *testapp.App) *testapp.App {
	app.Handle("POST /act", func(w http.ResponseWriter, r *http.Request) {
		keys := slices.DeleteFunc(app.SCS.Keys(r.Context()), func(key string) bool { return strings.HasPrefix(key, "__") })
		had := strings.Join(keys, " ") + " " + app.SCS.GetString(r.Context(), "userID")
		for _, act := range u.acts {
			act.do(app, r.Context())
		}
		fmt.Fprint(w, had)
	})
	return app
}

// send sends a request, and returns what the session had when it arrived.
func (u *user) send(acts []act) (had string) {
	if !u.expires.IsZero() && !u.expires.After(time.Now()) {
		u.browser.Cookie = ""
	}
	u.acts = acts
	got := u.browser.Post("/act")
	if c := got.Cookie; c != nil {
		u.expires = time.Time{}
		if c.MaxAge > 0 {
			u.expires = time.Now().Add(time.Duration(c.MaxAge) * time.Second)
		}
	}
	return got.Body
}

func (u *user) closeBrowser() {
	if u.expires.IsZero() {
		u.browser.Cookie = ""
	}
}

package trial

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/internal/testapp"
	"github.com/revoke-sessions/revoke/store"
)

// Tokens returns R16 and R17: clients keep their token themselves.
func Tokens() (all Ways) {
	for _, way := range tokenWays {
		all = append(all, Way{way.name, way.story, func(t *testing.T, st store.Store) {
			app := testapp.New(t, st).TakeTokens()
			app.Sessions.Authenticate = testapp.Minted
			for _, token := range way.run(t, app, st) {
				if token != "" && app.With(t, token).Opens() {
					t.Errorf("a revoked session came back: %s", way.story)
				}
			}
			if left := app.List(t, "ann"); len(left) != 0 {
				t.Errorf("sessions left after %s: %v", way.story, left)
			}
		}})
	}
	return all
}

// A tokenWay ends a session whose client is about to bring it back. It returns all tokens
// that were ever issued.
type tokenWay struct {
	name  string
	story string
	run   func(t *testing.T, app *testapp.App, st store.Store) (tokens []string)
}

var tokenWays = []tokenWay{
	{"R16/issues", "a request in flight issues a token from its session", inFlightByToken(func(app *testapp.App, r *http.Request) string {
		token, _ := app.Sessions.Issue(r.Context(), "ann")
		return token
	})},
	{"R16/issues by cookie", "a request in flight with a cookie issues a token", func(t *testing.T, app *testapp.App, _ store.Store) []string {
		return inFlight(t, app, app.SignedIn(t, "ann"), func(r *http.Request) string {
			token, _ := app.Sessions.Issue(r.Context(), "ann")
			return token
		})
	}},
	{"R16/signs in", "a request in flight checked the password and then issues a token", func(t *testing.T, app *testapp.App, _ store.Store) []string {
		return inFlight(t, app, app.Browser(t), func(r *http.Request) string {
			if _, err := app.Sessions.RevokeAll(elsewhere, "ann"); err != nil { // the password was changed
				t.Error(err)
			}
			token, _ := app.Sessions.Issue(r.Context(), "ann")
			return token
		})
	}},
	{"R16/exchanges", "a request in flight exchanges its token", inFlightByToken(func(app *testapp.App, r *http.Request) string {
		token, _ := app.Sessions.Rotate(r.Context())
		return token
	})},
	{"R16/refreshes", "a token endpoint has read a token and looks it up", func(t *testing.T, app *testapp.App, st store.Store) []string {
		phone, token := app.Issued(t, "ann")
		next := phone.Post("/rotate").Body
		tap := testapp.NewTap(st)
		other := revoke.New(scs.New(), tap) // another node
		tap.AfterNext("Find", func() { end(t, app) })
		_, after, _ := other.Refresh(httptest.NewRequest("POST", "/token", nil), next) // accepts, and is overtaken
		return []string{token, next, after}
	}},
	{"R16/mints", "a request in flight mints a token that names its session", inFlightByToken(func(app *testapp.App, r *http.Request) string {
		current, _ := app.Sessions.Current(r.Context())
		return testapp.Mint(app.Sessions, current)
	})},
	{"R16/writes", "a request in flight with a token changes its data and renews", inFlightByToken(func(app *testapp.App, r *http.Request) string {
		app.SCS.RenewToken(r.Context())
		app.SCS.Put(r.Context(), "cart", "book")
		return ""
	})},
	{"R17", "a rotation that was offered before is accepted", func(t *testing.T, app *testapp.App, _ store.Store) []string {
		phone, token := app.Issued(t, "ann")
		next := phone.Post("/rotate").Body
		end(t, app)
		app.With(t, next).Get("/me")
		return []string{token, next}
	}},
	{"R17/accepting", "a rotation is being accepted", func(t *testing.T, app *testapp.App, st store.Store) []string {
		phone, token := app.Issued(t, "ann")
		next := phone.Post("/rotate").Body
		tap := testapp.NewTap(st)
		node := testapp.New(t, tap).TakeTokens()
		tap.AfterNext("Find", func() { end(t, app) })
		if node.With(t, next).Opens() {
			t.Error("the request that was overtaken is let in")
		}
		return []string{token, next}
	}},
	{"R17/accepted", "a rotation was accepted and the session ended by the token before", func(t *testing.T, app *testapp.App, _ store.Store) []string {
		phone, token := app.Issued(t, "ann")
		next := phone.Post("/rotate").Body
		app.Sessions.ReuseGrace = time.Nanosecond
		if !app.With(t, next).Opens() {
			t.Fatal("not accepted")
		}
		time.Sleep(time.Millisecond)
		phone.Get("/me") // reuse: it ends the session
		return []string{token, next}
	}},
}

// end ends the sessions of ann, as from a list that shows them.
func end(t *testing.T, app *testapp.App) {
	for _, session := range app.List(t, "ann") {
		if err := app.Sessions.Revoke(elsewhere, "ann", session.ID); err != nil {
			t.Errorf("revoke: %v", err)
		}
	}
}

func inFlightByToken(act func(app *testapp.App, r *http.Request) (token string)) func(*testing.T, *testapp.App, store.Store) []string {
	return func(t *testing.T, app *testapp.App, _ store.Store) []string {
		phone, token := app.Issued(t, "ann")
		next := phone.Post("/rotate").Body
		return append(inFlight(t, app, phone, func(r *http.Request) string { return act(app, r) }), token, next)
	}
}

// inFlight ends ann's sessions while a request is in its handler, which then acts.
func inFlight(t *testing.T, app *testapp.App, b *testapp.Browser, act func(*http.Request) (token string)) []string {
	var token string
	app.Handle("POST /act", func(_ http.ResponseWriter, r *http.Request) {
		end(t, app)
		token = act(r)
	})
	b.Post("/act")
	return []string{token}
}

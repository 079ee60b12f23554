package tokens

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/internal/testapp"
	"github.com/revoke-sessions/revoke/store"
)

// TestIssueGoesOn shows that what a handler puts before and after Issue is the new
// session's, and that a user ID keeps its type.
func TestIssueGoesOn(t *testing.T) {
	testapp.EachStore(t, func(t *testing.T, st store.Store) {
		app := testapp.New(t, st).TakeTokens()
		app.Handle("POST /api/login", func(w http.ResponseWriter, r *http.Request) {
			app.SCS.Put(r.Context(), "userID", 7)
			app.SCS.Put(r.Context(), "before", "a")
			token, err := app.Sessions.Issue(r.Context(), "7")
			if err != nil {
				t.Error(err)
			}
			app.SCS.Put(r.Context(), "after", "b")
			if _, err := app.Sessions.Rotate(r.Context()); !errors.Is(err, revoke.ErrMisconfigured) {
				t.Errorf("Rotate of a token that did not come: %v", err)
			}
			if current, ok := app.Sessions.Current(r.Context()); !ok || current.UserID != "7" || !current.Token {
				t.Errorf("current: %v %v", current, ok)
			}
			io.WriteString(w, token)
		})
		app.Handle("GET /data", func(w http.ResponseWriter, r *http.Request) {
			if app.SCS.GetInt(r.Context(), "userID") == 7 {
				io.WriteString(w, app.SCS.GetString(r.Context(), "cart")+app.SCS.GetString(r.Context(), "before")+app.SCS.GetString(r.Context(), "after"))
			}
		})
		stale := app.With(t, "a token that has expired")
		for _, b := range []*testapp.Browser{app.Browser(t), stale, app.Browser(t)} {
			cart := ""
			if b != stale {
				b.Post("/cart?put=c")
				cart = "c"
			}
			visitor := b.Cookie
			got := b.Post("/api/login")
			if got.Status != http.StatusOK || got.Header["Set-Cookie"] != nil {
				t.Fatalf("%d %q", got.Status, got.Header["Set-Cookie"])
			}
			if got := app.With(t, got.Body).Get("/data"); got.Body != cart+"ab" {
				t.Errorf("data %q", got.Body)
			}
			if visitor != "" && app.BrowserWith(t, visitor).Get("/cart").Body != "" {
				t.Error("the visitor's session is left")
			}
		}
		if list := app.List(t, "7"); len(list) != 3 || list[0].IP.String() != "127.0.0.1" {
			t.Errorf("%v", list)
		}
		if n := app.Log.Count(revoke.SignedIn); n != 3 || !strings.Contains(app.Log.String(), `"session.token":true`) {
			t.Errorf("%d sign-ins in the log", n)
		}
	})
}

// TestIssueFails shows that a sign-in which fails leaves nobody signed in, by a cookie
// or otherwise.
func TestIssueFails(t *testing.T) {
	tap := testapp.NewTap(store.NewMemory())
	app := testapp.New(t, tap).TakeTokens()
	app.Handle("POST /api/login", func(w http.ResponseWriter, r *http.Request) {
		app.SCS.Put(r.Context(), "userID", "ann")
		if token, err := app.Sessions.Issue(r.Context(), "ann"); err == nil || token != "" {
			t.Errorf("%q %v", token, err)
		}
	})
	down := true
	tap.Fail = func(c testapp.Call) error {
		if c.Method == "Create" && down {
			down = false // back for the save step
			return errors.New("down")
		}
		return nil
	}
	for _, path := range []string{"/issue?user=ann", "/api/login"} {
		down = true
		if got := app.Browser(t).Post(path); got.Status != http.StatusServiceUnavailable || got.Header["Set-Cookie"] != nil {
			t.Errorf("%s: %d %q", path, got.Status, got.Header["Set-Cookie"])
		}
	}
	if list := app.List(t, "ann"); len(list) != 0 {
		t.Errorf("signed in: %v", list)
	}
	if _, err := app.Sessions.Issue(t.Context(), ""); err == nil {
		t.Error("a token for nobody")
	}
}

// TestIssueBeside shows a token issued from a session: it is a session of its own.
func TestIssueBeside(t *testing.T) {
	testapp.EachStore(t, func(t *testing.T, st store.Store) {
		app := testapp.New(t, st).TakeTokens()
		web := app.SignedIn(t, "ann")
		web.Post("/cart?put=book")
		cookie := web.Cookie
		token := web.Post("/issue?user=ann").Body
		tool := app.With(t, token)
		if tool.Get("/me").Body != "ann" || tool.Get("/cart").Body != "" || web.Cookie != cookie || !web.Opens() {
			t.Error("the sessions are not two")
		}
		if got := tool.Delete(testapp.APIPath + "/" + web.ID()); got.Status != http.StatusOK || !tool.Opens() || web.Opens() {
			t.Errorf("%d %s", got.Status, got.Body)
		}
	})
}

// TestRevokedSessionIssuesNothing shows that no session is left of one that was issued
// by a request whose own was revoked while it was under way.
func TestRevokedSessionIssuesNothing(t *testing.T) {
	testapp.EachStore(t, func(t *testing.T, st store.Store) {
		tap := testapp.NewTap(st)
		app := testapp.New(t, tap).TakeTokens()
		for _, bearer := range []bool{false, true} {
			b := app.SignedIn(t, "ann")
			if bearer {
				app.Sessions.RevokeAll(t.Context(), "ann")
				b, _ = app.Issued(t, "ann")
			}
			id := app.List(t, "ann")[0].ID
			tap.AfterNext("Find", func() { // the request is in the handler, or nearly
				if err := app.Sessions.Revoke(context.Background(), "ann", id); err != nil {
					t.Error(err)
				}
			})
			if got := b.Post("/issue?user=ann"); got.Code(t) != "session_revoked" {
				t.Errorf("bearer %v: %d %s", bearer, got.Status, got.Body)
			}
			if list := app.List(t, "ann"); len(list) != 0 {
				t.Errorf("bearer %v: left %v", bearer, list)
			}
		}
	})
}

// TestIssueUnderWay shows that a sign-in which began before all was revoked gets no
// token.
func TestIssueUnderWay(t *testing.T) {
	testapp.EachStore(t, func(t *testing.T, st store.Store) {
		app := testapp.New(t, st).TakeTokens()
		app.Handle("POST /slow", func(w http.ResponseWriter, r *http.Request) {
			app.Sessions.RevokeAll(context.Background(), "ann") // after the password was checked
			token, err := app.Sessions.Issue(r.Context(), "ann")
			if !errors.Is(err, revoke.ErrRevoked) || token != "" {
				t.Errorf("%q %v", token, err)
			}
			revoke.ProblemOf(err).Write(w)
		})
		if got := app.Browser(t).Post("/slow"); got.Code(t) != "session_revoked" || len(app.List(t, "ann")) != 0 {
			t.Errorf("%d %s", got.Status, got.Body)
		}
		if n := app.Log.Count(revoke.SignInRefused); n != 1 {
			t.Errorf("%d refusals in the log", n)
		}
	})
}

// TestPairingUnderWay shows the same for a token that is issued from a session, which
// itself was kept.
func TestPairingUnderWay(t *testing.T) {
	app := testapp.New(t, store.NewMemory()).TakeTokens()
	web := app.SignedIn(t, "ann")
	app.Handle("POST /pair", func(w http.ResponseWriter, r *http.Request) {
		if got := app.BrowserWith(t, web.Cookie).Delete(testapp.APIPath); got.Status != http.StatusOK {
			t.Errorf("%d %s", got.Status, got.Body)
		}
		if token, err := app.Sessions.Issue(r.Context(), "ann"); !errors.Is(err, revoke.ErrRevoked) {
			t.Errorf("%q %v", token, err)
		}
	})
	if web.Post("/pair"); !web.Opens() || len(app.List(t, "ann")) != 1 {
		t.Errorf("left: %v", app.List(t, "ann"))
	}
}

// TestIssueCountsTowardsTheLimit shows that tokens are sessions to MaxPerUser.
func TestIssueCountsTowardsTheLimit(t *testing.T) {
	app := testapp.New(t, store.NewMemory()).TakeTokens()
	app.Sessions.MaxPerUser = 2
	web := app.SignedIn(t, "ann")
	app.Issued(t, "ann")
	app.Issued(t, "ann")
	if list := app.List(t, "ann"); len(list) != 2 || web.Opens() {
		t.Errorf("%v", list)
	}
}

// TestApplicationCannotReachTheChain shows that a session whose data is cleared, merged
// and read still rotates.
func TestApplicationCannotReachTheChain(t *testing.T) {
	testapp.EachStore(t, func(t *testing.T, st store.Store) {
		app := testapp.New(t, st).TakeTokens()
		app.Sessions.TouchInterval = 0
		app.Handle("POST /clear", func(_ http.ResponseWriter, r *http.Request) {
			if keys := app.SCS.Keys(r.Context()); len(keys) != 1 {
				t.Errorf("keys %q", keys)
			}
			app.SCS.Clear(r.Context())
			app.SCS.Put(r.Context(), "userID", "ann")
		})
		phone, _ := app.Issued(t, "ann")
		phone.Post("/clear")
		next := app.With(t, phone.Post("/rotate").Body)
		if !next.Opens() || !app.List(t, "ann")[0].Token {
			t.Error("the session has lost its tokens")
		}
		app.SCS.Iterate(t.Context(), func(ctx context.Context) error {
			app.SCS.Put(ctx, "cart", "book")
			_, _, err := app.SCS.Commit(ctx)
			return err
		})
		after := app.With(t, next.Post("/rotate").Body)
		if after.Get("/cart").Body != "book" {
			t.Error("a commit of Iterate has lost the session's tokens")
		}
		app.Handle("POST /merge", func(_ http.ResponseWriter, r *http.Request) { app.SCS.MergeSession(r.Context(), r.FormValue("other")) })
		visitor := app.Browser(t)
		visitor.Post("/cart?put=tea")
		after.Post("/merge?other=" + visitor.Cookie)
		if !after.Opens() || after.Get("/cart").Body != "tea" || !app.List(t, "ann")[0].Token {
			t.Error("a merge has lost the session's tokens")
		}
	})
}

package revoke_test

import (
	"context"
	"io"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/internal/testapp"
	"github.com/revoke-sessions/revoke/store"
)

// TestLostRenewal shows that whoever lost the answer to a renewal stays signed in,
// and that the old token is over as soon as the new one is used.
func TestLostRenewal(t *testing.T) {
	testapp.Bubble(func(t *testing.T) {
		app := testapp.InBubble(store.NewMemory())
		b := app.SignedIn(t, "ann")
		renewed := app.BrowserWith(t, b.Send("POST", "/renew").Cookie.Value) // an answer that b never sees
		for range 3 {
			if !b.Opens() {
				t.Fatal("signed out by a lost answer")
			}
		}
		time.Sleep(time.Minute)
		again := app.BrowserWith(t, b.Send("POST", "/renew").Cookie.Value)
		if renewed.Opens() {
			t.Error("a renewal whose answer was lost opens after another has taken its place")
		}
		if !b.Opens() || !again.Opens() {
			t.Error("signed out by a second renewal")
		}
		if b.Opens() {
			t.Error("the old token opens after the new one was used")
		}
		if got := app.List(t, "ann"); len(got) != 1 {
			t.Errorf("%d sessions, want 1", len(got))
		}
	})(t)
}

// TestRenewalsAtOnce shows that of two renewals within a minute the second is
// skipped, its data is saved, and no order of the answers signs the browser out.
func TestRenewalsAtOnce(t *testing.T) {
	testapp.Bubble(func(t *testing.T) {
		app := testapp.InBubble(store.NewMemory())
		app.Handle("POST /renew-and-put", func(w http.ResponseWriter, r *http.Request) {
			app.SCS.RenewToken(r.Context())
			app.SCS.Put(r.Context(), "cart", r.FormValue("put"))
		})
		b := app.SignedIn(t, "ann")
		b.Post("/renew-and-put?put=book")
		if got := b.Send("POST", "/renew-and-put?put=pen"); got.Cookie != nil {
			t.Error("the second renewal set a cookie")
		}
		if got := b.Get("/cart"); got.Body != "pen" {
			t.Errorf("the data of the second: %q", got.Body)
		}
	})(t)
}

// TestRenewalWithProof shows that a sign-in, or a step-up, ends the token before at
// once, and that a request that was sent with it at the same time does not sign the
// browser out.
func TestRenewalWithProof(t *testing.T) {
	testapp.Bubble(func(t *testing.T) {
		app := testapp.InBubble(store.NewMemory())
		app.Handle("POST /step-up", func(w http.ResponseWriter, r *http.Request) {
			if err := app.Sessions.Reauthenticated(r.Context()); err != nil {
				t.Error(err)
			}
		})
		b := app.SignedIn(t, "ann")
		before := app.BrowserWith(t, b.Cookie)
		b.Post("/step-up")
		if before.Opens() {
			t.Error("the token before opens after a proof")
		}
		if got := before.Send("POST", "/cart?put=book"); got.Cookie != nil {
			t.Error("a request that was sent before set a visitor's cookie, over the session's")
		}
		if !b.Opens() {
			t.Error("signed out")
		}
	})(t)
}

// TestProofOvertaken shows that a new proof which another renewal has overtaken is
// answered with an error, as it is not stored, and that it succeeds if it is tried again.
func TestProofOvertaken(t *testing.T) {
	app := testapp.New(t, store.NewMemory())
	app.Sessions.Authorize = func(_ context.Context, a revoke.Action) error {
		if a.Session.ProvedAt.Equal(a.Session.CreatedAt) {
			return &revoke.ReauthenticationError{}
		}
		return nil
	}
	overtaken := func() {}
	app.Handle("POST /step-up", func(w http.ResponseWriter, r *http.Request) {
		overtaken()
		if err := app.Sessions.Reauthenticated(r.Context()); err != nil {
			t.Error(err)
		}
	})
	b, other := app.SignedIn(t, "ann"), app.SignedIn(t, "ann")
	overtaken = func() { b.Cookie = app.BrowserWith(t, b.Cookie).Send("POST", "/renew").Cookie.Value }
	if got := b.Send("POST", "/step-up"); got.Status != http.StatusServiceUnavailable || got.Cookie != nil {
		t.Errorf("overtaken: %d, cookie %v", got.Status, got.Cookie)
	}
	overtaken = func() {}
	if got := b.Post("/step-up"); got.Status != http.StatusOK {
		t.Errorf("tried again: %d %s", got.Status, got.Body)
	}
	if got := b.Delete(testapp.APIPath + "/" + other.ID()); got.Status != http.StatusOK {
		t.Errorf("revoke after the proof: %d %s", got.Status, got.Body)
	}
}

// TestRetiredTokenLocksNobodyOut shows that a thief who has renewed a stolen token,
// and uses the session all the time, keeps its owner from no sign-in form, that the
// owner's sign-out ends the thief's session, and that the alarm is raised, but not for
// a request that was on its way.
func TestRetiredTokenLocksNobodyOut(t *testing.T) {
	for name, end := range map[string]func(app *testapp.App, owner *testapp.Browser){
		"by Logout": func(app *testapp.App, owner *testapp.Browser) { owner.Post("/log-out") },
		"by the list": func(app *testapp.App, owner *testapp.Browser) {
			owner.Post("/login?user=ann")
			owner.Delete(testapp.APIPath)
		},
	} {
		t.Run(name, testapp.Bubble(func(t *testing.T) {
			app := testapp.InBubble(store.NewMemory())
			app.Handle("POST /log-out", func(w http.ResponseWriter, r *http.Request) { app.Sessions.Logout(r.Context()) })
			owner := app.SignedIn(t, "ann")
			thief := app.BrowserWith(t, owner.Cookie)
			thief.Post("/renew")
			thief.Get("/me")
			if owner.Opens() {
				t.Fatal("the retired token opens")
			}
			if n := app.Log.Count(revoke.Suspicious); n != 0 {
				t.Error("an alarm for a request that may have been on its way")
			}
			for range 3 {
				time.Sleep(time.Minute)
				thief.Get("/me")
			}
			retired := owner.Cookie
			for range 3 {
				owner.Cookie = retired
				owner.Post("/cart?put=csrf")
				if got := owner.Get("/cart"); got.Body != "csrf" {
					t.Errorf("the form's token is not kept: %q", got.Body)
				}
			}
			if n := app.Log.Count(revoke.Suspicious); n != 1 {
				t.Errorf("%d alarms, want 1", n)
			}
			owner.Cookie = retired
			end(app, owner)
			if thief.Opens() {
				t.Error("the thief's token opens")
			}
		}))
	}
}

// TestRevokedBeforeItsFirstUse shows that the holder of either token of a session
// that was revoked in the middle of a renewal is told so.
func TestRevokedBeforeItsFirstUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := testapp.InBubble(store.NewMemory())
		b := app.SignedIn(t, "ann")
		renewed := app.BrowserWith(t, b.Send("POST", "/renew").Cookie.Value)
		if _, err := app.Sessions.RevokeAll(t.Context(), "ann"); err != nil {
			t.Fatal(err)
		}
		for name, b := range map[string]*testapp.Browser{"before": b, "after": renewed} {
			if got := b.Get(testapp.APIPath); got.Code(t) != "session_revoked" {
				t.Errorf("the token from %s the renewal: %s", name, got.Body)
			}
		}
	})
}

// TestForgedSecretTellsNothing shows that a forged token of a live session is
// answered as one of no session, visitor's cookie included.
func TestForgedSecretTellsNothing(t *testing.T) {
	testapp.Bubble(func(t *testing.T) {
		app := testapp.InBubble(store.NewMemory())
		b := app.SignedIn(t, "ann")
		forged := b.UserKey() + "." + b.ID() + "." + b.Secret()[1:] + "A"
		unknown := b.UserKey() + ".AAAAAAAAAAAAAAAAAAAAAA." + b.Secret()
		for _, cookie := range []string{forged, unknown} {
			if got := app.BrowserWith(t, cookie).Send("POST", "/cart?put=book"); got.Cookie == nil {
				t.Errorf("%q is given no visitor's cookie", cookie)
			}
		}
	})(t)
}

// TestConcurrentRenewals shows that of two requests that renew at once one wins,
// and that the loser's response is whole and sets no cookie.
func TestConcurrentRenewals(t *testing.T) {
	testapp.EachStore(t, func(t *testing.T, st store.Store) {
		var both sync.WaitGroup
		both.Add(2)
		app := testapp.New(t, st)
		app.Handle("POST /renew-at-once", func(w http.ResponseWriter, r *http.Request) {
			app.SCS.RenewToken(r.Context())
			both.Done()
			both.Wait()
			io.WriteString(w, "whole")
		})
		b := app.SignedIn(t, "ann")
		var cookies [2]string
		var wg sync.WaitGroup
		for i := range cookies {
			wg.Go(func() {
				got := b.Send("POST", "/renew-at-once")
				if got.Cookie != nil {
					cookies[i] = got.Cookie.Value
				}
				if got.Cookie != nil && got.Cookie.Value == "" {
					t.Error("the loser's response clears the winner's cookie")
				}
				if got.Status != http.StatusOK || got.Body != "whole" {
					t.Errorf("renewal: %d %q", got.Status, got.Body)
				}
			})
		}
		wg.Wait()
		if (cookies[0] == "") == (cookies[1] == "") {
			t.Fatalf("want one cookie, got %q", cookies)
		}
		b.Cookie = cookies[0] + cookies[1]
		if got := b.Get("/me"); got.Body != "ann" {
			t.Errorf("the winner's token: %d %q", got.Status, got.Body)
		}
	})
}

// TestAfterASkippedRenewal shows that a session whose renewal was skipped can still be
// saved and destroyed when the response is out, also one from before.
func TestAfterASkippedRenewal(t *testing.T) {
	for name, c := range map[string]struct{ old, hashed bool }{"": {}, "old": {old: true}, "hashed": {hashed: true}, "old, hashed": {true, true}} {
		t.Run(name, func(t *testing.T) {
			app := testapp.New(t, store.NewMemory())
			app.SCS.HashTokenInStore = c.hashed
			app.Handle("POST /late", func(w http.ResponseWriter, r *http.Request) {
				if err := app.SCS.RenewToken(r.Context()); err != nil {
					t.Error(err)
				}
				http.NewResponseController(w).Flush()
				app.SCS.Put(r.Context(), "cart", "book")
				if _, _, err := app.SCS.Commit(r.Context()); err != nil {
					t.Error(err)
				}
				if got := app.BrowserWith(t, r.CookiesNamed("session")[0].Value).Get("/cart"); got.Body != "book" {
					t.Errorf("saved %q", got.Body)
				}
				if err := app.SCS.Destroy(r.Context()); err != nil {
					t.Error(err)
				}
			})
			b := app.SignedIn(t, "ann")
			if c.old {
				b = app.BrowserWith(t, app.Before(t).SignedIn(t, "ann").Cookie)
				app.BrowserWith(t, b.Cookie).Post("/renew") // whose answer is lost
			} else {
				b.Post("/renew")
			}
			b.Post("/late")
			if b.Opens() {
				t.Error("the session lives")
			}
		})
	}
}

// TestAfterALostRenewal shows that a session whose renewal another request has made
// first can still be destroyed when the response is out.
func TestAfterALostRenewal(t *testing.T) {
	app := testapp.New(t, store.NewMemory())
	app.Handle("POST /late", func(w http.ResponseWriter, r *http.Request) {
		if err := app.SCS.RenewToken(r.Context()); err != nil {
			t.Error(err)
		}
		app.BrowserWith(t, r.CookiesNamed("session")[0].Value).Post("/renew")
		http.NewResponseController(w).Flush()
		if err := app.SCS.Destroy(r.Context()); err != nil {
			t.Error(err)
		}
	})
	b := app.SignedIn(t, "ann")
	b.Post("/late")
	if b.Opens() {
		t.Error("the session lives")
	}
}

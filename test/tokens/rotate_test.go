package tokens

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/internal/testapp"
	"github.com/revoke-sessions/revoke/store"
)

// TestRotate shows that a rotation loses nobody: to ask again gives the same token, and
// the token before is good until that one is used, by as many as there are at once.
func TestRotate(t *testing.T) {
	testapp.EachStore(t, func(t *testing.T, st store.Store) {
		tap := testapp.NewTap(st)
		app := testapp.New(t, tap).TakeTokens()
		phone, first := app.Issued(t, "ann")
		phone.Post("/cart?put=book")
		tap.Forget()
		asked := atOnce(10, func() string { return phone.Send("POST", "/rotate").Body })
		if calls := tap.Calls("Create", "Update", "Touch", "Revoke"); len(asked) != 1 || asked[first] != 0 || len(calls) != 0 {
			t.Fatalf("10 times asked: %d tokens, %d writes", len(asked), len(calls))
		}
		var second string
		for second = range asked {
		}
		if !phone.Opens() {
			t.Error("to ask has ended the token")
		}
		next := app.With(t, second)
		if got := atOnce(10, func() string { return next.Send("GET", "/cart").Body }); got["book"] != 10 {
			t.Errorf("10 first uses: %v", got)
		}
		if phone.Opens() || !next.Opens() {
			t.Error("the first use has not ended the token before, or more than that")
		}
		if n := app.Log.Count(revoke.Renewed); n != 1 {
			t.Errorf("%d renewals in the log", n)
		}
		if list := app.List(t, "ann"); len(list) != 1 || !list[0].Token {
			t.Errorf("%v", list)
		}
	})
}

// atOnce calls f n times at once, and counts what it returned.
func atOnce(n int, f func() string) map[string]int {
	var mu sync.Mutex
	got := make(map[string]int)
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			answer := f()
			mu.Lock()
			defer mu.Unlock()
			got[answer]++
		})
	}
	all.Wait()
	return got
}

// TestLostAnswers shows that a client which loses every second answer stays signed in.
func TestLostAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := testapp.InBubble(store.NewMemory()).TakeTokens()
		_, token := app.Issued(t, "ann")
		for i := range 50 {
			got := app.With(t, token).Post("/rotate")
			if got.Status != http.StatusOK {
				t.Fatalf("exchange %d: %d %s", i, got.Status, got.Body)
			}
			if i%2 == 0 {
				token = got.Body
			}
			time.Sleep(time.Minute)
		}
		if n := app.Log.Count(revoke.Renewed); n != 25 {
			t.Errorf("%d rotations, want 25", n)
		}
	})
}

// TestRotateAfterIssue shows that Rotate makes nothing up for a request which has left the
// session of its token for a new one.
func TestRotateAfterIssue(t *testing.T) {
	app := testapp.New(t, store.NewMemory()).TakeTokens()
	app.Handle("POST /anew", func(_ http.ResponseWriter, r *http.Request) {
		app.Sessions.Logout(r.Context())
		if _, err := app.Sessions.Issue(r.Context(), "ann"); err != nil {
			t.Error(err)
		}
		if token, err := app.Sessions.Rotate(r.Context()); !errors.Is(err, revoke.ErrMisconfigured) {
			t.Errorf("%v, with a token that opens %v", err, app.With(t, token).Opens())
		}
	})
	phone, _ := app.Issued(t, "ann")
	phone.Post("/anew")
}

// TestRotateInHaste shows that two rotations are a minute apart at least, however often a
// client asks.
func TestRotateInHaste(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := testapp.InBubble(store.NewMemory()).TakeTokens()
		_, first := app.Issued(t, "ann")
		second := app.With(t, first).Post("/rotate").Body
		if again := app.With(t, second).Post("/rotate").Body; again != second || first == second {
			t.Errorf("%q is followed by %q, and that by %q", first, second, again)
		}
		time.Sleep(time.Minute)
		if third := app.With(t, second).Post("/rotate").Body; third == second {
			t.Error("there is no third token after a minute")
		}
	})
}

// TestLogoutByAnOldToken shows that a client which has not heard of its next token can
// still sign out.
func TestLogoutByAnOldToken(t *testing.T) {
	app := testapp.New(t, store.NewMemory()).TakeTokens()
	app.Handle("POST /leave", func(_ http.ResponseWriter, r *http.Request) { app.Sessions.Logout(r.Context()) })
	phone, _ := app.Issued(t, "ann")
	next := app.With(t, phone.Post("/rotate").Body)
	if !next.Opens() || phone.Opens() {
		t.Fatal("not rotated")
	}
	if phone.Post("/leave"); next.Opens() {
		t.Error("the session goes on")
	}
}

// TestLateWriteByToken shows that a goroutine which outlives its request writes to the
// session as long as that is live.
func TestLateWriteByToken(t *testing.T) {
	for _, hashed := range []bool{false, true} {
		app := testapp.New(t, store.NewMemory()).TakeTokens()
		app.SCS.HashTokenInStore = hashed
		contexts := make(chan context.Context, 1)
		app.Handle("POST /background", func(_ http.ResponseWriter, r *http.Request) { contexts <- context.WithoutCancel(r.Context()) })
		app.Handle("POST /renewing", func(_ http.ResponseWriter, r *http.Request) { // scs has another token for the session then
			app.SCS.RenewToken(r.Context())
			contexts <- context.WithoutCancel(r.Context())
		})
		phone, _ := app.Issued(t, "ann")
		for _, path := range []string{"/background", "/renewing"} {
			phone.Post(path)
			ctx := <-contexts
			app.SCS.Put(ctx, "cart", path)
			if _, _, err := app.SCS.Commit(ctx); err != nil || phone.Get("/cart").Body != path {
				t.Errorf("%s: %v, cart %q", path, err, phone.Get("/cart").Body)
			}
			if path == "/renewing" {
				if err := app.SCS.Destroy(ctx); err != nil || phone.Opens() {
					t.Errorf("a late Destroy: %v", err)
				}
			}
		}
	}
}

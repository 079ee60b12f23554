package revoke_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/internal/testapp"
	"github.com/revoke-sessions/revoke/store"
)

func TestDroppedWriteDeliversTheResponse(t *testing.T) {
	testapp.EachStore(t, func(t *testing.T, st store.Store) {
		app := testapp.New(t, st)
		app.Handle("POST /write", func(w http.ResponseWriter, r *http.Request) {
			current, _ := app.Sessions.Current(r.Context())
			if err := app.Sessions.Revoke(context.Background(), "ann", current.ID); err != nil {
				t.Error(err)
			}
			app.SCS.Put(r.Context(), "cart", "book")
			io.WriteString(w, "whole")
		})
		b := app.SignedIn(t, "ann")
		if got := b.Post("/write"); got.Status != http.StatusOK || got.Body != "whole" {
			t.Errorf("%d %q", got.Status, got.Body)
		}
	})
}

// TestRevokedDataGoesToNoOtherUser shows that a request whose session was
// revoked meanwhile cannot carry its data over to another user.
func TestRevokedDataGoesToNoOtherUser(t *testing.T) {
	app := testapp.New(t, store.NewMemory())
	app.Handle("POST /rename", func(w http.ResponseWriter, r *http.Request) {
		app.Sessions.RevokeAll(context.Background(), "ann")
		app.SCS.Put(r.Context(), "userID", "anna")
	})
	b := app.SignedIn(t, "ann")
	b.Post("/rename")
	if got := b.Get("/me"); got.Status != http.StatusUnauthorized || len(app.List(t, "anna")) != 0 {
		t.Errorf("%d %q", got.Status, got.Body)
	}
}

// TestRevokedDataIsNotMerged shows that a request whose session was revoked meanwhile
// brings its data into no session of another user, who may have stolen the one.
func TestRevokedDataIsNotMerged(t *testing.T) {
	for _, login := range []bool{false, true} {
		app := testapp.New(t, store.NewMemory())
		app.Handle("POST /merge", func(_ http.ResponseWriter, r *http.Request) {
			app.Sessions.RevokeAll(context.Background(), "ann")
			if err := app.SCS.MergeSession(r.Context(), r.FormValue("token")); err != nil {
				t.Error(err)
			}
			if login {
				app.Sessions.Login(r.Context(), "bob")
			}
		})
		b, source := app.SignedIn(t, "ann"), app.SignedIn(t, "bob")
		b.Post("/cart?put=book")
		got := b.Post("/merge?token=" + source.Cookie)
		if login != b.Opens() || login == source.Opens() || b.Get("/cart").Body != "" || source.Get("/cart").Body != "" {
			t.Errorf("login %t: %d; it opens %t, with %q; the source %t, with %q", login, got.Status, b.Opens(), b.Get("/cart").Body, source.Opens(), source.Get("/cart").Body)
		}
		if !login && got.Status != http.StatusUnauthorized {
			t.Errorf("%d %s", got.Status, got.Body)
		}
	}
}

// TestDataOfAnotherUser shows that a session's data cannot come to name another
// user behind the back of the save step.
func TestDataOfAnotherUser(t *testing.T) {
	testapp.EachStore(t, func(t *testing.T, st store.Store) {
		app := testapp.New(t, st)
		app.Handle("POST /late", func(w http.ResponseWriter, r *http.Request) {
			http.NewResponseController(w).Flush()
			app.SCS.Put(r.Context(), "userID", r.FormValue("user"))
			if _, _, err := app.SCS.Commit(r.Context()); err == nil {
				t.Error("a late commit has changed the user")
			}
		})
		b := app.SignedIn(t, "ann")
		b.Post("/late?user=bob")
		b.Post("/late?user=")
		if got := b.Get("/me"); got.Body != "ann" {
			t.Errorf("the session is of %q", got.Body)
		}
		next := testapp.New(t, st) // a deployment with another key
		next.Sessions.UserIDKey = "accountID"
		if got := next.BrowserWith(t, b.Cookie).Get(testapp.APIPath); got.Status != http.StatusUnauthorized {
			t.Errorf("a session whose data names nobody: %d %s", got.Status, got.Body)
		}
	})
}

// TestUnencodableData shows that a value that cannot be stored is an error in
// the place of the response, and not behind it.
func TestUnencodableData(t *testing.T) {
	app := testapp.New(t, store.NewMemory())
	app.Handle("POST /put", func(w http.ResponseWriter, r *http.Request) {
		app.SCS.Put(r.Context(), "bad", func() {})
		w.Header().Set("Content-Length", "5")
		io.WriteString(w, "whole")
	})
	b := app.SignedIn(t, "ann")
	if got := b.Post("/put"); got.Status != http.StatusInternalServerError || got.Code(t) != "misconfigured" || b.Cookie == "" {
		t.Errorf("%d %q", got.Status, got.Body)
	}
	if got := b.Get("/me"); got.Body != "ann" {
		t.Errorf("the session is lost: %d", got.Status)
	}
}

// TestLateCommitUnderAnOldToken shows that a goroutine that outlives its request
// writes only as long as the token that it came with is the session's.
func TestLateCommitUnderAnOldToken(t *testing.T) {
	testapp.EachStore(t, func(t *testing.T, st store.Store) {
		contexts := make(chan context.Context, 1)
		app := testapp.New(t, st)
		app.Handle("POST /background", func(w http.ResponseWriter, r *http.Request) { contexts <- context.WithoutCancel(r.Context()) })
		app.Handle("GET /done", func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, app.SCS.GetString(r.Context(), "done"))
		})
		b := app.SignedIn(t, "ann")
		commit := func(ctx context.Context, value string) error {
			app.SCS.Put(ctx, "done", value)
			_, _, err := app.SCS.Commit(ctx)
			return err
		}
		b.Post("/background")
		ctx := <-contexts
		if err := commit(ctx, "in time"); err != nil || b.Get("/done").Body != "in time" {
			t.Errorf("a late write to a live session: %v, %q", err, b.Get("/done").Body)
		}
		b.Post("/renew")
		if err := commit(ctx, "too late"); !errors.Is(err, store.ErrStale) || b.Get("/done").Body != "in time" {
			t.Errorf("a write under the old token: %v, %q", err, b.Get("/done").Body)
		}
	})
}

// TestDestroyAfterTheResponse shows that a session that a request has created or
// renewed can still be destroyed when its response is out.
func TestDestroyAfterTheResponse(t *testing.T) {
	for _, hashed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			app := testapp.InBubble(store.NewMemory())
			app.SCS.HashTokenInStore = hashed
			app.Handle("POST /inout", func(w http.ResponseWriter, r *http.Request) {
				app.Sessions.Login(r.Context(), "ann")
				http.NewResponseController(w).Flush()
				if err := app.SCS.Destroy(r.Context()); err != nil {
					t.Error(err)
				}
			})
			b := app.Browser(t)
			b.Post("/inout")
			synctest.Wait() // the event is raised without scs's lock
			if got := b.Get("/me"); got.Status != http.StatusUnauthorized || app.Log.Count(revoke.LoggedOut) != 1 {
				t.Errorf("hashed %v: %d %q, log %s", hashed, got.Status, got.Body, app.Log)
			}
		})
	}
}

// TestMerge shows what MergeSession does to tracked sessions.
func TestMerge(t *testing.T) {
	testapp.EachStore(t, func(t *testing.T, st store.Store) {
		tap := testapp.NewTap(st)
		app := testapp.New(t, tap)
		app.Handle("POST /merge", func(w http.ResponseWriter, r *http.Request) {
			if err := app.SCS.MergeSession(r.Context(), r.FormValue("token")); err != nil {
				t.Error(err)
			}
		})
		t.Run("into a visitor's", func(t *testing.T) {
			source, b := app.SignedIn(t, "ann"), app.Browser(t)
			b.Post("/cart?put=book")
			b.Post("/merge?token=" + source.Cookie)
			if got := b.Get("/me"); got.Body != "ann" || b.ID() != source.ID() {
				t.Errorf("merged: %d %q", got.Status, got.Body)
			}
			if got := source.Get("/me"); got.Status != http.StatusUnauthorized {
				t.Errorf("the merged session's token still opens: %q", got.Body)
			}
			if got := len(app.List(t, "ann")); got != 1 {
				t.Errorf("%d sessions, want 1", got)
			}
		})
		t.Run("into another session", func(t *testing.T) {
			source, b := app.SignedIn(t, "bob"), app.SignedIn(t, "bob")
			b.Post("/merge?token=" + source.Cookie)
			if got := b.Get("/me"); got.Body != "bob" {
				t.Errorf("merged: %d %q", got.Status, got.Body)
			}
			if left := app.List(t, "bob"); len(left) != 1 || left[0].ID != b.ID() {
				t.Errorf("left: %+v", left)
			}
		})
		t.Run("of a session that ends meanwhile", func(t *testing.T) {
			source, b := app.SignedIn(t, "eve"), app.SignedIn(t, "eve")
			source.Post("/cart?put=book")
			id := source.ID()
			tap.AfterNext("Find", func() { // the first look-up is the request's own
				tap.AfterNext("Find", func() {
					if err := app.Sessions.Revoke(context.Background(), "eve", id); err != nil {
						t.Error(err)
					}
				})
			})
			b.Post("/merge?token=" + source.Cookie)
			if got := b.Get("/cart"); got.Body != "" || b.Get("/me").Body != "eve" {
				t.Errorf("the data of a revoked session lives on: %q", got.Body)
			}
		})
		t.Run("of another user", func(t *testing.T) {
			source, b := app.SignedIn(t, "cid"), app.SignedIn(t, "dan")
			b.Post("/merge?token=" + source.Cookie)
			if got := b.Get("/me"); got.Body != "cid" {
				t.Errorf("merged: %d %q", got.Status, got.Body)
			}
			if got := len(app.List(t, "dan")); got != 0 {
				t.Errorf("%d sessions of the user before, want none", got)
			}
		})
	})
}

// TestGoroutinesOfAHandler shows that what a handler leaves running meets the save
// step without a race, and without either waiting for the other for good.
func TestGoroutinesOfAHandler(t *testing.T) {
	var left sync.WaitGroup
	app := testapp.New(t, store.NewMemory())
	inBackground := map[string]func(ctx context.Context){
		"commit":         func(ctx context.Context) { app.SCS.Commit(ctx) },
		"destroy":        func(ctx context.Context) { app.SCS.Destroy(ctx) },
		"renew":          func(ctx context.Context) { app.SCS.RenewToken(ctx) },
		"sign in":        func(ctx context.Context) { app.Sessions.Login(ctx, "ann") },
		"switch":         func(ctx context.Context) { app.Sessions.Login(ctx, "bob") },
		"sign out":       func(ctx context.Context) { app.Sessions.Logout(ctx) },
		"prove":          func(ctx context.Context) { app.Sessions.Reauthenticated(ctx) },
		"revoke others":  func(ctx context.Context) { app.Sessions.RevokeOthers(ctx) },
		"revoke all":     func(ctx context.Context) { app.Sessions.RevokeAll(ctx, "ann") },
		"ask who it is":  func(ctx context.Context) { app.Sessions.Current(ctx); app.Sessions.Err(ctx) },
		"watch, shortly": func(ctx context.Context) { _, cancel := app.Sessions.Watch(ctx); cancel() },
	}
	for name, f := range inBackground {
		t.Run(name, func(t *testing.T) {
			requests := 3_000
			if name == "commit" {
				requests = 30_000
			}
			if testing.Short() {
				requests /= 10
			}
			h := app.Sessions.Track(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				app.SCS.Put(r.Context(), "cart", "book")
				for range 3 {
					left.Go(func() { f(r.Context()) })
				}
			}))
			var cookie *http.Cookie
			for i := range requests {
				if i%10 == 0 {
					b := app.Browser(t)
					for b.Post("/login?user=ann").Status != http.StatusOK {
						// all was revoked after it had begun
					}
					cookie = &http.Cookie{Name: "session", Value: b.Cookie}
				}
				r := httptest.NewRequest("POST", "/", nil)
				if i%2 == 0 {
					r.AddCookie(cookie)
				}
				h.ServeHTTP(httptest.NewRecorder(), r)
			}
			left.Wait()
		})
	}
}

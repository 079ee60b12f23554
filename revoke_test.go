package revoke_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/internal/testapp"
	"github.com/revoke-sessions/revoke/store"
)

func TestAfterOwnRevocation(t *testing.T) {
	testapp.EachStore(t, func(t *testing.T, st store.Store) {
		app := testapp.New(t, st)
		app.Handle("POST /reset", func(w http.ResponseWriter, r *http.Request) {
			if _, err := app.Sessions.RevokeAll(r.Context(), "ann"); err != nil {
				t.Error(err)
			}
			if _, ok := app.Sessions.Current(r.Context()); ok {
				t.Error("there is a current session after RevokeAll")
			}
			if _, err := app.Sessions.RevokeOthers(r.Context()); !errors.Is(err, revoke.ErrUnauthenticated) {
				t.Errorf("a revoked session revokes others: %v", err)
			}
			app.Sessions.Login(r.Context(), "ann")
		})
		b, other := app.SignedIn(t, "ann"), app.SignedIn(t, "ann")
		before := b.ID()
		b.Post("/reset")
		if got := b.Get("/me"); got.Body != "ann" || b.ID() == before {
			t.Errorf("signing in again after RevokeAll: %d %q", got.Status, got.Body)
		}
		if got := other.Get("/me"); got.Status != http.StatusUnauthorized {
			t.Errorf("the other session survived RevokeAll: %d", got.Status)
		}
		if got := len(app.List(t, "ann")); got != 1 {
			t.Errorf("%d sessions, want 1", got)
		}
	})
}

// TestRevokeEveryone shows that it reaches sessions that have not been adopted
// yet, and the old cookies of those that have.
func TestRevokeEveryone(t *testing.T) {
	testapp.EachStore(t, func(t *testing.T, st store.Store) {
		app := testapp.New(t, st)
		old := app.Before(t)
		var cookies []string
		for _, adopt := range []bool{false, true} {
			b := app.Browser(t)
			b.App = old
			b.Post("/login?user=ann")
			b.App = app
			cookies = append(cookies, b.Cookie)
			if adopt {
				b.Get("/me")
				cookies = append(cookies, b.Cookie)
			}
		}
		cookies = append(cookies, app.SignedIn(t, "ann").Cookie, app.SignedIn(t, "bob").Cookie)
		if err := app.Sessions.RevokeEveryone(context.Background()); err != nil {
			t.Fatal(err)
		}
		for i, cookie := range cookies {
			b := app.BrowserWith(t, cookie)
			if got := b.Get("/me"); got.Status != http.StatusUnauthorized {
				t.Errorf("cookie %d opens: %d %q", i, got.Status, got.Body)
			}
		}
	})
}

// TestThousandSessions shows that ending all others is one call of the store.
func TestThousandSessions(t *testing.T) {
	testapp.EachStore(t, func(t *testing.T, st store.Store) {
		app := testapp.New(t, st)
		app.Sessions.MaxPerUser = 0
		b := app.SignedIn(t, "ann")
		user := b.UserKey()
		for i := range 999 {
			r := store.Record{User: user, ID: fmt.Sprintf("%022d", i), ExpiresAt: time.Now().Add(time.Hour)}
			if _, err := st.Create(context.Background(), r, 0); err != nil {
				t.Fatal(err)
			}
		}
		var reply struct{ Count int }
		got := b.Delete(testapp.APIPath)
		json.Unmarshal([]byte(got.Body), &reply)
		if reply.Count != 999 || len(app.List(t, "ann")) != 1 {
			t.Errorf("revoked %d, %d left", reply.Count, len(app.List(t, "ann")))
		}
	})
}

// TestActorRevokedMeanwhile shows that a session that is revoked while its
// request is under way revokes nobody.
func TestActorRevokedMeanwhile(t *testing.T) {
	testapp.EachStore(t, func(t *testing.T, st store.Store) {
		tap := testapp.NewTap(st)
		app := testapp.New(t, tap)
		thief, owner := app.SignedIn(t, "ann"), app.SignedIn(t, "ann")
		for _, path := range []string{"", "/" + owner.ID()} {
			thief := app.SignedIn(t, "ann")
			id := thief.ID()
			tap.AfterNext("Find", func() {
				if err := app.Sessions.Revoke(context.Background(), "ann", id); err != nil {
					t.Error(err)
				}
			})
			got := thief.Delete(testapp.APIPath + path)
			if got.Status != http.StatusUnauthorized || got.Code(t) != "session_revoked" {
				t.Errorf("%q: %d %s", path, got.Status, got.Body)
			}
		}
		if owner.Get("/me").Status != http.StatusOK || thief.Get("/me").Status != http.StatusOK {
			t.Error("a revoked session revoked another")
		}
	})
}

// TestRevokedActorStaysOverruled shows that a request whose session was revoked
// meanwhile revokes nobody, however often it tries.
func TestRevokedActorStaysOverruled(t *testing.T) {
	testapp.EachStore(t, func(t *testing.T, st store.Store) {
		var id, other string
		app := testapp.New(t, st)
		app.Handle("POST /bulk", func(w http.ResponseWriter, r *http.Request) {
			app.Sessions.Revoke(context.Background(), "ann", id)
			for range 2 {
				if err := app.Sessions.Revoke(r.Context(), "ann", other); !errors.Is(err, revoke.ErrRevoked) {
					t.Errorf("revoke one: %v", err)
				}
			}
			if _, err := app.Sessions.RevokeAll(r.Context(), "ann"); !errors.Is(err, revoke.ErrRevoked) {
				t.Errorf("revoke all: %v", err)
			}
			// For another user the application answers.
			if ended, err := app.Sessions.RevokeAll(r.Context(), "bob"); err != nil || len(ended) != 1 {
				t.Errorf("revoke all of another user: %v, %v", ended, err)
			}
		})
		b, victim := app.SignedIn(t, "ann"), app.SignedIn(t, "ann")
		app.SignedIn(t, "bob")
		id, other = b.ID(), victim.ID()
		b.Post("/bulk")
		if victim.Get("/me").Status != http.StatusOK {
			t.Error("a revoked session has revoked another")
		}
	})
}

// TestRevokedSessionRevokesNobody shows the same where the save step has found
// the session revoked, and the response has begun.
func TestRevokedSessionRevokesNobody(t *testing.T) {
	testapp.EachStore(t, func(t *testing.T, st store.Store) {
		var target string
		app := testapp.New(t, st)
		app.Sessions.TouchInterval = 0
		app.Handle("POST /stream", func(w http.ResponseWriter, r *http.Request) {
			current, _ := app.Sessions.Current(r.Context())
			if err := app.Sessions.Revoke(context.Background(), "ann", current.ID); err != nil {
				t.Error(err)
			}
			if r.FormValue("cart") != "" {
				app.SCS.Put(r.Context(), "cart", r.FormValue("cart"))
			}
			http.NewResponseController(w).Flush()
			if _, ok := app.Sessions.Current(r.Context()); ok || !errors.Is(app.Sessions.Err(r.Context()), revoke.ErrUnauthenticated) {
				t.Error("the session that the save step has found revoked is current")
			}
			if err := app.Sessions.Revoke(r.Context(), "ann", target); !errors.Is(err, revoke.ErrUnauthenticated) {
				t.Errorf("Revoke: %v", err)
			}
			if _, err := app.Sessions.RevokeAll(r.Context(), "ann"); !errors.Is(err, revoke.ErrUnauthenticated) {
				t.Errorf("RevokeAll: %v", err)
			}
		})
		other := app.SignedIn(t, "ann")
		target = other.ID()
		app.SignedIn(t, "ann").Post("/stream")
		app.SignedIn(t, "ann").Post("/stream?cart=book")
		if got := other.Get("/me"); got.Body != "ann" {
			t.Errorf("the other session: %d %q", got.Status, got.Body)
		}
	})
}

// TestOvertakenByARenewal shows that a request whose write was dropped, as its
// session has a newer token, is in that session all the same.
func TestOvertakenByARenewal(t *testing.T) {
	testapp.EachStore(t, func(t *testing.T, st store.Store) {
		var b *testapp.Browser
		app := testapp.New(t, st)
		app.Handle("POST /stream", func(w http.ResponseWriter, r *http.Request) {
			b.Post("/renew")
			app.SCS.Put(r.Context(), "cart", "book")
			http.NewResponseController(w).Flush()
			if ended, err := app.Sessions.RevokeOthers(r.Context()); err != nil || len(ended) != 1 {
				t.Errorf("RevokeOthers: %v, %v", ended, err)
			}
		})
		other := app.SignedIn(t, "ann")
		b = app.SignedIn(t, "ann")
		late := app.BrowserWith(t, b.Cookie)
		late.Post("/stream")
		if b.Get("/me").Body != "ann" || other.Get("/me").Status != http.StatusUnauthorized {
			t.Error("the wrong session has ended")
		}
	})
}

// TestSignedInAnewRevokes shows that who signs in in a request whose session was
// revoked meanwhile is in that new session from then on.
func TestSignedInAnewRevokes(t *testing.T) {
	for _, as := range []string{"ann", "bob"} {
		testapp.EachStore(t, func(t *testing.T, st store.Store) {
			var one, all *testapp.Browser
			app := testapp.New(t, st)
			app.Handle("POST /again", func(w http.ResponseWriter, r *http.Request) {
				current, _ := app.Sessions.Current(r.Context())
				if err := app.Sessions.Revoke(context.Background(), "ann", current.ID); err != nil {
					t.Error(err)
				}
				if _, err := app.Sessions.RevokeOthers(r.Context()); !errors.Is(err, revoke.ErrRevoked) {
					t.Errorf("RevokeOthers: %v", err)
				}
				if err := app.Sessions.Login(r.Context(), as); err != nil {
					t.Error(err)
				}
				http.NewResponseController(w).Flush()
				if err := app.Sessions.Revoke(r.Context(), as, one.ID()); err != nil {
					t.Errorf("Revoke, signed in: %v", err)
				}
				if ended, err := app.Sessions.RevokeOthers(r.Context()); err != nil || len(ended) != 1 {
					t.Errorf("RevokeOthers, signed in: %v, %v", ended, err)
				}
			})
			one, all = app.SignedIn(t, as), app.SignedIn(t, as)
			b := app.SignedIn(t, "ann")
			b.Post("/again")
			if one.Get("/me").Status != http.StatusUnauthorized || all.Get("/me").Status != http.StatusUnauthorized {
				t.Error("a session lives whose revocation was answered")
			}
			if got := b.Get("/me"); got.Body != as {
				t.Errorf("the new session: %d %q", got.Status, got.Body)
			}
		})
	}
}

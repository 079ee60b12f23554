package revoke_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/internal/testapp"
	"github.com/revoke-sessions/revoke/store"
)

func TestAdoption(t *testing.T) {
	for _, hashed := range []bool{false, true} {
		testapp.EachStore(t, func(t *testing.T, st store.Store) {
			app := testapp.New(t, st)
			app.SCS.HashTokenInStore = hashed
			// The same application before it came to revoke.
			old := app.Before(t)
			b := app.Browser(t)
			b.App = old
			b.Post("/login?user=ann")
			b.App = app
			before := b.Cookie
			if strings.Contains(before, ".") {
				t.Fatalf("%q is not a token of plain scs", before)
			}

			var cookies [6]string
			var wg sync.WaitGroup
			for i := range cookies {
				wg.Go(func() {
					got := b.Send("GET", "/me")
					if got.Cookie != nil {
						cookies[i] = got.Cookie.Value
					}
					if got.Body != "ann" {
						t.Errorf("after deployment: %d %q", got.Status, got.Body)
					}
				})
			}
			wg.Wait()
			for _, cookie := range cookies {
				if cookie != cookies[0] || !strings.HasSuffix(cookie, "."+before) {
					t.Fatalf("parallel requests arrived at different cookies: %q", cookies)
				}
			}
			if got := len(app.List(t, "ann")); got != 1 {
				t.Fatalf("%d sessions, want 1", got)
			}

			adopted := app.BrowserWith(t, cookies[0])
			if got := adopted.Get("/me"); got.Body != "ann" {
				t.Errorf("the new cookie: %d %q", got.Status, got.Body)
			}
			if err := app.Sessions.Revoke(context.Background(), "ann", adopted.ID()); err != nil {
				t.Fatal(err)
			}
			for _, cookie := range []string{cookies[0], before} {
				b := app.BrowserWith(t, cookie)
				if got := b.Get("/me"); got.Status != http.StatusUnauthorized {
					t.Errorf("after revocation cookie %q opens: %d %q", cookie, got.Status, got.Body)
				}
			}
			if left := app.List(t, "ann"); len(left) != 0 {
				t.Errorf("the old cookie brought back %+v", left)
			}
		})
	}
}

// expiryStore notes until when a record is kept.
type expiryStore struct {
	scs.Store
	expiry map[string]time.Time
}

func (e *expiryStore) Commit(token string, b []byte, expiry time.Time) error {
	e.expiry[token] = expiry
	return e.Store.Commit(token, b, expiry)
}

// TestAdoptedRecordExpires shows that what is left of a session in the visitors'
// store after its adoption is gone within a minute.
func TestAdoptedRecordExpires(t *testing.T) {
	sm := scs.New()
	visitors := &expiryStore{Store: sm.Store, expiry: map[string]time.Time{}}
	sm.Store = visitors
	b := testapp.Over(sm, nil).SignedIn(t, "ann")
	old := b.Cookie
	if left := time.Until(visitors.expiry[old]); left < time.Hour {
		t.Fatalf("signed in for %v", left)
	}
	b.App = testapp.Over(sm, store.NewMemory())
	b.Get("/me")
	if left := time.Until(visitors.expiry[old]); left <= 0 || left > time.Minute {
		t.Errorf("the old record is kept for %v", left)
	}
}

// hookedVisitors lets a test act between two steps of the visitors' store.
type hookedVisitors struct {
	*memstore.MemStore
	onAll, onCommit func()
}

func (h *hookedVisitors) All() (map[string][]byte, error) {
	if f := h.onAll; f != nil {
		h.onAll = nil
		f()
	}
	return h.MemStore.All()
}

func (h *hookedVisitors) Commit(token string, b []byte, expiry time.Time) error {
	if f := h.onCommit; f != nil {
		h.onCommit = nil
		f()
	}
	return h.MemStore.Commit(token, b, expiry)
}

// newDeployment returns an application that has just come to revoke, and a
// browser in which ann had signed in before. It is for the inside of a bubble.
func newDeployment(t *testing.T) (*testapp.App, *testapp.Browser, *hookedVisitors) {
	visitors := &hookedVisitors{MemStore: memstore.NewWithCleanupInterval(0)}
	before, after := testapp.NewSCS(), testapp.NewSCS()
	before.Store, after.Store = visitors, visitors
	b := testapp.Over(before, nil).SignedIn(t, "ann")
	b.App = testapp.Over(after, store.NewMemory())
	return b.App, b, visitors
}

// TestOldCookieIsNoWayBack shows that what adoption leaves in the visitors' store
// never creates a session.
func TestOldCookieIsNoWayBack(t *testing.T) {
	type deployment struct {
		app      *testapp.App
		b        *testapp.Browser
		visitors *hookedVisitors
	}
	everyone := func(d deployment) {
		if err := d.app.Sessions.RevokeEveryone(context.Background()); err != nil {
			t.Error(err)
		}
	}
	for name, end := range map[string]func(t *testing.T, d deployment){
		"its tombstone is forgotten": func(t *testing.T, d deployment) {
			d.b.Get("/me")
			if err := d.app.Sessions.Revoke(context.Background(), "ann", d.b.ID()); err != nil {
				t.Error(err)
			}
			for range store.MaxTombstones {
				d.app.SignedIn(t, "ann").Post("/logout")
			}
		},
		"one of too many to leave a tombstone": func(t *testing.T, d deployment) {
			d.app.Sessions.MaxPerUser = 0
			d.b.Get("/me")
			for range 2 * store.MaxTombstones {
				d.app.SignedIn(t, "ann")
			}
			if _, err := d.app.Sessions.RevokeAll(context.Background(), "ann"); err != nil {
				t.Error(err)
			}
		},
		"its deadline was brought forward": func(_ *testing.T, d deployment) {
			d.app.Handle("POST /shorten", func(_ http.ResponseWriter, r *http.Request) {
				d.app.SCS.SetDeadline(r.Context(), time.Now().Add(time.Second))
			})
			d.b.Get("/me")
			d.b.Post("/shorten")
			time.Sleep(time.Second)
		},
		"everyone was revoked":                          func(_ *testing.T, d deployment) { d.b.Get("/me"); everyone(d) },
		"everyone was revoked before its first request": func(_ *testing.T, d deployment) { everyone(d) },
		"everyone is revoked while it is adopted": func(_ *testing.T, d deployment) {
			d.visitors.onCommit = func() { everyone(d) }
			d.b.Get("/me")
		},
		"it is adopted while everyone is revoked": func(_ *testing.T, d deployment) {
			d.visitors.onAll = func() { d.b.Get("/me") }
			everyone(d)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				app, b, visitors := newDeployment(t)
				old := b.Cookie
				end(t, deployment{app, b, visitors})
				for _, cookie := range []string{b.Cookie, old} {
					if got := app.BrowserWith(t, cookie).Get("/me"); got.Status != http.StatusUnauthorized {
						t.Errorf("cookie %q opens: %d %q", cookie, got.Status, got.Body)
					}
				}
			})
		})
	}
}

// TestOldCookieAfterRenewal shows that an old cookie goes the way of any token
// that was renewed.
func TestOldCookieAfterRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app, b, _ := newDeployment(t)
		old := b.Cookie
		b.Get("/me")
		b.Post("/renew")
		stale := app.BrowserWith(t, old)
		if got := stale.Get("/me"); got.Status != http.StatusUnauthorized || stale.Cookie != old {
			t.Errorf("the old cookie: %d %q, now %q", got.Status, got.Body, stale.Cookie)
		}
		if got := b.Get("/me"); got.Body != "ann" {
			t.Errorf("the renewed cookie: %d", got.Status)
		}
	})
}

// TestOldTokenOutsideOfRequests shows what scs does with an old token in a
// goroutine of the application's: it acts on the session, and not on what is
// left in the visitors' store.
func TestOldTokenOutsideOfRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app, b, _ := newDeployment(t)
		old := b.Cookie
		b.Get("/me")
		ctx, err := app.SCS.Load(context.Background(), old)
		if err != nil || app.SCS.GetString(ctx, "userID") != "ann" {
			t.Fatalf("loaded %q, %v", app.SCS.GetString(ctx, "userID"), err)
		}
		if err := app.SCS.Destroy(ctx); err != nil {
			t.Fatal(err)
		}
		if got := b.Get("/me"); got.Status != http.StatusUnauthorized {
			t.Errorf("a session that was destroyed opens: %d", got.Status)
		}
	})
}

// TestFailureAfterAdoption shows that a store that fails just after it has adopted
// a session does not keep its new cookie from the browser.
func TestFailureAfterAdoption(t *testing.T) {
	tap := testapp.NewTap(store.NewMemory())
	tap.Fail = func(c testapp.Call) error {
		if c.Method == "Find" && len(tap.Calls("Find")) == 2 {
			return errors.New("the store is down")
		}
		return nil
	}
	app := testapp.New(t, tap)
	b := app.Browser(t)
	b.App = app.Before(t)
	b.Post("/login?user=ann")
	b.App = app
	old := b.Cookie
	if got := b.Get("/me"); got.Body != "ann" || b.Cookie == old || app.Log.Count(revoke.StoreFailed) != 1 {
		t.Errorf("%d %q, cookie %q after %d look-ups:\n%s", got.Status, got.Body, b.Cookie, len(tap.Calls("Find")), app.Log)
	}
	if got := b.Get("/me"); got.Body != "ann" {
		t.Errorf("afterwards: %d %q", got.Status, got.Body)
	}
}

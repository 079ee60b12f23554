package revoke_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/internal/testapp"
	"github.com/revoke-sessions/revoke/store"
)

func TestSignIn(t *testing.T) {
	testapp.EachStore(t, func(t *testing.T, st store.Store) {
		app := testapp.New(t, st)
		app.Handle("POST /forgetful", func(w http.ResponseWriter, r *http.Request) { app.SCS.Put(r.Context(), "userID", "ann") })
		app.Handle("POST /convenient", func(w http.ResponseWriter, r *http.Request) {
			if err := app.Sessions.Login(r.Context(), "ann"); err != nil {
				t.Error(err)
			}
		})
		for _, how := range []string{"/login?user=ann", "/forgetful", "/convenient"} {
			t.Run(strings.Trim(how, "/"), func(t *testing.T) {
				b := app.Browser(t)
				b.Post("/cart?put=book")
				visitor := b.Cookie
				b.Post(how)
				if b.Cookie == visitor || b.Cookie == "" {
					t.Fatal("sign-in did not take a fresh token")
				}
				if got := b.Get("/me"); got.Body != "ann" {
					t.Errorf("after sign-in: %d %q", got.Status, got.Body)
				}
				if got := b.Get("/cart"); got.Body != "book" {
					t.Errorf("the visitor's data was lost: %q", got.Body)
				}
				planted := app.BrowserWith(t, visitor)
				if got := planted.Get("/cart"); got.Body != "" {
					t.Errorf("the visitor's old token still opens its data: %q", got.Body)
				}
			})
		}
		if got := len(app.List(t, "ann")); got != 3 {
			t.Errorf("%d sessions, want 3", got)
		}
	})
}

func TestRenewalKeepsTheSession(t *testing.T) {
	testapp.EachStore(t, func(t *testing.T, st store.Store) {
		app := testapp.New(t, st)
		b := app.SignedIn(t, "ann")
		before, old := app.List(t, "ann")[0], b.Cookie
		b.Post("/renew")
		after := app.List(t, "ann")
		if len(after) != 1 || after[0].ID != before.ID || !after[0].CreatedAt.Equal(before.CreatedAt) {
			t.Errorf("renewed %+v into %+v", before, after)
		}
		if b.Cookie == old || b.ID() != before.ID {
			t.Errorf("renewed token %q into %q", old, b.Cookie)
		}
		if got := b.Get("/me"); got.Body != "ann" {
			t.Errorf("the renewed token: %d %q", got.Status, got.Body)
		}
		retired := app.BrowserWith(t, old)
		if got := retired.Send("GET", "/me"); got.Status != http.StatusUnauthorized || got.Cookie != nil {
			t.Errorf("a retired token: %d, cookie set to %v; the browser's newer one must be left alone", got.Status, got.Cookie)
		}
	})
}

func TestSessionEndsWithItsData(t *testing.T) {
	testapp.EachStore(t, func(t *testing.T, st store.Store) {
		ctx := func(r *http.Request) context.Context { return r.Context() }
		app := testapp.New(t, st)
		app.Handle("POST /clear", func(w http.ResponseWriter, r *http.Request) { app.SCS.Clear(ctx(r)) })
		app.Handle("POST /remove", func(w http.ResponseWriter, r *http.Request) { app.SCS.Remove(ctx(r), "userID") })
		app.Handle("POST /convenient", func(w http.ResponseWriter, r *http.Request) { app.Sessions.Logout(ctx(r)) })
		app.Handle("POST /switch", func(w http.ResponseWriter, r *http.Request) { app.SCS.Put(ctx(r), "userID", "bob") })
		app.Handle("POST /farewell", func(w http.ResponseWriter, r *http.Request) {
			app.SCS.Destroy(ctx(r))
			app.SCS.Put(ctx(r), "flash", "goodbye")
		})
		app.Handle("POST /panic", func(w http.ResponseWriter, r *http.Request) {
			app.SCS.Destroy(ctx(r))
			panic(http.ErrAbortHandler)
		})
		app.Handle("GET /flash", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, app.SCS.GetString(ctx(r), "flash")) })
		for _, how := range []string{"/logout", "/clear", "/remove", "/convenient", "/farewell", "/switch"} {
			t.Run(strings.Trim(how, "/"), func(t *testing.T) {
				b := app.SignedIn(t, "ann")
				old := b.Cookie
				b.Post(how)
				if left := app.List(t, "ann"); len(left) != 0 {
					t.Errorf("still listed: %+v", left)
				}
				stolen := app.BrowserWith(t, old)
				if got := stolen.Get("/me"); got.Status != http.StatusUnauthorized {
					t.Errorf("the old token still opens /me: %d %q", got.Status, got.Body)
				}
				switch got := b.Get("/me"); how {
				case "/switch":
					if got.Body != "bob" || b.Cookie == old || len(app.List(t, "bob")) != 1 {
						t.Errorf("after the switch: %d %q, %v", got.Status, got.Body, app.List(t, "bob"))
					}
				case "/farewell":
					if flash := b.Get("/flash"); flash.Body != "goodbye" || strings.Contains(b.Cookie, ".") {
						t.Errorf("farewell %q in session %q", flash.Body, b.Cookie)
					}
				default:
					if got.Status != http.StatusUnauthorized || b.Cookie != "" {
						t.Errorf("after the end: %d %q, cookie %q", got.Status, got.Body, b.Cookie)
					}
				}
			})
		}
		t.Run("panic", func(t *testing.T) {
			b := app.SignedIn(t, "ann")
			if _, err := http.DefaultTransport.RoundTrip(b.Request("POST", "/panic")); err == nil {
				t.Fatal("the handler did not panic")
			}
			if got := b.Get("/me"); got.Status != http.StatusUnauthorized {
				t.Errorf("a sign-out was lost with a panic: %d %q", got.Status, got.Body)
			}
		})
	})
}

func TestLimit(t *testing.T) {
	testapp.EachStore(t, func(t *testing.T, st store.Store) {
		app := testapp.New(t, st)
		app.Sessions.MaxPerUser = 3
		var browsers [50]*testapp.Browser
		var wg sync.WaitGroup
		for i := range browsers {
			wg.Go(func() {
				browsers[i] = app.Browser(t)
				browsers[i].Post("/login?user=ann")
			})
		}
		wg.Wait()
		if got := len(app.List(t, "ann")); got != 3 {
			t.Errorf("%d sessions, want 3", got)
		}
		alive := 0
		for _, b := range browsers {
			if b.Get("/me").Status == http.StatusOK {
				alive++
			}
		}
		if alive != 3 {
			t.Errorf("%d tokens open, want 3", alive)
		}
		if got := app.Log.Count(revoke.Evicted); got != 47 {
			t.Errorf("%d evictions logged, want 47", got)
		}
	})
}

// brokenStore fails where it handles more than one session at a time.
type brokenStore struct{ store.Store }

var errBroken = errors.New("broken")

func (brokenStore) List(context.Context, string) ([]store.Record, error) { return nil, errBroken }

func (brokenStore) RevokeEveryone(context.Context) error { return errBroken }

// TestListThatFails shows that a list which cannot be had is not an empty one.
func TestListThatFails(t *testing.T) {
	s := testapp.New(t, brokenStore{store.NewMemory()})
	b := s.SignedIn(t, "ann")
	if got := b.Get(testapp.APIPath); got.Status != http.StatusServiceUnavailable || strings.Contains(got.Body, "sessions\":") {
		t.Errorf("%d %q", got.Status, got.Body)
	}
	if sessions, err := s.Sessions.List(t.Context(), "ann"); !errors.Is(err, errBroken) || sessions != nil {
		t.Errorf("%v, %v", sessions, err)
	}
}

// TestRevokeEveryoneThatFails shows that the log claims nothing that was not done.
func TestRevokeEveryoneThatFails(t *testing.T) {
	s := testapp.New(t, brokenStore{store.NewMemory()})
	b := s.SignedIn(t, "ann")
	if err := s.Sessions.RevokeEveryone(t.Context()); !errors.Is(err, errBroken) {
		t.Errorf("the error is %v", err)
	}
	if got := s.Log.Take(t); !slices.Equal(got, []revoke.Kind{revoke.SignedIn, revoke.StoreFailed}) {
		t.Errorf("logged %v", got)
	}
	if got := b.Get("/me"); got.Body != "ann" {
		t.Errorf("%d %q", got.Status, got.Body)
	}
}

// TestLogoutOfASessionWithoutItsUser shows that Logout ends the session at once also if the
// handler has taken the user out of its data before.
func TestLogoutOfASessionWithoutItsUser(t *testing.T) {
	app := testapp.New(t, store.NewMemory())
	app.Handle("POST /out", func(_ http.ResponseWriter, r *http.Request) {
		app.SCS.Remove(r.Context(), "userID")
		if err := app.Sessions.Logout(r.Context()); err != nil {
			t.Error(err)
		}
		if n := len(app.List(t, "ann")); n != 0 {
			t.Errorf("Logout has returned, and leaves %d sessions", n)
		}
	})
	app.SignedIn(t, "ann").Post("/out")
}

// TestLongListAPI shows that whoever follows the links sees each session once.
func TestLongListAPI(t *testing.T) {
	for total, pages := range map[int]int{1: 1, 99: 1, 100: 1, 101: 2, 200: 2, 201: 3} {
		st := store.NewMemory()
		b := testapp.New(t, st).SignedIn(t, "ann")
		for i := range total - 1 {
			r := store.Record{User: b.Cookie[:22], ID: fmt.Sprintf("%022d", i), SeenAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour)}
			if _, err := st.Create(t.Context(), r, store.Limit{}); err != nil {
				t.Fatal(err)
			}
		}
		seen, asked := make(map[string]bool), 0
		for next := "?page=x"; next != "" && asked < 9; asked++ {
			var reply struct {
				Sessions []struct{ ID string }
				Next     string
			}
			if err := json.Unmarshal([]byte(b.Get(testapp.APIPath+next).Body), &reply); err != nil || len(reply.Sessions) > 100 {
				t.Fatal(len(reply.Sessions), err)
			}
			for _, session := range reply.Sessions {
				seen[session.ID] = true
			}
			next = reply.Next
		}
		if got := b.Get(testapp.APIPath + "?page=9223372036854775807"); got.Body != `{"sessions":[]}`+"\n" {
			t.Errorf("past the end: %s", got.Body)
		}
		if len(seen) != total || asked != pages {
			t.Errorf("%d of %d sessions on %d pages", len(seen), total, asked)
		}
	}
}

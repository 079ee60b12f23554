package tokens

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/internal/testapp"
	"github.com/revoke-sessions/revoke/store"
)

// TestRequire shows that the handler runs for those who have a session.
func TestRequire(t *testing.T) {
	app := testapp.New(t, store.NewMemory()).TakeTokens()
	app.Handler = app.Sessions.Require(app.Mux)
	if got := app.Browser(t).Get("/me"); got.Code(t) != "unauthenticated" || got.Header.Get("WWW-Authenticate") != "Bearer" {
		t.Errorf("%d %v", got.Status, got.Header)
	}
	token, err := app.Sessions.Issue(context.Background(), "ann")
	if err != nil {
		t.Fatal(err)
	}
	if got := app.With(t, token).Get("/me"); got.Body != "ann" {
		t.Errorf("%d %q", got.Status, got.Body)
	}
}

// TestOpen shows a call that has no response of HTTP.
func TestOpen(t *testing.T) {
	testapp.EachStore(t, func(t *testing.T, st store.Store) {
		app := testapp.New(t, st).TakeTokens()
		phone, token := app.Issued(t, "ann")
		phone.Post("/cart?put=book")
		call := (&http.Request{URL: new(url.URL), Header: http.Header{"Authorization": {"Bearer " + token}}, RemoteAddr: "192.0.2.7:1"}).WithContext(t.Context())
		ctx, err := app.Sessions.Open(call)
		if err != nil {
			t.Fatal(err)
		}
		if current, ok := app.Sessions.Current(ctx); !ok || current.UserID != "ann" || !current.Token || app.SCS.GetString(ctx, "cart") != "book" {
			t.Errorf("%v %v", current, ok)
		}
		app.SCS.Put(ctx, "cart", "lamp")
		if _, _, err := app.SCS.Commit(ctx); err != nil || phone.Get("/cart").Body != "lamp" {
			t.Errorf("a commit of its own: %v, cart %q", err, phone.Get("/cart").Body)
		}
		next, err := app.Sessions.Rotate(ctx)
		if err != nil || next == token {
			t.Errorf("Rotate: %v", err)
		}
		watched, cancel := app.Sessions.Watch(ctx)
		defer cancel()
		if !app.With(t, next).Opens() || watched.Err() != nil {
			t.Error("the rotation has ended what watches the session")
		}
		if _, err := app.Sessions.RevokeAll(ctx, "ann"); err != nil {
			t.Fatal(err)
		}
		<-watched.Done()
		if !errors.Is(context.Cause(watched), revoke.ErrRevoked) {
			t.Errorf("cause: %v", context.Cause(watched))
		}
		if _, err := app.Sessions.Open(call); !errors.Is(err, revoke.ErrUnauthenticated) {
			t.Errorf("Open after the end: %v", err)
		}
		app.Handle("GET /open", func(_ http.ResponseWriter, r *http.Request) {
			if _, err := app.Sessions.Open(r); !errors.Is(err, revoke.ErrMisconfigured) {
				t.Errorf("Open under Track: %v", err)
			}
		})
		app.Browser(t).Get("/open")
	})
}

// TestAuthenticate shows the sessions of tokens that another package makes.
func TestAuthenticate(t *testing.T) {
	testapp.EachStore(t, func(t *testing.T, st store.Store) {
		app := testapp.New(t, st).TakeTokens()
		var fails error
		app.Sessions.Authenticate = func(r *http.Request) (userID, sid string, err error) {
			userID, sid, ok := strings.Cut(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), "@")
			if !ok {
				return "", "", revoke.ErrUnauthenticated
			}
			return userID, sid, fails
		}
		app.Sessions.TouchInterval = 0
		app.Handle("POST /mint", func(w http.ResponseWriter, r *http.Request) {
			current, _ := app.Sessions.Current(r.Context())
			io.WriteString(w, "ann@"+app.Sessions.SID(current))
		})
		app.Handle("POST /prove", func(w http.ResponseWriter, r *http.Request) { app.Sessions.Reauthenticated(r.Context()) })
		web := app.SignedIn(t, "ann")
		web.Post("/cart?put=book")
		minted := web.Post("/mint").Body
		api := app.With(t, minted)
		if api.Get("/me").Body != "ann" || api.Get("/cart").Body != "" {
			t.Error("the request has not the user alone")
		}
		if got := api.Post("/cart?put=lamp"); got.Header["Set-Cookie"] != nil || web.Get("/cart").Body != "book" {
			t.Error("what was put was saved")
		}
		if list := sessionsOf(t, api); len(list) != 1 || list[0]["current"] != true || list[0]["device"] != "Firefox on Linux" {
			t.Errorf("listed %v", list)
		}
		before := app.List(t, "ann")[0]
		api.Post("/prove")
		after := app.List(t, "ann")[0]
		if !after.ProvedAt.After(before.ProvedAt) || !after.LastSeenAt.After(before.CreatedAt) || web.Get("/cart").Body != "book" {
			t.Errorf("before %v, after %v", before, after)
		}
		sid := strings.TrimPrefix(minted, "ann@")
		for _, wrong := range []string{"bob@" + sid, "@" + sid, "ann@" + sid[:44], "ann@" + sid[:23] + strings.Repeat("A", 22), "x"} {
			if app.With(t, wrong).Opens() {
				t.Errorf("%q opens a session", wrong)
			}
		}
		fails = errors.New("keys cannot be fetched")
		if got := api.Get(testapp.APIPath); got.Status != http.StatusServiceUnavailable {
			t.Errorf("nobody knows: %d", got.Status)
		}
		fails = nil
		if err := app.Sessions.Live(t.Context(), sid); err != nil {
			t.Error(err)
		}
		if got := api.Post("/logout"); got.Status != http.StatusOK || web.Opens() {
			t.Error("Destroy has ended nothing")
		}
		if err := app.Sessions.Live(t.Context(), sid); !errors.Is(err, revoke.ErrRevoked) {
			t.Error(err)
		}
		if got := api.Get(testapp.APIPath); got.Code(t) != "session_revoked" {
			t.Errorf("%s", got.Body)
		}
	})
}

// TestAuthenticateBesideUserID shows that a function of the application which finds the
// user in the session's data is not asked when there is none, and that a request without
// the data does not put off the session's end.
func TestAuthenticateBesideUserID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := testapp.InBubble(store.NewMemory()).TakeTokens()
		app.SCS.IdleTimeout = time.Hour
		app.Sessions.UserID = func(get func(string) any) string {
			user, _ := get("account").(string)
			return user
		}
		app.Handle("POST /in", func(w http.ResponseWriter, r *http.Request) {
			app.SCS.Put(r.Context(), "account", "ann")
			token, err := app.Sessions.Issue(r.Context(), "ann")
			if err != nil {
				t.Error(err)
			}
			io.WriteString(w, token)
		})
		phone := app.With(t, app.Browser(t).Post("/in").Body)
		if list := sessionsOf(t, phone); len(list) != 1 {
			t.Fatalf("%v", list)
		}
		if _, err := app.Sessions.Issue(t.Context(), "ann"); !errors.Is(err, revoke.ErrMisconfigured) {
			t.Errorf("Issue without data: %v", err)
		}
		before := app.List(t, "ann")[0]
		app.Sessions.Authenticate = func(*http.Request) (string, string, error) { return "ann", app.Sessions.SID(before), nil }
		time.Sleep(30 * time.Minute)
		if list := sessionsOf(t, app.With(t, "x")); len(list) != 1 {
			t.Errorf("%v", list)
		}
		after := app.List(t, "ann")[0]
		if !after.LastSeenAt.After(before.LastSeenAt) || !after.ExpiresAt.Equal(before.ExpiresAt) {
			t.Errorf("before %v, after %v", before, after)
		}
	})
}

// FuzzBearer shows that no header opens a session but that of the token itself, and that
// none brings a server down.
func FuzzBearer(f *testing.F) {
	app := testapp.Over(scs.New(), store.NewMemory()).TakeTokens()
	token, err := app.Sessions.Issue(context.Background(), "ann")
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{"Bearer " + token, "Bearer", "bearer  " + token, "Basic x", "", "Bearer " + token[:45] + ".", "Bearer\t" + token, token} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		b := app.Browser(t)
		b.Header.Set("Authorization", header)
		opens := b.Opens()
		scheme, rest, _ := strings.Cut(header, " ")
		if want := strings.EqualFold(scheme, "Bearer") && strings.TrimLeft(rest, " ") == token; opens != want {
			t.Errorf("%q: opens %v", header, opens)
		}
	})
}

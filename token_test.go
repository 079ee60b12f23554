package revoke_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/internal/testapp"
	"github.com/revoke-sessions/revoke/store"
)

var tokenSeeds = []string{
	"",
	"GzLCjLOMBUgOzMG9YP-XAg.AbCdEfGhIjKlMnOpQrStUv.0123456789abcdefghijklmnopqrstuvwxyzABCDEFG",
	"0123456789abcdefghijklmnopqrstuvwxyzABCDEFG", // a visitor's
	strings.Repeat(".", 89),
	strings.Repeat("A", 89),
	"GzLCjLOMBUgOzMG9YP-XAg.AbCdEfGhIjKlMnOpQrStU\x00.0123456789abcdefghijklmnopqrstuvwxyzABCDEFG",
	"GzLCjLOMBUgOzMG9YP-XAg.AbCdEfGhIjKlMnOpQrStUv.0123456789abcdefghijklmnopqrstuvwxyzABCDEF=",
}

// tokenShape is the one that a token has.
var tokenShape = regexp.MustCompile(`\A([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{43})\z`)

// FuzzToken shows that a cookie is looked up as a session's if it has exactly the
// shape of a token, by the names in it, and not otherwise; and that Track answers
// it without a session or an error, whatever it holds.
func FuzzToken(f *testing.F) {
	for _, seed := range tokenSeeds {
		f.Add(seed)
	}
	tap := testapp.NewTap(store.NewMemory())
	app := testapp.Over(scs.New(), tap)
	app.Handle("GET /current", func(w http.ResponseWriter, r *http.Request) {
		if _, ok := app.Sessions.Current(r.Context()); ok {
			w.WriteHeader(http.StatusTeapot)
		}
	})
	f.Fuzz(func(t *testing.T, cookie string) {
		tap.Forget()
		r := httptest.NewRequest("GET", "/current", nil)
		r.Header.Set("Cookie", "session="+cookie)
		w := httptest.NewRecorder()
		app.Handler.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			t.Errorf("%q: %d", cookie, w.Code)
		}
		sent := r.CookiesNamed("session")
		if len(sent) != 1 {
			return // it was none, or several
		}
		var want []testapp.Call
		if parts := tokenShape.FindStringSubmatch(sent[0].Value); parts != nil {
			want = []testapp.Call{{Method: "Find", User: parts[1], ID: parts[2]}}
		}
		if got := tap.Calls(); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %v, want %v", sent[0].Value, got, want)
		}
	})
}

// FuzzID shows that no id makes the API do anything but say that there is no
// such session.
func FuzzID(f *testing.F) {
	for _, seed := range append(tokenSeeds, "AbCdEfGhIjKlMnOpQrStUv", "..", "%2e%2e", "a/b", "\x00", "?confirm=true") {
		f.Add(seed)
	}
	app := testapp.Over(scs.New(), store.NewMemory())
	cookie := app.SignedIn(f, "ann").Cookie
	revokeID := app.Sessions.Track(app.Sessions.RevokeHandler())
	f.Fuzz(func(t *testing.T, id string) {
		r := app.BrowserWith(t, cookie).Request("DELETE", "/")
		r.SetPathValue("id", id)
		w := httptest.NewRecorder()
		revokeID.ServeHTTP(w, r)
		if w.Code != http.StatusNotFound {
			t.Errorf("%q: %d %s", id, w.Code, w.Body)
		}
	})
}

// TestTokensAreUnique shows that what is unguessable in a token is as long as it
// is said to be, and new for each session.
func TestTokensAreUnique(t *testing.T) {
	app := testapp.Over(scs.New(), store.NewMemory())
	app.Sessions.MaxPerUser = 0
	seen := make(map[string]bool)
	for range 2000 {
		b := app.SignedIn(t, "ann")
		if !tokenShape.MatchString(b.Cookie) {
			t.Fatalf("%q is not a token", b.Cookie)
		}
		for part, bits := range map[string]int{b.ID(): 128, b.Secret(): 256} {
			random, err := base64.RawURLEncoding.DecodeString(part)
			if err != nil || len(random)*8 != bits || seen[part] {
				t.Fatalf("%q: %d bits, seen before: %v, %v", part, len(random)*8, seen[part], err)
			}
			seen[part] = true
		}
	}
}

// TestTokenOnlyInSetCookie shows that no token is in a body, nor in a header but
// the one that sets it, whatever is asked for.
func TestTokenOnlyInSetCookie(t *testing.T) {
	app := testapp.New(t, store.NewMemory())
	app.Sessions.Confirm = true
	app.Handle("POST /reauthenticate", func(_ http.ResponseWriter, r *http.Request) { app.Sessions.Reauthenticated(r.Context()) })
	b, other := app.SignedIn(t, "ann"), app.SignedIn(t, "ann")
	secrets := []string{b.Secret(), other.Secret()}
	for _, request := range []struct{ method, path string }{
		{"GET", "/me"}, {"GET", testapp.APIPath}, {"POST", "/reauthenticate"}, {"GET", testapp.APIPath}, {"PUT", testapp.APIPath}, {"GET", testapp.APIPath + "/" + b.ID()},
		{"DELETE", testapp.APIPath}, {"DELETE", testapp.APIPath + "/" + b.Cookie}, {"DELETE", testapp.APIPath + "/" + other.Cookie},
		{"DELETE", testapp.APIPath + "?confirm=true"}, {"POST", "/login?user=ann"}, {"DELETE", testapp.APIPath + "/" + b.ID()}, {"GET", testapp.APIPath},
	} {
		got := b.Do(request.method, request.path)
		if len(b.Cookie) > 46 {
			secrets = append(secrets, b.Secret())
		}
		for _, cookie := range got.Header["Set-Cookie"] {
			if !strings.Contains(cookie, "; HttpOnly") {
				t.Errorf("%s %s: scripts can read the cookie %s", request.method, request.path, cookie)
			}
		}
		got.Header.Del("Set-Cookie")
		text := fmt.Sprint(got.Header, got.Body)
		for _, secret := range secrets {
			if strings.Contains(text, secret) {
				t.Errorf("%s %s: a token in %s", request.method, request.path, text)
			}
		}
	}
}

func TestCookieIsOpaque(t *testing.T) {
	const user = "annsmithexamplecom"
	cookie := testapp.New(t, store.NewMemory()).SignedIn(t, user).Cookie
	for _, part := range append(strings.Split(cookie, "."), cookie) {
		decoded, _ := base64.RawURLEncoding.DecodeString(part)
		for _, text := range []string{strings.ToLower(part), string(decoded)} {
			if strings.Contains(text, user[:8]) || strings.Contains(text, user[8:]) {
				t.Errorf("the cookie %q names %s", cookie, user)
			}
		}
	}
}

// TestCopyOfTheStoreOpensNothing shows that whoever has read all that a store
// was ever given has no token.
func TestCopyOfTheStoreOpensNothing(t *testing.T) {
	for _, hashed := range []bool{false, true} {
		tap := testapp.NewTap(store.NewMemory())
		app := testapp.New(t, tap)
		app.SCS.HashTokenInStore = hashed
		b := app.SignedIn(t, "ann")
		b.Post("/renew")
		written := tap.Calls("Create", "Update")
		if len(written) != 2 {
			t.Fatalf("%d records", len(written))
		}
		for _, call := range written {
			r := call.Record
			if strings.Contains(fmt.Sprintf("%+v %s %s", r, r.Client, r.Data), b.Secret()) {
				t.Error("the store was given a token")
			}
			for _, secret := range []string{base64.RawURLEncoding.EncodeToString(r.Secret[:]), hex.EncodeToString(r.Secret[:])[:43], r.ID} {
				thief := app.BrowserWith(t, r.User+"."+r.ID+"."+secret)
				if got := thief.Get("/me"); got.Status != http.StatusUnauthorized {
					t.Errorf("%q opens the session", thief.Cookie)
				}
			}
		}
	}
}

// TestTwoManagersOverOneStore shows that the users of one manager are not those of
// another, whatever their IDs, though both keep them in one store.
func TestTwoManagersOverOneStore(t *testing.T) {
	for name, set := range map[string]func(app *testapp.App){
		"by the cookie's name":   func(app *testapp.App) { app.SCS.Cookie.Name = "admin" },
		"by the user ID's key":   func(app *testapp.App) { app.Sessions.UserIDKey = "adminID" },
		"by both":                func(app *testapp.App) { app.SCS.Cookie.Name, app.Sessions.UserIDKey = "admin", "adminID" },
		"by names that run over": func(app *testapp.App) { app.SCS.Cookie.Name, app.Sessions.UserIDKey = "sessionu", "serID" },
	} {
		t.Run(name, func(t *testing.T) {
			st := store.NewMemory()
			users, admins := testapp.Over(scs.New(), st), testapp.Over(scs.New(), st)
			set(admins)
			admins.Handle("POST /enter", func(w http.ResponseWriter, r *http.Request) { admins.Sessions.Login(r.Context(), "1") })
			user, admin := users.SignedIn(t, "1"), admins.Browser(t)
			admin.Post("/enter")
			id := admins.List(t, "1")
			if len(id) != 1 || len(users.List(t, "1")) != 1 {
				t.Fatalf("%d and %d sessions, want one each", len(users.List(t, "1")), len(id))
			}
			if got := user.Delete(testapp.APIPath + "/" + id[0].ID); got.Status != http.StatusNotFound {
				t.Errorf("a user ends an administrator's session: %d", got.Status)
			}
			if got := user.Delete(testapp.APIPath); got.Status != http.StatusOK {
				t.Errorf("%d", got.Status)
			}
			if _, err := users.Sessions.RevokeAll(t.Context(), "1"); err != nil {
				t.Fatal(err)
			}
			if got := users.BrowserWith(t, admin.Cookie).Get("/me"); got.Status != http.StatusUnauthorized {
				t.Errorf("an administrator's token opens a user's session: %d", got.Status)
			}
			if len(admins.List(t, "1")) != 1 {
				t.Error("the administrator's session has ended with the user's")
			}
		})
	}
}

// TestNeighboursTokenIsNone shows that scs opens no session of another manager over
// the same store, and that Iterate ends none.
func TestNeighboursTokenIsNone(t *testing.T) {
	st := store.NewMemory()
	customers, admins := testapp.Over(scs.New(), st), testapp.Over(scs.New(), st)
	admins.SCS.Cookie.Name = "admin"
	admins.Handle("POST /merge", func(_ http.ResponseWriter, r *http.Request) {
		if err := admins.SCS.MergeSession(r.Context(), r.FormValue("token")); err != nil {
			t.Error(err)
		}
	})
	customer, admin := customers.SignedIn(t, "7"), admins.Browser(t)
	admin.Post("/merge?token=" + customer.Cookie)
	if got := admin.Get("/me"); got.Status != http.StatusUnauthorized {
		t.Errorf("by MergeSession, customer 7 is administrator %s", got.Body)
	}
	stranger := admins.BrowserWith(t, customer.Cookie)
	for range 3 {
		if stranger.Opens() {
			t.Error("in the cookie, customer 7 is an administrator")
		}
	}
	if got := admins.Log.Count(revoke.Undecodable); got != 1 {
		t.Errorf("%d events, want one", got)
	}
	ctx, err := admins.SCS.Load(t.Context(), customer.Cookie)
	if got := admins.SCS.GetString(ctx, "userID"); err != nil || got != "" {
		t.Errorf("by Load, customer 7 is administrator %s: %v", got, err)
	}
	admin = admins.SignedIn(t, "7")
	err = admins.SCS.Iterate(t.Context(), func(ctx context.Context) error {
		if admins.SCS.GetString(ctx, "userID") != "7" {
			return nil
		}
		return admins.SCS.Destroy(ctx)
	})
	if err != nil || admin.Opens() || !customer.Opens() {
		t.Errorf("Iterate: %v; administrator 7 is in: %t, customer 7: %t", err, admin.Opens(), customer.Opens())
	}
}

func TestNoTokenInEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := testapp.InBubble(store.NewMemory())
		var events []revoke.Event
		app.Sessions.OnEvent = func(e revoke.Event) { events = append(events, e) }
		var secrets []string
		for range 3 {
			b := app.SignedIn(t, "ann")
			secrets = append(secrets, b.Secret())
			b.Delete(testapp.APIPath + "/" + b.Cookie) // a token in the place of an id
			b.Delete(testapp.APIPath)
			b.Post("/logout")
			time.Sleep(time.Second) // a sign-in of the very moment of a RevokeOthers is refused
		}
		synctest.Wait()
		if len(events) == 0 {
			t.Fatal("no events")
		}
		text := app.Log.String() + fmt.Sprintf("%+v", events)
		for _, secret := range secrets {
			if strings.Contains(text, secret) {
				t.Error("a token is in the log")
			}
		}
	})
}

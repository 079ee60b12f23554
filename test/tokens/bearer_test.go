package tokens

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/internal/testapp"
	"github.com/revoke-sessions/revoke/store"
)

// TestBearer shows that scs's data and the API are to a client with a token what they
// are to a browser, and that no response sets a cookie.
func TestBearer(t *testing.T) {
	testapp.EachStore(t, func(t *testing.T, st store.Store) {
		app := testapp.New(t, st).TakeTokens()
		web := app.SignedIn(t, "ann")
		phone, _ := app.Issued(t, "ann")
		if got := phone.Get("/me"); got.Body != "ann" || strings.Join(got.Header["Vary"], ",") != "Cookie,Authorization" {
			t.Errorf("%d %q %v", got.Status, got.Body, got.Header)
		}
		phone.Post("/cart?put=book")
		got := phone.Get("/cart")
		if got.Body != "book" || got.Header["Set-Cookie"] != nil {
			t.Errorf("cart %q, cookie %q", got.Body, got.Header["Set-Cookie"])
		}
		if web.Get("/cart").Body != "" {
			t.Error("the browser has the phone's cart")
		}
		list := sessionsOf(t, phone)
		if len(list) != 2 || list[0]["current"] != true || list[0]["token"] != true || list[1]["token"] != nil {
			t.Errorf("listed %v", list)
		}
		if got := phone.Delete(testapp.APIPath); !strings.Contains(got.Body, `"count":1`) || web.Opens() {
			t.Errorf("others: %s", got.Body)
		}
		id := app.List(t, "ann")[0].ID
		if got := phone.Delete(testapp.APIPath + "/" + id); got.Status != http.StatusOK || got.Header["Set-Cookie"] != nil {
			t.Errorf("sign-out: %d %q", got.Status, got.Header["Set-Cookie"])
		}
		got = phone.Get(testapp.APIPath)
		if code := got.Code(t); code != "session_revoked" {
			t.Errorf("after the sign-out: %s", got.Body)
		}
		if challenge := got.Header.Get("WWW-Authenticate"); challenge != `Bearer error="invalid_token", error_description="session revoked"` {
			t.Errorf("challenge %q", challenge)
		}
	})
}

func sessionsOf(t *testing.T, b *testapp.Browser) []map[string]any {
	t.Helper()
	var reply struct{ Sessions []map[string]any }
	if err := json.Unmarshal([]byte(b.Get(testapp.APIPath).Body), &reply); err != nil {
		t.Fatal(err)
	}
	return reply.Sessions
}

// TestHeaderAloneCounts shows that beside a header that names a token a cookie has no
// power, whatever the token is, and is neither set nor cleared.
func TestHeaderAloneCounts(t *testing.T) {
	app := testapp.New(t, store.NewMemory()).TakeTokens()
	web := app.SignedIn(t, "ann")
	_, token := app.Issued(t, "bob")
	revoked, revokedToken := app.Issued(t, "bob")
	revoked.Post("/logout")
	for _, header := range []string{
		"Bearer " + token[:80], "Bearer", "bearer", "BEARER x", "Bearer\t" + token, "Bearer " + strings.ReplaceAll(token, ".", ""),
		"Bearer " + token + " ", "Bearer " + token + ",", "Bearer " + web.Cookie, "Bearer " + revokedToken, "Bearer Basic x",
	} {
		both := app.BrowserWith(t, web.Cookie)
		both.Header.Set("Authorization", header)
		if header == "Bearer "+token+" " {
			continue // net/http trims it
		}
		got := both.Get(testapp.APIPath)
		if got.Status != http.StatusUnauthorized || got.Header["Set-Cookie"] != nil || !strings.HasPrefix(got.Header.Get("WWW-Authenticate"), `Bearer error="invalid_token"`) {
			t.Errorf("%q: %d %v", header, got.Status, got.Header)
		}
		for _, path := range []string{"/logout", "/renew", "/cart?put=book"} {
			if got := both.Post(path); got.Header["Set-Cookie"] != nil {
				t.Errorf("%q: %s sets a cookie: %q", header, path, got.Header["Set-Cookie"])
			}
		}
	}
	two := app.BrowserWith(t, web.Cookie)
	two.Header["Authorization"] = []string{"Bearer " + token, "Bearer " + token}
	if two.Opens() {
		t.Error("two headers open a session")
	}
	basic := app.BrowserWith(t, web.Cookie)
	basic.Header.Set("Authorization", "Basic YW5uOng=")
	if got := basic.Get("/me"); got.Body != "ann" {
		t.Errorf("another scheme hides the cookie: %d", got.Status)
	}
	if !web.Opens() {
		t.Error("the cookie's session has ended")
	}
	plain := testapp.New(t, store.NewMemory())
	browser := plain.SignedIn(t, "ann")
	browser.Header.Set("Authorization", "Bearer "+token)
	got := browser.Get(testapp.APIPath)
	if got.Status != http.StatusOK || got.Header["Vary"][0] != "Cookie" || len(got.Header["Vary"]) != 1 {
		t.Errorf("a manager that takes no tokens: %d %v", got.Status, got.Header)
	}
	if got := plain.Browser(t).Get(testapp.APIPath); got.Header.Get("WWW-Authenticate") != "" {
		t.Error("a manager that takes no tokens asks for one")
	}
	if got := app.Browser(t).Get(testapp.APIPath); got.Header.Get("WWW-Authenticate") != "Bearer" {
		t.Errorf("without a header: %q", got.Header.Get("WWW-Authenticate"))
	}
}

// TestKindsDoNotMix shows that a token is good for nothing as a cookie, and a cookie for
// nothing as a token.
func TestKindsDoNotMix(t *testing.T) {
	for _, hashed := range []bool{false, true} {
		app := testapp.New(t, store.NewMemory()).TakeTokens()
		app.SCS.HashTokenInStore = hashed
		web := app.SignedIn(t, "ann")
		phone, token := app.Issued(t, "ann")
		if app.BrowserWith(t, token).Opens() {
			t.Error("a token opens its session as a cookie")
		}
		if app.With(t, web.Cookie).Opens() {
			t.Error("a cookie opens its session as a token")
		}
		if _, _, err := app.Sessions.Refresh(httptest.NewRequest("POST", "/", nil), web.Cookie); !errors.Is(err, revoke.ErrUnauthenticated) {
			t.Errorf("a cookie is refreshed: %v", err)
		}
		if !phone.Opens() || !web.Opens() {
			t.Error("a session has ended over it")
		}
		app.Handle("POST /merge", func(_ http.ResponseWriter, r *http.Request) { app.SCS.MergeSession(r.Context(), token) })
		visitor := app.Browser(t)
		if visitor.Post("/merge"); visitor.Opens() || !phone.Opens() {
			t.Error("a token was merged into a session with a cookie")
		}
	}
}

// TestOtherSitesCannotSendTokens shows that a request with a token may come from any
// site, and that a cookie beside it gains nothing by that.
func TestOtherSitesCannotSendTokens(t *testing.T) {
	app := testapp.New(t, store.NewMemory()).TakeTokens()
	web, victim := app.SignedIn(t, "ann"), app.SignedIn(t, "ann")
	phone, token := app.Issued(t, "ann")
	phone.Header.Set("Sec-Fetch-Site", "cross-site")
	if got := phone.Delete(testapp.APIPath + "/" + web.ID()); got.Status != http.StatusOK {
		t.Errorf("%d %s", got.Status, got.Body)
	}
	attack := app.BrowserWith(t, victim.Cookie)
	attack.Header.Set("Sec-Fetch-Site", "cross-site")
	for _, header := range []string{"Bearer", "Bearer x", "Basic x", ""} {
		attack.Header.Set("Authorization", header)
		if got := attack.Delete(testapp.APIPath); got.Status != http.StatusUnauthorized && got.Status != http.StatusForbidden {
			t.Errorf("%q: %d %s", header, got.Status, got.Body)
		}
	}
	if !app.With(t, token).Opens() || !victim.Opens() {
		t.Error("another site has ended sessions")
	}
}

// TestBearerSignsNobodyInByCookie shows that a request with a header neither sets a
// cookie for whoever its data names nor saves a visitor's data.
func TestBearerSignsNobodyInByCookie(t *testing.T) {
	testapp.EachStore(t, func(t *testing.T, st store.Store) {
		app := testapp.New(t, st).TakeTokens()
		app.Handle("POST /switch", func(w http.ResponseWriter, r *http.Request) {
			if err := app.Sessions.Login(r.Context(), "bob"); !errors.Is(err, revoke.ErrMisconfigured) {
				t.Errorf("Login: %v", err)
			}
			app.SCS.Put(r.Context(), "userID", "bob")
		})
		for _, header := range []string{"Bearer x", ""} {
			phone, _ := app.Issued(t, "ann")
			if header != "" {
				phone.Header.Set("Authorization", header)
			}
			got := phone.Post("/switch")
			if got.Status != http.StatusInternalServerError || got.Header["Set-Cookie"] != nil {
				t.Errorf("%q: %d %q", header, got.Status, got.Header["Set-Cookie"])
			}
			if list := app.List(t, "bob"); len(list) != 0 {
				t.Errorf("%q: bob is signed in: %v", header, list)
			}
			if header == "" && phone.Opens() {
				t.Error("the session of another user goes on")
			}
		}
		stranger := app.With(t, "x")
		if got := stranger.Post("/cart?put=book"); got.Status != http.StatusOK || got.Header["Set-Cookie"] != nil {
			t.Errorf("data of nobody: %d %q", got.Status, got.Header["Set-Cookie"])
		}
	})
}

// TestBearerKeepsItsToken shows that what gives a browser a fresh token leaves that of a
// client that keeps it itself, and still notes the proof.
func TestBearerKeepsItsToken(t *testing.T) {
	app := testapp.New(t, store.NewMemory()).TakeTokens()
	app.Sessions.Authorize = revoke.RecentLogin(time.Hour)
	app.Handle("POST /prove", func(w http.ResponseWriter, r *http.Request) {
		if err := app.Sessions.Reauthenticated(r.Context()); err != nil {
			t.Error(err)
		}
	})
	app.Handle("POST /again", func(w http.ResponseWriter, r *http.Request) {
		if err := app.Sessions.Login(r.Context(), "ann"); err != nil {
			t.Error(err)
		}
	})
	phone, _ := app.Issued(t, "ann")
	id := app.List(t, "ann")[0].ID
	proved := func() time.Time { return app.List(t, "ann")[0].ProvedAt }
	for _, path := range []string{"/renew", "/prove", "/again"} {
		before := proved()
		if got := phone.Post(path); got.Status != http.StatusOK || got.Header["Set-Cookie"] != nil {
			t.Errorf("%s: %d %q", path, got.Status, got.Header["Set-Cookie"])
		}
		if !phone.Opens() || app.List(t, "ann")[0].ID != id {
			t.Errorf("%s has changed the token", path)
		}
		if path != "/renew" && !proved().After(before) {
			t.Errorf("%s has noted no proof", path)
		}
	}
}

// TestStepUpBearer shows that Authorize means the same to a client with a token.
func TestStepUpBearer(t *testing.T) {
	app := testapp.New(t, store.NewMemory()).TakeTokens()
	app.Sessions.Authorize = revoke.RecentLogin(-1)
	web := app.SignedIn(t, "ann")
	phone, _ := app.Issued(t, "ann")
	if got := phone.Delete(testapp.APIPath + "/" + web.ID()); got.Code(t) != "reauthentication_required" {
		t.Errorf("%s", got.Body)
	}
	app.Sessions.Authorize = nil
	app.Sessions.Limiter = revoke.NewLimiter(1, time.Hour)
	phone.Delete(testapp.APIPath + "/" + web.ID())
	if got := phone.Delete(testapp.APIPath); got.Code(t) != "rate_limited" {
		t.Errorf("%s", got.Body)
	}
	if other, _ := app.Issued(t, "ann"); other.Delete(testapp.APIPath).Status != http.StatusOK {
		t.Error("another session is limited too")
	}
}

// TestBearerStoreDown shows that a client is told to try again, and not that its token is
// bad, or it would throw it away.
func TestBearerStoreDown(t *testing.T) {
	tap := testapp.NewTap(store.NewMemory())
	app := testapp.New(t, tap).TakeTokens()
	phone, token := app.Issued(t, "ann")
	tap.Fail = func(testapp.Call) error { return errors.New("down") }
	got := phone.Get(testapp.APIPath)
	if got.Status != http.StatusServiceUnavailable || got.Header.Get("Retry-After") == "" || got.Header.Get("WWW-Authenticate") != "" {
		t.Errorf("%d %v", got.Status, got.Header)
	}
	if _, _, err := app.Sessions.Refresh(httptest.NewRequest("POST", "/", nil), token); err == nil || errors.Is(err, revoke.ErrUnauthenticated) {
		t.Errorf("Refresh: %v", err)
	}
	if _, err := app.Sessions.Open(phone.Request("GET", "/")); err == nil || errors.Is(err, revoke.ErrUnauthenticated) {
		t.Errorf("Open: %v", err)
	}
	tap.Fail = nil
	if !phone.Opens() {
		t.Error("the session is lost")
	}
}

// TestOneLookUp shows that a request with a token asks the store once.
func TestOneLookUp(t *testing.T) {
	tap := testapp.NewTap(store.NewMemory())
	app := testapp.New(t, tap).TakeTokens()
	phone, _ := app.Issued(t, "ann")
	tap.Forget()
	phone.Get("/me")
	if calls := tap.Calls(); len(calls) != 1 || calls[0].Method != "Find" {
		t.Errorf("%v", calls)
	}
}

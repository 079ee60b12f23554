package revoke_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/internal/testapp"
	"github.com/revoke-sessions/revoke/store"
)

func TestListAPI(t *testing.T) {
	testapp.EachStore(t, func(t *testing.T, st store.Store) {
		app := testapp.New(t, st)
		first, second, third := app.SignedIn(t, "ann"), app.SignedIn(t, "ann"), app.SignedIn(t, "ann")
		app.SignedIn(t, "bob")
		got := second.Get(testapp.APIPath)
		if got.Status != http.StatusOK || got.Header.Get("Content-Type") != "application/json" {
			t.Fatalf("%d %v", got.Status, got.Header)
		}
		got.CheckHeaders(t)
		var reply struct{ Sessions []map[string]any }
		if err := json.Unmarshal([]byte(got.Body), &reply); err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, session := range reply.Sessions {
			ids = append(ids, session["id"].(string))
		}
		if want := []string{second.ID(), third.ID(), first.ID()}; !reflect.DeepEqual(ids, want) {
			t.Errorf("listed %v, want the current one, then the most recently seen: %v", ids, want)
		}
		current := reply.Sessions[0]
		if current["current"] != true || current["device"] != "Firefox on Linux" || current["ip"] != "127.0.0.1" {
			t.Errorf("current session: %v", current)
		}
		for _, key := range []string{"user_agent", "created_at", "last_seen_at", "expires_at"} {
			if current[key] == "" || current[key] == nil {
				t.Errorf("no %q in %v", key, current)
			}
		}
		for _, b := range []*testapp.Browser{first, second, third} {
			if strings.Contains(got.Body, b.Secret()) {
				t.Error("the list holds a token")
			}
		}
	})
}

func TestRevokeAPI(t *testing.T) {
	testapp.EachStore(t, func(t *testing.T, st store.Store) {
		app := testapp.New(t, st)
		phone, laptop := app.SignedIn(t, "ann"), app.SignedIn(t, "ann")
		id := phone.ID()
		if got := laptop.Delete(testapp.APIPath + "/" + id); got.Status != http.StatusOK || got.Body != fmt.Sprintf(`{"count":1,"revoked":["%s"]}`+"\n", id) {
			t.Fatalf("%d %s", got.Status, got.Body)
		}
		got := phone.Get(testapp.APIPath)
		if got.Status != http.StatusUnauthorized || got.Code(t) != "session_revoked" {
			t.Errorf("the holder of the revoked token: %d %s", got.Status, got.Body)
		}
		var why struct {
			RevokedAt time.Time `json:"revoked_at"`
			Reason    string
		}
		if json.Unmarshal([]byte(got.Body), &why); time.Since(why.RevokedAt) > time.Minute || why.Reason != "revoked" {
			t.Errorf("the holder is told %+v", why)
		}
		own := laptop.ID()
		if got := laptop.Delete(testapp.APIPath + "/" + own); got.Status != http.StatusOK || laptop.Cookie != "" {
			t.Errorf("revoking the own session: %d %s, cookie %q", got.Status, got.Body, laptop.Cookie)
		}
	})
}

func TestRevokeOthersAPI(t *testing.T) {
	testapp.EachStore(t, func(t *testing.T, st store.Store) {
		app := testapp.New(t, st)
		var others []*testapp.Browser
		for range 3 {
			others = append(others, app.SignedIn(t, "ann"))
		}
		b := app.SignedIn(t, "ann")
		got := b.Delete(testapp.APIPath)
		var reply struct {
			Count   int
			Revoked []string
		}
		json.Unmarshal([]byte(got.Body), &reply)
		revoked := map[string]bool{}
		for _, id := range reply.Revoked {
			revoked[id] = true
		}
		want := map[string]bool{}
		for _, b := range others {
			want[b.ID()] = true
		}
		if got.Status != http.StatusOK || reply.Count != 3 || !maps.Equal(revoked, want) {
			t.Errorf("%d %s, want %v", got.Status, got.Body, want)
		}
		if b.Get("/me").Status != http.StatusOK {
			t.Error("the current session ended")
		}
		for _, other := range others {
			if other.Get("/me").Status != http.StatusUnauthorized {
				t.Error("another session lives")
			}
		}
		if got := b.Delete(testapp.APIPath); got.Body != `{"count":0,"revoked":[]}`+"\n" {
			t.Errorf("nothing left to revoke: %s", got.Body)
		}
	})
}

// TestEmptyID shows that a client that has lost the id it meant ends nothing,
// and above all not every session but its own.
func TestEmptyID(t *testing.T) {
	s := testapp.New(t, store.NewMemory())
	s.Mux.Handle("DELETE /account/devices/", s.Sessions.RevokeHandler()) // sets no path value
	s.Mux.Handle("/stripped/", http.StripPrefix("/stripped", s.Sessions.Handler("/api")))
	s.Mux.Handle("/bare/", http.StripPrefix("/bare", s.Sessions.Handler("")))
	b, other := s.SignedIn(t, "ann"), s.SignedIn(t, "ann")
	for _, path := range []string{testapp.APIPath + "/", testapp.APIPath + "/?confirm=true", "/account/devices/", "/stripped/api/", "/bare/"} {
		if got := b.Delete(path); got.Status != http.StatusNotFound || got.Code(t) != "session_not_found" {
			t.Errorf("DELETE %s: %d %s", path, got.Status, got.Body)
		}
	}
	if b.Get("/me").Status != http.StatusOK || other.Get("/me").Status != http.StatusOK {
		t.Error("a session has ended")
	}
	if got := b.Get(testapp.APIPath + "/"); got.Status != http.StatusOK || !strings.Contains(got.Body, other.ID()) {
		t.Errorf("GET %s/: %d %s", testapp.APIPath, got.Status, got.Body)
	}
}

// TestRouterWithoutPathValues shows that a router that keeps its parameters to
// itself, as gin, echo, gorilla/mux and httprouter do, ends the session that is
// named last in the path.
func TestRouterWithoutPathValues(t *testing.T) {
	s := testapp.New(t, store.NewMemory())
	s.Mux.Handle("DELETE /account/devices/", s.Sessions.RevokeHandler())
	b, other, third := s.SignedIn(t, "ann"), s.SignedIn(t, "ann"), s.SignedIn(t, "ann")
	id := other.ID()
	for _, path := range []string{id + "/", id + "/x", "x%2F" + id, id + "%20", "unknown"} {
		if got := b.Delete("/account/devices/" + path); got.Status != http.StatusNotFound || got.Code(t) != "session_not_found" {
			t.Errorf("%s: %d %s", path, got.Status, got.Body)
		}
	}
	if got := b.Delete("/account/devices/" + id + "?id=" + third.ID()); got.Body != fmt.Sprintf(`{"count":1,"revoked":["%s"]}`+"\n", id) {
		t.Errorf("%d %s", got.Status, got.Body)
	}
	if other.Get("/me").Status != http.StatusUnauthorized || third.Get("/me").Status != http.StatusOK || b.Get("/me").Status != http.StatusOK {
		t.Error("the wrong session has ended")
	}
}

// TestStrangersLearnNothing shows that every id that is not one of the caller's
// live sessions gets the same answer for the same work.
func TestStrangersLearnNothing(t *testing.T) {
	testapp.EachStore(t, func(t *testing.T, st store.Store) {
		tap := testapp.NewTap(st)
		app := testapp.New(t, tap)
		stranger, ann, revoked := app.SignedIn(t, "bob"), app.SignedIn(t, "ann"), app.SignedIn(t, "ann")
		gone := revoked.ID()
		if ann.Delete(testapp.APIPath+"/"+gone).Status != http.StatusOK {
			t.Fatal("could not revoke")
		}
		ids := map[string]string{
			"somebody else's":   stranger.ID(),
			"unknown":           "AbCdEfGhIjKlMnOpQrStUv",
			"revoked already":   gone,
			"too short":         "abc",
			"too long":          stranger.ID() + "A",
			"another alphabet":  "AbCdEfGhIjKlMnOpQr%2BtUv",
			"encoded slash":     "a%2Fb",
			"only a slash":      "%2F",
			"encoded dots":      "%2e%2e",
			"encoded dot slash": "%2e%2e%2fsessions",
			"NUL":               "%00",
			"newline":           "a%0Ab",
			"not UTF-8":         "%ff%fe",
			"a second segment":  "a/b",
			"a query in it":     "a%3Fconfirm=true",
			"900 kB of text":    strings.Repeat("A", 900<<10),
			"the whole token":   stranger.Cookie,
		}
		want := ann.Delete(testapp.APIPath + "/" + ids["unknown"])
		if want.Status != http.StatusNotFound || want.Code(t) != "session_not_found" {
			t.Fatalf("unknown id: %d %s", want.Status, want.Body)
		}
		want.Header.Del("Date")
		for name, id := range ids {
			tap.Forget()
			got := ann.Delete(testapp.APIPath + "/" + id)
			got.Header.Del("Date")
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %d %v %q\nwant %d %v %q", name, got.Status, got.Header, got.Body, want.Status, want.Header, want.Body)
			}
			if calls := tap.Calls(); len(calls) != 2 || calls[0].Method != "Find" || calls[0].ID != ann.ID() || calls[1].Method != "Revoke" {
				t.Errorf("%s: %v, want a look-up of the own session and one call", name, calls)
			}
			for _, call := range tap.Calls() {
				if call.User != ann.UserKey() {
					t.Errorf("%s: reached the key of another user: %v", name, call)
				}
			}
		}
		if stranger.Get("/me").Status != http.StatusOK {
			t.Error("the stranger's session ended")
		}
		t.Run("not signed in", func(t *testing.T) {
			for _, path := range []string{"", "/", "/" + stranger.ID(), "/a%2Fb"} {
				tap.Forget()
				if got := app.Browser(t).Delete(testapp.APIPath + path); got.Status != http.StatusUnauthorized || got.Code(t) != "unauthenticated" {
					t.Errorf("%q: %d %s", path, got.Status, got.Body)
				}
				if calls := tap.Calls(); len(calls) != 0 {
					t.Errorf("%q: %v, want no look-up", path, calls)
				}
			}
		})
	})
}

func TestMethods(t *testing.T) {
	app := testapp.New(t, store.NewMemory())
	b := app.SignedIn(t, "ann")
	for _, test := range []struct{ method, path, allow string }{
		{"POST", "", "GET, HEAD, DELETE"}, {"PUT", "/", "GET, HEAD, DELETE"}, {"OPTIONS", "", "GET, HEAD, DELETE"},
		{"GET", "/" + b.ID(), "DELETE"}, {"PATCH", "/x", "DELETE"}, {"E", "", "GET, HEAD, DELETE"},
	} {
		got := b.Do(test.method, testapp.APIPath+test.path)
		if got.Status != http.StatusMethodNotAllowed || got.Header.Get("Allow") != test.allow || got.Code(t) != "method_not_allowed" {
			t.Errorf("%s %s: %d, Allow %q", test.method, test.path, got.Status, got.Header.Get("Allow"))
		}
	}
	if got := b.Do("HEAD", testapp.APIPath); got.Status != http.StatusOK || got.Body != "" {
		t.Errorf("HEAD: %d %q", got.Status, got.Body)
	}
}

// TestMethodOverride shows that no header and no parameter makes a request one
// that revokes.
func TestMethodOverride(t *testing.T) {
	app := testapp.New(t, store.NewMemory())
	b, other := app.SignedIn(t, "ann"), app.SignedIn(t, "ann")
	for _, name := range []string{"X-Http-Method-Override", "X-Http-Method", "X-Method-Override"} {
		b.Header.Set(name, "DELETE")
	}
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "OPTIONS", "delete"} {
		for _, path := range []string{"", "/", "/" + other.ID()} {
			got := b.Do(method, testapp.APIPath+path+"?_method=DELETE&method=DELETE&confirm=true")
			if reads := method == "GET" || method == "HEAD"; got.Status != http.StatusMethodNotAllowed && !(reads && len(path) < 2) {
				t.Errorf("%s %q: %d %s", method, path, got.Status, got.Body)
			}
		}
	}
	if other.Get("/me").Status != http.StatusOK {
		t.Error("the other session was revoked")
	}
}

func TestCrossOrigin(t *testing.T) {
	app := testapp.New(t, store.NewMemory())
	b := app.SignedIn(t, "ann")
	other := app.SignedIn(t, "ann")
	for name, header := range map[string]http.Header{
		"cross-site":     {"Sec-Fetch-Site": {"cross-site"}},
		"same-site":      {"Sec-Fetch-Site": {"same-site"}},
		"foreign origin": {"Origin": {"https://evil.example"}},
	} {
		for _, path := range []string{"", "/" + other.ID()} {
			evil := app.BrowserWith(t, b.Cookie)
			evil.Header = header
			if got := evil.Delete(testapp.APIPath + path); got.Status != http.StatusForbidden || got.Code(t) != "cross_origin" {
				t.Errorf("%s: %d %s", name, got.Status, got.Body)
			}
		}
	}
	if other.Get("/me").Status != http.StatusOK {
		t.Error("a request from another site revoked a session")
	}
	if got := app.Log.Count(revoke.CrossOriginRefused); got != 1 {
		t.Errorf("%d refusals logged, want one a minute", got)
	}
	friendly := new(http.CrossOriginProtection)
	friendly.AddTrustedOrigin("https://app.example")
	app.Sessions.CrossOrigin = friendly
	b.Header.Set("Origin", "https://app.example")
	if got := b.Delete(testapp.APIPath); got.Status != http.StatusOK {
		t.Errorf("a trusted origin: %d %s", got.Status, got.Body)
	}
}

// Handing out a description of the API.
func ExampleManager_OpenAPI() {
	mux := http.NewServeMux()
	sessions.Mount(mux, "/api/auth/sessions")
	mux.Handle("GET /openapi.yaml", sessions.OpenAPI("/api/auth/sessions"))

	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest("GET", "/openapi.yaml", nil))
	version, _, _ := strings.Cut(w.Body.String(), "\n")
	fmt.Println(version)
	// Output: openapi: 3.1.1
}

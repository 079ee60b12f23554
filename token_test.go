package revoke_test

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke"
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

// FuzzToken shows that whatever a cookie holds, it is a token of exactly one
// shape or none, and that Track answers it without a session or an error.
func FuzzToken(f *testing.F) {
	for _, seed := range tokenSeeds {
		f.Add(seed)
	}
	m := revoke.New(scs.New(), store.NewMemory())
	h := m.Track(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := m.Current(r.Context()); ok {
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	f.Fuzz(func(t *testing.T, cookie string) {
		if user, id, secret, ok := revoke.ParseToken(cookie); ok {
			if cookie != user+"."+id+"."+secret || !revoke.ValidID(id) {
				t.Errorf("%q parsed as %q, %q, %q", cookie, user, id, secret)
			}
			if _, err := base64.RawURLEncoding.DecodeString(user + id + secret[:42]); err != nil {
				t.Errorf("%q: %v", cookie, err)
			}
		}
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Cookie", "session="+cookie)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			t.Errorf("%q: %d", cookie, w.Code)
		}
	})
}

// FuzzID shows that no id makes the API do anything but say that there is no
// such session.
func FuzzID(f *testing.F) {
	for _, seed := range append(tokenSeeds, "AbCdEfGhIjKlMnOpQrStUv", "..", "%2e%2e", "a/b", "\x00", "?confirm=true") {
		f.Add(seed)
	}
	sm := scs.New()
	m := revoke.New(sm, store.NewMemory())
	m.Limiter = nil
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) { m.Login(r.Context(), "ann") })
	h := m.Track(mux)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("POST", "/login", nil))
	cookie := w.Result().Cookies()[0]
	revokeID := m.Track(m.RevokeHandler())
	f.Fuzz(func(t *testing.T, id string) {
		r := httptest.NewRequest("DELETE", "/", nil)
		r.SetPathValue("id", id)
		r.AddCookie(cookie)
		w := httptest.NewRecorder()
		revokeID.ServeHTTP(w, r)
		if w.Code != http.StatusNotFound {
			t.Errorf("%q: %d %s", id, w.Code, w.Body)
		}
	})
}

func TestSecure(t *testing.T) {
	sm := scs.New()
	sm.Cookie.Domain, sm.Cookie.Path, sm.Cookie.HttpOnly = "example.com", "/app", false
	revoke.Secure(sm)
	revoke.Secure(sm) // once is enough
	w := httptest.NewRecorder()
	m := revoke.New(sm, store.NewMemory())
	m.Track(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { m.Login(r.Context(), "ann") })).
		ServeHTTP(w, httptest.NewRequest("POST", "/", nil))
	c := w.Result().Cookies()[0]
	if c.Name != "__Host-session" || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
		t.Errorf("%v", c)
	}
}

func TestDevice(t *testing.T) {
	for userAgent, want := range map[string]string{
		"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0":                                                                  "Firefox on Linux",
		"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36":                         "Chrome on Android",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36":                         "Chrome on Windows",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1": "Safari on iPhone",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15":                   "Safari on macOS",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0":           "Edge on Windows",
		"curl/8.5.0": "curl",
		"":           "Unknown device",
	} {
		if got := revoke.Device(userAgent); got != want {
			t.Errorf("%q is %q, want %q", userAgent, got, want)
		}
	}
}

// TestForwardedHeadersAreBelievedFromNobody shows that a client cannot choose
// its address.
func TestForwardedHeadersAreBelievedFromNobody(t *testing.T) {
	s := newServer(t, store.NewMemory())
	b := s.browser(t)
	for _, name := range []string{"X-Forwarded-For", "X-Real-Ip", "Forwarded", "True-Client-Ip", "Cf-Connecting-Ip"} {
		b.header.Set(name, "203.0.113.66")
	}
	b.post("/login?user=ann")
	if got := list(t, s, "ann")[0].IP.String(); got != "127.0.0.1" {
		t.Errorf("a header was believed: %s", got)
	}
}

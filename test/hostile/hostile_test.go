package hostile

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/internal/testapp"
	"github.com/revoke-sessions/revoke/store"
)

// tokenShape is the one that a token has.
var tokenShape = regexp.MustCompile(`\A([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{43})\z`)

// FuzzCookies sends many cookies, long ones, and the same ones again, around the
// cookie of a session. It shows that the store is asked for at most four, each of
// which has the shape of a token and was sent, and that the session opens if its
// cookie is among the first four.
func FuzzCookies(f *testing.F) {
	const token = "GzLCjLOMBUgOzMG9YP-XAg.AbCdEfGhIjKlMnOpQrStUv.0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"
	for _, seed := range []struct {
		before, after string
		times         uint8
	}{
		{"", "", 0},
		{"session=" + token, "session=" + token, 1},
		{"session=" + token + "; ", "", 200},
		{"session=" + strings.Repeat("A", 5000), "session=; session", 2},
		{"session=\"" + token + "\"; $Version=1", "SESSION=" + token, 3},
		{";;=;,session=" + token + ",", "\x00\xff\r\n", 4},
	} {
		f.Add(seed.before, seed.after, seed.times)
	}
	tap := testapp.NewTap(store.NewMemory())
	app := testapp.Over(scs.New(), tap)
	live := app.SignedIn(f, "ann").Cookie
	f.Fuzz(func(t *testing.T, before, after string, times uint8) {
		tap.Forget()
		r := httptest.NewRequest("GET", "/me", nil)
		for range times {
			r.Header.Add("Cookie", before)
		}
		r.Header.Add("Cookie", "session="+live)
		r.Header.Add("Cookie", after)
		w := httptest.NewRecorder()
		app.Handler.ServeHTTP(w, r)

		var candidates []string // cookies that may be looked up
		for _, c := range r.CookiesNamed("session") {
			if c.Value != "" && len(c.Value) <= 256 {
				candidates = append(candidates, c.Value)
			}
		}
		candidates = candidates[:min(4, len(candidates))]
		want := http.StatusUnauthorized
		if slices.Contains(candidates, live) {
			want = http.StatusOK
		}
		if w.Code != want {
			t.Errorf("%d, want %d", w.Code, want)
		}
		calls := tap.Calls("Find")
		if len(calls) > len(candidates) {
			t.Errorf("%d cookies are looked up", len(calls))
		}
		for _, call := range calls {
			sent := func(cookie string) bool {
				return tokenShape.MatchString(cookie) && strings.HasPrefix(cookie, call.User+"."+call.ID+".")
			}
			if !slices.ContainsFunc(candidates, sent) {
				t.Errorf("%s %s is looked up", call.User, call.ID)
			}
		}
	})
}

// FuzzTarget shows that no target below the prefix ends a session, but one that names
// it, and that the store is asked for nothing that has not the shape of an id.
func FuzzTarget(f *testing.F) {
	for _, seed := range []string{"/", "//", "/.", "/../sessions", "/%2e%2e/", "/%00", "/a%2Fb", "?confirm=true", "/?confirm=true", "/#", ";a", "/AbCdEfGhIjKlMnOpQrStUv", "/AbCdEfGhIjKlMnOpQrStUv/"} {
		f.Add(seed)
	}
	tap := testapp.NewTap(store.NewMemory())
	app := testapp.Over(scs.New(), tap)
	cookie, others := app.SignedIn(f, "ann").Cookie, app.SignedIn(f, "ann").Cookie
	h := app.Sessions.Track(app.Sessions.Handler(testapp.APIPath))
	f.Fuzz(func(t *testing.T, rest string) {
		target, err := url.ParseRequestURI(testapp.APIPath + rest)
		if err != nil || target.Path == testapp.APIPath {
			return // not a request, or one to end all others
		}
		tap.Forget()
		r := app.BrowserWith(t, cookie).Request("DELETE", "/")
		r.URL = target
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusNotFound {
			t.Errorf("%q: %d %s", rest, w.Code, w.Body)
		}
		for _, call := range tap.Calls("Revoke", "RevokeAll") {
			if call.Method == "RevokeAll" || !regexp.MustCompile(`\A[A-Za-z0-9_-]{22}\z`).MatchString(call.ID) {
				t.Errorf("%q: the store is asked for %v", rest, call)
			}
		}
		if !app.BrowserWith(t, others).Opens() {
			t.Fatalf("%q ended a session", rest)
		}
	})
}

// FuzzHeaders shows that whatever is in the headers, a request is answered, what is
// listed is JSON, and nothing of it stands in the log or the list as it came.
func FuzzHeaders(f *testing.F) {
	f.Add(testapp.Firefox, "https://example.com", "192.0.2.7, 10.0.0.1", "same-origin", "example.com", "192.0.2.1:1234")
	f.Add("x\r\nlevel=ERROR\u2028\u202e\x1b[2J\xff", "null", "not an address", "cross-site", "", "")
	f.Add(strings.Repeat("é", 400), "\x00", "::ffff:1.2.3.4, fe80::1%eth0", "", "xn--a", "[fe80::1%25eth0]:80")
	var log bytes.Buffer
	app := testapp.Over(scs.New(), store.NewMemory())
	app.Sessions.MaxPerUser = 2 // so that there are not more and more
	app.Sessions.Logger = slog.New(testapp.NaiveHandler{Out: &log})
	app.Sessions.ClientIP = func(r *http.Request) netip.Addr { // as applications behind a proxy have it
		hops := strings.Split(r.Header.Get("X-Forwarded-For"), ",")
		ip, err := netip.ParseAddr(strings.TrimSpace(hops[len(hops)-1]))
		if err != nil {
			peer, _ := netip.ParseAddrPort(r.RemoteAddr)
			ip = peer.Addr()
		}
		return ip
	}
	app.Sessions.Describe = func(r *http.Request) map[string]string { return map[string]string{r.Host: r.Header.Get("Origin")} }
	f.Fuzz(func(t *testing.T, userAgent, origin, forwardedFor, fetchSite, host, peer string) {
		log.Reset()
		b := app.Browser(t)
		ask := func(method, path string) *httptest.ResponseRecorder {
			t.Helper()
			r, w := b.Request(method, path), httptest.NewRecorder()
			r.RemoteAddr, r.Host = peer, host
			r.Header.Set("User-Agent", userAgent)
			for name, value := range map[string]string{"Origin": origin, "X-Forwarded-For": forwardedFor, "Sec-Fetch-Site": fetchSite} {
				r.Header.Set(name, value)
			}
			app.Handler.ServeHTTP(w, r)
			for _, c := range w.Result().Cookies() {
				b.Cookie = c.Value
			}
			return w
		}
		if w := ask("POST", "/login?user=ann"); w.Code != http.StatusOK {
			t.Fatalf("sign-in: %d %s", w.Code, w.Body)
		}
		var list struct{ Sessions []revoke.Session }
		if w := ask("GET", testapp.APIPath); w.Code != http.StatusOK || json.Unmarshal(w.Body.Bytes(), &list) != nil || !list.Sessions[0].Current {
			t.Errorf("list: %d %s", w.Code, w.Body)
		}
		checkClean(t, list.Sessions[0].UserAgent)
		for name, value := range list.Sessions[0].Labels {
			checkClean(t, name)
			checkClean(t, value)
		}
		if w := ask("DELETE", testapp.APIPath); w.Code != http.StatusOK && w.Code != http.StatusForbidden {
			t.Errorf("revoke others: %d %s", w.Code, w.Body)
		}
		for line := range strings.Lines(log.String()) {
			line = strings.TrimSuffix(line, "\n")
			if !strings.HasPrefix(line, "session ") || strings.ContainsFunc(line, moves) || !utf8.ValidString(line) {
				t.Errorf("a line of the log: %q", line)
			}
		}
	})
}

// checkClean fails the test if a text from outside is not fit to be shown.
func checkClean(t *testing.T, text string) {
	t.Helper()
	if len(text) > 512 || strings.ContainsFunc(text, moves) || !utf8.ValidString(text) {
		t.Errorf("a text is shown as it came: %q", text)
	}
}

// moves reports whether a character moves the cursor, ends the line, or turns the
// direction of writing.
func moves(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
}

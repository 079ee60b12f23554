package page_test

import (
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/page"
	"github.com/revoke-sessions/revoke/store"
)

func TestPage(t *testing.T) {
	eachStore(t, func(t *testing.T, st store.Store) {
		s := newServer(t, st, func(s *server) {
			s.mux.Handle(pagePath, page.New(s.sessions, page.Options{}))
			s.sessions.Describe = func(*http.Request) map[string]string { return map[string]string{"place": "Lisbon"} }
		})
		phone, tablet, bot := s.signedInWith(t, chromeOnAndroid), s.signedInWith(t, safariOnIPad), s.signedInWith(t, "curl/8.5.0")
		windows, b := s.signedInWith(t, chromeOnWindows), s.signedIn(t, "ann")
		s.signedIn(t, "bob")
		got := b.get(pagePath)
		if got.status != http.StatusOK {
			t.Fatalf("%d %s", got.status, got.body)
		}
		checkPageHeaders(t, got)
		var at []int
		for _, text := range []string{
			"<title>Where you&#39;re signed in</title>",
			">This device<", "#revoke-icon-computer", "<bdi>Firefox on Linux</bdi>", "Active now", "<bdi>Lisbon</bdi>", "<bdi>127.0.0.1</bdi>", "Signed in just now",
			">4 other devices<",
			"#revoke-icon-computer", "<bdi>Chrome on Windows</bdi>", `aria-label="Sign out of Chrome on Windows"`, ">Sign out of Chrome on Windows?<", `value="` + windows.id() + `"`,
			"#revoke-icon-unknown", "<bdi>curl</bdi>", `value="` + bot.id() + `"`,
			"#revoke-icon-tablet", "<bdi>Safari on iPad</bdi>", `value="` + tablet.id() + `"`,
			"#revoke-icon-phone", "<bdi>Chrome on Android</bdi>", `value="` + phone.id() + `"`,
			">Sign out of all other devices<", ">Sign out of 4 other devices?<", "cannot be undone",
		} {
			from := 0
			if len(at) > 0 {
				from = at[len(at)-1]
			}
			i := strings.Index(got.body[from:], text)
			if i < 0 {
				t.Fatalf("no %q, or not where it belongs, in\n%s", text, got.body)
			}
			at = append(at, from+i)
		}
		if n := strings.Count(got.body, "<form"); n != 5 {
			t.Errorf("%d forms, want one for each other session and one for all", n)
		}
		if strings.Contains(got.body, `value="`+b.id()+`"`) {
			t.Error("the current session is offered to be signed out of")
		}
		for _, never := range []string{"<script", "<style", " style=", " onclick", "javascript:", "http://", "https://"} {
			if strings.Contains(got.body, never) {
				t.Errorf("%q on the page", never)
			}
		}
		for _, browser := range []*browser{b, windows, phone} {
			if strings.Contains(got.body, browser.cookie[strings.LastIndex(browser.cookie, ".")+1:]) {
				t.Error("the page holds a token")
			}
		}
	})
}

// TestApps shows that sessions with a token of Issue are marked.
func TestApps(t *testing.T) {
	s := newServer(t, store.NewMemory(), func(s *server) {
		s.mux.Handle(pagePath, page.New(s.sessions, page.Options{}))
	})
	b := s.signedIn(t, "ann")
	if strings.Contains(b.get(pagePath).body, "App") {
		t.Error("a browser is marked")
	}
	if _, err := s.sessions.Issue(t.Context(), "ann"); err != nil {
		t.Fatal(err)
	}
	if got := b.get(pagePath); strings.Count(got.body, "<bdi>App</bdi>") != 2 { // in the list, and in its dialog
		t.Errorf("no mark on\n%s", got.body)
	}
}

func TestMountsAnywhere(t *testing.T) {
	s := newServer(t, store.NewMemory(), func(s *server) {
		h := page.New(s.sessions, page.Options{})
		s.mux.Handle("/a", h)
		s.mux.Handle("/deep/down/", h)
		s.mux.Handle("/stripped/page/", http.StripPrefix("/stripped/page", h))
		s.mux.Handle("/stripped/whole", http.StripPrefix("/stripped/whole", h))
		s.mux.Handle("/{$}", h)
		s.mux.Handle("/javascript:x", h)
	})
	b := s.signedIn(t, "ann")
	style := regexp.MustCompile(`<link rel="stylesheet" href="([^"]*)">`)
	for _, path := range []string{"/a", "/a?lang=de", "/deep/down/", "/deep/down/there", "/stripped/page/", "/stripped/whole", "/", "/javascript:x", "/deep/down/%2f%2fexample.com"} {
		to, got := b.follow(path, b.submit(path, "session=unknown"))
		if to != path || said(got) != "That session had already ended." {
			t.Errorf("%s leads to %s: %d %q", path, to, got.status, said(got))
		}
		base, _ := url.Parse(path)
		href, _ := base.Parse(html.UnescapeString(style.FindStringSubmatch(got.body)[1]))
		css := b.get(href.String())
		if css.status != http.StatusOK || css.header.Get("Content-Type") != "text/css; charset=utf-8" || css.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %v", href, css.status, css.header)
		}
		if cache := css.header.Get("Cache-Control"); cache != "private, max-age=31536000, immutable" {
			t.Errorf("%s: Cache-Control %q", href, cache)
		}
	}
	if css := s.browser(t, firefoxOnLinux).get("/a?style=other"); css.status != http.StatusOK || css.header.Get("Cache-Control") != "no-cache" {
		t.Errorf("of another version: %d, Cache-Control %q", css.status, css.header.Get("Cache-Control"))
	}
	if s.browser(t, firefoxOnLinux).do("HEAD", "/a?style").status != http.StatusOK || s.browser(t, firefoxOnLinux).do("POST", "/a?style").status != http.StatusUnauthorized {
		t.Error("the stylesheet is for reading, by anyone")
	}
}

func TestSendsToLogin(t *testing.T) {
	s := newServerWith(t, page.Options{LoginURL: "/login?next=/account/sessions"})
	acting, revoked := s.signedIn(t, "ann"), s.signedIn(t, "ann")
	acting.submit(pagePath, othersOK)
	for name, b := range map[string]*browser{"visitor": s.browser(t, firefoxOnLinux), "revoked": revoked} {
		for _, method := range []string{"GET", "POST"} {
			got := b.do(method, pagePath)
			checkPageHeaders(t, got)
			if got.status != http.StatusSeeOther || got.header.Get("Location") != "/login?next=/account/sessions" {
				t.Errorf("%s: %s: %d %q", name, method, got.status, got.header.Get("Location"))
			}
		}
	}
	elsewhere := newServerWith(t, page.Options{LoginURL: "https://id.example/login"})
	if got := elsewhere.browser(t, firefoxOnLinux).get(pagePath); !strings.Contains(got.header.Get("Content-Security-Policy"), "form-action 'self' https://id.example;") {
		t.Errorf("a login page on another origin, with the policy %q", got.header.Get("Content-Security-Policy"))
	}
}

func BenchmarkPage100(b *testing.B) {
	m := revoke.New(scs.New(), store.NewMemory())
	h := m.Track(page.New(m, page.Options{}))
	login := m.Track(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { m.Login(r.Context(), "ann") }))
	m.Describe = func(*http.Request) map[string]string { return map[string]string{"place": "Lisbon, Portugal"} }
	var cookie *http.Cookie
	for i := range 100 {
		r := httptest.NewRequest("POST", "/", nil)
		r.Header.Set("User-Agent", []string{firefoxOnLinux, chromeOnWindows, chromeOnAndroid, safariOnIPad}[i%4])
		w := httptest.NewRecorder()
		login.ServeHTTP(w, r)
		cookie = w.Result().Cookies()[0]
	}
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest("GET", "/", nil)
		r.AddCookie(cookie)
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != http.StatusOK || strings.Count(w.Body.String(), "<form") != 100 {
			b.Fatalf("%d %s", w.Code, w.Body)
		}
	}
}

package revoke_test

import (
	"context"
	"errors"
	"fmt"
	"html"
	"html/template"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/store"
)

const (
	pagePath = "/account/sessions"

	firefoxOnLinux   = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
	chromeOnWindows  = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36"
	chromeOnAndroid  = "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Mobile Safari/537.36"
	safariOnIPad     = "Mozilla/5.0 (iPad; CPU OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
	pagePolicy       = "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; img-src 'self' data:"
	others, othersOK = "others=true", "others=true&confirm=true"
)

// newPageServer is a server with the page mounted as its documentation has it.
func newPageServer(t *testing.T, o revoke.PageOptions, configure ...func(*server)) *server {
	t.Helper()
	return newServer(t, store.NewMemory(), append(configure, func(s *server) {
		s.mux.Handle(pagePath, s.sessions.Page(o))
	})...)
}

// signedInWith returns a browser of that user agent in which ann has signed in.
func (s *server) signedInWith(t *testing.T, userAgent string) *browser {
	t.Helper()
	b := s.browser(t)
	b.header.Set("User-Agent", userAgent)
	if got := b.post("/login?user=ann"); got.status != http.StatusOK {
		t.Fatalf("sign-in: %d %s", got.status, got.body)
	}
	return b
}

// submit sends a form as a browser would.
func (b *browser) submit(path, form string) answer {
	b.t.Helper()
	r, err := http.NewRequest("POST", b.s.URL+path, strings.NewReader(form))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header = b.header.Clone()
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if b.cookie != "" {
		r.Header.Set("Cookie", b.s.sm.Cookie.Name+"="+b.cookie)
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range resp.Cookies() {
		b.cookie = c.Value
	}
	return answer{resp.StatusCode, string(body), resp.Header}
}

// follow goes where a 303 leads to, relative to path.
func (b *browser) follow(path string, got answer) (string, answer) {
	b.t.Helper()
	if got.status != http.StatusSeeOther {
		b.t.Fatalf("%d, want 303: %s", got.status, got.body)
	}
	base, _ := url.Parse(path)
	to, err := base.Parse(got.header.Get("Location"))
	if err != nil {
		b.t.Fatal(err)
	}
	return to.String(), b.get(to.String())
}

var (
	tags    = regexp.MustCompile(`<[^>]*>`)
	message = regexp.MustCompile(`(?s)<div class="revoke-message.*?<p>(.*?)</p>`)
)

// said is the message at the top of a page, as it is read.
func said(got answer) string {
	found := message.FindStringSubmatch(got.body)
	if found == nil {
		return ""
	}
	return html.UnescapeString(tags.ReplaceAllString(found[1], ""))
}

func checkPageHeaders(t *testing.T, got answer) {
	t.Helper()
	checkHeaders(t, got)
	for name, want := range map[string]string{"Content-Security-Policy": pagePolicy, "Referrer-Policy": "same-origin"} {
		if value := got.header.Get(name); value != want {
			t.Errorf("%s %q, want %q", name, value, want)
		}
	}
	if got.status != http.StatusSeeOther && got.header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("Content-Type %q", got.header.Get("Content-Type"))
	}
}

func TestPage(t *testing.T) {
	eachStore(t, func(t *testing.T, st store.Store) {
		s := newServer(t, st, func(s *server) {
			s.mux.Handle(pagePath, s.sessions.Page(revoke.PageOptions{}))
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

func TestPageRevokes(t *testing.T) {
	eachStore(t, func(t *testing.T, st store.Store) {
		s := newServer(t, st, func(s *server) { s.mux.Handle(pagePath, s.sessions.Page(revoke.PageOptions{})) })
		b, other, third := s.signedIn(t, "ann"), s.signedInWith(t, chromeOnWindows), s.signedInWith(t, safariOnIPad)
		id := other.id()
		posted := b.submit(pagePath, "session="+id)
		checkPageHeaders(t, posted)
		if other.get("/me").status != http.StatusUnauthorized || third.get("/me").status != http.StatusOK {
			t.Fatal("not the session that was asked for has ended")
		}
		if n := s.log.count(revoke.Revoked); n != 1 {
			t.Errorf("%d events", n)
		}
		to, got := b.follow(pagePath, posted)
		if to != pagePath || said(got) != "Signed out of Chrome on Windows." || strings.Contains(got.body, id) {
			t.Errorf("at %s: %q", to, said(got))
		}
		if got := b.get(pagePath); said(got) != "" {
			t.Errorf("shown again: %q", said(got))
		}
		if _, got := b.follow(pagePath, b.submit(pagePath, "session="+id)); said(got) != "That session had already ended." {
			t.Errorf("twice: %q", said(got))
		}
	})
}

func TestPageRevokesOthers(t *testing.T) {
	eachStore(t, func(t *testing.T, st store.Store) {
		s := newServer(t, st, func(s *server) {
			s.mux.Handle(pagePath, s.sessions.Page(revoke.PageOptions{}))
			s.sessions.Confirm = true
		})
		b, other := s.signedIn(t, "ann"), s.signedInWith(t, chromeOnWindows)
		s.signedInWith(t, safariOnIPad)
		got := b.submit(pagePath, others)
		if got.status != http.StatusPreconditionRequired || !strings.Contains(said(got), "2 other devices") || other.get("/me").status != http.StatusOK {
			t.Fatalf("without being confirmed: %d %q", got.status, said(got))
		}
		if got := b.submit(pagePath+"?"+othersOK, ""); other.get("/me").status != http.StatusOK {
			t.Fatalf("by a URL: %d %q", got.status, said(got))
		}
		b.get(pagePath)
		_, got = b.follow(pagePath, b.submit(pagePath, othersOK))
		if said(got) != "Signed out of 2 other devices." || other.get("/me").status != http.StatusUnauthorized || s.log.count(revoke.RevokedOthers) != 1 {
			t.Errorf("%q", said(got))
		}
		if !strings.Contains(got.body, "You&#39;re not signed in anywhere else.") || strings.Contains(got.body, "<form") {
			t.Errorf("with a single session left:\n%s", got.body)
		}
		if _, got := b.follow(pagePath, b.submit(pagePath, othersOK)); said(got) != "There was no other device to sign out of." {
			t.Errorf("with none left: %q", said(got))
		}
	})
}

// TestPageShowsNothingForged shows that what the page says has happened comes
// from nobody but the page.
func TestPageShowsNothingForged(t *testing.T) {
	s := newPageServer(t, revoke.PageOptions{})
	b := s.signedIn(t, "ann")
	for _, query := range []string{"?revoke.page.notice=%7B%22kind%22:%22ended%22%7D", "?notice=ended", "?kind=ended#ended"} {
		if got := b.get(pagePath + query); said(got) != "" || strings.Contains(got.body, "ended") {
			t.Errorf("%s: %q", query, said(got))
		}
	}
	s.handle("POST /odd", func(_ http.ResponseWriter, r *http.Request) {
		s.sm.Put(r.Context(), "revoke.page.notice", r.FormValue("value"))
	})
	for _, value := range []string{"", "x", "{}", `{"kind":"else"}`} {
		b.post("/odd?value=" + url.QueryEscape(value))
		if got := b.get(pagePath); got.status != http.StatusOK || said(got) != "" {
			t.Errorf("%q in the session: %d %q", value, got.status, said(got))
		}
	}
}

// TestPageNoticeSurvivesOtherRequests shows that a HEAD, a stylesheet and
// another page do not take away what the page has to say.
func TestPageNoticeSurvivesOtherRequests(t *testing.T) {
	s := newPageServer(t, revoke.PageOptions{})
	b, other := s.signedIn(t, "ann"), s.signedInWith(t, chromeOnWindows)
	b.submit(pagePath, "session="+other.id())
	for _, request := range []struct{ method, path string }{{"HEAD", pagePath}, {"GET", pagePath + "?style=x"}, {"GET", "/me"}, {"PUT", pagePath}} {
		b.do(request.method, request.path)
	}
	if got := b.get(pagePath); said(got) != "Signed out of Chrome on Windows." {
		t.Errorf("%q", said(got))
	}
}

func TestPageOwnSession(t *testing.T) {
	for login, want := range map[string]string{"": pagePath, "/login?next=x": "/login?next=x", "https://id.example/login": "https://id.example/login"} {
		s := newPageServer(t, revoke.PageOptions{LoginURL: login})
		b, other := s.signedIn(t, "ann"), s.signedIn(t, "ann")
		id := b.id()
		got := b.submit(pagePath, "session="+id)
		base, _ := url.Parse(pagePath)
		to, _ := base.Parse(got.header.Get("Location"))
		if got.status != http.StatusSeeOther || to.String() != want || b.cookie != "" || other.get("/me").status != http.StatusOK {
			t.Errorf("login %q: %d to %q, cookie %q", login, got.status, to, b.cookie)
		}
	}
}

func TestPageWithoutSession(t *testing.T) {
	s := newPageServer(t, revoke.PageOptions{})
	got := s.browser(t).get(pagePath)
	checkPageHeaders(t, got)
	if got.status != http.StatusUnauthorized || said(got) != "You're not signed in. Sign in, then come back to this page." || strings.Contains(got.body, "<form") {
		t.Errorf("%d %q", got.status, said(got))
	}
	acting := s.signedIn(t, "ann")
	today := time.Now().UTC().Format("2 January 2006 at ")
	for form, want := range map[string]string{"session=": ", from another of your devices. ", othersOK: ", when another of your devices signed out of all others. "} {
		for _, method := range []string{"GET", "POST"} {
			revoked := s.signedIn(t, "ann")
			if form == "session=" {
				acting.submit(pagePath, form+revoked.id())
			} else {
				acting.submit(pagePath, form)
			}
			got := revoked.do(method, pagePath)
			if text := said(got); got.status != http.StatusUnauthorized || !strings.HasPrefix(text, "This device was signed out on "+today) || !strings.Contains(text, want) {
				t.Errorf("%s after %s: %d %q", method, form, got.status, text)
			}
		}
	}
}

func TestPageSendsToLogin(t *testing.T) {
	s := newPageServer(t, revoke.PageOptions{LoginURL: "/login?next=/account/sessions"})
	acting, revoked := s.signedIn(t, "ann"), s.signedIn(t, "ann")
	acting.submit(pagePath, othersOK)
	for name, b := range map[string]*browser{"visitor": s.browser(t), "revoked": revoked} {
		for _, method := range []string{"GET", "POST"} {
			got := b.do(method, pagePath)
			checkPageHeaders(t, got)
			if got.status != http.StatusSeeOther || got.header.Get("Location") != "/login?next=/account/sessions" {
				t.Errorf("%s: %s: %d %q", name, method, got.status, got.header.Get("Location"))
			}
		}
	}
	elsewhere := newPageServer(t, revoke.PageOptions{LoginURL: "https://id.example/login"})
	if got := elsewhere.browser(t).get(pagePath); !strings.Contains(got.header.Get("Content-Security-Policy"), "form-action 'self' https://id.example;") {
		t.Errorf("a login page on another origin, with the policy %q", got.header.Get("Content-Security-Policy"))
	}
}

// A pageStore fails where it is told to.
type pageStore struct {
	store.Store
	list, revoke error
}

func (f *pageStore) List(ctx context.Context, user string) ([]store.Record, error) {
	if f.list != nil {
		return nil, f.list
	}
	return f.Store.List(ctx, user)
}

func (f *pageStore) Revoke(ctx context.Context, user, id string, why store.Revocation) (store.Record, error) {
	if f.revoke != nil {
		return store.Record{}, f.revoke
	}
	return f.Store.Revoke(ctx, user, id, why)
}

func TestPageErrors(t *testing.T) {
	down := errors.New("dial redis://secret@10.0.0.1")
	for _, test := range []struct {
		name    string
		options revoke.PageOptions
		prepare func(*server, *pageStore, *browser)
		method  string
		status  int
		header  string // name=value
		listed  bool   // the sessions are shown below the message
		text    string
		link    string
	}{
		{
			name: "over the limit",
			prepare: func(s *server, _ *pageStore, b *browser) {
				s.sessions.Limiter = revoke.NewLimiter(1, time.Hour)
				b.submit(pagePath, "session=unknown")
			},
			status: http.StatusTooManyRequests, header: "Retry-After=3600", listed: true, text: "Try again in 60 minutes.",
		}, {
			name:    "step-up",
			options: revoke.PageOptions{ReauthenticateURL: "/prove?next=/account/sessions"},
			prepare: func(s *server, _ *pageStore, _ *browser) { s.sessions.Authorize = revoke.RecentLogin(-1) },
			status:  http.StatusForbidden, listed: true, text: "first confirm that it's you", link: `href="/prove?next=/account/sessions">Confirm that it&#39;s you</a>`,
		}, {
			name:    "step-up without a place for it",
			prepare: func(s *server, _ *pageStore, _ *browser) { s.sessions.Authorize = revoke.RecentLogin(-1) },
			status:  http.StatusForbidden, listed: true, text: "first confirm that it's you",
		}, {
			name:    "from another site",
			prepare: func(_ *server, _ *pageStore, b *browser) { b.header.Set("Sec-Fetch-Site", "cross-site") },
			status:  http.StatusForbidden, text: "came from another site", link: `href="./sessions">Back to your devices</a>`,
		}, {
			name:    "store down for all but the session itself",
			prepare: func(_ *server, st *pageStore, _ *browser) { st.list = down },
			status:  http.StatusServiceUnavailable, text: "It is safe to try again. ", link: `href="./sessions">Try again</a>`,
		}, {
			name: "store down for the list", method: "GET",
			prepare: func(_ *server, st *pageStore, _ *browser) { st.list = down },
			status:  http.StatusServiceUnavailable, text: "can't be shown at the moment. ", link: `href="./sessions">Try again</a>`,
		}, {
			name:    "store down for revocations",
			prepare: func(_ *server, st *pageStore, _ *browser) { st.revoke = down },
			status:  http.StatusServiceUnavailable, text: "It is safe to try again. ", link: `href="./sessions">Try again</a>`,
		}, {
			name: "method", method: "DELETE", prepare: func(*server, *pageStore, *browser) {},
			status: http.StatusMethodNotAllowed, header: "Allow=GET, HEAD, POST", text: "can't be used that way", link: `href="./sessions">Back to your devices</a>`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			st := &pageStore{Store: store.NewMemory()}
			s := newServer(t, st, func(s *server) { s.mux.Handle(pagePath, s.sessions.Page(test.options)) })
			b, other := s.signedIn(t, "ann"), s.signedInWith(t, chromeOnWindows)
			test.prepare(s, st, b)
			var got answer
			if test.method != "" {
				got = b.do(test.method, pagePath)
			} else {
				got = b.submit(pagePath, "session="+other.id())
			}
			if text := said(got); got.status != test.status || !strings.Contains(text, test.text) {
				t.Fatalf("%d %q", got.status, text)
			}
			checkPageHeaders(t, got)
			if !strings.Contains(got.body, `role="alert"`) {
				t.Error("not an alert")
			}
			if listed := strings.Contains(got.body, "<bdi>Chrome on Windows</bdi>"); listed != test.listed {
				t.Errorf("sessions shown: %v", listed)
			}
			if name, value, _ := strings.Cut(test.header, "="); name != "" && got.header.Get(name) != value {
				t.Errorf("%s: %q, want %q", name, got.header.Get(name), value)
			}
			if test.link == "" && strings.Contains(got.body, "revoke-link") || !strings.Contains(got.body, test.link) {
				t.Errorf("link:\n%s", got.body)
			}
			if strings.Contains(got.body, "secret") || strings.Contains(got.body, "10.0.0.1") {
				t.Error("the page tells what the server knows")
			}
			if st.list = nil; other.get("/me").status != http.StatusOK {
				t.Error("revoked all the same")
			}
		})
	}
}

// TestPageIsOneUsers shows that a form cannot reach a stranger's session, and
// says of it what it says of any unknown one.
func TestPageIsOneUsers(t *testing.T) {
	s := newPageServer(t, revoke.PageOptions{})
	b, other, stranger := s.signedIn(t, "ann"), s.signedIn(t, "ann"), s.signedIn(t, "bob")
	long := "other=" + strings.Repeat("x", 10_000) + "&session=" + other.id() // longer than a form of the page can be
	for _, form := range []string{long, "session=" + stranger.id(), "session=unknown", "session=", "", "session=" + strings.Repeat("x", 10_000), "%zz"} {
		if _, got := b.follow(pagePath, b.submit(pagePath, form)); said(got) != "That session had already ended." {
			t.Errorf("%.40s: %q", form, said(got))
		}
	}
	if stranger.get("/me").status != http.StatusOK || other.get("/me").status != http.StatusOK {
		t.Error("somebody was signed out")
	}
}

// TestPageHostile shows that what comes from outside is shown as text, on its
// own, and cannot grow without bound.
func TestPageHostile(t *testing.T) {
	texts := []string{
		`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' autofocus onfocus='alert(1)`,
		"rtl \u202eevil\u2066\u2069", strings.Repeat("W", 512), strings.Repeat("ي", 256), "</bdi></main>", "{{.Current}}", "Signed out of\nall",
	}
	for _, text := range texts {
		s := newPageServer(t, revoke.PageOptions{}, func(s *server) {
			s.sessions.Device = func(string) string { return text }
			s.sessions.Describe = func(*http.Request) map[string]string { return map[string]string{"place": text} }
		})
		b := s.signedIn(t, "ann")
		other := s.signedInWith(t, strings.Map(func(r rune) rune {
			if r < ' ' {
				return ' '
			}
			return r
		}, text))
		got := b.get(pagePath)
		if got.status != http.StatusOK || strings.Count(got.body, "<bdi>") != strings.Count(got.body, "</bdi>") || strings.Count(got.body, "</main>") != 1 {
			t.Errorf("%.20q: %d\n%s", text, got.status, got.body)
		}
		for _, never := range []string{"<script", "<img", `' autofocus onfocus='`, "\u202e", "\u2066", strings.Repeat("W", 81) + "?", "of\nall"} {
			if strings.Contains(got.body, never) {
				t.Errorf("%q on the page", never)
			}
		}
		_, got = b.follow(pagePath, b.submit(pagePath, "session="+other.id()))
		if text := said(got); !strings.HasPrefix(text, "Signed out of ") || len([]rune(text)) > 100 {
			t.Errorf("said %q", text)
		}
	}
}

func TestPageMountsAnywhere(t *testing.T) {
	s := newServer(t, store.NewMemory(), func(s *server) {
		page := s.sessions.Page(revoke.PageOptions{})
		s.mux.Handle("/a", page)
		s.mux.Handle("/deep/down/", page)
		s.mux.Handle("/stripped/page/", http.StripPrefix("/stripped/page", page))
		s.mux.Handle("/stripped/whole", http.StripPrefix("/stripped/whole", page))
		s.mux.Handle("/{$}", page)
		s.mux.Handle("/javascript:x", page)
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
	if css := s.browser(t).get("/a?style=other"); css.status != http.StatusOK || css.header.Get("Cache-Control") != "no-cache" {
		t.Errorf("of another version: %d, Cache-Control %q", css.status, css.header.Get("Cache-Control"))
	}
	if s.browser(t).do("HEAD", "/a?style").status != http.StatusOK || s.browser(t).do("POST", "/a?style").status != http.StatusUnauthorized {
		t.Error("the stylesheet is for reading, by anyone")
	}
}

func TestPageOutsideOfTrack(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	m := revoke.New(scs.New(), store.NewMemory())
	m.Page(revoke.PageOptions{}).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
}

func TestPageTemplate(t *testing.T) {
	around := template.Must(template.New("").Parse(`<html><link href="{{.Style}}"><nav>Shop</nav>{{.Content}}</html>`))
	own := template.Must(template.New("").Parse(`{{.Status}} {{.SignedIn}} {{with .Message}}{{.Text}}{{end}} {{.Current.Name}} {{range .Others}}[{{.Name}} {{.Form}} {{.ID}}]{{end}}`))
	policy := "default-src 'self'"
	s := newServer(t, store.NewMemory(), func(s *server) {
		s.mux.Handle("/around", s.sessions.Page(revoke.PageOptions{Template: around}))
		s.mux.Handle("/own", s.sessions.Page(revoke.PageOptions{Template: own, ContentSecurityPolicy: policy}))
		s.mux.Handle("/broken", s.sessions.Page(revoke.PageOptions{Template: template.Must(template.New("").Parse(`secret {{.Nothing}}`))}))
		s.mux.Handle("/styled", s.sessions.Page(revoke.PageOptions{Stylesheet: "/own.css"}))
	})
	b, other := s.signedIn(t, "ann"), s.signedInWith(t, safariOnIPad)
	got := b.get("/around")
	if !strings.HasPrefix(got.body, `<html><link href="?style=`) || !strings.Contains(got.body, "<nav>Shop</nav>\n<main") && !strings.Contains(got.body, "<nav>Shop</nav><main") || strings.Count(got.body, "<html") != 1 {
		t.Errorf("around:\n%s", got.body)
	}
	got = b.get("/own")
	if want := "200 true  Firefox on Linux [Safari on iPad tablet " + other.id() + "]"; got.body != want || got.header.Get("Content-Security-Policy") != policy {
		t.Errorf("own: %q, want %q", got.body, want)
	}
	if got := b.get("/broken"); got.status != http.StatusInternalServerError || strings.Contains(got.body, "secret") || !strings.Contains(s.log.String(), "page template") {
		t.Errorf("broken: %d %q", got.status, got.body)
	}
	if got := b.get("/styled"); !regexp.MustCompile(`(?s)href="\?style=.*href="/own.css">`).MatchString(got.body) {
		t.Errorf("styled:\n%s", got.body)
	}
}

// TestPageTimes shows how times read, as they pass.
func TestPageTimes(t *testing.T) {
	inBubble(t, func(t *testing.T, s *clockedServer) {
		s.sm.Lifetime = 2 * 365 * 24 * time.Hour
		s.sessions.ClientIP = func(*http.Request) netip.Addr { return netip.Addr{} }
		page := s.sessions.Track(s.sessions.Page(revoke.PageOptions{}))
		s.signIn("/login") // at midnight UTC on 1 January 2000
		token := s.signIn("/login")
		last := time.Duration(0)
		for _, test := range []struct {
			after          time.Duration
			active, signed string
		}{
			{0, "Active now", "Signed in just now"},
			{59 * time.Second, "Active now", "Signed in just now"},
			{119 * time.Second, "Active now", "Signed in 1 minute ago"},
			{2 * time.Minute, "Active 2 minutes ago", "Signed in 2 minutes ago"},
			{time.Hour, "Active 1 hour ago", "Signed in 1 hour ago"},
			{23*time.Hour + 59*time.Minute, "Active 23 hours ago", "Signed in 23 hours ago"},
			{24 * time.Hour, "Active 1 day ago", "Signed in 1 day ago"},
			{8 * 24 * time.Hour, "Active 1 week ago", "Signed in 1 week ago"},
			{59 * 24 * time.Hour, "Active 1 month ago", "Signed in 1 month ago"},
			{400 * 24 * time.Hour, "Active 1 year ago", "Signed in 1 year ago"},
		} {
			time.Sleep(test.after - last)
			last = test.after
			r := httptest.NewRequest("GET", "/", nil)
			r.AddCookie(&http.Cookie{Name: s.sm.Cookie.Name, Value: token})
			w := httptest.NewRecorder()
			page.ServeHTTP(w, r)
			current, other, _ := strings.Cut(w.Body.String(), `id="revoke-others"`)
			if !strings.Contains(current, ">Active now<") {
				t.Errorf("after %v, the session in hand:\n%s", test.after, current)
			}
			for _, text := range []string{test.active, test.signed} {
				want := fmt.Sprintf(`<time datetime="2000-01-01T00:00:00Z" title="1 January 2000 at 00:00 UTC">%s</time>`, text)
				if !strings.Contains(other, want) {
					t.Errorf("after %v: no %q in\n%s", test.after, want, other)
				}
			}
		}
	})
}

func BenchmarkPage100(b *testing.B) {
	m := revoke.New(scs.New(), store.NewMemory())
	page := m.Track(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.Page(revoke.PageOptions{}).ServeHTTP(w, r)
	}))
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
		if page.ServeHTTP(w, r); w.Code != http.StatusOK || strings.Count(w.Body.String(), "<form") != 100 {
			b.Fatalf("%d %s", w.Code, w.Body)
		}
	}
}

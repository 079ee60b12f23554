package page_test

import (
	"bytes"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/internal/redistest"
	"github.com/revoke-sessions/revoke/page"
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

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	os.Exit(m.Run())
}

// eachStore runs a test over every store.
func eachStore(t *testing.T, test func(t *testing.T, st store.Store)) {
	t.Run("memory", func(t *testing.T) { test(t, store.NewMemory()) })
	t.Run("encrypted", func(t *testing.T) {
		key, err := store.AESGCM("2026-11", make([]byte, 32))
		if err != nil {
			t.Fatal(err)
		}
		st, err := store.Encrypt(store.NewMemory(), key)
		if err != nil {
			t.Fatal(err)
		}
		test(t, st)
	})
	t.Run("redis", func(t *testing.T) { test(t, store.NewRedis(redistest.Start(t).Pool())) })
}

// A server is an application under test: POST /login signs in, and GET /me says
// who is signed in.
type server struct {
	*httptest.Server
	mux      *http.ServeMux
	sm       *scs.SessionManager
	sessions *revoke.Manager
	log      *logBuffer
}

func newServer(t *testing.T, st store.Store, configure ...func(*server)) *server {
	t.Helper()
	s := &server{mux: http.NewServeMux(), sm: scs.New(), log: new(logBuffer)}
	s.sessions = revoke.New(s.sm, st)
	s.sessions.Logger = slog.New(slog.NewJSONHandler(s.log, nil))
	s.sessions.Limiter = nil // the test of the limit sets its own
	s.mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		if err := s.sessions.Login(r.Context(), r.FormValue("user")); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	s.mux.HandleFunc("GET /me", func(w http.ResponseWriter, r *http.Request) {
		if err := s.sessions.Err(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
		}
	})
	for _, f := range configure {
		f(s)
	}
	s.Server = httptest.NewServer(s.sessions.Track(s.mux))
	t.Cleanup(s.Close)
	return s
}

// newServerWith is a server with the page mounted as its documentation has it.
func newServerWith(t *testing.T, o page.Options, configure ...func(*server)) *server {
	t.Helper()
	return newServer(t, store.NewMemory(), append(configure, func(s *server) {
		s.mux.Handle(pagePath, page.New(s.sessions, o))
	})...)
}

// A browser keeps the session cookie as a browser would.
type browser struct {
	t      *testing.T
	s      *server
	cookie string
	header http.Header
}

func (s *server) browser(t *testing.T, userAgent string) *browser {
	return &browser{t: t, s: s, header: http.Header{"User-Agent": {userAgent}}}
}

// signedIn returns a browser in which the user has signed in.
func (s *server) signedIn(t *testing.T, user string) *browser {
	t.Helper()
	b := s.browser(t, firefoxOnLinux)
	b.signIn(user)
	return b
}

// signedInWith returns a browser of that user agent in which ann has signed in.
func (s *server) signedInWith(t *testing.T, userAgent string) *browser {
	t.Helper()
	b := s.browser(t, userAgent)
	b.signIn("ann")
	return b
}

func (b *browser) signIn(user string) {
	b.t.Helper()
	if got := b.submit("/login", "user="+user); got.status != http.StatusOK || b.cookie == "" {
		b.t.Fatalf("sign-in: %d %s", got.status, got.body)
	}
}

type answer struct {
	status int
	body   string
	header http.Header
}

func (b *browser) get(path string) answer { b.t.Helper(); return b.do("GET", path) }

func (b *browser) do(method, path string) answer { b.t.Helper(); return b.send(method, path, "") }

// submit sends a form as a browser would.
func (b *browser) submit(path, form string) answer { b.t.Helper(); return b.send("POST", path, form) }

func (b *browser) send(method, path, form string) answer {
	b.t.Helper()
	r, err := http.NewRequest(method, b.s.URL+path, strings.NewReader(form))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header = b.header.Clone()
	if method == "POST" && r.Header.Get("Content-Type") == "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
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

// id returns the public id in the browser's cookie.
func (b *browser) id() string {
	b.t.Helper()
	parts := strings.Split(b.cookie, ".")
	if len(parts) != 3 {
		b.t.Fatalf("%q is not the cookie of a session", b.cookie)
	}
	return parts[1]
}

// follow follows a 303, relative to path.
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
	for name, want := range map[string]string{
		"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
		"Content-Security-Policy": pagePolicy, "Referrer-Policy": "same-origin",
	} {
		if value := got.header.Get(name); value != want {
			t.Errorf("%s %q, want %q", name, value, want)
		}
	}
	if got.status != http.StatusSeeOther && got.header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("Content-Type %q", got.header.Get("Content-Type"))
	}
}

// A logBuffer is a log that may be read while it is written.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// count returns how many events of a kind were logged.
func (l *logBuffer) count(kind revoke.Kind) int {
	return strings.Count(l.String(), `"event.name":"session.`+string(kind)+`"`)
}

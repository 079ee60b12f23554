package e2e

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/page"
	"github.com/revoke-sessions/revoke/store"
)

const (
	pagePath = "/account/sessions"

	firefoxOnLinux  = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
	chromeOnWindows = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36"
	chromeOnAndroid = "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Mobile Safari/537.36"
	safariOnIPad    = "Mozilla/5.0 (iPad; CPU OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
	safariOnMac     = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15"
)

// A site is a small application with the page in it.
type site struct {
	*httptest.Server
	sessions *revoke.Manager
	aged     *agedStore
	options  page.Options
	rewrite  func([]byte) []byte // changes what the page answers
}

const loginForm = `<!DOCTYPE html><html lang="en"><title>Sign in</title><main><h1>Sign in</h1>
<form method="post"><label>Name <input name="user"></label> <button>Sign in</button></form></main></html>`

func newSite(t *testing.T, configure ...func(*site)) *site {
	t.Helper()
	sm := scs.New()
	s := &site{aged: &agedStore{Store: store.NewMemory()}, options: page.Options{LoginURL: "/login"}}
	s.sessions = revoke.New(sm, s.aged)
	s.sessions.Logger = slog.New(slog.DiscardHandler)
	s.sessions.ClientIP = func(r *http.Request) netip.Addr {
		ip, err := netip.ParseAddr(r.Header.Get("X-Test-Address"))
		if err != nil {
			ip = netip.MustParseAddr("203.0.113.7")
		}
		return ip
	}
	s.sessions.Describe = func(r *http.Request) map[string]string {
		place := r.Header.Get("X-Test-Place")
		if place == "" {
			place = "Lisbon, Portugal"
		}
		return map[string]string{"place": place}
	}
	for _, f := range configure {
		f(s)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, loginForm)
	})
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		if err := s.sessions.Login(r.Context(), r.PostFormValue("user")); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		http.Redirect(w, r, pagePath, http.StatusSeeOther)
	})
	h := page.New(s.sessions, s.options)
	mux.HandleFunc(pagePath, func(w http.ResponseWriter, r *http.Request) {
		if s.rewrite == nil {
			h.ServeHTTP(w, r)
			return
		}
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, r)
		for name, values := range answer.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(answer.Code)
		w.Write(s.rewrite(answer.Body.Bytes()))
	})
	s.Server = httptest.NewServer(s.sessions.Track(mux))
	t.Cleanup(s.Close)
	return s
}

// withoutCommands makes the page one for a browser that knows popovers but not
// yet the commands of buttons.
func withoutCommands(page []byte) []byte {
	return bytes.ReplaceAll(page, []byte(" commandfor="), []byte(" data-commandfor="))
}

// withoutPopovers makes the page one for a browser that knows neither.
func withoutPopovers(page []byte) []byte {
	return []byte(strings.NewReplacer(
		"@supports not selector(:popover-open)", "@supports selector(:popover-open)",
		" commandfor=", " data-commandfor=", " popovertarget=", " data-popovertarget=", " popover ", " ",
	).Replace(string(page)))
}

// An agedStore makes sessions that began, and were seen, some time ago.
type agedStore struct {
	store.Store
	mu        sync.Mutex
	age, seen time.Duration
	down      bool
}

func (a *agedStore) Create(ctx context.Context, r store.Record, limit int) ([]store.Record, error) {
	a.mu.Lock()
	r.CreatedAt, r.SeenAt = r.CreatedAt.Add(-a.age), r.SeenAt.Add(-a.seen)
	a.mu.Unlock()
	return a.Store.Create(ctx, r, limit)
}

func (a *agedStore) List(ctx context.Context, user string) ([]store.Record, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.down {
		return nil, context.DeadlineExceeded
	}
	return a.Store.List(ctx, user)
}

// A device is one on which ann has signed in some time ago.
type device struct {
	userAgent, address, place string
	age, seen                 time.Duration
}

const day = 24 * time.Hour

var devices = []device{
	{chromeOnAndroid, "198.51.100.23", "Lisbon, Portugal", 9 * day, 3 * time.Minute},
	{chromeOnWindows, "2001:db8:47::9c1:5", "Porto, Portugal", 70 * day, 3 * time.Hour},
	{safariOnIPad, "203.0.113.7", "Lisbon, Portugal", 26 * day, 2 * day},
	{"curl/8.5.0", "192.0.2.180", "Frankfurt, Germany", 40 * day, 16 * day},
}

func (s *site) seed(t *testing.T, devices ...device) {
	t.Helper()
	for _, d := range devices {
		s.aged.mu.Lock()
		s.aged.age, s.aged.seen = d.age, d.seen
		s.aged.mu.Unlock()
		r, _ := http.NewRequest("POST", s.URL+"/login", strings.NewReader("user=ann"))
		r.Header = http.Header{"User-Agent": {d.userAgent}, "X-Test-Address": {d.address}, "X-Test-Place": {d.place}, "Content-Type": {"application/x-www-form-urlencoded"}}
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		if resp.Body.Close(); resp.StatusCode != http.StatusSeeOther {
			t.Fatalf("sign-in: %s", resp.Status)
		}
	}
	s.aged.mu.Lock()
	s.aged.age, s.aged.seen = 0, 0
	s.aged.mu.Unlock()
}

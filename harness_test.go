package revoke_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"
	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/internal/redistest"
	"github.com/revoke-sessions/revoke/store"
)

// What follows is for the tests of the page alone.

// eachStore runs a test over every store.
func eachStore(t *testing.T, test func(t *testing.T, st store.Store)) {
	t.Run("memory", func(t *testing.T) { test(t, store.NewMemory()) })
	t.Run("encrypted", func(t *testing.T) { test(t, encrypted(t, store.NewMemory())) })
	t.Run("redis", func(t *testing.T) { test(t, store.NewRedis(redistest.Start(t).Pool())) })
}

func encrypted(t *testing.T, st store.Store) store.Store {
	t.Helper()
	key, err := store.AESGCM("2026-11", make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	st, err = store.Encrypt(st, key)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// A server is an application under test: POST /login signs in as scs's README
// has it, POST /logout destroys, GET /me is protected, and the API is mounted.
type server struct {
	*httptest.Server
	mux      *http.ServeMux
	sm       *scs.SessionManager
	sessions *revoke.Manager
	visitors scs.Store // the store that scs had
	log      *logBuffer
}

const apiPath = "/api/auth/sessions"

func newServer(t *testing.T, st store.Store, configure ...func(*server)) *server {
	t.Helper()
	s := &server{mux: http.NewServeMux(), sm: scs.New(), log: new(logBuffer)}
	s.visitors = s.sm.Store
	s.sessions = revoke.New(s.sm, st)
	s.sessions.Logger = slog.New(slog.NewJSONHandler(s.log, nil))
	s.sessions.Limiter = nil // the tests of limits set their own
	s.addLogin()
	s.sessions.Mount(s.mux, apiPath)
	for _, f := range configure {
		f(s)
	}
	s.Server = httptest.NewServer(s.sessions.Track(s.mux))
	t.Cleanup(s.Close)
	return s
}

func (s *server) addLogin() {
	s.mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		if err := s.sm.RenewToken(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		s.sm.Put(r.Context(), "userID", r.FormValue("user"))
		io.WriteString(w, "in")
	})
	s.mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		if err := s.sm.Destroy(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		io.WriteString(w, "out")
	})
	s.mux.HandleFunc("GET /me", func(w http.ResponseWriter, r *http.Request) {
		user := s.sm.GetString(r.Context(), "userID")
		if user == "" {
			http.Error(w, "nobody", http.StatusUnauthorized)
			return
		}
		io.WriteString(w, user)
	})
}

// handle adds a handler to the server under test.
func (s *server) handle(pattern string, h http.HandlerFunc) { s.mux.HandleFunc(pattern, h) }

// A browser keeps the session cookie as a browser would.
type browser struct {
	t      *testing.T
	s      *server
	cookie string
	header http.Header
}

func (s *server) browser(t *testing.T) *browser {
	return &browser{t: t, s: s, header: http.Header{"User-Agent": {"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}}}
}

// signedIn returns a browser in which the user has signed in.
func (s *server) signedIn(t *testing.T, user string) *browser {
	t.Helper()
	b := s.browser(t)
	if got := b.post("/login?user=" + user); got.status != http.StatusOK {
		t.Fatalf("sign-in: %d %s", got.status, got.body)
	}
	if b.cookie == "" {
		t.Fatal("sign-in set no cookie")
	}
	return b
}

type answer struct {
	status int
	body   string
	header http.Header
}

func (b *browser) get(path string) answer { b.t.Helper(); return b.do("GET", path) }

func (b *browser) post(path string) answer { b.t.Helper(); return b.do("POST", path) }

func (b *browser) do(method, path string) answer {
	b.t.Helper()
	got, cookie, set := b.send(method, path)
	if set {
		b.cookie = cookie
	}
	return got
}

// send does not keep the cookie, so that requests can run at once.
func (b *browser) send(method, path string) (got answer, cookie string, set bool) {
	b.t.Helper()
	r, err := http.NewRequest(method, b.s.URL+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	for name, values := range b.header {
		r.Header[name] = values
	}
	if b.cookie != "" {
		r.Header.Add("Cookie", b.s.sm.Cookie.Name+"="+b.cookie)
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		b.t.Error(err)
		return answer{}, "", false
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Error(err)
	}
	for _, c := range resp.Cookies() {
		if c.Name == b.s.sm.Cookie.Name {
			cookie, set = c.Value, true
		}
	}
	return answer{resp.StatusCode, string(body), resp.Header}, cookie, set
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

// logBuffer is a log that may be read while it is written.
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

func checkHeaders(t *testing.T, got answer) {
	t.Helper()
	if cache := got.header["Cache-Control"]; len(cache) == 0 || cache[0] != "no-store" {
		t.Errorf("Cache-Control %q", cache)
	}
	if nosniff := got.header.Get("X-Content-Type-Options"); nosniff != "nosniff" {
		t.Errorf("X-Content-Type-Options %q", nosniff)
	}
}

// A clockedServer is an application whose time a test makes pass.
type clockedServer struct {
	sm       *scs.SessionManager
	sessions *revoke.Manager
	handler  http.Handler
}

func inBubble(t *testing.T, test func(t *testing.T, s *clockedServer)) {
	synctest.Test(t, func(t *testing.T) {
		s := &clockedServer{sm: newPlainManager()}
		s.sessions = revoke.New(s.sm, store.NewMemory())
		s.handler = s.sessions.Track(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.URL.Path == "/login":
				s.sessions.Login(r.Context(), "ann")
				s.sm.RememberMe(r.Context(), r.URL.Query().Has("remember"))
			case r.URL.Path == "/remember":
				s.sm.RememberMe(r.Context(), true)
			case s.sm.GetString(r.Context(), "userID") == "":
				w.WriteHeader(http.StatusUnauthorized)
			}
		}))
		test(t, s)
	})
}

// newPlainManager is scs.New without the goroutine of its store, in a bubble.
func newPlainManager() *scs.SessionManager {
	sm := scs.New()
	synctest.Wait()
	sm.Store.(*memstore.MemStore).StopCleanup()
	sm.Store = memstore.NewWithCleanupInterval(0)
	return sm
}

// get returns whether the token opened the page, and the cookie that was set.
func (s *clockedServer) get(path, token, peer string) (ok bool, cookie *http.Cookie) {
	r := httptest.NewRequest("GET", path, nil)
	r.RemoteAddr = peer + ":1234"
	if token != "" {
		r.AddCookie(&http.Cookie{Name: s.sm.Cookie.Name, Value: token})
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		cookie = c
	}
	return w.Code == http.StatusOK, cookie
}

func (s *clockedServer) signIn(path string) (token string) {
	_, cookie := s.get(path, "", "192.0.2.1")
	return cookie.Value
}

package revoke_test

import (
	"bytes"
	"context"
	"flag"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/internal/redistest"
	"github.com/revoke-sessions/revoke/store"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	flag.Parse()
	if n := flag.Lookup("test.parallel"); flag.Lookup("test.fuzz").Value.String() == "" && n.Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		n.Value.Set("8") // most of what is parallel waits for a Redis to notice something
	}
	os.Exit(m.Run())
}

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

// newPlainServer returns the application as it was before it came to revoke, on
// the store that s keeps its visitors in.
func newPlainServer(t *testing.T, s *server) *server {
	plain := &server{mux: http.NewServeMux(), sm: scs.New()}
	plain.sm.Store, plain.sm.HashTokenInStore = s.visitors, s.sm.HashTokenInStore
	plain.addLogin()
	plain.Server = httptest.NewServer(plain.sm.LoadAndSave(plain.mux))
	t.Cleanup(plain.Close)
	return plain
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

func (b *browser) get(path string) answer    { b.t.Helper(); return b.do("GET", path) }
func (b *browser) post(path string) answer   { b.t.Helper(); return b.do("POST", path) }
func (b *browser) delete(path string) answer { b.t.Helper(); return b.do("DELETE", path) }

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

// hookedStore lets a test act between two steps of a store.
type hookedStore struct {
	store.Store
	afterFind func()
}

func (h *hookedStore) Find(ctx context.Context, user, id string) (store.Record, error) {
	r, err := h.Store.Find(ctx, user, id)
	if then := h.afterFind; then != nil {
		h.afterFind = nil
		then()
	}
	return r, err
}

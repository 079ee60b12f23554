package revoke_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/store"
)

// A way is one of the ways in which a session that was ended comes back.
type way struct {
	name  string
	story string
	run   func(w *world)
}

// A world is a server with one user, over revoke or over plain scs. What a way
// does in it ends the user's session; afterwards no token that the server has
// ever issued may open anything.
type world struct {
	t      *testing.T
	sm     *scs.SessionManager
	end    func(ctx context.Context, token string)
	find   func(then func()) // arranges for then to run after the next look-up of a token
	tracks bool
	server *httptest.Server

	act     func(w http.ResponseWriter, r *http.Request) // what GET /act does
	entered chan struct{}                                // a request is in the handler, its session loaded
	release chan struct{}                                // lets it go on

	served sync.WaitGroup

	mu     sync.Mutex
	issued []string
}

// elsewhere is the context of a caller who is in no request.
var elsewhere = context.Background()

// newWorld serves an application written as scs's README has it.
func newWorld(t *testing.T, sm *scs.SessionManager, middleware func(http.Handler) http.Handler) *world {
	w := &world{t: t, sm: sm, entered: make(chan struct{}, 2), release: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("/login", func(rw http.ResponseWriter, r *http.Request) {
		sm.RenewToken(r.Context())
		sm.Put(r.Context(), "userID", "ann")
	})
	mux.HandleFunc("/me", func(rw http.ResponseWriter, r *http.Request) {
		if sm.GetString(r.Context(), "userID") == "" {
			rw.WriteHeader(http.StatusUnauthorized)
		}
	})
	mux.HandleFunc("/act", func(rw http.ResponseWriter, r *http.Request) { w.act(rw, r) })
	h := middleware(mux)
	w.server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.served.Add(1)
		defer w.served.Done()
		h.ServeHTTP(rw, r)
	}))
	t.Cleanup(w.server.Close)
	return w
}

// get returns the status and the token that the response issued, or "".
func (w *world) get(path, token string) (status int, issued string) {
	r, _ := http.NewRequest("GET", w.server.URL+path, nil)
	if token != "" {
		r.AddCookie(&http.Cookie{Name: w.sm.Cookie.Name, Value: token})
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return 0, ""
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, resp.Body)
	for _, c := range resp.Cookies() {
		if c.Value != "" {
			issued = c.Value
			w.mu.Lock()
			w.issued = append(w.issued, issued)
			w.mu.Unlock()
		}
	}
	return resp.StatusCode, issued
}

func (w *world) signIn() (token string) {
	w.t.Helper()
	if _, token = w.get("/login", ""); token == "" {
		w.t.Fatal("sign-in issued no token")
	}
	if status, _ := w.get("/me", token); status != http.StatusOK {
		w.t.Fatalf("after sign-in: %d", status)
	}
	return token
}

// inFlight starts a request that loads the session, stops there until released,
// and then acts. It returns when the request is there.
func (w *world) inFlight(token string, act http.HandlerFunc) (finish func() (status int, issued string)) {
	w.act = func(rw http.ResponseWriter, r *http.Request) {
		w.entered <- struct{}{}
		<-w.release
		act(rw, r)
	}
	type result struct {
		status int
		issued string
	}
	done := make(chan result)
	go func() {
		status, issued := w.get("/act", token)
		done <- result{status, issued}
	}()
	<-w.entered
	return func() (int, string) {
		w.release <- struct{}{}
		r := <-done
		return r.status, r.issued
	}
}

// opens returns the first token ever issued that still opens the protected page.
func (w *world) opens() string {
	for _, token := range w.issued {
		if status, _ := w.get("/me", token); status == http.StatusOK {
			return token
		}
	}
	return ""
}

var ways = []way{
	{"R1", "a request in flight changes its data and commits", func(w *world) {
		token := w.signIn()
		finish := w.inFlight(token, func(_ http.ResponseWriter, r *http.Request) { w.sm.Put(r.Context(), "cart", "book") })
		w.end(elsewhere, token)
		finish()
	}},
	{"R2", "under an idle timeout a request in flight that only reads commits", func(w *world) {
		w.sm.IdleTimeout = time.Hour
		token := w.signIn()
		finish := w.inFlight(token, func(_ http.ResponseWriter, r *http.Request) { w.sm.GetString(r.Context(), "userID") })
		w.end(elsewhere, token)
		finish()
	}},
	{"R3", "a handler ends its own session and the middleware commits it again", func(w *world) {
		token := w.signIn()
		finish := w.inFlight(token, func(_ http.ResponseWriter, r *http.Request) {
			w.end(r.Context(), token)
			w.sm.Put(r.Context(), "last", "page")
		})
		finish()
	}},
	{"R4", "a hijacked connection ends later and its stale data is committed", func(w *world) {
		w.sm.IdleTimeout = time.Hour
		token := w.signIn()
		var hijacked bool
		finish := w.inFlightHijacked(token, &hijacked)
		w.end(elsewhere, token)
		finish()
		if !hijacked {
			w.t.Error("the connection was not hijacked")
		}
	}},
	{"R5", "a request in flight renews the token and moves the data to it", func(w *world) {
		token := w.signIn()
		finish := w.inFlight(token, func(_ http.ResponseWriter, r *http.Request) { w.sm.RenewToken(r.Context()) })
		w.end(elsewhere, token)
		finish()
	}},
	{"R6", "a request that holds the old token writes after a renewal", func(w *world) {
		token := w.signIn()
		finish := w.inFlight(token, func(_ http.ResponseWriter, r *http.Request) { w.sm.Put(r.Context(), "cart", "book") })
		w.act = func(_ http.ResponseWriter, r *http.Request) { w.sm.RenewToken(r.Context()) }
		_, renewed := w.get("/act", token)
		if renewed == "" {
			w.t.Fatal("the renewal issued no token")
		}
		finish()
		w.end(elsewhere, renewed)
	}},
	{"R7", "two requests renew at once and one session becomes two", func(w *world) {
		token := w.signIn()
		renew := func(_ http.ResponseWriter, r *http.Request) { w.sm.RenewToken(r.Context()) }
		finish1 := w.inFlight(token, renew)
		finish2 := w.inFlight(token, renew)
		_, first := finish1()
		_, second := finish2()
		if first != "" {
			w.end(elsewhere, first)
		} else {
			w.end(elsewhere, second)
		}
	}},
	{"R8", "MergeSession copies the data of a session that is ended meanwhile", func(w *world) {
		token := w.signIn()
		w.act = func(_ http.ResponseWriter, r *http.Request) {
			w.find(func() { w.end(elsewhere, token) })
			w.sm.MergeSession(r.Context(), token)
		}
		w.get("/act", "")
	}},
	{"R9", "Iterate hands out a snapshot that a callback commits", func(w *world) {
		token := w.signIn()
		w.sm.Iterate(context.Background(), func(ctx context.Context) error {
			w.end(elsewhere, token)
			w.sm.Put(ctx, "seen", true)
			w.sm.Commit(ctx)
			return nil
		})
		if w.tracks { // Iterate has nothing to hand out
			w.end(elsewhere, token)
		}
	}},
	{"R10", "a goroutine keeps the context and commits after the response", func(w *world) {
		token := w.signIn()
		contexts := make(chan context.Context, 1)
		w.act = func(_ http.ResponseWriter, r *http.Request) { contexts <- context.WithoutCancel(r.Context()) }
		w.get("/act", token)
		w.end(elsewhere, token)
		ctx := <-contexts
		w.sm.Put(ctx, "done", true)
		w.sm.Commit(ctx)
		w.sm.RenewToken(ctx)
		if renewed, _, err := w.sm.Commit(ctx); err == nil {
			w.issued = append(w.issued, renewed)
		}
	}},
	{"R11", "a last-seen update rewrites the record", func(w *world) {
		token := w.signIn()
		finish := w.inFlight(token, func(_ http.ResponseWriter, r *http.Request) {
			if !w.tracks { // plain scs leaves it to the application
				w.sm.Put(r.Context(), "last_seen", time.Now().Unix())
			}
		})
		w.end(elsewhere, token)
		finish()
	}},
}

// inFlightHijacked is inFlight for a handler that hijacks its connection, writes
// a response of its own, and returns when released.
func (w *world) inFlightHijacked(token string, hijacked *bool) (finish func() (int, string)) {
	w.act = func(rw http.ResponseWriter, r *http.Request) {
		conn, buffer, err := http.NewResponseController(rw).Hijack()
		if err != nil {
			return
		}
		*hijacked = true
		defer conn.Close()
		w.entered <- struct{}{}
		<-w.release
		writeHijacked(buffer)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.get("/act", token)
	}()
	<-w.entered
	return func() (int, string) {
		w.release <- struct{}{}
		<-done
		w.served.Wait() // the handler returns after its last byte
		return 0, ""
	}
}

func writeHijacked(buffer *bufio.ReadWriter) {
	buffer.WriteString("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
	buffer.Flush()
}

// TestRevokedStaysRevoked shows that each of the ways is closed.
func TestRevokedStaysRevoked(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			eachStore(t, func(t *testing.T, st store.Store) {
				sm := scs.New()
				hooked := &hookedStore{Store: st}
				sessions := revoke.New(sm, hooked)
				sessions.TouchInterval = 0 // every request touches
				w := newWorld(t, sm, sessions.Track)
				w.tracks = true
				w.find = func(then func()) { hooked.afterFind = then }
				w.end = func(ctx context.Context, token string) {
					id := strings.Split(token, ".")[1]
					if err := sessions.Revoke(ctx, "ann", id); err != nil {
						t.Errorf("revoke: %v", err)
					}
				}
				way.run(w)
				if token := w.opens(); token != "" {
					t.Errorf("a revoked session came back: %s", way.story)
				}
				if left, err := sessions.List(context.Background(), "ann"); err != nil || len(left) != 0 {
					t.Errorf("sessions left after %s: %v, %v", way.story, left, err)
				}
			})
		})
	}
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

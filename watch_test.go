package revoke_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/store"
)

// watching serves GET /watch, which reports the cause when its context ends.
func watching(causes chan error) func(*server) {
	return func(s *server) {
		s.handle("GET /watch", func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := s.sessions.Watch(r.Context())
			defer cancel()
			http.NewResponseController(w).Flush() // the watch stands
			<-ctx.Done()
			causes <- context.Cause(ctx)
		})
	}
}

// open starts a request that does not end by itself.
func (b *browser) open(path string) (hangUp func()) {
	b.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r, _ := http.NewRequestWithContext(ctx, "GET", b.s.URL+path, nil)
	r.AddCookie(&http.Cookie{Name: "session", Value: b.cookie})
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { cancel(); resp.Body.Close() })
	return cancel
}

// within fails the test where nothing comes for long.
func within[T any](t *testing.T, c chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(20 * time.Second):
		t.Error("nothing has happened for 20 seconds")
	}
	return v
}

func TestWatch(t *testing.T) {
	eachStore(t, func(t *testing.T, st store.Store) {
		ends := map[string]struct {
			end    func(s *server, b *browser)
			reason string
		}{
			"revoke one":    {func(s *server, b *browser) { s.signedIn(t, "ann").delete(apiPath + "/" + b.id()) }, revoke.ReasonRevoked},
			"revoke others": {func(s *server, b *browser) { s.signedIn(t, "ann").delete(apiPath) }, revoke.ReasonRevokedOthers},
			"revoke all":    {func(s *server, b *browser) { s.sessions.RevokeAll(context.Background(), "ann") }, revoke.ReasonRevokedAll},
			"sign out":      {func(s *server, b *browser) { b.post("/logout") }, revoke.ReasonLoggedOut},
			"eviction": {func(s *server, b *browser) {
				s.sessions.MaxPerUser = 1
				s.signedIn(t, "ann")
				s.sessions.MaxPerUser = 100
			}, revoke.ReasonEvicted},
			"revoke everyone": {func(s *server, b *browser) { s.sessions.RevokeEveryone(context.Background()) }, ""},
		}
		causes := make(chan error)
		here := newServer(t, st, watching(causes))
		there := newServer(t, st) // another process, as far as the store goes
		for name, test := range ends {
			t.Run(name, func(t *testing.T) {
				b := here.signedIn(t, "ann")
				b.open("/watch")
				b.s = there
				test.end(there, b)
				err := within(t, causes)
				var revoked *revoke.RevokedError
				if test.reason == "" {
					if !errors.Is(err, revoke.ErrUnauthenticated) {
						t.Errorf("ended by %v", err)
					}
				} else if !errors.As(err, &revoked) || !errors.Is(err, revoke.ErrRevoked) || revoked.Reason != test.reason {
					t.Errorf("ended by %v, want %s", err, test.reason)
				}
			})
		}
	})
}

func TestWatchEndsWithTheRequest(t *testing.T) {
	causes := make(chan error)
	s := newServer(t, store.NewMemory(), watching(causes))
	b := s.signedIn(t, "ann")
	hangUp := b.open("/watch")
	hangUp()
	if err := within(t, causes); !errors.Is(err, context.Canceled) {
		t.Errorf("ended by %v", err)
	}
	if got := b.get("/me"); got.status != http.StatusOK {
		t.Errorf("the session: %d", got.status)
	}
}

func TestWatchWithoutSession(t *testing.T) {
	m := revoke.New(scs.New(), store.NewMemory())
	m.Track(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		ctx, cancel := m.Watch(r.Context())
		defer cancel()
		if !errors.Is(context.Cause(ctx), revoke.ErrUnauthenticated) {
			t.Errorf("ended by %v", context.Cause(ctx))
		}
	})).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
}

// silentStore hides that the store below it tells when sessions end.
type silentStore struct{ store.Store }

// deafStore has a subscription that never stands.
type deafStore struct{ store.Store }

func (deafStore) Subscribe(ctx context.Context, _ func(string)) { <-ctx.Done() }

// muteStore has a subscription that stands, and never tells.
type muteStore struct{ store.Store }

func (muteStore) Subscribe(ctx context.Context, ended func(string)) {
	ended("")
	<-ctx.Done()
}

func TestWatchExpiryAndSilentStores(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for st, late := range map[store.Store]time.Duration{
			store.NewMemory():              0,
			silentStore{store.NewMemory()}: 5 * time.Second,
			deafStore{store.NewMemory()}:   5 * time.Second,
			muteStore{store.NewMemory()}:   2 * time.Minute,
		} {
			sm := newPlainManager()
			sm.Lifetime = time.Hour
			m := revoke.New(sm, st)
			var ctx context.Context
			cookies := func(h http.HandlerFunc, token string) string {
				r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
				r.AddCookie(&http.Cookie{Name: "session", Value: token})
				m.Track(h).ServeHTTP(w, r)
				for _, c := range w.Result().Cookies() {
					token = c.Value
				}
				return token
			}
			watch := func() {
				token := cookies(func(_ http.ResponseWriter, r *http.Request) { m.Login(r.Context(), "ann") }, "")
				cookies(func(_ http.ResponseWriter, r *http.Request) { ctx, _ = m.Watch(context.WithoutCancel(r.Context())) }, token)
			}
			watch()
			time.Sleep(time.Hour - time.Second)
			if ctx.Err() != nil {
				t.Fatalf("ended early: %v", context.Cause(ctx))
			}
			time.Sleep(6 * time.Second)
			if !errors.Is(context.Cause(ctx), revoke.ErrUnauthenticated) {
				t.Errorf("an expired session is watched on: %v", context.Cause(ctx))
			}
			watch()
			m.RevokeAll(t.Context(), "ann")
			time.Sleep(late + time.Second)
			if !errors.Is(context.Cause(ctx), revoke.ErrRevoked) {
				t.Errorf("%T: a revoked session is watched on: %v", st, context.Cause(ctx))
			}
			time.Sleep(10 * time.Second) // the watch has nothing left, and ends
		}
	})
}

// BenchmarkWatch100k has 100,000 sessions watched in one process, and measures
// what they cost and how long a revocation takes to arrive.
func BenchmarkWatch100k(b *testing.B) {
	const n = 100_000
	st := store.NewMemory()
	m := revoke.New(scs.New(), st)
	var before, after runtime.MemStats
	cancels := make([]context.CancelFunc, n)
	var last context.Context
	h := m.Track(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { m.Login(r.Context(), r.URL.Query().Get("user")) }))
	cookies := make([]*http.Cookie, n)
	for i := range n {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("POST", fmt.Sprint("/?user=", i/2), nil))
		cookies[i] = w.Result().Cookies()[0]
	}
	watch := func(i int) (ctx context.Context) {
		r := httptest.NewRequest("GET", "/", nil)
		r.AddCookie(cookies[i])
		m.Track(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx, cancels[i] = m.Watch(context.WithoutCancel(r.Context()))
		})).ServeHTTP(httptest.NewRecorder(), r)
		return ctx
	}
	goroutines := runtime.NumGoroutine()
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range n {
		last = watch(i)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	extra := runtime.NumGoroutine() - goroutines
	for b.Loop() {
		if _, err := m.RevokeAll(b.Context(), fmt.Sprint((n-1)/2)); err != nil {
			b.Fatal(err)
		}
		<-last.Done()
		b.StopTimer()
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("POST", fmt.Sprint("/?user=", (n-1)/2), nil))
		cookies[n-1] = w.Result().Cookies()[0]
		last = watch(n - 1)
		b.StartTimer()
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "B/watch")
	b.ReportMetric(float64(extra), "goroutines")
	for _, cancel := range cancels {
		cancel()
	}
}

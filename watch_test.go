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
	"github.com/revoke-sessions/revoke/internal/testapp"
	"github.com/revoke-sessions/revoke/store"
)

// newWatching returns an application with GET /watch, which reports the cause when
// its context ends.
func newWatching(t *testing.T, st store.Store) (app *testapp.App, causes chan error) {
	app, causes = testapp.New(t, st), make(chan error)
	app.Handle("GET /watch", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := app.Sessions.Watch(r.Context())
		defer cancel()
		http.NewResponseController(w).Flush() // the watch stands
		<-ctx.Done()
		causes <- context.Cause(ctx)
	})
	return app, causes
}

// open starts a request that does not end by itself.
func open(t *testing.T, b *testapp.Browser, path string) (hangUp func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	resp, err := http.DefaultTransport.RoundTrip(b.Request("GET", path).WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); resp.Body.Close() })
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
	testapp.EachStore(t, func(t *testing.T, st store.Store) {
		ends := map[string]struct {
			end    func(app *testapp.App, b *testapp.Browser)
			reason string
		}{
			"revoke one": {func(app *testapp.App, b *testapp.Browser) {
				app.SignedIn(t, "ann").Delete(testapp.APIPath + "/" + b.ID())
			}, revoke.ReasonRevoked},
			"revoke others": {func(app *testapp.App, b *testapp.Browser) { app.SignedIn(t, "ann").Delete(testapp.APIPath) }, revoke.ReasonRevokedOthers},
			"revoke all":    {func(app *testapp.App, b *testapp.Browser) { app.Sessions.RevokeAll(context.Background(), "ann") }, revoke.ReasonRevokedAll},
			"sign out":      {func(app *testapp.App, b *testapp.Browser) { b.Post("/logout") }, revoke.ReasonLoggedOut},
			"eviction": {func(app *testapp.App, b *testapp.Browser) {
				app.Sessions.MaxPerUser = 1
				app.SignedIn(t, "ann")
				app.Sessions.MaxPerUser = 100
			}, revoke.ReasonEvicted},
			"revoke everyone": {func(app *testapp.App, b *testapp.Browser) { app.Sessions.RevokeEveryone(context.Background()) }, ""},
		}
		here, causes := newWatching(t, st)
		there := testapp.New(t, st) // another process, as far as the store goes
		for name, test := range ends {
			t.Run(name, func(t *testing.T) {
				b := here.SignedIn(t, "ann")
				open(t, b, "/watch")
				b.App = there
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
	app, causes := newWatching(t, store.NewMemory())
	b := app.SignedIn(t, "ann")
	hangUp := open(t, b, "/watch")
	hangUp()
	if err := within(t, causes); !errors.Is(err, context.Canceled) {
		t.Errorf("ended by %v", err)
	}
	if got := b.Get("/me"); got.Status != http.StatusOK {
		t.Errorf("the session: %d", got.Status)
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
			app := testapp.InBubble(st)
			app.SCS.Lifetime = time.Hour
			var ctx context.Context
			app.Handle("GET /watch", func(_ http.ResponseWriter, r *http.Request) {
				ctx, _ = app.Sessions.Watch(context.WithoutCancel(r.Context()))
			})
			watch := func() { app.SignedIn(t, "ann").Get("/watch") }
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
			app.Sessions.RevokeAll(t.Context(), "ann")
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

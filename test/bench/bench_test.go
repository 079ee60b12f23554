package bench

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/alexedwards/scs/redisstore"
	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/internal/redistest"
	"github.com/revoke-sessions/revoke/store"
)

// contenders are plain scs and revoke, in one run over the same kind of store.
func contenders(b *testing.B, bench func(b *testing.B, sm *scs.SessionManager, middleware func(http.Handler) http.Handler)) {
	redis := redistest.Start(b)
	for _, kind := range []string{"memory", "redis"} {
		b.Run(kind+"/scs", func(b *testing.B) {
			sm := scs.New()
			sm.Store = memstore.NewWithCleanupInterval(0)
			if kind == "redis" {
				sm.Store = redisstore.New(redis.Pool())
			}
			bench(b, sm, sm.LoadAndSave)
		})
		b.Run(kind+"/revoke", func(b *testing.B) {
			sm := scs.New()
			var st store.Store = store.NewMemory()
			if kind == "redis" {
				st = store.NewRedis(redis.Pool())
			}
			bench(b, sm, revoke.New(sm, st).Track)
		})
	}
}

// request benchmarks one request of a session with three values.
func request(b *testing.B, sm *scs.SessionManager, middleware func(http.Handler) http.Handler, handle http.HandlerFunc) {
	login := middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sm.RenewToken(r.Context())
		sm.Put(r.Context(), "userID", "ann")
		sm.Put(r.Context(), "visits", 7)
		sm.Put(r.Context(), "theme", "dark")
	}))
	w := httptest.NewRecorder()
	login.ServeHTTP(w, httptest.NewRequest("POST", "/", nil))
	cookie := w.Result().Cookies()[0]
	h := middleware(handle)
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest("GET", "/", nil)
		r.AddCookie(cookie)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			b.Fatal(w.Code)
		}
	}
}

func BenchmarkBareHandler(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest("GET", "/", nil)
		w := httptest.NewRecorder()
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusOK) }).ServeHTTP(w, r)
	}
}

func BenchmarkRead(b *testing.B) {
	contenders(b, func(b *testing.B, sm *scs.SessionManager, middleware func(http.Handler) http.Handler) {
		request(b, sm, middleware, func(w http.ResponseWriter, r *http.Request) {
			if sm.GetString(r.Context(), "userID") != "ann" {
				w.WriteHeader(http.StatusUnauthorized)
			}
		})
	})
}

func BenchmarkReadIdleTimeout(b *testing.B) {
	contenders(b, func(b *testing.B, sm *scs.SessionManager, middleware func(http.Handler) http.Handler) {
		sm.IdleTimeout = 20 * time.Minute
		request(b, sm, middleware, func(w http.ResponseWriter, r *http.Request) {
			if sm.GetString(r.Context(), "userID") != "ann" {
				w.WriteHeader(http.StatusUnauthorized)
			}
		})
	})
}

func BenchmarkWrite(b *testing.B) {
	contenders(b, func(b *testing.B, sm *scs.SessionManager, middleware func(http.Handler) http.Handler) {
		n := 0
		request(b, sm, middleware, func(w http.ResponseWriter, r *http.Request) {
			n++
			sm.Put(r.Context(), "visits", n)
		})
	})
}

func BenchmarkSignIn(b *testing.B) {
	contenders(b, func(b *testing.B, sm *scs.SessionManager, middleware func(http.Handler) http.Handler) {
		n := 0
		h := middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			sm.RenewToken(r.Context())
			sm.Put(r.Context(), "userID", fmt.Sprint("user", n))
		}))
		b.ReportAllocs()
		for b.Loop() {
			n++
			h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/", nil))
		}
	})
}

// managed runs a benchmark of what plain scs cannot do.
func managed(b *testing.B, bench func(b *testing.B, m *revoke.Manager, st store.Store)) {
	for kind, st := range map[string]store.Store{"memory": store.NewMemory(), "redis": store.NewRedis(redistest.Start(b).Pool())} {
		b.Run(kind, func(b *testing.B) { bench(b, revoke.New(scs.New(), st), st) })
	}
}

// populate gives a user n sessions, and returns the id of the last.
func populate(b *testing.B, st store.Store, m *revoke.Manager, n int) (id string) {
	for i := range n {
		id = fmt.Sprintf("%022d", i)
		_, err := st.Create(context.Background(), store.Record{
			User: benchUserKey, ID: id, CreatedAt: time.Now(), SeenAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour),
			Client: []byte(`{"ip":"192.0.2.1","user_agent":"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}`),
			Data:   make([]byte, 200),
		}, store.Limit{})
		if err != nil {
			b.Fatal(err)
		}
	}
	return id
}

// benchUserKey is the user key of "bench".
const benchUserKey = "GzLCjLOMBUgOzMG9YP-XAg"

func BenchmarkList(b *testing.B) {
	for _, n := range []int{1, 10, 100, 1000} {
		managed(b, func(b *testing.B, m *revoke.Manager, st store.Store) {
			b.Run(fmt.Sprint(n), func(b *testing.B) {
				m.RevokeAll(b.Context(), "bench")
				st.RevokeEveryone(b.Context())
				populate(b, st, m, n)
				for b.Loop() {
					if s, err := m.List(b.Context(), "bench"); err != nil || len(s) != n {
						b.Fatal(len(s), err)
					}
				}
			})
		})
	}
}

func BenchmarkRevokeOne(b *testing.B) {
	managed(b, func(b *testing.B, m *revoke.Manager, st store.Store) {
		for b.Loop() {
			b.StopTimer()
			st.RevokeEveryone(b.Context())
			id := populate(b, st, m, 5)
			b.StartTimer()
			if err := m.Revoke(b.Context(), "bench", id); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkRevokeAll(b *testing.B) {
	for _, n := range []int{1, 10, 100, 1000} {
		managed(b, func(b *testing.B, m *revoke.Manager, st store.Store) {
			b.Run(fmt.Sprint(n), func(b *testing.B) {
				for b.Loop() {
					b.StopTimer()
					st.RevokeEveryone(b.Context())
					populate(b, st, m, n)
					b.StartTimer()
					if s, err := m.RevokeAll(b.Context(), "bench"); err != nil || len(s) != n {
						b.Fatal(len(s), err)
					}
				}
			})
		})
	}
}

package revoke_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/gomodule/redigo/redis"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/internal/redistest"
	"github.com/revoke-sessions/revoke/store"
)

// A node is a server whose watches outlive their requests.
type node struct {
	*server
	watches chan context.Context
}

func newNode(t *testing.T, st store.Store) *node {
	n := &node{watches: make(chan context.Context, 1)}
	n.server = newServer(t, st, func(s *server) {
		s.handle("GET /watch", func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := s.sessions.Watch(context.WithoutCancel(r.Context()))
			t.Cleanup(cancel)
			n.watches <- ctx
		})
	})
	return n
}

// watch watches the session of a browser.
func (n *node) watch(b *browser) context.Context {
	b.t.Helper()
	if got := b.get("/watch"); got.status != http.StatusOK {
		b.t.Fatalf("watch: %d %s", got.status, got.body)
	}
	return <-n.watches
}

// TestWatchRedisFaults has a session revoked on another node while the one that
// watches it is in trouble with Redis. That is noticed when the trouble is over,
// and nothing else ends by it.
func TestWatchRedisFaults(t *testing.T) {
	t.Parallel()
	const long = 6 * time.Second // it takes 5 to notice a connection that is dead without a sign
	type scene struct {
		redis  *redistest.Server
		link   *redistest.Proxy // between Redis and the node that watches
		bypass func()           // has new connections not take the link
		revoke func()           // returns when the other node has done it
		alive  func()           // fails the test if a watch has ended
	}
	for name, fault := range map[string]func(scene){
		"its subscription is lost": func(s scene) {
			s.redis.Do("CLIENT", "KILL", "TYPE", "pubsub")
			s.revoke()
		},
		"its subscription is lost with the notice": func(s scene) {
			s.link.Stall()
			s.revoke()
			s.alive()
			s.link.CloseAll()
			s.link.Heal()
		},
		"its connections stall for a moment": func(s scene) {
			s.link.Stall()
			s.revoke()
			s.alive()
			s.link.Heal()
		},
		"its connections stall for long": func(s scene) {
			s.link.Stall()
			s.revoke()
			time.Sleep(long)
			s.alive()
			s.link.Heal()
		},
		"its connections are dead without a sign": func(s scene) {
			s.link.Stall()
			s.bypass()
			s.revoke()
			s.alive()
		},
		"its connections are refused": func(s scene) {
			s.link.Refuse()
			s.revoke()
			time.Sleep(time.Second)
			s.alive()
			s.link.Heal()
		},
		"its answers are cut short": func(s scene) {
			s.link.Cut(3)
			s.revoke()
			time.Sleep(time.Second)
			s.alive()
			s.link.Heal()
		},
		"Redis stalls before": func(s scene) {
			s.redis.Pause()
			time.Sleep(long)
			s.alive()
			s.redis.Resume()
			s.revoke()
		},
		"Redis stalls meanwhile": func(s scene) {
			s.redis.Pause()
			time.AfterFunc(3*time.Second, s.redis.Resume)
			s.revoke()
		},
		"Redis restarts before": func(s scene) {
			s.redis.Stop()
			time.Sleep(time.Second)
			s.alive()
			s.redis.Restart()
			s.revoke()
		},
		"Redis restarts after": func(s scene) {
			s.link.Stall()
			s.revoke()
			s.redis.Restart()
			s.alive()
			s.link.Heal()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
			server.NeedReal(t)
			link := redistest.NewProxy(t, server)
			var address atomic.Value
			address.Store(link.Addr)
			pool := &redis.Pool{MaxIdle: 16, Dial: func() (redis.Conn, error) { return redistest.Dial(address.Load().(string)) }}
			t.Cleanup(func() { pool.Close() })
			here, there := newNode(t, store.NewRedis(pool)), newServer(t, store.NewRedis(server.Pool()))
			ann, bob := here.signedIn(t, "ann"), here.signedIn(t, "bob")
			id, ends, stays := ann.id(), here.watch(ann), here.watch(bob)
			ann.s, bob.s = there, there

			ask := func(b *browser, method, path string) answer { // again where that is safe, as after a restart
				got := b.do(method, path)
				for ; got.status == http.StatusServiceUnavailable; got = b.do(method, path) {
				}
				return got
			}
			fault(scene{server, link, func() { address.Store(server.Addr) }, func() {
				ask(ann, "DELETE", apiPath+"/"+id)
				if got := ask(ann, "GET", "/me"); got.status != http.StatusUnauthorized {
					t.Fatalf("the session is not revoked: %d %s", got.status, got.body)
				}
			}, func() {
				if ends.Err() != nil || stays.Err() != nil {
					t.Errorf("ended before anything can be known: %v, %v", context.Cause(ends), context.Cause(stays))
				}
			}})
			select {
			case <-ends.Done():
			case <-time.After(25 * time.Second):
				t.Fatal("the revocation is not noticed in 25 seconds")
			}
			if err := context.Cause(ends); !errors.Is(err, revoke.ErrRevoked) {
				t.Errorf("ended by %v", err)
			}
			if got := ask(bob, "GET", "/me"); stays.Err() != nil || got.status != http.StatusOK {
				t.Errorf("the other watch ended by %v, though its session is live: %d %s", context.Cause(stays), got.status, got.body)
			}
		})
	}
}

// TestWatchRedisCosts shows that a node has one subscription and no goroutine for
// each of its watches, and when they are over no subscription.
func TestWatchRedisCosts(t *testing.T) {
	server := redistest.Start(t)
	server.NeedReal(t)
	n := newNode(t, store.NewRedis(server.Pool()))
	subscriptions := func() int {
		list, err := redis.String(server.Do("CLIENT", "LIST", "TYPE", "pubsub"), nil)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(list, "\n")
	}
	want := func(many int) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); subscriptions() != many; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d subscriptions, want %d", subscriptions(), many)
			}
		}
	}
	for range 2 { // the second time after it has all been over
		want(0)
		var watches []context.Context
		one := func() { watches = append(watches, n.watch(n.signedIn(t, fmt.Sprint("user", len(watches)/4)))) }
		one()
		want(1)
		goroutines := runtime.NumGoroutine()
		for range 200 {
			one()
		}
		if more := runtime.NumGoroutine() - goroutines; more > 50 {
			t.Errorf("%d goroutines more for 200 watches", more)
		}
		want(1)
		for i := range len(watches)/4 + 1 {
			if _, err := n.sessions.RevokeAll(t.Context(), fmt.Sprint("user", i)); err != nil {
				t.Fatal(err)
			}
		}
		for i, ctx := range watches {
			select {
			case <-ctx.Done():
			case <-time.After(20 * time.Second):
				t.Fatalf("watch %d goes on", i)
			}
		}
	}
}

// TestWatchRedisWithoutChannel shows that a user of Redis who may use the keys and
// no channel, as is the default for users since Redis 7, revokes and watches.
func TestWatchRedisWithoutChannel(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	server.NeedReal(t)
	server.Do("ACL", "SETUSER", "app", "on", ">secret", "~revoke:*", "resetchannels", "+@all")
	pool := &redis.Pool{MaxIdle: 16, Dial: func() (redis.Conn, error) {
		return redis.Dial("tcp", server.Addr, redis.DialUsername("app"), redis.DialPassword("secret"))
	}}
	defer pool.Close()
	n := newNode(t, store.NewRedis(pool))
	ann, bob := n.watch(n.signedIn(t, "ann")), n.watch(n.signedIn(t, "bob"))
	if _, err := n.sessions.RevokeAll(t.Context(), "ann"); err != nil {
		t.Error(err)
	}
	select {
	case <-ann.Done():
	case <-time.After(25 * time.Second):
		t.Error("the revocation is not noticed in 25 seconds")
	}
	if err := bob.Err(); err != nil {
		t.Errorf("the other watch ended by %v", context.Cause(bob))
	}
	if err := n.sessions.RevokeEveryone(t.Context()); err != nil {
		t.Error(err)
	}
}

// BenchmarkWatchRedis measures how long after the answer to a revocation, and
// after its request, the watch on another node ends.
func BenchmarkWatchRedis(b *testing.B) {
	server := redistest.Start(b)
	server.NeedReal(b)
	here, there := newWatched(server), httptest.NewServer(newWatched(server).handler)
	defer there.Close()
	var answered, asked durations
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		user := fmt.Sprint(i)
		cookie, other := here.signIn(user), here.signIn(user)
		var end time.Time
		ended := make(chan struct{})
		context.AfterFunc(here.watch(cookie), func() {
			end = time.Now()
			close(ended)
		})
		r, _ := http.NewRequest("DELETE", there.URL+apiPath, nil)
		r.AddCookie(other)
		b.StartTimer()
		asks := time.Now()
		resp, err := http.DefaultTransport.RoundTrip(r)
		answer := time.Now()
		<-ended
		b.StopTimer()
		if err != nil || resp.StatusCode != http.StatusOK {
			b.Fatalf("%v %v", resp, err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		answered, asked = append(answered, max(end.Sub(answer), 0)), append(asked, end.Sub(asks))
		b.StartTimer()
	}
	answered.report(b, "after-answer")
	asked.report(b, "after-request")
}

// BenchmarkWatchRedis100k has 100,000 sessions watched on one node, and measures
// what they cost and how long it takes until one that is revoked has ended: in
// general, and when the subscription was just lost; and until all have.
func BenchmarkWatchRedis100k(b *testing.B) {
	const n = 100_000
	server := redistest.Start(b)
	server.NeedReal(b)
	here, there := newWatched(server), revoke.New(scs.New(), store.NewRedis(server.Pool()))
	cookies := make([]*http.Cookie, n)
	inParallel(n, func(i int) { cookies[i] = here.signIn(fmt.Sprint(i)) })
	watches := make([]context.Context, n)
	var before, after runtime.MemStats
	goroutines := runtime.NumGoroutine()
	runtime.GC()
	runtime.ReadMemStats(&before)
	inParallel(n, func(i int) { watches[i] = here.watch(cookies[i]) })
	runtime.GC()
	runtime.ReadMemStats(&after)
	goroutines = runtime.NumGoroutine() - goroutines

	last := n
	revokeNext := func() time.Duration {
		last--
		if _, err := there.RevokeAll(b.Context(), fmt.Sprint(last)); err != nil {
			b.Fatal(err)
		}
		answer := time.Now()
		<-watches[last].Done()
		return time.Since(answer)
	}
	var answered durations
	for b.Loop() {
		answered = append(answered, revokeNext())
	}
	answered.report(b, "after-answer")
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "B/watch")
	b.ReportMetric(float64(goroutines), "goroutines")

	server.Do("CLIENT", "KILL", "TYPE", "pubsub")
	b.ReportMetric(revokeNext().Seconds(), "s-lost-subscription")

	if err := there.RevokeEveryone(b.Context()); err != nil {
		b.Fatal(err)
	}
	answer := time.Now()
	for _, watch := range watches {
		<-watch.Done()
	}
	b.ReportMetric(time.Since(answer).Seconds(), "s-everyone")
}

type durations []time.Duration

func (d durations) report(b *testing.B, name string) {
	slices.Sort(d)
	b.ReportMetric(float64(d[len(d)/2].Microseconds()), "p50-us-"+name)
	b.ReportMetric(float64(d[len(d)*99/100].Microseconds()), "p99-us-"+name)
}

func inParallel(n int, f func(i int)) {
	var workers sync.WaitGroup
	for worker := range 8 {
		workers.Go(func() {
			for i := worker; i < n; i += 8 {
				f(i)
			}
		})
	}
	workers.Wait()
}

// A watched is an application without a network.
type watched struct {
	sessions *revoke.Manager
	handler  http.Handler
}

type watchKey struct{}

func newWatched(server *redistest.Server) watched {
	mux := http.NewServeMux()
	sessions := revoke.New(scs.New(), store.NewRedis(server.Pool()))
	sessions.Limiter = nil
	sessions.Mount(mux, apiPath)
	mux.HandleFunc("/login/{user}", func(w http.ResponseWriter, r *http.Request) {
		sessions.Login(r.Context(), r.PathValue("user"))
	})
	mux.HandleFunc("/watch", func(w http.ResponseWriter, r *http.Request) {
		*r.Context().Value(watchKey{}).(*context.Context), _ = sessions.Watch(context.WithoutCancel(r.Context()))
	})
	return watched{sessions, sessions.Track(mux)}
}

func (w watched) signIn(user string) *http.Cookie {
	response := httptest.NewRecorder()
	w.handler.ServeHTTP(response, httptest.NewRequest("POST", "/login/"+user, nil))
	return response.Result().Cookies()[0]
}

func (w watched) watch(cookie *http.Cookie) (ctx context.Context) {
	r := httptest.NewRequestWithContext(context.WithValue(context.Background(), watchKey{}, &ctx), "GET", "/watch", nil)
	r.AddCookie(cookie)
	w.handler.ServeHTTP(httptest.NewRecorder(), r)
	return ctx
}

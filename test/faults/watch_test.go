package faults

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/internal/redistest"
	"github.com/revoke-sessions/revoke/internal/testapp"
	"github.com/revoke-sessions/revoke/store"
)

// newNode returns an application, and a function that watches the session of one
// of its browsers for longer than a request.
func newNode(t testing.TB, st store.Store) (app *testapp.App, watch func(*testapp.Browser) context.Context) {
	return nodeOf(t, testapp.New(t, st))
}

func nodeOf(t testing.TB, app *testapp.App) (_ *testapp.App, watch func(*testapp.Browser) context.Context) {
	var watches sync.Map // by the number of the request
	var requests atomic.Int64
	app.Handle("GET /watch/{request}", func(_ http.ResponseWriter, r *http.Request) {
		ctx, cancel := app.Sessions.Watch(context.WithoutCancel(r.Context()))
		t.Cleanup(cancel)
		watches.Store(r.PathValue("request"), ctx)
	})
	return app, func(b *testapp.Browser) context.Context {
		t.Helper()
		request := fmt.Sprint(requests.Add(1))
		if got := b.Get("/watch/" + request); got.Status != http.StatusOK {
			t.Fatalf("watch: %d %s", got.Status, got.Body)
		}
		ctx, _ := watches.LoadAndDelete(request)
		return ctx.(context.Context)
	}
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
			here, watch := newNode(t, store.NewRedis(pool))
			there := testapp.New(t, store.NewRedis(server.Pool()))
			ann, bob := here.SignedIn(t, "ann"), here.SignedIn(t, "bob")
			id, ends, stays := ann.ID(), watch(ann), watch(bob)
			ann.App, bob.App = there, there

			ask := func(b *testapp.Browser, method, path string) testapp.Answer { // again where that is safe, as after a restart
				got := b.Do(method, path)
				for ; got.Status == http.StatusServiceUnavailable; got = b.Do(method, path) {
				}
				return got
			}
			fault(scene{server, link, func() { address.Store(server.Addr) }, func() {
				ask(ann, "DELETE", testapp.APIPath+"/"+id)
				if got := ask(ann, "GET", "/me"); got.Status != http.StatusUnauthorized {
					t.Fatalf("the session is not revoked: %d %s", got.Status, got.Body)
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
			if got := ask(bob, "GET", "/me"); stays.Err() != nil || got.Status != http.StatusOK {
				t.Errorf("the other watch ended by %v, though its session is live: %d %s", context.Cause(stays), got.Status, got.Body)
			}
		})
	}
}

// TestWatchRedisCosts shows that a node has one subscription and no goroutine for
// each of its watches, and when they are over no subscription.
func TestWatchRedisCosts(t *testing.T) {
	server := redistest.Start(t)
	server.NeedReal(t)
	app, watch := newNode(t, store.NewRedis(server.Pool()))
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
		one := func() { watches = append(watches, watch(app.SignedIn(t, fmt.Sprint("user", len(watches)/4)))) }
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
			if _, err := app.Sessions.RevokeAll(t.Context(), fmt.Sprint("user", i)); err != nil {
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
	app, watch := newNode(t, store.NewRedis(pool))
	ann, bob := watch(app.SignedIn(t, "ann")), watch(app.SignedIn(t, "bob"))
	if _, err := app.Sessions.RevokeAll(t.Context(), "ann"); err != nil {
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
	if err := app.Sessions.RevokeEveryone(t.Context()); err != nil {
		t.Error(err)
	}
}

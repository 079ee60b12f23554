package store_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/revoke-sessions/revoke/internal/redistest"
	"github.com/revoke-sessions/revoke/store"
)

// TestRedisLimiter shows that nodes share a limit: of 100 requests at once from
// four nodes exactly 10 are within it.
func TestRedisLimiter(t *testing.T) {
	server := redistest.Start(t)
	var allowed atomic.Int32
	var nodes sync.WaitGroup
	for range 4 {
		limiter := store.NewRedisLimiter(server.Pool(), 10, time.Hour)
		for range 25 {
			nodes.Go(func() {
				wait, err := limiter.Allow(t.Context(), "ann")
				if err != nil {
					t.Error(err)
				}
				if wait == 0 {
					allowed.Add(1)
				} else if wait > 6*time.Minute {
					t.Errorf("to wait %v", wait)
				}
			})
		}
	}
	nodes.Wait()
	if n := allowed.Load(); n != 10 {
		t.Errorf("%d allowed, want 10", n)
	}
	limiter := store.NewRedisLimiter(server.Pool(), 10, time.Hour)
	if wait, err := limiter.Allow(t.Context(), "bob"); err != nil || wait != 0 {
		t.Errorf("another key: %v, %v", wait, err)
	}
	ttl := server.Do("PTTL", "revoke-limit:ann").(int64)
	if ttl <= 0 || ttl > time.Hour.Milliseconds() {
		t.Errorf("the key lasts %d ms", ttl)
	}
	if err := store.NewRedis(server.Pool()).RevokeEveryone(t.Context()); err != nil || server.Do("EXISTS", "revoke-limit:ann").(int64) != 1 {
		t.Errorf("RevokeEveryone touches the limits: %v", err)
	}
}

func TestRedisLimiterRefills(t *testing.T) {
	limiter := store.NewRedisLimiter(redistest.Start(t).Pool(), 2, 400*time.Millisecond)
	for i := range 3 {
		wait, err := limiter.Allow(t.Context(), "ann")
		if err != nil || (wait > 0) != (i == 2) {
			t.Fatalf("request %d: wait %v, %v", i, wait, err)
		}
		time.Sleep(wait)
	}
	if wait, err := limiter.Allow(t.Context(), "ann"); err != nil || wait != 0 {
		t.Errorf("having waited: wait %v, %v", wait, err)
	}
}

func TestRedisLimiterIsOneRoundTrip(t *testing.T) {
	proxy := redistest.NewProxy(t, redistest.Start(t))
	limiter := store.NewRedisLimiter(proxy.Pool(), 100, time.Minute)
	limiter.Allow(t.Context(), "ann") // Redis comes to know the script
	for i := range 3 {
		trips, commands := proxy.Count(func() { limiter.Allow(t.Context(), fmt.Sprint("user", i)) })
		if trips != 1 || len(commands) != 1 {
			t.Errorf("%d round trips: %q", trips, commands)
		}
	}
}

func TestRedisLimiterFails(t *testing.T) {
	server := redistest.Start(t)
	limiter := store.NewRedisLimiter(server.Pool(), 1, time.Hour)
	limiter.Timeout = 200 * time.Millisecond
	server.Stop()
	if wait, err := limiter.Allow(t.Context(), "ann"); err == nil || wait != 0 {
		t.Errorf("with Redis down: wait %v, %v", wait, err)
	}
}

// A clock that was set back makes nobody wait for longer than the limit asks.
func TestRedisLimiterClockSetBack(t *testing.T) {
	server := redistest.Start(t)
	limiter := store.NewRedisLimiter(server.Pool(), 10, time.Minute)
	future := time.Now().Add(time.Hour).UnixMicro()
	server.Do("SET", "revoke-limit:ann", fmt.Sprint(future))
	wait, err := limiter.Allow(t.Context(), "ann")
	if err != nil || wait <= 0 || wait > 6*time.Second {
		t.Errorf("to wait %v, %v, want the time of one request", wait, err)
	}
	server.Do("SET", "revoke-limit:ann", fmt.Sprint(time.Now().Add(-time.Hour).UnixMicro()))
	if wait, err := limiter.Allow(t.Context(), "ann"); err != nil || wait != 0 {
		t.Errorf("an unused limit: wait %v, %v", wait, err)
	}
}

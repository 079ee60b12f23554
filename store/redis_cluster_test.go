package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/mna/redisc"

	"github.com/revoke-sessions/revoke/internal/redistest"
	"github.com/revoke-sessions/revoke/store"
	"github.com/revoke-sessions/revoke/store/storetest"
)

// clusterOf returns the cluster that one node leads to.
func clusterOf(t *testing.T, node *redistest.Server) *redisc.Cluster {
	cluster := &redisc.Cluster{
		StartupNodes: []string{node.Addr},
		CreatePool: func(addr string, _ ...redis.DialOption) (*redis.Pool, error) {
			return &redis.Pool{MaxIdle: 16, Dial: func() (redis.Conn, error) { return redistest.Dial(addr) }}, nil
		},
	}
	t.Cleanup(func() { cluster.Close() })
	return cluster
}

func TestRedisReplicatedCluster(t *testing.T) {
	t.Parallel()
	primaries, _ := redistest.StartReplicatedCluster(t, 3)
	cluster := clusterOf(t, primaries[0])
	storetest.Run(t, func() store.Store { return replicated(cluster, 1) })
	storetest.RunLeases(t, func() store.Store { return replicated(cluster, 1) })

	t.Run("a revocation while its slot moves is final", func(t *testing.T) {
		st := replicated(cluster, 1)
		const user, key = "mover", "revoke:mover"
		check(st.RevokeEveryone(t.Context()))
		slot := redisc.Slot(key)
		at := slot * 3 / redistest.Slots
		for i := range 12 {
			must(st.Create(t.Context(), record(user, fmt.Sprint(i)), store.Limit{}))
		}
		for i := range 6 {
			revoked := make(chan error, 1)
			to := (at + 1) % 3
			redistest.Move(t, slot, key, primaries[at], primaries[to], func() {
				go func() {
					_, err := st.Revoke(t.Context(), user, fmt.Sprint(i), store.Revocation{})
					revoked <- err
				}()
				time.Sleep(time.Duration(2*i) * time.Millisecond)
			})
			at = to
			if err := <-revoked; err != nil {
				t.Errorf("Revoke while the slot moves: %v", err)
			}
			if _, err := st.Find(t.Context(), user, fmt.Sprint(i)); !errors.Is(err, store.ErrRevoked) {
				t.Errorf("Find of a session that was revoked while the slot moved: %v", err)
			}
		}
		if n := len(must(st.List(t.Context(), user))); n != 6 {
			t.Errorf("%d of 6 sessions are left", n)
		}
	})
	t.Run("RevokeEveryone reaches every primary", func(t *testing.T) {
		st := replicated(cluster, 1)
		for i := range 30 {
			must(st.Create(t.Context(), record(fmt.Sprint("user", i), "a"), store.Limit{}))
		}
		for _, node := range primaries {
			if n := len(must(redis.Strings(node.Do("KEYS", "revoke:*"), nil))); n == 0 {
				t.Fatal("a primary has none of 30 users")
			}
		}
		check(st.RevokeEveryone(t.Context()))
		for _, node := range primaries {
			if keys := must(redis.Strings(node.Do("KEYS", "revoke:?*"), nil)); len(keys) > 0 {
				t.Errorf("%q are left", keys)
			}
		}
	})
	t.Run("Subscribe hears of every primary", func(t *testing.T) {
		st := replicated(cluster, 1)
		var mu sync.Mutex
		heard := make(map[string]bool)
		has := func(user string) bool {
			mu.Lock()
			defer mu.Unlock()
			return heard[user]
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			st.Subscribe(ctx, func(user string) {
				mu.Lock()
				heard[user] = true
				mu.Unlock()
			})
		}()
		soon(t, "the subscription", func() bool { return has("") })
		for i := range 30 {
			user := fmt.Sprint("user", i)
			must(st.Create(t.Context(), record(user, "a"), store.Limit{}))
			must(st.Revoke(t.Context(), user, "a", store.Revocation{}))
			soon(t, "the notice of "+user, func() bool { return has(user) })
		}
		cancel()
		<-done
	})
}

func soon(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// A primary dies while sessions are created, found and revoked on all of them. No
// revocation that was answered is undone, and all goes on when the replica has
// taken over.
func TestRedisClusterLosesAPrimary(t *testing.T) {
	t.Parallel()
	primaries, replicas := redistest.StartReplicatedCluster(t, 3)
	cluster := clusterOf(t, primaries[0])
	st := store.NewRedis(cluster)
	st.Replicas = 1
	check(cluster.Refresh())

	const users = 12
	type answers struct{ revoked, failed []string }
	all := make([]answers, users)
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for u := range users {
		wg.Go(func() {
			user, a := fmt.Sprint("user", u), &all[u]
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				case <-time.After(5 * time.Millisecond):
				}
				id := fmt.Sprint(i)
				if _, err := st.Create(t.Context(), record(user, id), store.Limit{}); err != nil {
					continue
				}
				if _, err := st.Revoke(t.Context(), user, id, store.Revocation{}); err == nil {
					a.revoked = append(a.revoked, id)
				} else {
					a.failed = append(a.failed, id)
				}
			}
		})
	}
	time.Sleep(300 * time.Millisecond)
	primaries[1].Kill()
	start := time.Now()
	soon(t, "the replica to take over", func() bool {
		info := must(redis.String(replicas[1].Do("INFO", "replication"), nil))
		state := must(redis.String(primaries[0].Do("CLUSTER", "INFO"), nil))
		return strings.Contains(info, "role:master") && strings.Contains(state, "cluster_state:ok")
	})
	t.Logf("the replica had taken over after %v", time.Since(start))
	calm := patient(cluster)
	for u := range users { // each user's calls succeed again
		soon(t, "sessions to be found again", func() bool {
			_, err := calm.List(t.Context(), fmt.Sprint("user", u))
			return err == nil
		})
	}
	time.Sleep(300 * time.Millisecond)
	close(stop)
	wg.Wait()
	revoked, failed := 0, 0
	for u, a := range all {
		user := fmt.Sprint("user", u)
		live := make(map[string]bool)
		for _, r := range must(calm.List(t.Context(), user)) {
			live[r.ID] = true
		}
		for _, id := range a.revoked {
			if live[id] {
				t.Errorf("session %s of %s was revoked and is live", id, user)
			}
		}
		revoked, failed = revoked+len(a.revoked), failed+len(a.failed)
	}
	if revoked == 0 {
		t.Error("nothing was revoked")
	}
	t.Logf("%d revocations were answered, %d were not", revoked, failed)
}

// A primary that has no slots yet has nothing to wait for.
func TestRedisNodeWithoutSlots(t *testing.T) {
	const (
		new   = "07c3 127.0.0.1:30004@31004 master - 0 1426238317239 4 connected\n"
		other = "67ed 127.0.0.1:30002@31002 master - 0 1426238316232 2 connected 5461-10922\n"
	)
	myself := func(line string) string { return strings.Replace(line, "master", "myself,master", 1) }
	for nodes, want := range map[string]bool{
		myself(new) + other: false,
		other + myself(new): false,
		new + myself(other): true,
		myself(other) + new: true,
	} {
		if got := store.HasSlots(nodes); got != want {
			t.Errorf("of the nodes\n%smyself has slots: %v", nodes, got)
		}
	}
}

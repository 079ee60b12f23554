package pooltest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/revoke-sessions/revoke/internal/redistest"
	"github.com/revoke-sessions/revoke/store"
	"github.com/revoke-sessions/revoke/store/storetest"
)

func (c Client) keepsTheContract(t *testing.T) {
	t.Parallel()
	pool := c.Single(t, redistest.Start(t).Addr)
	storetest.Run(t, func() store.Store { return patient(pool) })
	storetest.RunLeases(t, func() store.Store { return patient(pool) })
}

func (c Client) ofACluster(t *testing.T) {
	t.Parallel()
	primaries, _ := redistest.StartReplicatedCluster(t, 3)
	pool := c.Cluster(t, addrs(primaries[:1]))
	storetest.Run(t, func() store.Store { return Replicated(pool, 1) })
	storetest.RunLeases(t, func() store.Store { return Replicated(pool, 1) })

	t.Run("follows a slot to another node", func(t *testing.T) {
		st := Replicated(pool, 1)
		const user = "mover"
		slot := int(redis64(primaries[0].Do("CLUSTER", "KEYSLOT", "revoke:"+user)))
		at := slot * 3 / redistest.Slots
		for i := range 6 {
			id := fmt.Sprint(i)
			must(st.Create(t.Context(), Record(user, id), store.Limit{}))
			revoked := make(chan error, 1)
			to := (at + 1) % 3
			redistest.Move(t, slot, "revoke:"+user, primaries[at], primaries[to], func() {
				go func() {
					_, err := st.Revoke(t.Context(), user, id, store.Revocation{})
					revoked <- err
				}()
				time.Sleep(time.Duration(2*i) * time.Millisecond)
			})
			at = to
			if err := <-revoked; err != nil {
				t.Errorf("Revoke while the slot moves: %v", err)
			}
			if _, err := st.Find(t.Context(), user, id); !errors.Is(err, store.ErrRevoked) {
				t.Errorf("Find of a session that was revoked while the slot moved: %v", err)
			}
		}
	})
	t.Run("RevokeEveryone reaches every primary, and no replica", func(t *testing.T) {
		soon(t, "the nodes to list the replicas", func() bool {
			slots := must(redis.Values(primaries[0].Do("CLUSTER", "SLOTS"), nil))
			return !slices.ContainsFunc(slots, func(s any) bool { return len(must(redis.Values(s, nil))) < 4 })
		})
		st := Replicated(c.Cluster(t, addrs(primaries[:1])), 1)
		for i := range 30 {
			must(st.Create(t.Context(), Record(fmt.Sprint("user", i), "a"), store.Limit{}))
		}
		for _, node := range primaries {
			if len(users(node)) == 0 {
				t.Fatal("a primary has none of 30 users")
			}
		}
		check(st.RevokeEveryone(t.Context()))
		for _, node := range primaries {
			if keys := users(node); len(keys) > 0 {
				t.Errorf("%q are left", keys)
			}
		}
	})
	t.Run("Subscribe hears of every primary", func(t *testing.T) {
		heard := subscribed(t, patient(pool))
		for i := range 10 {
			user := fmt.Sprint("heard", i)
			must(patient(pool).Create(t.Context(), Record(user, "a"), store.Limit{}))
			must(patient(pool).Revoke(t.Context(), user, "a", store.Revocation{}))
			soon(t, "the notice of "+user, func() bool { return heard(user) > 0 })
		}
	})
}

// A client may not know yet of a node that has got its first slots.
func (c Client) ofAClusterThatGrows(t *testing.T) {
	t.Parallel()
	nodes := redistest.StartCluster(t, 3)
	from, to := 2*redistest.Slots/3, redistest.Slots-1 // which are those of the last node
	for _, node := range nodes {
		node.Do("CLUSTER", "DELSLOTSRANGE", from, to)
	}
	nodes[0].Do("CLUSTER", "ADDSLOTSRANGE", from, to)
	for _, node := range nodes {
		soon(t, "the nodes to agree", func() bool {
			info := must(redis.String(node.Do("CLUSTER", "INFO"), nil))
			return strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_size:2")
		})
	}
	pool := c.Cluster(t, addrs(nodes[:1]))
	st := patient(pool)
	const user = "someone"
	slot := int(redis64(nodes[0].Do("CLUSTER", "KEYSLOT", "revoke:"+user)))
	owner := nodes[0]
	if redistest.Slots/3 <= slot && slot < from {
		owner = nodes[1]
	}
	redistest.Move(t, slot, "revoke:"+user, owner, nodes[2], func() {})
	elsewhere := patient(c.Cluster(t, addrs(nodes[2:])))
	soon(t, "the node to have the slot", func() bool {
		_, err := elsewhere.Create(t.Context(), Record(user, "a"), store.Limit{})
		return err == nil
	})
	soon(t, "everyone to be revoked", func() bool {
		if err := st.RevokeEveryone(t.Context()); err != nil {
			t.Logf("RevokeEveryone: %v", err)
			st.Find(t.Context(), user, "a") // the client is sent to the node
			return false
		}
		return true
	})
	if n := len(users(nodes[2])); n > 0 {
		t.Errorf("RevokeEveryone passed over %d users of a node that has joined", n)
	}
}

// A primary dies while sessions are created and revoked. No revocation that was
// answered is undone, and all goes on when the replica has taken over.
func (c Client) ofAClusterThatLosesAPrimary(t *testing.T) {
	t.Parallel()
	primaries, replicas := redistest.StartReplicatedCluster(t, 3)
	pool := c.Cluster(t, addrs(primaries))
	survives(t, pool, primaries[1], func() bool {
		info := must(redis.String(replicas[1].Do("INFO", "replication"), nil))
		state := must(redis.String(primaries[0].Do("CLUSTER", "INFO"), nil))
		return strings.Contains(info, "role:master") && strings.Contains(state, "cluster_state:ok")
	})
}

func (c Client) ofSentinels(t *testing.T) {
	t.Parallel()
	primary := redistest.Start(t)
	primary.StartReplica(t, nil)
	primary.StartReplica(t, nil) // so that one is left to confirm when the other has taken over
	sentinels := redistest.StartSentinels(t, 3, "sessions", primary)
	pool := c.Sentinel(t, "sessions", addrs(sentinels))
	t.Run("that are at rest", func(t *testing.T) {
		storetest.Run(t, func() store.Store { return Replicated(pool, 1) })
	})
	heard := subscribed(t, patient(pool))
	survives(t, pool, primary, func() bool { return !isPrimary(sentinels[0], "sessions", primary) })
	soon(t, "a notice after the failover", func() bool {
		id := fmt.Sprint(time.Now().UnixNano())
		must(patient(pool).Create(t.Context(), Record("after", id), store.Limit{}))
		must(patient(pool).Revoke(t.Context(), "after", id, store.Revocation{}))
		return heard("after") > 0
	})
}

// survives kills a primary while sessions are created and revoked.
func survives(t *testing.T, pool store.Pool, primary *redistest.Server, tookOver func() bool) {
	t.Helper()
	st := store.NewRedis(pool)
	st.Replicas = 1
	const users = 12
	revoked := make([][]string, users)
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for u := range users {
		wg.Go(func() {
			user := fmt.Sprint("survivor", u)
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				case <-time.After(5 * time.Millisecond):
				}
				id := fmt.Sprint(i)
				if _, err := st.Create(t.Context(), Record(user, id), store.Limit{}); err != nil {
					continue
				}
				if _, err := st.Revoke(t.Context(), user, id, store.Revocation{}); err == nil {
					revoked[u] = append(revoked[u], id)
				}
			}
		})
	}
	time.Sleep(300 * time.Millisecond)
	primary.Kill()
	soon(t, "a replica to take over", tookOver)
	calm := patient(pool)
	for u := range users { // each user's calls succeed again
		soon(t, "sessions to be created again", func() bool {
			_, err := calm.Create(t.Context(), Record(fmt.Sprint("survivor", u), fmt.Sprint("new", time.Now().UnixNano())), store.Limit{})
			return err == nil
		})
	}
	close(stop)
	wg.Wait()
	n := 0
	for u, ids := range revoked {
		for _, r := range must(calm.List(t.Context(), fmt.Sprint("survivor", u))) {
			if slices.Contains(ids, r.ID) {
				t.Errorf("session %s of user %d was revoked and is live", r.ID, u)
			}
		}
		n += len(ids)
	}
	if n == 0 {
		t.Error("nothing was revoked: the test shows nothing")
	}
}

// subscribed subscribes to a store until the test ends, and returns how often it has
// heard of a user.
func subscribed(t *testing.T, st *store.Redis) (heard func(user string) int) {
	var mu sync.Mutex
	count := make(map[string]int)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		st.Subscribe(ctx, func(user string) {
			mu.Lock()
			count[user]++
			mu.Unlock()
		})
	}()
	t.Cleanup(func() { cancel(); <-done })
	heard = func(user string) int {
		mu.Lock()
		defer mu.Unlock()
		return count[user]
	}
	soon(t, "the subscription", func() bool { return heard("") > 0 })
	return heard
}

func soon(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// isPrimary reports whether a sentinel takes a server for the primary.
func isPrimary(sentinel *redistest.Server, name string, server *redistest.Server) bool {
	addr := must(redis.Strings(sentinel.Do("SENTINEL", "GET-MASTER-ADDR-BY-NAME", name), nil))
	return strings.Join(addr, ":") == server.Addr
}

// users returns the keys of users on a node.
func users(node *redistest.Server) []string {
	keys := must(redis.Strings(node.Do("KEYS", "revoke:*"), nil))
	return slices.DeleteFunc(keys, func(key string) bool { return key == "revoke:" })
}

func redis64(reply any) int64 { return must(redis.Int64(reply, nil)) }

func addrs(servers []*redistest.Server) (addrs []string) {
	for _, s := range servers {
		addrs = append(addrs, s.Addr)
	}
	return addrs
}

// patient returns a store that waits for a Redis which is busy with other tests.
func patient(pool store.Pool) *store.Redis {
	st := store.NewRedis(pool)
	st.Timeout = time.Minute
	return st
}

// Replicated returns a store that waits for n replicas.
func Replicated(pool store.Pool, n int) *store.Redis {
	st := patient(pool)
	st.Replicas = n
	return st
}

// Record returns a live session.
func Record(user, id string) store.Record {
	now := time.Now()
	return store.Record{
		User: user, ID: id, Secret: store.HashSecret(id), CreatedAt: now, SeenAt: now, ProvedAt: now,
		ExpiresAt: now.Add(12 * time.Hour), Client: []byte("203.0.113.7 Firefox on Linux"), Data: make([]byte, 200),
	}
}

// later returns r as if the sign-in began after all marks.
func later(r store.Record) store.Record {
	r.CreatedAt = r.CreatedAt.Add(time.Hour)
	return r
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func must[T any](v T, err error) T {
	check(err)
	return v
}

package goredis_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
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

func TestPool(t *testing.T) {
	t.Parallel()
	pool := singlePool(t, redistest.Start(t).Addr)
	storetest.Run(t, func() store.Store { return patient(pool) })
}

func TestPoolOfACluster(t *testing.T) {
	t.Parallel()
	primaries, _ := redistest.StartReplicatedCluster(t, 3)
	pool := clusterPool(t, primaries[:1])
	storetest.Run(t, func() store.Store { return replicated(pool, 1) })

	t.Run("follows a slot to another node", func(t *testing.T) {
		st := replicated(pool, 1)
		const user = "mover"
		slot := int(redis64(primaries[0].Do("CLUSTER", "KEYSLOT", "revoke:"+user)))
		at := slot * 3 / redistest.Slots
		for i := range 6 {
			id := fmt.Sprint(i)
			must(st.Create(t.Context(), record(user, id), store.Limit{}))
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
		st := replicated(clusterPool(t, primaries[:1]), 1)
		for i := range 30 {
			must(st.Create(t.Context(), record(fmt.Sprint("user", i), "a"), store.Limit{}))
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
			must(patient(pool).Create(t.Context(), record(user, "a"), store.Limit{}))
			must(patient(pool).Revoke(t.Context(), user, "a", store.Revocation{}))
			soon(t, "the notice of "+user, func() bool { return heard(user) > 0 })
		}
	})
}

// A client may not know yet of a node that has got its first slots.
func TestPoolOfAClusterThatGrows(t *testing.T) {
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
	pool := clusterPool(t, nodes[:1])
	st := patient(pool)
	const user = "someone"
	slot := int(redis64(nodes[0].Do("CLUSTER", "KEYSLOT", "revoke:"+user)))
	owner := nodes[0]
	if redistest.Slots/3 <= slot && slot < from {
		owner = nodes[1]
	}
	redistest.Move(t, slot, "revoke:"+user, owner, nodes[2], func() {})
	elsewhere := patient(clusterPool(t, nodes[2:]))
	soon(t, "the node to have the slot", func() bool {
		_, err := elsewhere.Create(t.Context(), record(user, "a"), store.Limit{})
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
func TestPoolOfAClusterThatLosesAPrimary(t *testing.T) {
	t.Parallel()
	primaries, replicas := redistest.StartReplicatedCluster(t, 3)
	pool := clusterPool(t, primaries)
	survives(t, pool, primaries[1], func() bool {
		info := must(redis.String(replicas[1].Do("INFO", "replication"), nil))
		state := must(redis.String(primaries[0].Do("CLUSTER", "INFO"), nil))
		return strings.Contains(info, "role:master") && strings.Contains(state, "cluster_state:ok")
	})
}

func TestPoolOfSentinels(t *testing.T) {
	t.Parallel()
	primary := redistest.Start(t)
	primary.StartReplica(t, nil)
	primary.StartReplica(t, nil) // so that one is left to confirm when the other has taken over
	sentinels := redistest.StartSentinels(t, 3, "sessions", primary)
	pool := sentinelPool(t, "sessions", sentinels)
	t.Run("that are at rest", func(t *testing.T) {
		storetest.Run(t, func() store.Store { return replicated(pool, 1) })
	})
	heard := subscribed(t, patient(pool))
	survives(t, pool, primary, func() bool { return !isPrimary(sentinels[0], "sessions", primary) })
	soon(t, "a notice after the failover", func() bool {
		id := fmt.Sprint(time.Now().UnixNano())
		must(patient(pool).Create(t.Context(), record("after", id), store.Limit{}))
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
				if _, err := st.Create(t.Context(), record(user, id), store.Limit{}); err != nil {
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
			_, err := calm.Create(t.Context(), record(fmt.Sprint("survivor", u), fmt.Sprint("new", time.Now().UnixNano())), store.Limit{})
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

// A command whose answer is lost is not sent again: the second answer would be another.
func TestPoolSendsNothingTwice(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	server.StartReplica(t, nil)
	for name, call := range map[string]func(st store.Store) error{
		"Create": func(st store.Store) error {
			_, err := st.Create(t.Context(), later(record("user", "new")), store.Limit{})
			return err
		},
		"Revoke": func(st store.Store) error {
			_, err := st.Revoke(t.Context(), "user", "a", store.Revocation{})
			return err
		},
		"RevokeAll": func(st store.Store) error {
			_, err := st.RevokeAll(t.Context(), "user", "", store.Revocation{})
			return err
		},
	} {
		for replicas := range 2 {
			t.Run(fmt.Sprint(name, ", replicas: ", replicas), func(t *testing.T) {
				server.Do("FLUSHALL")
				var l lossy
				st := replicated(dialledPool(t, server.Addr, l.dial), replicas)
				must(st.Create(t.Context(), record("user", "a"), store.Limit{}))
				must(st.RevokeAll(t.Context(), "another", "", store.Revocation{})) // has it connect
				l.loseNext()
				if err := call(st); err == nil || errors.Is(err, store.ErrExists) || errors.Is(err, store.ErrNotFound) {
					t.Errorf("a call whose answer was lost returned the error %v", err)
				}
				if n := l.sent(); n != 1 {
					t.Errorf("it was sent %d times", n)
				}
			})
		}
	}
}

// A lossy network loses the answer to one script.
type lossy struct {
	mu    sync.Mutex
	armed bool
	seen  int // scripts that were sent since
}

func (l *lossy) loseNext() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.armed, l.seen = true, 0
}

func (l *lossy) sent() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seen
}

func (l *lossy) dial(ctx context.Context, addr string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	return &lossyConn{Conn: conn, lossy: l}, err
}

type lossyConn struct {
	net.Conn
	lossy *lossy
	lost  bool
}

func (c *lossyConn) Write(b []byte) (int, error) {
	c.lossy.mu.Lock()
	if n := bytes.Count(b, []byte("EVAL")); n > 0 {
		c.lossy.seen += n
		c.lost, c.lossy.armed = c.lost || c.lossy.armed, false
	}
	c.lossy.mu.Unlock()
	return c.Conn.Write(b)
}

func (c *lossyConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.lossy.mu.Lock()
	defer c.lossy.mu.Unlock()
	if c.lost {
		c.Close()
		return 0, io.EOF
	}
	return n, err
}

// Redis forgets its scripts when it restarts, and answers that it has.
func TestPoolOfARedisThatRestarts(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	st := patient(singlePool(t, server.Addr))
	must(st.Create(t.Context(), record("user", "a"), store.Limit{}))
	heard := subscribed(t, st)
	server.Restart()
	soon(t, "a session to be created", func() bool {
		_, err := st.Create(t.Context(), record("user", "b"), store.Limit{})
		return err == nil || errors.Is(err, store.ErrExists)
	})
	soon(t, "the subscription to stand anew", func() bool { return heard("") > 1 })
	must(st.Revoke(t.Context(), "user", "b", store.Revocation{}))
	soon(t, "a notice", func() bool { return heard("user") > 0 })
}

func TestPoolOfARedisThatStalls(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	pool := singlePool(t, server.Addr)
	st := patient(pool)
	must(st.Create(t.Context(), record("user", "a"), store.Limit{}))
	server.Pause()
	impatient := store.NewRedis(pool)
	impatient.Timeout = 200 * time.Millisecond
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := impatient.Find(t.Context(), "user", "a"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Find on a Redis that stalls: %v", err)
			}
		})
	}
	wg.Wait()
	server.Resume()
	soon(t, "a session to be found", func() bool {
		_, err := st.Find(t.Context(), "user", "a")
		return err == nil
	})
}

// While a revocation waits for replicas, others are answered.
func TestPoolWaitsForReplicasAside(t *testing.T) {
	t.Parallel()
	primary := redistest.Start(t)
	replica := primary.StartReplica(t, nil)
	pool := singlePool(t, primary.Addr)
	st := replicated(pool, 1)
	for _, id := range []string{"a", "b"} {
		must(st.Create(t.Context(), record("user", id), store.Limit{}))
	}
	must(st.Revoke(t.Context(), "user", "b", store.Revocation{})) // from then on Redis knows the script
	replica.Pause()
	waiting := make(chan struct{})
	go func() {
		defer close(waiting)
		_, err := st.Revoke(context.Background(), "user", "a", store.Revocation{})
		if err != nil { // it was to wait for the replica as long as that takes
			t.Errorf("Revoke: %v", err)
		}
	}()
	soon(t, "the revocation", func() bool {
		_, err := st.Find(t.Context(), "user", "a")
		return errors.Is(err, store.ErrRevoked)
	})
	for i := range 200 {
		must(st.Create(t.Context(), record("other", fmt.Sprint(i)), store.Limit{}))
	}
	select {
	case <-waiting:
		t.Error("the revocation did not wait")
	default:
	}
	replica.Resume()
	<-waiting
}

func TestPoolTellsOfReplicasThatDoNotKnow(t *testing.T) {
	t.Parallel()
	primary := redistest.Start(t)
	replica := primary.StartReplica(t, nil)
	st := replicated(singlePool(t, primary.Addr), 1)
	st.Timeout = time.Second
	replica.Pause()
	wantNotReplicated(t, st)

	// A primary that dies while it waits has revoked.
	st.Timeout = time.Minute
	must(st.Create(t.Context(), later(record("user", "dying")), store.Limit{}))
	done := make(chan struct{})
	go func() {
		defer close(done)
		r, err := st.Revoke(context.Background(), "user", "dying", store.Revocation{})
		if !errors.Is(err, store.ErrNotReplicated) || r.ID != "dying" {
			t.Errorf("Revoke returned %+v and the error %v", r, err)
		}
	}()
	soon(t, "the revocation", func() bool {
		_, err := st.Find(t.Context(), "user", "dying")
		return errors.Is(err, store.ErrRevoked)
	})
	primary.Kill()
	<-done
}

// wantNotReplicated checks that a revocation which no replica confirms returns what it
// has ended, and says so.
func wantNotReplicated(t *testing.T, st *store.Redis) {
	t.Helper()
	id := fmt.Sprint(time.Now().UnixNano())
	must(st.Create(t.Context(), later(record("user", id)), store.Limit{}))
	r, err := st.Revoke(t.Context(), "user", id, store.Revocation{})
	if !errors.Is(err, store.ErrNotReplicated) || r.ID != id {
		t.Errorf("Revoke returned %+v and the error %v", r, err)
	}
	if err := st.RevokeEveryone(t.Context()); !errors.Is(err, store.ErrNotReplicated) {
		t.Errorf("RevokeEveryone returned the error %v", err)
	}
}

func TestPoolOfALimiter(t *testing.T) {
	t.Parallel()
	l := store.NewRedisLimiter(singlePool(t, redistest.Start(t).Addr), 3, time.Hour)
	l.Timeout = time.Minute
	for i := range 4 {
		wait := must(l.Allow(t.Context(), "key"))
		if (wait > 0) != (i == 3) {
			t.Errorf("attempt %d is to wait %v", i, wait)
		}
	}
}

// BenchmarkPool compares the pool with redigo's, with 64 clients.
func BenchmarkPool(b *testing.B) {
	server := redistest.Start(b)
	redigo := server.Pool()
	redigo.MaxIdle = 64
	for _, c := range []struct {
		name string
		pool store.Pool
	}{{"redigo", redigo}, {"this", singlePool(b, server.Addr)}} {
		st := patient(c.pool)
		r := record("user", c.name)
		must(st.Create(b.Context(), r, store.Limit{}))
		for _, op := range []struct {
			name string
			call func()
		}{
			{"Find", func() { must(st.Find(b.Context(), r.User, r.ID)) }},
			{"Update", func() { check(st.Update(b.Context(), r, r.Secret)) }},
		} {
			b.Run(c.name+"/"+op.name+"/1", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					op.call()
				}
			})
			b.Run(c.name+"/"+op.name+"/64", func(b *testing.B) {
				b.ReportAllocs()
				b.SetParallelism(32) // times two processors
				b.RunParallel(func(p *testing.PB) {
					for p.Next() {
						op.call()
					}
				})
			})
		}
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

// replicated returns a store that waits for n replicas.
func replicated(pool store.Pool, n int) *store.Redis {
	st := patient(pool)
	st.Replicas = n
	return st
}

func record(user, id string) store.Record {
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

package goredis_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/revoke-sessions/revoke/internal/pooltest"
	"github.com/revoke-sessions/revoke/internal/redistest"
	"github.com/revoke-sessions/revoke/store"
	"github.com/revoke-sessions/revoke/store/goredis"
)

var pools = pooltest.Client{Single: singlePool, Dialled: dialledPool, Sentinel: sentinelPool, Cluster: clusterPool}

func TestPool(t *testing.T) { pooltest.Run(t, pools) }

func BenchmarkPool(b *testing.B) { pools.Bench(b) }

func singlePool(t testing.TB, addr string) store.Pool {
	client := redis.NewClient(&redis.Options{Addr: addr})
	t.Cleanup(func() { client.Close() })
	return goredis.Pool(client)
}

func dialledPool(t testing.TB, addr string, dial func(ctx context.Context, addr string) (net.Conn, error)) store.Pool {
	client := redis.NewClient(&redis.Options{Addr: addr, Dialer: func(ctx context.Context, _, addr string) (net.Conn, error) {
		return dial(ctx, addr)
	}})
	t.Cleanup(func() { client.Close() })
	return goredis.Pool(client)
}

func sentinelPool(t testing.TB, name string, sentinels []string) store.Pool {
	client := redis.NewFailoverClient(&redis.FailoverOptions{MasterName: name, SentinelAddrs: sentinels})
	t.Cleanup(func() { client.Close() })
	return goredis.Pool(client)
}

func clusterPool(t testing.TB, nodes []string) store.Pool {
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: nodes, ReadOnly: true, RouteRandomly: true})
	t.Cleanup(func() { client.Close() })
	return goredis.Pool(client)
}

func TestPoolRefusesARing(t *testing.T) {
	for name, client := range map[string]redis.UniversalClient{
		"ring":            redis.NewRing(&redis.RingOptions{Addrs: map[string]string{"a": "127.0.0.1:1"}}),
		"client, wrapped": struct{ *redis.Client }{redis.NewClient(&redis.Options{})},
	} {
		t.Run(name, func(t *testing.T) {
			t.Cleanup(func() { client.Close() })
			defer func() {
				if recover() == nil {
					t.Error("Pool took it")
				}
			}()
			goredis.Pool(client)
		})
	}
}

// The client of an application may be impatient, or wait for ever. A revocation that
// waits for replicas waits as long as the store says.
func TestPoolOfAnImpatientClient(t *testing.T) {
	t.Parallel()
	primary := redistest.Start(t)
	replica := primary.StartReplica(t, nil)
	for _, timeout := range []time.Duration{-2, -1, 100 * time.Millisecond} {
		client := redis.NewClient(&redis.Options{Addr: primary.Addr, ReadTimeout: timeout})
		t.Cleanup(func() { client.Close() })
		st := pooltest.Replicated(goredis.Pool(client), 1)
		user := timeout.String()
		for _, id := range []string{"a", "b"} {
			must(st.Create(t.Context(), pooltest.Record(user, id), store.Limit{}))
		}
		must(st.Revoke(t.Context(), user, "b", store.Revocation{}))
		replica.Pause()
		time.AfterFunc(500*time.Millisecond, replica.Resume)
		must(st.Revoke(t.Context(), user, "a", store.Revocation{}))
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

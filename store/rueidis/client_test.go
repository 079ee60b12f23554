package rueidis_test

import (
	"context"
	"crypto/tls"
	"net"
	"testing"
	"time"

	client "github.com/redis/rueidis"

	"github.com/revoke-sessions/revoke/internal/pooltest"
	"github.com/revoke-sessions/revoke/internal/redistest"
	"github.com/revoke-sessions/revoke/store"
	"github.com/revoke-sessions/revoke/store/rueidis"
)

var pools = pooltest.Client{Single: singlePool, Dialled: dialledPool, Sentinel: sentinelPool, Cluster: clusterPool}

func TestPool(t *testing.T) { pooltest.Run(t, pools) }

func BenchmarkPool(b *testing.B) { pools.Bench(b) }

func newPool(t testing.TB, option client.ClientOption) store.Pool {
	t.Helper()
	option.DisableCache = true // which miniredis does not know
	c, err := client.NewClient(option)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return rueidis.Pool(c)
}

func singlePool(t testing.TB, addr string) store.Pool {
	return newPool(t, client.ClientOption{InitAddress: []string{addr}})
}

func dialledPool(t testing.TB, addr string, dial func(ctx context.Context, addr string) (net.Conn, error)) store.Pool {
	return newPool(t, client.ClientOption{
		InitAddress: []string{addr},
		DialCtxFn: func(ctx context.Context, addr string, _ *net.Dialer, _ *tls.Config) (net.Conn, error) {
			return dial(ctx, addr)
		},
	})
}

func sentinelPool(t testing.TB, name string, sentinels []string) store.Pool {
	return newPool(t, client.ClientOption{InitAddress: sentinels, Sentinel: client.SentinelOption{MasterSet: name}})
}

func clusterPool(t testing.TB, nodes []string) store.Pool {
	return newPool(t, client.ClientOption{
		InitAddress:    nodes,
		ShuffleInit:    true,
		SendToReplicas: func(cmd client.Completed) bool { return cmd.IsReadOnly() },
	})
}

// The client of an application may be impatient. A revocation that waits for replicas is
// not.
func TestPoolOfAnImpatientClient(t *testing.T) {
	t.Parallel()
	primary := redistest.Start(t)
	replica := primary.StartReplica(t, nil)
	pool := newPool(t, client.ClientOption{
		InitAddress: []string{primary.Addr}, ConnWriteTimeout: 200 * time.Millisecond, Dialer: net.Dialer{KeepAlive: 100 * time.Millisecond},
	})
	st := pooltest.Replicated(pool, 1)
	for _, id := range []string{"a", "b"} {
		must(st.Create(t.Context(), pooltest.Record("user", id), store.Limit{}))
	}
	must(st.Revoke(t.Context(), "user", "b", store.Revocation{}))
	replica.Pause()
	time.AfterFunc(time.Second, replica.Resume)
	must(st.Revoke(t.Context(), "user", "a", store.Revocation{}))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

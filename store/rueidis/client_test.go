package rueidis_test

import (
	"testing"

	client "github.com/redis/rueidis"

	"github.com/revoke-sessions/revoke/internal/redistest"
	"github.com/revoke-sessions/revoke/store"
	"github.com/revoke-sessions/revoke/store/rueidis"
)

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

func sentinelPool(t testing.TB, name string, sentinels []*redistest.Server) store.Pool {
	return newPool(t, client.ClientOption{InitAddress: addrs(sentinels), Sentinel: client.SentinelOption{MasterSet: name}})
}

func clusterPool(t testing.TB, nodes []*redistest.Server) store.Pool {
	return newPool(t, client.ClientOption{
		InitAddress:    addrs(nodes),
		ShuffleInit:    true,
		SendToReplicas: func(cmd client.Completed) bool { return cmd.IsReadOnly() },
	})
}

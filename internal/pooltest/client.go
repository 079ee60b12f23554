// Package pooltest tests the pools by which a store speaks through a Redis client that is
// not redigo.
package pooltest

import (
	"context"
	"net"
	"testing"

	"github.com/revoke-sessions/revoke/store"
)

// A Client makes pools over a Redis client, which ends with the test.
type Client struct {
	Single   func(t testing.TB, addr string) store.Pool
	Dialled  func(t testing.TB, addr string, dial func(ctx context.Context, addr string) (net.Conn, error)) store.Pool
	Sentinel func(t testing.TB, name string, sentinels []string) store.Pool
	Cluster  func(t testing.TB, nodes []string) store.Pool
}

// Run tests the pools of a client.
func Run(t *testing.T, c Client) {
	for name, try := range map[string]func(t *testing.T){
		"keeps the contract":                 c.keepsTheContract,
		"of a cluster":                       c.ofACluster,
		"of a cluster that grows":            c.ofAClusterThatGrows,
		"of a cluster that loses a primary":  c.ofAClusterThatLosesAPrimary,
		"of sentinels":                       c.ofSentinels,
		"sends nothing twice":                c.sendsNothingTwice,
		"of a redis that restarts":           c.ofARedisThatRestarts,
		"of a redis that stalls":             c.ofARedisThatStalls,
		"whose dialler hangs":                c.whoseDiallerHangs,
		"waits for replicas aside":           c.waitsForReplicasAside,
		"tells of replicas that do not know": c.tellsOfReplicasThatDoNotKnow,
		"of a limiter":                       c.ofALimiter,
		"watches":                            c.watches,
		"leaves nothing behind":              c.leavesNothingBehind,
	} {
		t.Run(name, try)
	}
}

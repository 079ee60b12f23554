package redistest

import (
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
)

// Slots is how many slots the keys of a cluster are divided into.
const Slots = 16384

// StartCluster starts a cluster of n primary nodes with the slots shared out, in
// order, and ends it with the test. The test is skipped where there is no real
// Redis of version 7 or later.
func StartCluster(t testing.TB, n int) []*Server {
	t.Helper()
	nodes := make([]*Server, n)
	for i := range nodes {
		bus := freePort(t)
		nodes[i] = Start(t, "--cluster-enabled", "yes", "--cluster-port", bus)
		nodes[i].NeedReal(t)
		nodes[i].Do("CLUSTER", "ADDSLOTSRANGE", i*Slots/n, (i+1)*Slots/n-1)
		nodes[i].Do("CONFIG", "SET", "cluster-node-timeout", 1000)
		if i > 0 {
			nodes[0].Do("CLUSTER", "MEET", "127.0.0.1", nodes[i].port, bus)
		}
	}
	for _, node := range nodes {
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			info, _ := redis.String(node.Do("CLUSTER", "INFO"), nil)
			if strings.Contains(info, "cluster_state:ok") && len(node.owners()) == n {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("redistest: the cluster does not come up:\n%s", info)
			}
		}
	}
	return nodes
}

// owners returns the ports of the nodes that a node knows as owners of slots.
func (s *Server) owners() map[int]bool {
	owners := make(map[int]bool)
	ranges, _ := redis.Values(s.Do("CLUSTER", "SLOTS"), nil)
	for _, r := range ranges {
		r, _ := redis.Values(r, nil)
		node, _ := redis.Values(r[2], nil)
		if port, err := redis.Int(node[1], nil); err == nil {
			owners[port] = true
		}
	}
	return owners
}

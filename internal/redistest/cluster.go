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
// order, and ends it with the test. The test is skipped if there is no real
// Redis of version 7 or later.
func StartCluster(t testing.TB, n int) []*Server {
	t.Helper()
	nodes := make([]*Server, n)
	for i := range nodes {
		nodes[i] = startNode(t, nodes[0])
		nodes[i].Do("CLUSTER", "ADDSLOTSRANGE", i*Slots/n, (i+1)*Slots/n-1)
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

// StartReplicatedCluster starts a cluster of n primary nodes as StartCluster does,
// and a replica of each.
func StartReplicatedCluster(t testing.TB, n int) (primaries, replicas []*Server) {
	t.Helper()
	primaries = StartCluster(t, n)
	for _, primary := range primaries {
		primary.Do("CONFIG", "SET", "repl-diskless-sync-delay", 0)
		replica := startNode(t, primaries[0])
		replicas = append(replicas, replica)
		id, _ := redis.String(primary.Do("CLUSTER", "MYID"), nil)
		within(t, "the nodes to know each other", func() bool {
			known, _ := redis.String(replica.Do("CLUSTER", "NODES"), nil)
			return strings.Contains(known, id) && strings.Count(known, "\n") >= n+1
		})
		replica.Do("CLUSTER", "REPLICATE", id)
	}
	for i, primary := range primaries {
		within(t, "a replica to be in step", func() bool {
			return replicas[i].info("master_link_status") == "up" && strings.Contains(primary.info("slave0"), "state=online")
		})
	}
	for _, node := range append(replicas, primaries...) {
		within(t, "the nodes to know which are replicas", func() bool {
			known, _ := redis.String(node.Do("CLUSTER", "NODES"), nil)
			return strings.Count(known, "slave ") == n && strings.Count(known, "connected") == 2*n &&
				!strings.Contains(known, "disconnected") && !strings.Contains(known, "fail")
		})
	}
	return primaries, replicas
}

// startNode starts a node without slots, and has it meet another.
func startNode(t testing.TB, other *Server) *Server {
	t.Helper()
	bus := freePort(t)
	node := Start(t, "--cluster-enabled", "yes", "--cluster-port", bus, "--cluster-node-timeout", "1000", "--cluster-replica-validity-factor", "0")
	node.NeedReal(t)
	if other != nil {
		other.Do("CLUSTER", "MEET", "127.0.0.1", node.port, bus)
	}
	return node
}

// Move moves the slot of a key, and the key, from one primary node of a cluster to
// another, as a resharding does. It calls meanwhile when the key has moved and the nodes
// do not yet agree on whose the slot is.
func Move(t testing.TB, slot int, key string, from, to *Server, meanwhile func()) {
	t.Helper()
	id := to.Do("CLUSTER", "MYID")
	to.Do("CLUSTER", "SETSLOT", slot, "IMPORTING", from.Do("CLUSTER", "MYID"))
	from.Do("CLUSTER", "SETSLOT", slot, "MIGRATING", id)
	from.Do("MIGRATE", "127.0.0.1", to.port, key, 0, 5000)
	meanwhile()
	to.Do("CLUSTER", "SETSLOT", slot, "NODE", id)
	from.Do("CLUSTER", "SETSLOT", slot, "NODE", id)
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

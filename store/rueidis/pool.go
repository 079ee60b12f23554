// Package rueidis lets [store.Redis] use the client of an application that has one of
// github.com/redis/rueidis:
//
//	st := store.NewRedis(rueidis.Pool(client))
//
// The client may lead to a single Redis, to one that sentinels watch, or to a cluster.
// It sends the commands of many requests together, over few connections: that is worth
// most if there are many requests at a time, and more with a MaxFlushDelay of some 20
// microseconds. A revocation that waits for replicas has a
// connection of its own meanwhile, and so has a subscription. No command is sent twice,
// and the client is told of none that it only reads, so it sends none to a replica
// unless its SendToReplicas takes those too.
package rueidis

import (
	"context"
	"errors"
	"maps"
	"slices"

	redigo "github.com/gomodule/redigo/redis"
	"github.com/redis/rueidis"

	"github.com/revoke-sessions/revoke/store"
)

// Pool returns a pool for [store.NewRedis] and [store.NewRedisLimiter] that uses the
// connections of client. The client stays the caller's, to be closed when the store is
// no longer used.
//
// Of a cluster, a client finds out about a node that has joined when it is sent there
// for a key, or by its ShardsRefreshInterval. Until then RevokeEveryone and All return
// an error, rather than pass over that node.
func Pool(client rueidis.Client) store.Pool {
	if client.Mode() == rueidis.ClientModeCluster {
		return cluster{client}
	}
	return &single{client: client}
}

// A single is a pool of connections to one Redis.
type single struct {
	client rueidis.Client
	health health
}

// Get implements [store.Pool].
func (p *single) Get() redigo.Conn { return &conn{client: p.client, health: &p.health} }

// AtHand reports whether a command that is sent now waits for nothing but its answer.
// Then [store.Redis] does not start a goroutine to leave behind if time is over.
func (p *single) AtHand() bool { return p.health.isGood() }

// A cluster is a pool of connections to the nodes of a cluster.
type cluster struct{ client rueidis.Client }

// Get implements [store.Pool]. The connection must be bound.
func (p cluster) Get() redigo.Conn { return &clusterConn{conn{client: p.client}} }

// Refresh does nothing, since EachNode asks for the nodes itself.
func (p cluster) Refresh() error { return nil }

// A clusterConn is a connection to the node that has the keys it is bound to.
type clusterConn struct{ conn }

// Bind ties the connection to the node that has the keys. There must be one at least,
// and they must be in one slot.
func (c *clusterConn) Bind(keys ...string) error {
	if len(keys) == 0 {
		return errors.New("rueidis: no key to bind a connection to")
	}
	c.key, c.bound = keys[0], true
	return nil
}

// EachNode calls do with a connection to each primary node, one after the other, until
// it returns an error.
func (p cluster) EachNode(_ bool, do func(address string, conn redigo.Conn) error) error {
	ctx := context.Background()
	want, err := p.primaries(ctx)
	if err != nil {
		return err
	}
	have := make(map[string]rueidis.Client)
	for address, node := range p.client.Nodes() {
		if isPrimary, err := leads(ctx, node); err != nil {
			return err
		} else if isPrimary {
			have[address] = node
		}
	}
	if len(have) < want {
		return errors.New("rueidis: the client does not know all primary nodes of the cluster yet")
	}
	for _, address := range slices.Sorted(maps.Keys(have)) {
		c := &conn{client: have[address]}
		err := do(address, c)
		c.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// primaries returns how many nodes have slots.
func (p cluster) primaries(ctx context.Context) (int, error) {
	ranges, err := p.client.Do(ctx, p.client.B().ClusterSlots().Build()).ToArray()
	if err != nil {
		return 0, err
	}
	ids := make(map[string]bool)
	for _, r := range ranges {
		parts, err := r.ToArray() // from, to, primary, replicas
		if err != nil || len(parts) < 3 {
			return 0, errors.New("rueidis: unexpected answer to CLUSTER SLOTS")
		}
		node, err := parts[2].ToArray() // address, port, id
		if err != nil || len(node) < 3 {
			return 0, errors.New("rueidis: unexpected answer to CLUSTER SLOTS")
		}
		id, err := node[2].ToString()
		if err != nil {
			return 0, err
		}
		ids[id] = true
	}
	return len(ids), nil
}

// leads reports whether a node is a primary one. HELLO says so to every user, while
// ROLE needs a right.
func leads(ctx context.Context, node rueidis.Client) (bool, error) {
	hello, err := node.Do(ctx, node.B().Arbitrary("HELLO").Build()).AsMap()
	if err != nil {
		return false, err
	}
	role := hello["role"]
	text, err := role.ToString()
	return text == "master", err
}

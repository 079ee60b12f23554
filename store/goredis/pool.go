// Package goredis lets [store.Redis] use the client of an application that has one of
// github.com/redis/go-redis:
//
//	st := store.NewRedis(goredis.Pool(client))
//
// The client may lead to a single Redis, to one that sentinels watch, or to a cluster.
// Its hooks see the commands, and its time-outs for dialling and for a connection to be
// free hold as well. No command is sent twice, whatever its MaxRetries: what the store
// did with the first answer to a revocation could not be told from the second. And all
// commands go to primary nodes, also if the client reads from replicas.
package goredis

import (
	"context"
	"errors"
	"fmt"
	"sync"

	redigo "github.com/gomodule/redigo/redis"
	"github.com/redis/go-redis/v9"

	"github.com/revoke-sessions/revoke/store"
)

// Pool returns a pool for [store.NewRedis] and [store.NewRedisLimiter] that uses the
// connections of client. The client stays the caller's, to be closed when the store is
// no longer used.
//
// It panics if client is a ring. When a server of a ring fails, its keys are taken to be
// on another one, and when it is back, they are on the first again: with the sessions
// that were revoked meanwhile. It also panics if client is none of go-redis's own
// types, since it cannot tell what that leads to.
func Pool(client redis.UniversalClient) store.Pool {
	switch client := client.(type) {
	case *redis.Client:
		return single{client}
	case *redis.ClusterClient:
		return cluster{client}
	case *redis.Ring:
		panic("goredis: a ring must not keep sessions, because revoked ones come back with a server that had failed")
	}
	panic(fmt.Sprintf("goredis: cannot tell what a %T leads to", client))
}

// A single is a pool of connections to one Redis.
type single struct{ client *redis.Client }

// Get implements [store.Pool]. Nothing is dialled before it is needed.
func (p single) Get() redigo.Conn { return &conn{node: p.client} }

// A cluster is a pool of connections to the nodes of a cluster.
type cluster struct{ client *redis.ClusterClient }

var errNotBound = errors.New("goredis: connection of a cluster is not bound to a node")

// Get implements [store.Pool]. The connection must be bound.
func (p cluster) Get() redigo.Conn { return &clusterConn{client: p.client} }

// Refresh does nothing, since EachNode asks for the nodes itself.
func (p cluster) Refresh() error { return nil }

// EachNode calls do with a connection to each primary node, one after the other,
// until it returns an error.
func (p cluster) EachNode(_ bool, do func(address string, conn redigo.Conn) error) error {
	var mu sync.Mutex
	var nodes []*redis.Client
	err := p.client.ForEachMaster(context.Background(), func(_ context.Context, node *redis.Client) error {
		mu.Lock()
		defer mu.Unlock()
		nodes = append(nodes, node)
		return nil
	})
	for i := 0; i < len(nodes) && err == nil; i++ {
		c := &conn{node: nodes[i]}
		err = do(nodes[i].Options().Addr, c)
		c.Close()
	}
	return err
}

// A clusterConn is a connection to the node that has the keys it is bound to.
type clusterConn struct {
	client *redis.ClusterClient
	conn
}

// Bind ties the connection to the primary node that has the keys. There must be one
// at least, and they must be in one slot.
func (c *clusterConn) Bind(keys ...string) (err error) {
	if len(keys) == 0 {
		return errNotBound
	}
	c.node, err = c.client.MasterForKey(context.Background(), keys[0])
	c.stale = func() { c.client.ReloadState(context.Background()) }
	return err
}

package store

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/gomodule/redigo/redis"
)

// Redis is a [Store] on Redis 6.2 or later, Valkey, or a cluster of either.
// Every method but RevokeEveryone and All is one round trip, and one command over one
// key, which is what makes it atomic on a cluster too.
//
// All that is kept of a user are the fields of one hash, under Prefix and the user
// key:
//
//	s:<id>  a session, and d:<id> its data, as given, if any
//	t:<id>  a tombstone
//	o:<id>  until when the id cannot be created again
//	mark    what RevokeAll has left
//	count   how many fields s:<id> there are
//	order   the tombstones, the oldest revocation first
//
// lua/hash.lua says what is in them. What is kept of a session begins with a version,
// and one that this package does not know is an error. The key expires with the last of what it holds.
// What expires sooner is invisible from then on, and deleted by later sign-ins, a
// few fields each time. When everyone was revoked is under Prefix alone, for good.
//
// Whether a session has expired is judged by Redis's own clock; Find, List and All
// go by that of the caller.
//
// While Redis cannot be reached, no more than 256 calls wait for a connection to be
// dialled; the others wait for those. So give the pool a DialContext, or a Dial with
// a time-out of its own: a dial that hangs keeps its place until it ends.
//
// A connection that Redis has closed while it lay in the pool, in a restart for
// example, fails the call that takes it from there. That call is not repeated,
// because it may have been carried out; a pool with TestOnBorrow avoids it.
//
// What Redis forgets is signed out, with one exception: where it goes on from an
// older state, sessions revoked since are live again. For a Redis that restarts
// from its disk, use appendonly with appendfsync always where that matters, or no
// persistence; for a replica that takes over, see Replicas. When Redis is out of
// memory, with the policy noeviction, sessions can be revoked and not created.
type Redis struct {
	// Prefix is what the keys begin with: "revoke:" if empty. All keys that begin
	// with it belong to this store, and RevokeEveryone deletes them.
	Prefix string

	// Timeout limits each call, from waiting for a connection and dialling to
	// reading the answer: 2 seconds unless it is positive. RevokeEveryone and All,
	// which take many round trips, it limits one by one. A call that it ends may have
	// been carried out nevertheless.
	Timeout time.Duration

	// Replicas is how many replicas must have a revocation before it is answered:
	// by Revoke, RevokeAll and, on each primary node, RevokeEveryone. It should be
	// as many as may take over. They have half the Timeout for it, and after that
	// the error is [ErrNotReplicated]. Zero means none: a replica that takes over
	// may have sessions that were revoked a moment before.
	//
	// To learn that such a revocation has become safe, repeat it: the answer is
	// ErrNotReplicated until the replicas have all that was revoked before. So
	// ErrNotFound and ErrActorRevoked are as certain as a success.
	//
	// Create does not wait: sessions that it evicts return only together with the
	// loss of the one that it creates. What Find returns, and what Create refuses,
	// the primary alone may know.
	Replicas int

	// Bind, if not nil, ties a new connection to the node that has the keys, and
	// EachNode calls a function with a connection to each primary node. NewRedis
	// sets both if the pool has what they need, as a *redisc.Cluster has; where it
	// is wrapped in something else, set them to redisc.BindConn and to the
	// cluster's method EachNode, and call its Refresh beforehand. A call for a user
	// who is just being moved to another node waits a quarter of a second for
	// that. RevokeEveryone may miss such users: repeat it when all have moved.
	Bind     func(conn redis.Conn, keys ...string) error
	EachNode func(replicas bool, fn func(address string, conn redis.Conn) error) error

	pool     Pool
	waiting  chan struct{} // has a place for each call that waits for a connection
	taking   atomic.Int64  // calls that are about to take a connection from the pool
	returned atomic.Int64  // when a connection was last given back, in Unix nanoseconds
}

// Pool is what [Redis] needs of a pool of connections. *redis.Pool of
// github.com/gomodule/redigo and *redisc.Cluster of github.com/mna/redisc are
// such. The connections must implement redis.ConnWithTimeout.
type Pool interface {
	Get() redis.Conn
}

// NewRedis returns a store on the Redis, or the cluster, that pool leads to. The
// pool stays the caller's, to be closed when the store is no longer used.
func NewRedis(pool Pool) *Redis {
	r := &Redis{pool: pool, waiting: make(chan struct{}, 256)}
	type cluster interface {
		Refresh() error
		EachNode(replicas bool, fn func(address string, conn redis.Conn) error) error
	}
	if c, ok := pool.(cluster); ok {
		r.Bind = func(conn redis.Conn, keys ...string) error {
			if c, ok := conn.(interface{ Bind(keys ...string) error }); ok {
				return c.Bind(keys...)
			}
			return errors.New("connection of a cluster cannot be bound")
		}
		r.EachNode = func(replicas bool, fn func(string, redis.Conn) error) error {
			if err := c.Refresh(); err != nil { // else it knows only the nodes it was told of
				return err
			}
			return c.EachNode(replicas, fn)
		}
	}
	return r
}

func (r *Redis) prefix() string {
	if r.Prefix == "" {
		return "revoke:"
	}
	return r.Prefix
}

func (r *Redis) key(user string) string { return r.prefix() + user }

func (r *Redis) timeout() time.Duration {
	if r.Timeout <= 0 {
		return 2 * time.Second
	}
	return r.Timeout
}

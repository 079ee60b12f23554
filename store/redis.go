package store

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/gomodule/redigo/redis"
)

// Redis is a [Store] on Redis 6.2 or later, Valkey, or a cluster of either. Every method
// but RevokeEveryone and All is one round trip, and one command over one key. So it is
// atomic, on a cluster too.
//
// All that is kept of a user is in one hash, under Prefix and the user key. It has these
// fields:
//
//	s:<id>  a session, and d:<id> its data, as given, if any
//	t:<id>  a tombstone
//	o:<id>  until when the id cannot be created again
//	mark    what RevokeAll has left
//	count   how many fields s:<id> there are
//	order   the tombstones, the oldest revocation first
//
// lua/hash.lua says what is in them. The value of a session begins with a version; a
// version that this package does not know is an error. The key expires with the last of
// what it holds. If something expires sooner, it is invisible from then on, and later
// sign-ins delete it, a few fields each time. The time of the last RevokeEveryone is under
// Prefix alone, for good.
//
// Redis's own clock decides whether a session has expired. Only Find, List and All go by
// the clock of the caller.
//
// While Redis cannot be reached, no more than 256 calls wait for a connection to be
// dialled; the others wait for those. So give the pool a DialContext, or a Dial with
// a timeout of its own: a dial that hangs keeps its place until it ends.
//
// If Redis closes a connection that is idle in the pool, when it restarts for example, the
// next call that takes it fails. That call is not repeated, because it may have been carried
// out. A pool with TestOnBorrow avoids this.
//
// If Redis forgets a session, its user is signed out. There is one exception: if Redis goes
// on from an older state, sessions that were revoked since are live again. So if Redis
// restarts from its disk, use appendonly with appendfsync always, or no persistence. If a
// replica may take over, see Replicas. If Redis is out of memory, with the policy noeviction,
// sessions can be revoked and not created.
type Redis struct {
	// Prefix is what the keys begin with: "revoke:" if empty. All keys that begin
	// with it belong to this store, and RevokeEveryone deletes them.
	Prefix string

	// Timeout limits each call, from waiting for a connection and dialling to
	// reading the answer. If it is not positive, it is 2 seconds. RevokeEveryone and All
	// take many round trips: it limits each of them. If Timeout ends a call, that call may
	// have been carried out nevertheless.
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
	// Create does not wait: if the sessions that it evicts return, the one that it
	// creates is lost. What Find returns, and what Create refuses, may be known to the
	// primary alone.
	Replicas int

	// Bind, if not nil, ties a new connection to the node that has the keys, and
	// EachNode calls a function with a connection to each primary node. NewRedis
	// sets both if the pool is a *redisc.Cluster, or has what they need. If your cluster
	// is wrapped in something else, set them to redisc.BindConn and to the
	// cluster's method EachNode, and call its Refresh beforehand.
	//
	// If a user is just being moved to another node, a call for that user waits a quarter
	// of a second. RevokeEveryone may miss such users: repeat it when all have moved.
	Bind     func(conn redis.Conn, keys ...string) error
	EachNode func(replicas bool, fn func(address string, conn redis.Conn) error) error

	pool     Pool
	waiting  chan struct{} // has a place for each call that waits for a connection
	taking   atomic.Int64  // calls that are about to take a connection from the pool
	returned atomic.Int64  // when a connection was last given back, in Unix nanoseconds
}

// Pool is what [Redis] needs of a pool of connections. *redis.Pool of
// github.com/gomodule/redigo has it, and *redisc.Cluster of github.com/mna/redisc. The
// connections must implement redis.ConnWithTimeout.
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

package store

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gomodule/redigo/redis"
)

// Redis is a [Store] on Redis 6.2 or later, Valkey, or a cluster of either.
// Every method but RevokeEveryone is one round trip, and one command over one
// key, which is what makes it atomic on a cluster too.
//
// A user's sessions are the fields of one hash, under Prefix and the user key:
//
//	s:<id>  a session: secret expires created seen proved client
//	d:<id>  its data, as given, if any
//	t:<id>  a tombstone: secret expires created revoked by reason
//	order   the tombstones, the oldest revocation first: how many, before when
//	        none has expired, the latest revocation, and <length>:<id>, of each
//
// Secrets are hashes in base64url; times are seconds since 1970, to the
// nanosecond; the client is as given; "by" and "reason" are percent-encoded, and
// "-" where they are empty. The key expires with the last of what it holds. What
// expires sooner is invisible from then on, and deleted by later sign-ins, a few
// fields each time. Whether a session has expired is judged by the clock of the
// caller, and how long a key lasts by Redis's own: the two need not agree.
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
	// reading the answer: 2 seconds unless it is positive. RevokeEveryone, which
	// takes many round trips, it limits one by one. A call that it ends may have
	// been carried out nevertheless.
	Timeout time.Duration

	// Replicas is how many replicas must have a revocation before it is answered:
	// by Revoke, RevokeAll and, on each primary node, RevokeEveryone. It should be
	// as many as may take over. They have half the Timeout for it, and after that
	// the error is [ErrNotReplicated]. Zero means none: a replica that takes over
	// may have sessions that were revoked a moment before.
	//
	// To learn that such a revocation has become safe, repeat it. RevokeAll returns
	// no error, and Revoke ErrNotFound alone, when the replicas have what was
	// revoked before; until then the error is ErrNotReplicated too. On a cluster of
	// Redis or Valkey 7.2 or later, RevokeEveryone repeated cannot tell.
	//
	// Create does not wait: sessions that it evicts return only together with the
	// loss of the one that it creates.
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
	taking   atomic.Int64 // calls that are about to take a connection from the pool
	returned atomic.Int64 // when a connection was last given back, in Unix nanoseconds
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
	r := &Redis{pool: pool}
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

// Create implements [Store].
func (r *Redis) Create(ctx context.Context, rec Record, limit int) ([]Record, error) {
	now := time.Now()
	args := append([]any{rec.ID}, tombstoneArgs(Revocation{Reason: Evicted, By: rec.ID}, now)...)
	args = append(args, max(limit, 0), timeText(rec.ExpiresAt))
	args = append(args, fieldArgs(rec)...)
	return r.eval(ctx, "create session", createScript, rec.User, now, args...)
}

// Find implements [Store].
func (r *Redis) Find(ctx context.Context, user, id string) (Record, error) {
	if err := ctx.Err(); err != nil {
		return Record{}, err
	}
	rec, err := r.find(ctx, user, id)
	if err != nil && err != ErrNotFound && err != ErrRevoked {
		err = failed("find session", err)
	}
	return rec, err
}

func (r *Redis) find(ctx context.Context, user, id string) (Record, error) {
	key := r.key(user)
	reply, err := r.do(ctx, key, command{name: "HMGET", args: []any{key, "s:" + id, "d:" + id, "t:" + id}})
	if err != nil {
		return Record{}, err
	}
	fields, err := redis.ByteSlices(reply, nil)
	if err != nil || len(fields) != 3 {
		return Record{}, errUnexpected
	}
	now := time.Now()
	if text := fields[0]; text != nil {
		rec, err := parseSession(user, id, text, fields[1])
		if err != nil {
			return Record{}, err
		}
		if now.Before(rec.ExpiresAt) {
			return rec, nil
		}
	}
	if text := fields[2]; text != nil {
		rec, err := parseTombstone(user, id, text)
		if err != nil {
			return Record{}, err
		}
		if now.Before(rec.ExpiresAt) {
			return rec, ErrRevoked
		}
	}
	return Record{}, ErrNotFound
}

// Update implements [Store].
func (r *Redis) Update(ctx context.Context, rec Record, was Hash) error {
	args := append([]any{rec.ID, hashText(was), timeText(rec.ExpiresAt)}, fieldArgs(rec)...)
	_, err := r.eval(ctx, "update session", updateScript, rec.User, time.Now(), args...)
	return err
}

// Touch implements [Store].
func (r *Redis) Touch(ctx context.Context, user, id string, t Touch) error {
	args := []any{id, timeText(t.SeenAt), timeText(t.ExpiresAt)}
	if t.Client != nil {
		args = append(args, string(t.Client))
	}
	_, err := r.eval(ctx, "touch session", touchScript, user, time.Now(), args...)
	return err
}

// List implements [Store].
func (r *Redis) List(ctx context.Context, user string) ([]Record, error) {
	list, err := r.eval(ctx, "list sessions", listScript, user, time.Now())
	now := time.Now()
	return slices.DeleteFunc(list, func(rec Record) bool { return !now.Before(rec.ExpiresAt) }), err
}

// Revoke implements [Store].
func (r *Redis) Revoke(ctx context.Context, user, id string, why Revocation) (Record, error) {
	revoked, err := r.revoke(ctx, "revoke session", revokeScript, user, id, why)
	switch {
	case len(revoked) == 1:
		return revoked[0], err
	case err == nil:
		err = failed("revoke session", errUnexpected)
	}
	return Record{}, err
}

// RevokeAll implements [Store].
func (r *Redis) RevokeAll(ctx context.Context, user, keep string, why Revocation) ([]Record, error) {
	return r.revoke(ctx, "revoke all sessions", revokeAllScript, user, keep, why)
}

// RevokeEveryone implements [Store].
func (r *Redis) RevokeEveryone(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	each := r.EachNode
	if each == nil {
		if r.Bind != nil {
			return failed("revoke everyone", errors.New("EachNode is not set"))
		}
		each = func(_ bool, clear func(string, redis.Conn) error) error {
			conn, err := r.take(ctx, "")
			if err != nil {
				return err
			}
			defer conn.Close()
			return clear("", conn)
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stalled := time.AfterFunc(r.timeout(), func() { cancel(errTimeout) })
	defer stalled.Stop()
	_, err := abandonable(ctx, func() (any, error) {
		var failures, late error // of one node are no reason to spare the others
		err := each(false, func(_ string, conn redis.Conn) error {
			err := r.clear(conn, func() error {
				stalled.Reset(r.timeout())
				return context.Cause(ctx)
			})
			if errors.Is(err, ErrNotReplicated) {
				late = errors.Join(late, err)
			} else {
				failures = errors.Join(failures, err)
			}
			return nil
		})
		if err := errors.Join(failures, err); err != nil {
			return nil, err
		}
		return nil, late
	})
	return failed("revoke everyone", err)
}

// clear deletes all keys of this store from one node. It calls step before each
// round trip, and ends if that returns an error.
func (r *Redis) clear(conn redis.Conn, step func() error) error {
	do := func(name string, args ...any) ([]any, error) {
		if err := step(); err != nil {
			return nil, err
		}
		return redis.Values(redis.DoWithTimeout(conn, r.timeout(), name, args...))
	}
	pattern := globEscaper.Replace(r.prefix()) + "*"
	for cursor := "0"; ; {
		reply, err := do("SCAN", cursor, "MATCH", pattern, "COUNT", 1000)
		if err != nil {
			return err
		}
		var keys []string
		if _, err := redis.Scan(reply, &cursor, &keys); err != nil || len(reply) != 2 {
			return errUnexpected
		}
		for _, key := range keys { // one by one, because a cluster allows no command over several slots
			if err := conn.Send("UNLINK", key); err != nil {
				return err
			}
		}
		if len(keys) > 0 {
			replies, err := do("")
			if err != nil {
				return err
			}
			for _, reply := range replies {
				if err, ok := reply.(redis.Error); ok {
					return err
				}
			}
		}
		if cursor == "0" {
			if err := r.publish(conn, step, r.prefix()); err != nil || r.Replicas <= 0 {
				return err
			}
			if err := step(); err != nil {
				return err
			}
			have, err := redis.Int(redis.DoWithTimeout(conn, r.timeout(), "WAIT", r.Replicas, patience(r.timeout())))
			return enough(r.Replicas, have, err)
		}
	}
}

var globEscaper = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`)

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

// tombstoneArgs returns the arguments that say what a tombstone says.
func tombstoneArgs(why Revocation, now time.Time) []any {
	if why.At.IsZero() {
		why.At = now
	}
	return []any{timeText(why.At), timeText(why.At.Add(TombstoneLifetime)), tombstoneTail(why)}
}

// fieldArgs returns the arguments that are the fields of a session. They are
// copies, because an abandoned call may still be sending them.
func fieldArgs(rec Record) []any {
	if len(rec.Data) == 0 {
		return []any{sessionText(rec)}
	}
	return []any{sessionText(rec), string(rec.Data)}
}

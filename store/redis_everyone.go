package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gomodule/redigo/redis"
)

// RevokeEveryone implements [Store].
func (r *Redis) RevokeEveryone(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if r.Bind != nil && r.EachNode == nil {
		return failed("revoke everyone", errNoEachNode)
	}
	// This comes first, so that nobody who asks after their session has ended is told
	// that it has not happened.
	var late error
	_, err := r.do(ctx, r.prefix(), command{script: everyoneScript, replicas: r.Replicas})
	if errors.Is(err, ErrNotReplicated) {
		err, late = nil, err
	}
	if err == nil {
		err = r.onEachPrimary(ctx, func(w *walk, conn redis.Conn) error {
			err := r.clear(w, conn)
			if errors.Is(err, ErrNotReplicated) {
				err, late = nil, err
			}
			return err
		})
	}
	if err == nil {
		err = late
	}
	return failed("revoke everyone", err)
}

// RevokedEveryone implements [Store].
func (r *Redis) RevokedEveryone(ctx context.Context) (time.Time, error) {
	if err := ctx.Err(); err != nil {
		return time.Time{}, err
	}
	key := r.prefix()
	reply, err := r.do(ctx, key, command{name: "GET", args: []any{key}})
	if err != nil || reply == nil {
		return time.Time{}, failed("look up when everyone was revoked", err)
	}
	text, err := redis.Bytes(reply, nil)
	p := parser{rest: text}
	at := p.time()
	if err != nil || p.malformed || len(p.rest) > 0 {
		return time.Time{}, failed("look up when everyone was revoked", errUnexpected)
	}
	return at, nil
}

// clear deletes all keys of this store from one node, but the prefix.
func (r *Redis) clear(w *walk, conn redis.Conn) error {
	err := r.scan(w, conn, func(keys []string) error {
		for _, key := range keys { // one by one, because a cluster allows no command over several slots
			if err := conn.Send("UNLINK", key); err != nil {
				return err
			}
		}
		if err := w.step(); err != nil {
			return err
		}
		replies, err := redis.Values(redis.DoWithTimeout(conn, r.timeout(), ""))
		if err != nil {
			return err
		}
		for _, reply := range replies {
			if err, ok := reply.(redis.Error); ok {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := r.publish(conn, w.step, r.prefix()); err != nil || r.Replicas <= 0 {
		return err
	}
	return r.confirm(w, conn)
}

// confirm waits for the replicas of one node to have all that was written there. It
// writes something first, because a connection waits only for what it wrote itself,
// and on a cluster it has to find a key that is this node's.
func (r *Redis) confirm(w *walk, conn redis.Conn) error {
	const tries = 10_000
	for i := range tries {
		if err := w.step(); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(context.Background(), r.timeout())
		key := r.key(fmt.Sprint("\x00", i))
		_, err := command{script: writtenScript, replicas: r.Replicas}.on(ctx, conn, key)
		cancel()
		if !isError(err, "MOVED", "ASK", "TRYAGAIN") {
			return err
		}
		if i == 0 {
			nodes, err := redis.String(redis.DoWithTimeout(conn, r.timeout(), "CLUSTER", "NODES"))
			if err != nil || !hasSlots(nodes) {
				return err
			}
		}
	}
	return fmt.Errorf("%w: no key of the node was found", ErrNotReplicated)
}

// hasSlots reports whether the node that was asked for CLUSTER NODES has any keys to
// keep: a line is the node's id, address, flags and so on, and then its slots.
func hasSlots(nodes string) bool {
	for line := range strings.Lines(nodes) {
		if words := strings.Fields(line); len(words) > 2 && strings.Contains(words[2], "myself") {
			return len(words) > 8
		}
	}
	return true
}

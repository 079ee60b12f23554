package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/gomodule/redigo/redis"
)

// A command is what one call sends: a native command or a script.
type command struct {
	name   string
	args   []any
	script *script

	replicas int // that must have what the script has written; zero does not wait
}

// do makes one call over a user's key, within the limits of the store and of the
// context.
//
// Those limits are ours to keep, because dialling, TestOnBorrow and writing have
// none but what the application gave them. So the call is made in a goroutine,
// and left to itself when its time is over: it then sends nothing any more, and
// its connection goes back to the pool. The change of goroutines can take as long
// as Redis does, and is spared if nothing else can.
func (r *Redis) do(ctx context.Context, key string, c command) (any, error) {
	if taking := r.taking.Add(1); r.atHand(taking) && c.size() <= 16<<10 {
		return r.call(timely{ctx, time.Now().Add(r.timeout())}, key, c, func() {})
	}
	ctx, cancel := context.WithTimeoutCause(ctx, r.timeout(), errTimeout)
	defer cancel()
	select {
	case r.waiting <- struct{}{}:
	case <-ctx.Done():
		r.taking.Add(-1)
		return nil, over(ctx)
	}
	return abandonable(ctx, func() (any, error) {
		return r.call(ctx, key, c, func() { <-r.waiting })
	})
}

// A timely context has a deadline at which nobody is woken: that costs less, and is
// enough for a call that keeps the time itself.
type timely struct {
	context.Context
	deadline time.Time
}

// Deadline implements [context.Context].
func (t timely) Deadline() (time.Time, bool) {
	if sooner, ok := t.Context.Deadline(); ok && sooner.Before(t.deadline) {
		return sooner, true
	}
	return t.deadline, true
}

// call sends the command, and sends it again if it was not carried out because another
// node of a cluster is to do so, or will be in a moment. The pool has heard so too, but
// not everyone knows yet.
func (r *Redis) call(ctx context.Context, key string, c command, taken func()) (any, error) {
	reply, err := r.attempt(ctx, key, c, taken)
	for wait := time.Millisecond; wait < 200*time.Millisecond && isError(err, "MOVED", "ASK"); wait *= 2 {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, over(ctx)
		}
		r.taking.Add(1)
		reply, err = r.attempt(ctx, key, c, func() {})
	}
	return reply, err
}

// atHand reports whether that many connections can be taken from the pool and
// used without waiting, dialling or testing. Should others who share the pool be
// quicker, the limits of its Dial hold for once. A pool over a client of another kind
// may say so itself.
func (r *Redis) atHand(taking int64) bool {
	if p, ok := r.pool.(interface{ AtHand() bool }); ok {
		return p.AtHand()
	}
	p, ok := r.pool.(*redis.Pool)
	if !ok || p.TestOnBorrow != nil || p.TestOnBorrowContext != nil || p.MaxConnLifetime != 0 {
		return false
	}
	if limit := p.IdleTimeout; limit != 0 && time.Since(time.Unix(0, r.returned.Load())) > min(limit, time.Second)/2 {
		return false // the pool may find that all have been idle for too long
	}
	return int64(p.IdleCount()) >= taking
}

// abandonable returns what call returns, or an error when the context is done.
func abandonable(ctx context.Context, call func() (any, error)) (any, error) {
	type result struct {
		reply any
		err   error
	}
	done := make(chan result, 1)
	go func() {
		reply, err := call()
		done <- result{reply, err}
	}()
	select {
	case r := <-done:
		return r.reply, r.err
	case <-ctx.Done():
		return nil, over(ctx)
	}
}

// attempt sends the command on a connection from the pool, and calls taken when it
// waits for that no longer. The connection must be accounted for in taking.
func (r *Redis) attempt(ctx context.Context, key string, c command, taken func()) (any, error) {
	conn, err := r.take(ctx, key)
	r.taking.Add(-1)
	taken()
	if err != nil {
		return nil, err
	}
	defer func() {
		conn.Close()
		r.returned.Store(time.Now().UnixNano())
	}()
	return c.on(ctx, conn, key)
}

// on sends the command on a connection.
func (c command) on(ctx context.Context, conn redis.Conn, key string) (any, error) {
	if c.script == nil {
		return within(ctx, conn, c.name, c.args)
	}
	run := func(name, script string) (any, error) {
		args := append([]any{script, 1, key}, c.args...)
		if c.replicas > 0 {
			return replicated(ctx, conn, c.replicas, name, args)
		}
		return within(ctx, conn, name, args)
	}
	reply, err := run("EVALSHA", c.script.hash)
	if isError(err, "NOSCRIPT") { // Redis has not seen it since it started; nothing was carried out
		return run("EVAL", c.script.source)
	}
	return reply, err
}

// take returns a connection to the node that has the key.
func (r *Redis) take(ctx context.Context, key string) (conn redis.Conn, err error) {
	if p, ok := r.pool.(interface {
		GetContext(ctx context.Context) (redis.Conn, error)
	}); ok {
		conn, err = p.GetContext(ctx)
	} else {
		conn = r.pool.Get()
		err = conn.Err()
	}
	if err != nil {
		return nil, err
	}
	if r.Bind != nil {
		err = r.Bind(conn, key)
	}
	if err == nil && ctx.Err() != nil {
		err = over(ctx)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// within sends a command and reads the answer in the time that is left.
func within(ctx context.Context, conn redis.Conn, name string, args []any) (any, error) {
	deadline, _ := ctx.Deadline()
	left := time.Until(deadline)
	if left <= 0 {
		return nil, errTimeout
	}
	reply, err := redis.DoWithTimeout(conn, left, name, args...)
	return reply, inTime(err)
}

func inTime(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errTimeout
	}
	return err
}

func (c command) size() (n int) {
	for _, arg := range c.args {
		if s, ok := arg.(string); ok {
			n += len(s)
		}
	}
	return n
}

var (
	errTimeout    = fmt.Errorf("no answer from Redis in time: %w", context.DeadlineExceeded)
	errUnexpected = errors.New("unexpected answer from Redis")
)

// over returns why a context is done.
func over(ctx context.Context) error {
	if context.Cause(ctx) == errTimeout {
		return errTimeout
	}
	return ctx.Err()
}

// isError reports whether err is an answer of Redis with one of these codes.
func isError(err error, codes ...string) bool {
	var e redis.Error
	if !errors.As(err, &e) {
		return false
	}
	code, _, _ := strings.Cut(string(e), " ")
	return slices.Contains(codes, code)
}

// failed says what failed, if anything did.
func failed(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("store: %s: %w", doing, err)
}

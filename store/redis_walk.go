package store

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/gomodule/redigo/redis"
)

var errNoEachNode = errors.New("EachNode is not set")

// A walk is a call that takes many round trips. Each is limited by the Timeout, and
// so is the dialling before it.
type walk struct {
	ctx     context.Context
	stalled *time.Timer // ends the walk
	timeout time.Duration
}

// step is called before each round trip. It returns an error if the walk has ended.
func (w *walk) step() error {
	w.stalled.Reset(w.timeout)
	return context.Cause(w.ctx)
}

// rest is called before the walk waits for the caller, which may take any time.
func (w *walk) rest() { w.stalled.Stop() }

// onEachPrimary calls do with a connection to each primary node, one after the
// other, and returns what has failed.
func (r *Redis) onEachPrimary(ctx context.Context, do func(w *walk, conn redis.Conn) error) error {
	each := r.EachNode
	if each == nil {
		if r.Bind != nil {
			return errNoEachNode
		}
		each = func(_ bool, do func(string, redis.Conn) error) error {
			conn, err := r.take(ctx, "")
			if err != nil {
				return err
			}
			defer conn.Close()
			return do("", conn)
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w := &walk{ctx: ctx, timeout: r.timeout()}
	w.stalled = time.AfterFunc(w.timeout, func() { cancel(errTimeout) })
	defer w.stalled.Stop()
	_, err := abandonable(ctx, func() (any, error) {
		var failures error // of one node are no reason to spare the others
		err := each(false, func(_ string, conn redis.Conn) error {
			failures = errors.Join(failures, do(w, conn))
			return w.step()
		})
		return nil, errors.Join(failures, err)
	})
	return err
}

// scan calls do with the keys of users on one node, a few at a time.
func (r *Redis) scan(w *walk, conn redis.Conn, do func(keys []string) error) error {
	pattern := globEscaper.Replace(r.prefix()) + "*"
	for cursor := "0"; ; {
		if err := w.step(); err != nil {
			return err
		}
		reply, err := redis.DoWithTimeout(conn, r.timeout(), "SCAN", cursor, "MATCH", pattern, "COUNT", 1000)
		if err != nil {
			return err
		}
		var found [][]byte
		if cursor, found, err = scanned(reply); err != nil {
			return err
		}
		var keys []string
		for _, key := range found {
			if string(key) != r.prefix() {
				keys = append(keys, string(key))
			}
		}
		if len(keys) > 0 {
			if err := do(keys); err != nil {
				return err
			}
		}
		if cursor == "0" {
			return nil
		}
	}
}

var globEscaper = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`)

package store

import (
	"context"
	"iter"
	"time"

	"github.com/gomodule/redigo/redis"
)

// All implements [Store]. On a cluster it may miss the sessions of a user who is
// just being moved to another node.
func (r *Redis) All(ctx context.Context) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		if err := ctx.Err(); err != nil {
			yield(Record{}, err)
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		// A goroutine reads, because it can be left to itself if a call hangs. It is
		// one batch ahead at most.
		batches, done := make(chan []Record), make(chan error, 1)
		go func() {
			done <- r.onEachPrimary(ctx, func(w *walk, conn redis.Conn) error {
				return r.scan(w, conn, func(keys []string) error {
					for _, key := range keys {
						err := r.readUser(w, conn, key, batches)
						if err != nil && !isError(err, "MOVED", "ASK", "TRYAGAIN") {
							return err
						}
					}
					return nil
				})
			})
		}()
		for {
			select {
			case batch := <-batches:
				for _, rec := range batch {
					if !yield(rec, nil) {
						return
					}
				}
			case err := <-done:
				if err != nil {
					yield(Record{}, failed("read all sessions", err))
				}
				return
			}
		}
	}
}

// readUser sends the live sessions of one user, a few at a time.
func (r *Redis) readUser(w *walk, conn redis.Conn, key string, batches chan<- []Record) error {
	const few = 50
	for cursor := "0"; ; {
		if err := w.step(); err != nil {
			return err
		}
		reply, err := redis.DoWithTimeout(conn, w.timeout, "HSCAN", key, cursor, "MATCH", "s:*", "COUNT", 4*few)
		if err != nil {
			return err
		}
		var fields [][]byte
		if cursor, fields, err = scanned(reply); err != nil {
			return err
		}
		var ids []string
		for i := 0; i+1 < len(fields); i += 2 {
			ids = append(ids, string(fields[i][len("s:"):]))
		}
		for ; len(ids) > 0; ids = ids[min(few, len(ids)):] {
			if err := w.step(); err != nil {
				return err
			}
			batch, err := r.readSessions(conn, w.timeout, key, ids[:min(few, len(ids))])
			if err != nil {
				return err
			}
			w.rest()
			select {
			case batches <- batch:
			case <-w.ctx.Done():
				return context.Cause(w.ctx)
			}
		}
		if cursor == "0" {
			return nil
		}
	}
}

// readSessions returns those of a user's sessions that are live, each as it was at
// one moment.
func (r *Redis) readSessions(conn redis.Conn, timeout time.Duration, key string, ids []string) ([]Record, error) {
	args := []any{key}
	for _, id := range ids {
		args = append(args, "s:"+id, "d:"+id)
	}
	fields, err := redis.ByteSlices(redis.DoWithTimeout(conn, timeout, "HMGET", args...))
	if err != nil {
		return nil, err
	}
	if len(fields) != 2*len(ids) {
		return nil, errUnexpected
	}
	user, now := key[len(r.prefix()):], time.Now()
	var live []Record
	for i, id := range ids {
		if fields[2*i] == nil {
			continue // it has ended meanwhile
		}
		rec, err := parseSession(user, id, fields[2*i], fields[2*i+1])
		if err != nil {
			return nil, err
		}
		if now.Before(rec.ExpiresAt) {
			live = append(live, rec)
		}
	}
	return live, nil
}

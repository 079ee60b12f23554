package site

import (
	"fmt"
	"time"

	"github.com/alexedwards/scs/redisstore"
	"github.com/gomodule/redigo/redis"

	"github.com/revoke-sessions/revoke/store"
)

func openRedis(address string) *backend {
	pool := newPool(address)
	return &backend{
		sessions: store.NewRedis(pool),
		visitors: redisstore.New(pool),
		erase: func(user, id string) error {
			conn := pool.Get()
			defer conn.Close()
			_, err := conn.Do("HDEL", "revoke:"+user, "t:"+id)
			return err
		},
		conns: func() (open, idle int) {
			stats := pool.Stats()
			return stats.ActiveCount, stats.IdleCount
		},
	}
}

// newPool returns a pool that is sure of a connection before it hands it out,
// unless it was in use a moment ago: after a restart of Redis no request is lost
// to a connection that lay idle.
func newPool(address string) *redis.Pool {
	return &redis.Pool{
		MaxIdle:     32,
		IdleTimeout: time.Minute,
		Dial: func() (redis.Conn, error) {
			return redis.Dial("tcp", address, redis.DialConnectTimeout(time.Second),
				redis.DialReadTimeout(2*time.Second), redis.DialWriteTimeout(2*time.Second))
		},
		TestOnBorrow: func(conn redis.Conn, since time.Time) error {
			if time.Since(since) < 200*time.Millisecond {
				return nil
			}
			if _, err := conn.Do("PING"); err != nil {
				return fmt.Errorf("site: idle connection: %w", err)
			}
			return nil
		},
	}
}

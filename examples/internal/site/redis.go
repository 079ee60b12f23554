package site

import (
	"fmt"
	"time"

	"github.com/gomodule/redigo/redis"
)

// RedisPool returns a pool in which nothing waits for Redis for ever.
func RedisPool(address string) *redis.Pool {
	return &redis.Pool{
		MaxIdle:     10,
		IdleTimeout: 4 * time.Minute,
		Dial: func() (redis.Conn, error) {
			return redis.Dial("tcp", address,
				redis.DialConnectTimeout(time.Second),
				redis.DialReadTimeout(time.Second),
				redis.DialWriteTimeout(time.Second))
		},
	}
}

// CheckRedis returns an error that says how to start a Redis, if none answers.
func CheckRedis(pool *redis.Pool, address string) error {
	conn := pool.Get()
	defer conn.Close()
	if _, err := conn.Do("PING"); err != nil {
		return fmt.Errorf(`no Redis answers at %s: %w
Start one and try again:
  redis-server --save ''
  docker run --rm -p 6379:6379 redis:7
or name another with -redis host:port`, address, err)
	}
	return nil
}

package store_test

import (
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/revoke-sessions/revoke/store"
)

// Sessions on Redis. Nothing waits for it for ever.
func ExampleNewRedis() {
	pool := &redis.Pool{
		MaxIdle:     10,
		IdleTimeout: 4 * time.Minute,
		Dial: func() (redis.Conn, error) {
			return redis.Dial("tcp", "localhost:6379",
				redis.DialConnectTimeout(time.Second),
				redis.DialReadTimeout(time.Second),
				redis.DialWriteTimeout(time.Second))
		},
	}
	st := store.NewRedis(pool)
	st.Replicas = 1 // each revocation is answered when a replica has it

	limiter := store.NewRedisLimiter(pool, 10, time.Minute) // for Manager.Limiter: one for all processes
	_ = limiter
}

// Asking from memory for up to a second. Each revocation waits that long.
func ExampleLease() {
	var pool *redis.Pool
	st := store.Lease(store.NewRedis(pool), time.Second) // for revoke.New, and for revoke.LiveIn
	_ = st
}

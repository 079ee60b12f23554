package store

import (
	"context"
	"time"

	"github.com/gomodule/redigo/redis"
)

// RedisLimiter is a limit that all nodes share, on how often something is done under a
// key. It is for revoke.Manager's Limiter. Each call is one round trip: one script over one
// key, by the clock of Redis. A key expires when the limit is as good as unused. It is safe
// for concurrent use.
type RedisLimiter struct {
	// Prefix is what the keys begin with: "revoke-limit:" if empty.
	Prefix string

	// Timeout limits each call, from waiting for a connection to reading the
	// answer: 2 seconds unless it is positive.
	Timeout time.Duration

	redis *Redis
	cost  time.Duration
	burst int
}

// NewRedisLimiter returns a limiter, on the Redis or the cluster that pool leads
// to, that allows n at once, and n more, evenly spread, in each period. Below one
// it allows none but the first.
func NewRedisLimiter(pool Pool, n int, per time.Duration) *RedisLimiter {
	n = max(n, 1)
	redis := NewRedis(pool)
	redis.Timeout = time.Hour // Allow sets its own
	return &RedisLimiter{redis: redis, cost: max(per/time.Duration(n), time.Microsecond), burst: n}
}

var limitScript = newScript("limit")

// Allow counts a request under key. It returns zero if the request is within
// the limit, and otherwise how long to wait before the next.
func (l *RedisLimiter) Allow(ctx context.Context, key string) (wait time.Duration, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	prefix := l.Prefix
	if prefix == "" {
		prefix = "revoke-limit:"
	}
	timeout := l.Timeout
	if timeout <= 0 {
		timeout = 2 * time.Second
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, errTimeout)
	defer cancel()
	reply, err := l.redis.do(ctx, prefix+key, command{script: limitScript, args: []any{l.cost.Microseconds(), l.burst}})
	micros, err := redis.Int64(reply, err)
	return time.Duration(micros) * time.Microsecond, failed("limit", err)
}

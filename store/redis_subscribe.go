package store

import (
	"context"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/gomodule/redigo/redis"
)

// endedChannel is where the scripts publish the keys of users whose sessions
// have ended. It is the same for all prefixes and databases: a notice is only a
// reason to look.
const endedChannel = "revoke:ended"

const (
	pingInterval = 3 * time.Second // a connection that is dead is noticed soon after
	minBackoff   = 50 * time.Millisecond
	maxBackoff   = 2 * time.Second
)

// Subscribe implements [Subscriber], with one connection of the pool. If that
// connection is lost without a sign, Subscribe notices within 3 seconds
// plus the Timeout. When Redis is back, Subscribe has a new connection within 2 seconds. Each
// dead connection that the pool still holds adds up to one Timeout to that.
//
// A Redis user with restricted rights needs the channel revoke:ended.
func (r *Redis) Subscribe(ctx context.Context, ended func(user string)) {
	backoff := minBackoff
	for ctx.Err() == nil {
		r.listen(ctx, func(user string) {
			backoff = minBackoff
			ended(user)
		})
		select {
		case <-ctx.Done():
		case <-time.After(backoff/2 + rand.N(backoff/2)): // not all processes at once
		}
		backoff = min(2*backoff, maxBackoff)
	}
}

// listen subscribes once, and returns when the subscription is over.
func (r *Redis) listen(ctx context.Context, ended func(user string)) {
	taking, cancel := context.WithTimeout(ctx, r.timeout())
	r.taking.Add(1)
	conn, err := r.take(taking, "")
	r.taking.Add(-1)
	cancel()
	if err != nil {
		return
	}
	subscription := redis.PubSubConn{Conn: conn}
	err = subscription.Subscribe(endedChannel)
	over, silent := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(silent)
		ping := time.NewTicker(pingInterval)
		defer ping.Stop()
		for err == nil {
			select {
			case <-over:
				return
			case <-ctx.Done():
				err = subscription.Unsubscribe()
				return
			case <-ping.C:
				err = subscription.Ping("")
			}
		}
	}()
	defer func() {
		close(over)
		go func() { // to give a subscribed connection back is to wait for Redis
			<-silent
			subscription.Close()
		}()
	}()
	for patience := r.timeout(); ; patience = pingInterval + r.timeout() {
		switch v := subscription.ReceiveWithTimeout(patience).(type) {
		case error:
			return
		case redis.Subscription:
			if v.Count == 0 {
				return
			}
			ended("")
		case redis.Message:
			if user, ok := strings.CutPrefix(string(v.Data), r.prefix()); ok {
				ended(user)
			}
		}
	}
}

// publish tells of all users at once if key is the prefix. That it is refused, for
// want of leave to publish, must not make a revocation look undone.
func (r *Redis) publish(conn redis.Conn, step func() error, key string) error {
	if err := step(); err != nil {
		return err
	}
	_, err := redis.DoWithTimeout(conn, r.timeout(), "PUBLISH", endedChannel, key)
	if isError(err, "NOPERM") {
		return nil
	}
	return err
}

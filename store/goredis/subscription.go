package goredis

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// subscribe carries out a command that begins a subscription or belongs to the one
// there is, and reports whether it was one.
func (c *conn) subscribe(name string, args []any) (isSubscription bool, err error) {
	ctx := context.Background()
	texts := make([]string, len(args))
	for i, arg := range args {
		texts[i] = fmt.Sprint(arg)
	}
	name = strings.ToUpper(name)
	if c.subscription == nil {
		if name != "SUBSCRIBE" {
			return false, nil
		}
		c.subscription = c.node.Subscribe(ctx)
	}
	switch name {
	case "SUBSCRIBE":
		return true, c.subscription.Subscribe(ctx, texts...)
	case "UNSUBSCRIBE":
		return true, c.subscription.Unsubscribe(ctx, texts...)
	case "PING":
		return true, c.subscription.Ping(ctx, texts...)
	}
	return true, fmt.Errorf("goredis: %s in a subscription", name)
}

// receiveMessage returns the next message as redigo has it.
func (c *conn) receiveMessage(timeout time.Duration) (any, error) {
	message, err := c.subscription.ReceiveTimeout(context.Background(), timeout)
	if err != nil {
		return nil, c.fail(err)
	}
	switch m := message.(type) {
	case *redis.Subscription:
		return []any{[]byte(m.Kind), []byte(m.Channel), int64(m.Count)}, nil
	case *redis.Message:
		return []any{[]byte("message"), []byte(m.Channel), []byte(m.Payload)}, nil
	case *redis.Pong:
		return []any{[]byte("pong"), []byte(m.Payload)}, nil
	}
	return nil, c.fail(fmt.Errorf("goredis: unexpected %T", message))
}

package goredis

import (
	"context"
	"errors"
	"slices"
	"time"

	redigo "github.com/gomodule/redigo/redis"
	"github.com/redis/go-redis/v9"
)

// A conn is to redigo what a connection is. It has none of its own: each command, and
// each burst of commands, takes one from the client and gives it back, but for a
// subscription.
type conn struct {
	node  *redis.Client // nil until it is bound to one
	stale func()        // is called if the nodes of a cluster may have changed; may be nil

	sent         []redis.Cmder // and not flushed
	flushed      []redis.Cmder // and not carried out
	done         []redis.Cmder // and not received
	subscription *redis.PubSub
	err          error // that a connection failed with
}

var _ redigo.ConnWithTimeout = (*conn)(nil)

// A command is carried out once at most.
type command struct{ *redis.Cmd }

// NoRetry keeps the client from sending the command again when the answer is lost.
func (command) NoRetry() bool { return true }

func newCommand(name string, args []any) command {
	return command{redis.NewCmd(context.Background(), append([]any{name}, args...)...)}
}

// Err returns the error of a connection that has failed.
func (c *conn) Err() error { return c.err }

// Close ends a subscription.
func (c *conn) Close() error {
	if c.subscription == nil {
		return nil
	}
	return c.subscription.Close()
}

// Do carries out a command in the time that the client allows.
func (c *conn) Do(name string, args ...any) (any, error) {
	return c.DoWithTimeout(0, name, args...)
}

// DoWithTimeout carries out what was sent before, and then a command, and returns its
// answer. If name is empty, it returns the answers to what was sent before. It waits no
// longer than the timeout or, if that is less, than the ReadTimeout of the client; zero
// stands for the latter.
func (c *conn) DoWithTimeout(timeout time.Duration, name string, args ...any) (any, error) {
	burst := append(c.flushed, c.sent...)
	c.sent, c.flushed = nil, nil
	if name != "" {
		burst = append(burst, newCommand(name, args))
	}
	if err := c.run(timeout, burst); err != nil {
		return nil, err
	}
	if name == "" {
		answers := make([]any, len(burst))
		for i, cmd := range burst {
			answer, err := c.answer(cmd)
			if c.err != nil {
				return nil, c.err
			}
			if err != nil {
				answer = err
			}
			answers[i] = answer
		}
		return answers, nil
	}
	var first error
	for i, cmd := range burst {
		answer, err := c.answer(cmd)
		if first == nil {
			first = err
		}
		if i == len(burst)-1 {
			return answer, first
		}
	}
	return nil, nil
}

// Send notes a command. One of a subscription it carries out at once.
func (c *conn) Send(name string, args ...any) error {
	if c.node == nil {
		return errNotBound
	}
	if isSubscription, err := c.subscribe(name, args); isSubscription {
		return c.fail(err)
	}
	c.sent = append(c.sent, newCommand(name, args))
	return nil
}

// Flush has what was sent carried out when the first answer is received, since only
// then it is known how long that may take.
func (c *conn) Flush() error {
	c.flushed = append(c.flushed, c.sent...)
	c.sent = nil
	return nil
}

// Receive returns the next answer, or what the next message says.
func (c *conn) Receive() (any, error) { return c.ReceiveWithTimeout(0) }

// ReceiveWithTimeout returns the next answer, or what the next message says.
func (c *conn) ReceiveWithTimeout(timeout time.Duration) (any, error) {
	if c.subscription != nil {
		return c.receiveMessage(timeout)
	}
	if len(c.done) == 0 {
		if len(c.flushed) == 0 {
			return nil, errors.New("goredis: no answer is due")
		}
		burst := c.flushed
		c.flushed = nil
		if err := c.run(timeout, burst); err != nil {
			return nil, err
		}
		c.done = burst
	}
	next := c.done[0]
	c.done = c.done[1:]
	return c.answer(next)
}

// run carries out commands, over one connection and in one burst. The outcome is in
// the commands.
func (c *conn) run(timeout time.Duration, burst []redis.Cmder) error {
	if c.err != nil || len(burst) == 0 {
		return c.err
	}
	if c.node == nil {
		return errNotBound
	}
	node := c.node
	if patience := node.Options().ReadTimeout; patience > 0 && timeout > patience {
		node = node.WithTimeout(timeout)
	}
	ctx := context.Background()
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	if len(burst) == 1 {
		node.Process(ctx, burst[0])
		return nil
	}
	_, err := node.Pipelined(ctx, func(p redis.Pipeliner) error {
		return p.BatchProcess(ctx, burst...)
	})
	if err != nil && !slices.ContainsFunc(burst, func(cmd redis.Cmder) bool { return cmd.Err() != nil }) {
		return c.fail(err) // a hook did not let them through
	}
	return nil
}

// answer returns the answer to a command as redigo would.
func (c *conn) answer(cmd redis.Cmder) (any, error) {
	answer, err := cmd.(command).Result()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	var refused redis.Error
	if errors.As(err, &refused) {
		if redis.HasErrorPrefix(err, "MOVED") || redis.HasErrorPrefix(err, "READONLY") {
			c.refresh()
		}
		return nil, redigo.Error(refused.Error())
	}
	if err != nil && answer == nil { // else the error is that of a command behind it in the burst
		c.refresh()
		return nil, c.fail(err)
	}
	return converted(answer), nil
}

func (c *conn) refresh() {
	if c.stale != nil {
		c.stale()
	}
}

// fail notes that a connection has failed.
func (c *conn) fail(err error) error {
	if err != nil && c.err == nil {
		c.err = err
	}
	return err
}

// converted returns an answer of go-redis as redigo has it.
func converted(answer any) any {
	switch answer := answer.(type) {
	case string:
		return []byte(answer)
	case []any:
		for i, element := range answer {
			answer[i] = converted(element)
		}
	case error:
		return redigo.Error(answer.Error())
	}
	return answer
}

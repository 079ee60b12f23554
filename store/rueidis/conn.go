package rueidis

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	redigo "github.com/gomodule/redigo/redis"
	"github.com/redis/rueidis"
)

// A conn is to redigo what a connection is. It has none of its own: a command shares
// one with those of others, and a burst of commands takes one for itself and gives it
// back, as a subscription does.
type conn struct {
	client rueidis.Client
	health *health // of the client; may be nil
	key    string  // that says to which node of a cluster the commands go
	bound  bool    // whether there is such a key

	sent         []request // and not flushed
	flushed      []request // and not carried out
	done         []rueidis.RedisResult
	subscription *subscription
	err          error // that a connection failed with
}

var _ redigo.ConnWithTimeout = (*conn)(nil)

// A request is a command that is not sent yet.
type request struct {
	name string
	args []string
}

func newRequest(name string, args []any) request {
	r := request{name: name, args: make([]string, len(args))}
	for i, arg := range args {
		switch arg := arg.(type) {
		case string:
			r.args[i] = arg
		case []byte:
			r.args[i] = string(arg)
		case int:
			r.args[i] = strconv.Itoa(arg)
		default:
			r.args[i] = fmt.Sprint(arg)
		}
	}
	return r
}

// command returns the request as the client has it.
func (c *conn) command(r request, alone bool) rueidis.Completed {
	arbitrary := c.client.B().Arbitrary(r.name).Args(r.args...)
	var built rueidis.Completed
	if alone {
		built = arbitrary.Blocking() // so that the client grants it the whole time
	} else {
		built = arbitrary.Build()
	}
	if c.bound {
		built = built.SetSlot(c.key)
	}
	return built
}

// Err returns the error of a connection that has failed.
func (c *conn) Err() error { return c.err }

// Close ends a subscription.
func (c *conn) Close() error {
	if c.subscription != nil {
		c.subscription.close()
	}
	return nil
}

// Do carries out a command in the time that the client allows.
func (c *conn) Do(name string, args ...any) (any, error) {
	return c.DoWithTimeout(0, name, args...)
}

// DoWithTimeout carries out what was sent before, and then a command, and returns its
// answer. If name is empty, it returns the answers to what was sent before. A timeout
// of zero is as long as the client allows.
func (c *conn) DoWithTimeout(timeout time.Duration, name string, args ...any) (any, error) {
	if name != "" && len(c.flushed)+len(c.sent) == 0 {
		return c.answer(c.runOne(timeout, newRequest(name, args)))
	}
	burst := append(c.flushed, c.sent...)
	c.sent, c.flushed = nil, nil
	if name != "" {
		burst = append(burst, newRequest(name, args))
	}
	results := c.run(timeout, burst)
	answers := make([]any, len(results))
	var last any
	var first error
	for i, result := range results {
		answer, err := c.answer(result)
		if c.err != nil {
			return nil, c.err
		}
		last, answers[i] = answer, answer
		if err != nil {
			answers[i] = err
			if first == nil {
				first = err
			}
		}
	}
	if name == "" {
		return answers, nil
	}
	return last, first
}

// Send notes a command. One of a subscription it carries out at once.
func (c *conn) Send(name string, args ...any) error {
	r := newRequest(name, args)
	if isSubscription, err := c.subscribe(r); isSubscription {
		return c.fail(err)
	}
	c.sent = append(c.sent, r)
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
		answer, err := c.subscription.next(timeout)
		return answer, c.fail(err)
	}
	if len(c.done) == 0 {
		if len(c.flushed) == 0 {
			return nil, errors.New("rueidis: no answer is due")
		}
		burst := c.flushed
		c.flushed = nil
		c.done = c.run(timeout, burst)
	}
	next := c.done[0]
	c.done = c.done[1:]
	return c.answer(next)
}

// run carries out requests.
func (c *conn) run(timeout time.Duration, burst []request) []rueidis.RedisResult {
	switch len(burst) {
	case 0:
		return nil
	case 1:
		return []rueidis.RedisResult{c.runOne(timeout, burst[0])}
	}
	results := c.runAlone(c.client, timeout, burst)
	if refused, ok := rueidis.IsRedisErr(results[0].Error()); ok && c.bound {
		// The client finds out about the new node within a second, and until then would
		// go on asking the old one.
		if address, moved := refused.IsMoved(); moved && c.client.Nodes()[address] != nil {
			return c.runAlone(c.client.Nodes()[address], timeout, burst)
		}
	}
	return results
}

// runOne carries out one request, together with those of others.
func (c *conn) runOne(timeout time.Duration, r request) rueidis.RedisResult {
	ctx := context.Background()
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	if c.health == nil {
		return c.client.Do(ctx, c.command(r, false))
	}
	c.health.begin()
	result := c.client.Do(ctx, c.command(r, false))
	c.health.end(result.NonRedisError() != nil)
	return result
}

// runAlone carries out requests over one connection that nobody else uses meanwhile,
// and on one node. The client itself would repeat one of them on another node, and so
// wait for the replicas of the wrong one.
func (c *conn) runAlone(client rueidis.Client, timeout time.Duration, burst []request) []rueidis.RedisResult {
	commands := make([]rueidis.Completed, len(burst))
	for i, r := range burst {
		commands[i] = c.command(r, true)
	}
	// If the context had a deadline, the client would keep none of the answers when the
	// connection is lost before the last.
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if timeout > 0 {
		defer time.AfterFunc(timeout, cancel).Stop()
	}
	alone, release := client.Dedicate()
	defer release()
	results := alone.DoMulti(ctx, commands...)
	if ctx.Err() != nil {
		alone.Close() // answers are still due there
	}
	return results
}

// answer returns an answer as redigo has it.
func (c *conn) answer(result rueidis.RedisResult) (any, error) {
	message, err := result.ToMessage()
	if refused, ok := rueidis.IsRedisErr(err); ok {
		if refused.IsNil() {
			return nil, nil
		}
		return nil, redigo.Error(refused.Error())
	}
	if errors.Is(err, context.Canceled) {
		err = fmt.Errorf("rueidis: no answer: %w", os.ErrDeadlineExceeded)
	}
	if err != nil {
		return nil, c.fail(err)
	}
	return converted(message)
}

// fail notes that a connection has failed.
func (c *conn) fail(err error) error {
	if err != nil && c.err == nil {
		c.err = err
	}
	return err
}

// converted returns a message as redigo has it.
func converted(m rueidis.RedisMessage) (any, error) {
	switch {
	case m.IsNil():
		return nil, nil
	case m.IsInt64():
		return m.ToInt64()
	case m.IsString():
		return m.AsBytes()
	case m.IsArray():
		elements, err := m.ToArray()
		if err != nil {
			return nil, err
		}
		answers := make([]any, len(elements))
		for i, element := range elements {
			if answers[i], err = converted(element); err != nil {
				answers[i] = err
			}
		}
		return answers, nil
	}
	if err := m.Error(); err != nil {
		return nil, redigo.Error(err.Error())
	}
	return m.ToAny()
}

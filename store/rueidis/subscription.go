package rueidis

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

// A subscription has a connection of its own, whose messages it passes on.
type subscription struct {
	client   rueidis.DedicatedClient
	release  func()
	messages chan []any
	lost     <-chan error  // is closed when there are no more messages
	over     chan struct{} // is closed when nobody takes them any more
}

func newSubscription(client rueidis.Client) *subscription {
	s := &subscription{messages: make(chan []any, 64), over: make(chan struct{})}
	s.client, s.release = client.Dedicate()
	s.lost = s.client.SetPubSubHooks(rueidis.PubSubHooks{
		OnMessage: func(m rueidis.PubSubMessage) {
			s.pass([]any{[]byte("message"), []byte(m.Channel), []byte(m.Message)})
		},
		OnSubscription: func(m rueidis.PubSubSubscription) {
			s.pass([]any{[]byte(m.Kind), []byte(m.Channel), m.Count})
		},
	})
	return s
}

// pass holds up the connection while there are many messages that nobody has taken.
func (s *subscription) pass(message []any) {
	select {
	case s.messages <- message:
	case <-s.over:
	}
}

// next returns the next message as redigo has it.
func (s *subscription) next(timeout time.Duration) (any, error) {
	var late <-chan time.Time
	if timeout > 0 {
		timer := time.NewTimer(timeout)
		defer timer.Stop()
		late = timer.C
	}
	select {
	case message := <-s.messages:
		return message, nil
	default:
	}
	select {
	case message := <-s.messages:
		return message, nil
	case err := <-s.lost:
		if err == nil {
			err = rueidis.ErrClosing
		}
		return nil, err
	case <-late:
		return nil, fmt.Errorf("rueidis: no message: %w", os.ErrDeadlineExceeded)
	}
}

func (s *subscription) close() {
	close(s.over)
	s.client.Close()
	s.release()
}

// subscribe carries out a request that begins a subscription or belongs to the one
// there is, and reports whether it was one.
func (c *conn) subscribe(r request) (isSubscription bool, err error) {
	name := strings.ToUpper(r.name)
	if c.subscription == nil {
		if name != "SUBSCRIBE" {
			return false, nil
		}
		c.subscription = newSubscription(c.client)
	}
	s := c.subscription
	ctx, b := context.Background(), s.client.B()
	switch name {
	case "SUBSCRIBE":
		return true, s.client.Do(ctx, b.Subscribe().Channel(r.args...).Build()).Error()
	case "UNSUBSCRIBE":
		return true, s.client.Do(ctx, b.Unsubscribe().Channel(r.args...).Build()).Error()
	case "PING":
		err := s.client.Do(ctx, b.Ping().Build()).Error()
		if err == nil {
			s.pass([]any{[]byte("pong"), []byte(nil)})
		}
		return true, err
	}
	return true, fmt.Errorf("rueidis: %s in a subscription", name)
}

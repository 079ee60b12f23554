package sqlstore

import (
	"context"
	"encoding/hex"
	"math/rand/v2"
	"sync"
	"time"
)

// channel is where PostgreSQL tells whose sessions have ended: the user key in
// hexadecimal, or nothing for any user.
const channel = "revoke_ended"

const (
	minBackoff = 50 * time.Millisecond
	maxBackoff = 2 * time.Second
)

// Subscribe implements [store.Subscriber]. With SQLite it hears what this Store
// ends, and nothing of other processes: they are not told of. With PostgreSQL it
// hears of all nodes if Listen is set. Otherwise it never calls ended, so that
// Manager.Watch asks every 5 seconds.
func (s *Store) Subscribe(ctx context.Context, ended func(user string)) {
	switch {
	case s.dialect == SQLite:
		s.notices.subscribe(ctx, ended)
	case s.notifies():
		s.listen(ctx, ended)
	default:
		<-ctx.Done()
	}
}

// notifies reports whether the database sends notices.
func (s *Store) notifies() bool { return s.dialect == Postgres && s.Listen != nil }

// listen listens until ctx is done, again and again.
func (s *Store) listen(ctx context.Context, ended func(user string)) {
	backoff := minBackoff
	for ctx.Err() == nil {
		s.Listen(ctx, channel, func(payload string) {
			backoff = minBackoff
			user, err := hex.DecodeString(payload)
			if err != nil {
				user = nil // it is not ours, so anything may have happened
			}
			ended(string(user))
		})
		select {
		case <-ctx.Done():
		case <-time.After(backoff/2 + rand.N(backoff/2)): // not all processes at once
		}
		backoff = min(2*backoff, maxBackoff)
	}
}

// notices passes on, within one process, whose sessions have ended.
type notices struct {
	mu          sync.Mutex
	subscribers map[*subscription]struct{}
}

// A subscription collects users while its subscriber is busy.
type subscription struct {
	users map[string]struct{}
	wake  chan struct{}
}

func (n *notices) publish(user string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for s := range n.subscribers {
		s.users[user] = struct{}{}
		select {
		case s.wake <- struct{}{}:
		default: // it will see this one, too, when it wakes
		}
	}
}

func (n *notices) subscribe(ctx context.Context, ended func(user string)) {
	s := &subscription{users: map[string]struct{}{"": {}}, wake: make(chan struct{}, 1)}
	s.wake <- struct{}{}
	n.mu.Lock()
	if n.subscribers == nil {
		n.subscribers = make(map[*subscription]struct{})
	}
	n.subscribers[s] = struct{}{}
	n.mu.Unlock()
	defer func() {
		n.mu.Lock()
		delete(n.subscribers, s)
		n.mu.Unlock()
	}()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		}
		n.mu.Lock()
		users := s.users
		s.users = make(map[string]struct{})
		n.mu.Unlock()
		for user := range users {
			ended(user)
		}
	}
}

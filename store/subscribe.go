package store

import (
	"context"
	"sync"
)

// A Subscriber is a [Store] that tells when sessions end before they expire.
type Subscriber interface {
	// Subscribe calls ended with a user key after sessions of that user were
	// revoked or evicted, on whatever node. It calls ended with the empty string if
	// any session may have ended: when the subscription begins, when it begins again
	// after notices may have been lost, and after RevokeEveryone. A caller who then
	// looks up each session that it watches misses no end, but may learn of it late.
	//
	// Calls to ended do not overlap. However long they take, no revocation waits for
	// them. Subscribe returns when ctx is done, and not before.
	Subscribe(ctx context.Context, ended func(user string))
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

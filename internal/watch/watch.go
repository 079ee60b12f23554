// Package watch notices when sessions end, for what goes on after its request was let in.
package watch

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

const (
	// interval is how often those watched sessions are looked up that may have
	// expired, that could not be looked up before, or whose store does not tell.
	interval = 5 * time.Second

	// recheck is how often, on average, any other watched session is looked up,
	// because a notice may never be sent: Redis publishes nothing for a user who
	// may not publish, and revokes all the same.
	recheck = time.Minute

	// maxLookups bounds the look-ups that run at once.
	maxLookups = 16
)

// A Watch has the watched sessions of a process. While there are any, one
// goroutine hears for all of them which have ended. It is safe for concurrent use.
type Watch struct {
	store store.Store

	mu       sync.Mutex
	sessions map[string]map[string]*session // by user key and id
	running  bool
}

type name struct{ user, id string }

type session struct {
	due      time.Time // when to look again, if no notice comes before
	watchers map[*watcher]struct{}
}

// A watcher is one call of Add.
type watcher struct {
	name  name
	ended func(store.Record, error)
}

// New returns a Watch of the sessions in st. If st, or what it decorates, is a
// [store.Subscriber], the end of a session is heard of at once.
func New(st store.Store) *Watch {
	return &Watch{store: st, sessions: make(map[string]map[string]*session)}
}

// Add watches a live session until it ends or remove is called. When it ends,
// ended is called, once, with what the store's Find returns: the tombstone and
// [store.ErrRevoked], or [store.ErrNotFound]. If the session may have ended
// before, call Look.
func (w *Watch) Add(live store.Record, ended func(store.Record, error)) (remove func()) {
	x := &watcher{name{live.User, live.ID}, ended}
	w.mu.Lock()
	defer w.mu.Unlock()
	user := w.sessions[live.User]
	if user == nil {
		user = make(map[string]*session, 1)
		w.sessions[live.User] = user
	}
	s := user[live.ID]
	if s == nil {
		s = &session{due: nextLook(live.ExpiresAt), watchers: make(map[*watcher]struct{}, 1)}
		user[live.ID] = s
	}
	s.watchers[x] = struct{}{}
	if !w.running {
		w.running = true
		go w.run()
	}
	return func() { w.remove(x) }
}

func (w *Watch) remove(x *watcher) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s := w.sessions[x.name.user][x.name.id]; s != nil {
		if delete(s.watchers, x); len(s.watchers) == 0 {
			w.forget(x.name)
		}
	}
}

// forget is called with the lock held.
func (w *Watch) forget(of name) {
	if delete(w.sessions[of.user], of.id); len(w.sessions[of.user]) == 0 {
		delete(w.sessions, of.user)
	}
}

// run hears of the end of sessions until none is watched.
func (w *Watch) run() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var stands atomic.Bool // the subscription
	if subscriber := subscriberOf(w.store); subscriber != nil {
		go subscriber.Subscribe(ctx, func(user string) {
			stands.Store(true)
			if user == "" {
				w.lookAll(ctx, w.due(endOfTime))
			} else {
				w.lookAll(ctx, w.ofUser(user))
			}
		})
	}
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for now := range tick.C {
		if w.stopIfIdle() {
			return
		}
		if !stands.Load() {
			now = endOfTime // nobody tells, so all are due
		}
		w.lookAll(ctx, w.due(now))
	}
}

// stopIfIdle reports whether nothing is watched. Then run ends, and the next Add
// starts another. A run waits for this, so that watches that follow one another,
// as when a page is loaded again, share one subscription.
func (w *Watch) stopIfIdle() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running = len(w.sessions) > 0
	return !w.running
}

// endOfTime is later than any session is due.
var endOfTime = time.Unix(1<<60, 0)

func (w *Watch) ofUser(user string) (names []name) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id := range w.sessions[user] {
		names = append(names, name{user, id})
	}
	return names
}

// due returns the sessions that are to be looked up by then.
func (w *Watch) due(then time.Time) (names []name) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for user, sessions := range w.sessions {
		for id, s := range sessions {
			if !s.due.After(then) {
				names = append(names, name{user, id})
			}
		}
	}
	return names
}

func (w *Watch) lookAll(ctx context.Context, names []name) {
	if len(names) == 1 {
		w.Look(ctx, names[0].user, names[0].id)
		return
	}
	work := make(chan name)
	var lookups sync.WaitGroup
	for range min(len(names), maxLookups) {
		lookups.Go(func() {
			for n := range work {
				w.Look(ctx, n.user, n.id)
			}
		})
	}
	for _, n := range names {
		work <- n
	}
	close(work)
	lookups.Wait()
}

// Look looks a watched session up, and tells its watchers if it has ended.
func (w *Watch) Look(ctx context.Context, user, id string) {
	record, err := w.store.Find(ctx, user, id)
	switch {
	case errors.Is(err, store.ErrRevoked) || errors.Is(err, store.ErrNotFound):
		w.end(name{user, id}, record, err)
	case err != nil:
		w.setDue(name{user, id}, time.Time{}) // look again soon
	default:
		w.setDue(name{user, id}, nextLook(record.ExpiresAt))
	}
}

// nextLook returns when to look again at a session that is live: when it expires,
// or before that after a random while, so that not all are looked up at once.
func nextLook(expires time.Time) time.Time {
	next := time.Now().Add(recheck/2 + rand.N(recheck))
	if expires.Before(next) {
		return expires
	}
	return next
}

func (w *Watch) setDue(of name, due time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s := w.sessions[of.user][of.id]; s != nil {
		s.due = due
	}
}

func (w *Watch) end(of name, tombstone store.Record, err error) {
	w.mu.Lock()
	s := w.sessions[of.user][of.id]
	w.forget(of)
	w.mu.Unlock()
	if s == nil {
		return
	}
	for x := range s.watchers {
		x.ended(tombstone, err)
	}
}

// subscriberOf returns the subscriber that st is or decorates, or nil.
func subscriberOf(st store.Store) store.Subscriber {
	for {
		if s, ok := st.(store.Subscriber); ok {
			return s
		}
		decorator, ok := st.(interface{ Unwrap() store.Store })
		if !ok {
			return nil
		}
		st = decorator.Unwrap()
	}
}

package revoke

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
	// watchInterval is how often watched sessions are looked up that may have
	// expired, that could not be looked up before, or whose store does not tell.
	watchInterval = 5 * time.Second

	// watchRecheck is how often, on average, any other watched session is looked
	// up, because a notice may never be sent: Redis publishes nothing for a user
	// who may not, and revokes all the same.
	watchRecheck = time.Minute

	// watchLookups bounds the look-ups that run at once.
	watchLookups = 16
)

// Watch returns a context that is cancelled as soon as the request's session
// ends, here or on another node, for what outlasts the look-up of a request: an
// event stream, a WebSocket, a long poll, a download, a job in the background.
// Its cause is then a [*RevokedError], or [ErrUnauthenticated] where the session
// expired, left no tombstone, or was not there to begin with. It is cancelled
// with ctx, too, and by the function returned, which must be called in the end.
//
// Where the store is a [store.Subscriber] a revocation is heard of at once, if
// its notice is lost, when the subscription stands again, and if none is sent,
// within two minutes. Any other store is asked every 5 seconds, as is one whose
// subscription has not stood yet, and every store for sessions that expire. While
// a store cannot be reached, its watched sessions live on.
//
// Watch costs one look-up, and no goroutine but one for all.
func (m *Manager) Watch(ctx context.Context) (context.Context, context.CancelFunc) {
	watched, cancel := context.WithCancelCause(ctx)
	record, _ := m.current(ctx)
	if record == nil {
		cancel(m.Err(ctx))
		return watched, func() { cancel(nil) }
	}
	w := &watcher{name: watchedName{record.User, record.ID}, cancel: cancel}
	m.watch.add(m, w, record.ExpiresAt)
	stop := context.AfterFunc(watched, func() { m.watch.remove(w) })
	m.watch.look(context.WithoutCancel(ctx), m, w.name) // it may have ended since it was loaded
	return watched, func() {
		stop()
		m.watch.remove(w)
		cancel(nil)
	}
}

// A watch has the watchers of a process. While there are any, one goroutine
// hears for all of them which sessions have ended.
type watch struct {
	mu       sync.Mutex
	sessions map[string]map[string]*watchedSession // by user key and id
	running  bool
}

type watchedName struct{ user, id string }

type watchedSession struct {
	due      time.Time // when to look again, if no notice comes before
	watchers map[*watcher]struct{}
}

// A watcher is one context of Watch.
type watcher struct {
	name   watchedName
	cancel context.CancelCauseFunc
}

func (w *watch) add(m *Manager, x *watcher, expires time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.sessions == nil {
		w.sessions = make(map[string]map[string]*watchedSession)
	}
	user := w.sessions[x.name.user]
	if user == nil {
		user = make(map[string]*watchedSession, 1)
		w.sessions[x.name.user] = user
	}
	s := user[x.name.id]
	if s == nil {
		s = &watchedSession{due: nextLook(expires), watchers: make(map[*watcher]struct{}, 1)}
		user[x.name.id] = s
	}
	s.watchers[x] = struct{}{}
	if !w.running {
		w.running = true
		go w.run(m)
	}
}

func (w *watch) remove(x *watcher) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s := w.sessions[x.name.user][x.name.id]; s != nil {
		if delete(s.watchers, x); len(s.watchers) == 0 {
			w.forget(x.name)
		}
	}
}

// forget is called with the lock held.
func (w *watch) forget(name watchedName) {
	if delete(w.sessions[name.user], name.id); len(w.sessions[name.user]) == 0 {
		delete(w.sessions, name.user)
	}
}

// run looks after the watchers until there are none.
func (w *watch) run(m *Manager) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var stands atomic.Bool
	if subscriber := subscriberOf(m.sessions); subscriber != nil {
		go subscriber.Subscribe(ctx, func(user string) {
			stands.Store(true)
			w.lookAll(ctx, m, w.named(user))
		})
	}
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	for now := range tick.C {
		if w.idle() {
			return
		}
		if !stands.Load() {
			now = time.Time{} // all of them
		}
		w.lookAll(ctx, m, w.due(now))
	}
}

// idle reports whether there is nothing to watch, and if so ends the watch.
func (w *watch) idle() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running = len(w.sessions) > 0
	return !w.running
}

// named returns the watched sessions of a user, or all if user is empty.
func (w *watch) named(user string) (names []watchedName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if user != "" {
		for id := range w.sessions[user] {
			names = append(names, watchedName{user, id})
		}
		return names
	}
	for user, sessions := range w.sessions {
		for id := range sessions {
			names = append(names, watchedName{user, id})
		}
	}
	return names
}

// due returns the watched sessions to look at by then, or all if then is zero.
func (w *watch) due(then time.Time) (names []watchedName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for user, sessions := range w.sessions {
		for id, s := range sessions {
			if then.IsZero() || !s.due.After(then) {
				names = append(names, watchedName{user, id})
			}
		}
	}
	return names
}

func (w *watch) lookAll(ctx context.Context, m *Manager, names []watchedName) {
	if len(names) == 1 {
		w.look(ctx, m, names[0])
		return
	}
	work := make(chan watchedName)
	var lookups sync.WaitGroup
	for range min(len(names), watchLookups) {
		lookups.Go(func() {
			for name := range work {
				w.look(ctx, m, name)
			}
		})
	}
	for _, name := range names {
		work <- name
	}
	close(work)
	lookups.Wait()
}

// look ends the watch of a session that has ended.
func (w *watch) look(ctx context.Context, m *Manager, name watchedName) {
	record, err := m.sessions.Find(ctx, name.user, name.id)
	switch {
	case errors.Is(err, store.ErrRevoked):
		w.end(name, revokedError(record))
	case errors.Is(err, store.ErrNotFound):
		w.end(name, ErrUnauthenticated)
	case err != nil:
		w.setDue(name, time.Time{}) // look again soon
	default:
		w.setDue(name, nextLook(record.ExpiresAt))
	}
}

// nextLook returns when to look again at a session that is live: when it expires,
// or before that in a while, which differs so that not all are looked at at once.
func nextLook(expires time.Time) time.Time {
	next := time.Now().Add(watchRecheck/2 + rand.N(watchRecheck))
	if expires.Before(next) {
		return expires
	}
	return next
}

func (w *watch) setDue(name watchedName, due time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s := w.sessions[name.user][name.id]; s != nil {
		s.due = due
	}
}

func (w *watch) end(name watchedName, cause error) {
	w.mu.Lock()
	s := w.sessions[name.user][name.id]
	w.forget(name)
	w.mu.Unlock()
	if s == nil {
		return
	}
	for x := range s.watchers {
		x.cancel(cause)
	}
}

// subscriberOf finds the subscriber under decorators, or nil.
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

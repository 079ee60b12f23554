package store

import (
	"context"
	"errors"
	"hash/maphash"
	"slices"
	"sync"
	"time"
)

// An answer is what a store has said of a session, without its data.
type answer struct {
	id     string
	asked  time.Time // before the question was sent
	record Record
	err    error
}

// isKept reports whether an answer may be remembered.
func (a answer) isKept() bool { return a.err == nil || errors.Is(a.err, ErrRevoked) }

// leases are the answers that a process remembers. The users are spread over shards, so
// that few wait for each other.
type leases struct {
	seed   maphash.Seed
	shards [64]leaseShard
}

// A leaseShard has two generations of answers, by user: what is only in the old one is
// older than a lease when that goes. Slices are replaced and never changed.
type leaseShard struct {
	mu         sync.RWMutex
	young, old map[string][]answer
	turned     time.Time
	questions  map[[2]string]*question // that are with the store, by user and id
}

type question struct {
	done   chan struct{}
	answer answer
}

func newLeases() *leases { return &leases{seed: maphash.MakeSeed()} }

func (l *leases) shard(user string) *leaseShard {
	return &l.shards[maphash.String(l.seed, user)%uint64(len(l.shards))]
}

func (l *leases) get(user, id string) (answer, bool) {
	s := l.shard(user)
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.get(user, id)
}

func (s *leaseShard) get(user, id string) (answer, bool) {
	for _, generation := range []map[string][]answer{s.young, s.old} {
		for _, a := range generation[user] {
			if a.id == id {
				return a, true
			}
		}
	}
	return answer{}, false
}

// put remembers an answer, unless a later one is there.
func (l *leases) put(user string, a answer, hold time.Duration) {
	s := l.shard(user)
	s.mu.Lock()
	defer s.mu.Unlock()
	if known, ok := s.get(user, a.id); ok && known.asked.After(a.asked) {
		return
	}
	if s.young == nil || a.asked.Sub(s.turned) > hold {
		s.young, s.old, s.turned = make(map[string][]answer), s.young, a.asked
	}
	s.young[user] = append(without(s.young[user], a.id), a)
}

// without returns a copy of the answers but the one about that session.
func without(answers []answer, id string) []answer {
	return slices.DeleteFunc(slices.Clone(answers), func(a answer) bool { return a.id == id })
}

func (l *leases) touch(user, id string, seenAt time.Time) {
	s := l.shard(user)
	s.mu.Lock()
	defer s.mu.Unlock()
	if a, ok := s.get(user, id); ok && a.err == nil && seenAt.After(a.record.SeenAt) {
		a.record.SeenAt = seenAt
		if s.young == nil {
			s.young = make(map[string][]answer)
		}
		s.young[user] = append(without(s.young[user], id), a)
	}
}

func (l *leases) forget(user string) {
	s := l.shard(user)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.young, user)
	delete(s.old, user)
}

func (l *leases) forgetAll() {
	for i := range l.shards {
		s := &l.shards[i]
		s.mu.Lock()
		s.young, s.old = nil, nil
		s.mu.Unlock()
	}
}

// join waits for the answer to the same question if that is with the store, and reports
// false if it is not or if ctx is done first.
func (l *leases) join(ctx context.Context, user, id string) (answer, bool) {
	s := l.shard(user)
	s.mu.RLock()
	q := s.questions[[2]string{user, id}]
	s.mu.RUnlock()
	if q == nil {
		return answer{}, false
	}
	select {
	case <-q.done:
		return q.answer, true
	case <-ctx.Done():
		return answer{}, false
	}
}

// lead asks, and lets others join.
func (l *leases) lead(user, id string, ask func() answer) answer {
	s, of, q := l.shard(user), [2]string{user, id}, &question{done: make(chan struct{})}
	s.mu.Lock()
	leads := s.questions[of] == nil
	if leads {
		if s.questions == nil {
			s.questions = make(map[[2]string]*question)
		}
		s.questions[of] = q
	}
	s.mu.Unlock()
	q.answer = answer{err: errAsking} // if ask panics
	defer func() {
		if leads {
			s.mu.Lock()
			delete(s.questions, of)
			s.mu.Unlock()
		}
		close(q.done)
	}()
	q.answer = ask()
	return q.answer
}

var errAsking = errors.New("store: lease: whoever asked did not get an answer")

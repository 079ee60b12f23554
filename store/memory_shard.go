package store

import (
	"hash/maphash"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	shardCount  = 256
	retireSteps = 4 // a write; it adds three entries at most, so that retiring keeps up
)

// A shard keeps the users whose keys hash alike.
type shard struct {
	mu    sync.RWMutex
	users map[string]*user
	queue queue
}

func (m *Memory) shard(user string) *shard {
	return &m.shards[maphash.String(m.seed, user)%shardCount]
}

// write locks the user's shard, retires a few of the entries that have expired
// there, and returns the time at which the write takes place.
func (m *Memory) write(user string) (*shard, time.Time) {
	s := m.shard(user)
	s.mu.Lock()
	now := time.Now()
	for range retireSteps {
		e := s.queue.due(now)
		if e == nil {
			break
		}
		if e.expired(now) {
			s.remove(e)
		} else { // extended since it was queued
			s.queue.postpone(e)
		}
	}
	return s, now
}

// live returns a live session, or the error that says why it is not.
func (s *shard) live(user, id string, now time.Time) (*entry, error) {
	e := s.users[user].find(id)
	switch {
	case e == nil || e.expired(now):
		return nil, ErrNotFound
	case e.revoked() != nil:
		return nil, ErrRevoked
	}
	return e, nil
}

// mayAct reports whether the session that acts is live, or none acts.
func (s *shard) mayAct(user, by string, now time.Time) bool {
	if by == "" {
		return true
	}
	_, err := s.live(user, by, now)
	return err == nil
}

// mayCreate returns what stands in the way of a new session, or nil.
func (s *shard) mayCreate(r Record, now time.Time) error {
	switch _, err := s.live(r.User, r.ID, now); err {
	case nil:
		return ErrExists
	case ErrRevoked:
		return ErrRevoked
	}
	u := s.users[r.User]
	if u == nil || u.past == nil {
		return nil
	}
	if once := u.past.onces[r.ID]; once != nil && !once.expired(now) {
		return ErrRevoked
	}
	if mark := u.past.mark; mark != nil && !mark.expired(now) {
		if why := *mark.revoked(); !r.Once.IsZero() || !r.CreatedAt.After(why.At) {
			return &MarkedError{Mark: why}
		}
	}
	return nil
}

// user returns the user of that key, who must be given something if they are new.
func (s *shard) user(key string) *user {
	u := s.users[key]
	if u == nil {
		if s.users == nil {
			s.users = make(map[string]*user)
		}
		u = &user{key: strings.Clone(key)}
		s.users[u.key] = u
	}
	return u
}

// once notes that the id was created and cannot be again until that time.
func (s *shard) once(u *user, id string, until time.Time) {
	e := &entry{user: u, id: id, body: pack(Record{ExpiresAt: until})}
	past := u.hasPast()
	if old := past.onces[id]; old != nil {
		s.remove(old)
		past = u.hasPast()
	}
	if past.onces == nil {
		past.onces = make(map[string]*entry)
	}
	past.onces[id] = e
	s.queue.add(e)
}

// mark leaves a mark, or moves forward the one that is there.
func (s *shard) mark(u *user, why Revocation, now time.Time) {
	why.At, why.Until = why.At.UTC(), why.Until.UTC()
	why.Reason, why.By = strings.Clone(why.Reason), strings.Clone(why.By)
	past := u.hasPast()
	e := past.mark
	if e == nil {
		e = &entry{user: u}
	} else if last := *e.revoked(); !e.expired(now) {
		until := why.Until
		if last.At.After(why.At) {
			why = last
		}
		if why.Until = last.Until; until.After(last.Until) {
			why.Until = until
		}
	}
	e.body = pack(Record{ExpiresAt: why.Until, Revoked: &why})
	if past.mark == nil {
		past.mark = e
		s.queue.add(e)
	} else {
		s.queue.postpone(e)
	}
}

func (s *shard) remove(e *entry) {
	s.queue.remove(e)
	if e.user.remove(e); e.user.empty() {
		delete(s.users, e.user.key)
	}
}

// bury turns live sessions of one user into tombstones; it returns what they were.
func (s *shard) bury(sessions []*entry, why Revocation, now time.Time) []Record {
	if len(sessions) == 0 {
		return nil
	}
	why.At = why.At.UTC()
	why.Reason, why.By = strings.Clone(why.Reason), strings.Clone(why.By)
	u := sessions[0].user
	if tombstones := u.tombstones(); len(tombstones)+len(sessions) > MaxTombstones {
		for _, e := range slices.Clone(tombstones) {
			if e.expired(now) {
				s.remove(e)
			}
		}
	}
	were := make([]Record, len(sessions))
	for i, e := range sessions {
		were[i] = e.listed()
	}
	// Of more than are kept, all as old as each other, no tombstones are made.
	surplus := max(0, len(sessions)-MaxTombstones)
	for _, e := range sessions[surplus:] {
		e.body = pack(e.record().tombstone(why))
		s.queue.advance(e)
	}
	for _, e := range u.bury(sessions[surplus:]) {
		s.remove(e)
	}
	for _, e := range sessions[:surplus] {
		s.remove(e)
	}
	return were
}

// all returns copies of the live sessions. It holds the lock for a few of them at
// a time, and what it keeps meanwhile of the others is where they are.
func (s *shard) all() iter.Seq[*entry] {
	const few = 100
	return func(yield func(*entry) bool) {
		var all []*entry
		s.mu.RLock()
		for _, u := range s.users {
			all = slices.AppendSeq(all, u.all())
		}
		s.mu.RUnlock()
		for chunk := range slices.Chunk(all, few) {
			found := make([]entry, 0, few)
			s.mu.RLock()
			now := time.Now()
			for _, e := range chunk {
				if s.users[e.user.key].find(e.id) == e && e.revoked() == nil && !e.expired(now) {
					found = append(found, *e)
				}
			}
			s.mu.RUnlock()
			for i := range found {
				if !yield(&found[i]) {
					return
				}
			}
		}
	}
}

package store

import (
	"container/heap"
	"context"
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"time"
)

// Memory is a [Store] in the memory of one process. It is for a server that runs
// as one process and may sign everybody out when it restarts, and for tests.
//
// It starts no goroutine and needs no closing. Sessions that have expired are
// invisible at once; what they occupied is given back a few at a time by later
// writes, so that no call waits for a sweep, however many there are. What a call
// costs does not depend on how many sessions there are, and that of Find, Update,
// Touch and Create without a limit not even on how many the user has.
type Memory struct {
	shards  [shardCount]shard
	seed    maphash.Seed
	notices notices
}

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{seed: maphash.MakeSeed()}
}

// Create implements [Store].
func (m *Memory) Create(ctx context.Context, r Record, limit int) ([]Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	added := &entry{id: strings.Clone(r.ID), body: pack(r)}
	s, now := m.write(r.User)
	defer s.mu.Unlock()

	switch _, err := s.live(r.User, r.ID, now); err {
	case nil:
		return nil, ErrExists
	case ErrRevoked:
		return nil, ErrRevoked
	}
	if old := s.users[r.User].find(r.ID); old != nil { // expired, but not retired
		s.remove(old)
	}
	s.add(r.User, added)
	if limit <= 0 {
		return nil, nil
	}
	others := s.users[r.User].others(r.ID, now)
	slices.SortFunc(others, func(a, b *entry) int { return a.time(seen).Compare(b.time(seen)) })
	return m.bury(s, others[:max(0, len(others)+1-limit)], Revocation{Reason: Evicted, By: added.id}, now), nil
}

// Find implements [Store].
func (m *Memory) Find(ctx context.Context, user, id string) (Record, error) {
	if err := ctx.Err(); err != nil {
		return Record{}, err
	}
	s := m.shard(user)
	s.mu.RLock()
	e := s.users[user].find(id)
	if e == nil {
		s.mu.RUnlock()
		return Record{}, ErrNotFound
	}
	found := *e // the bytes it leads to never change, and are copied without the lock
	s.mu.RUnlock()

	if found.expired(time.Now()) {
		return Record{}, ErrNotFound
	}
	r := found.record()
	r.Client, r.Data = copied(found.client, found.data)
	if r.Revoked != nil {
		return r, ErrRevoked
	}
	return r, nil
}

// Update implements [Store].
func (m *Memory) Update(ctx context.Context, r Record, was Hash) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	next := pack(r)
	s, now := m.write(r.User)
	defer s.mu.Unlock()

	e, err := s.live(r.User, r.ID, now)
	if err != nil {
		return err
	}
	if !e.secret.Equal(was) {
		return ErrStale
	}
	e.body = next
	s.queue.advance(e)
	return nil
}

// Touch implements [Store].
func (m *Memory) Touch(ctx context.Context, user, id string, t Touch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s, now := m.write(user)
	defer s.mu.Unlock()

	e, err := s.live(user, id, now)
	if err != nil {
		return err
	}
	if t.SeenAt.After(e.time(seen)) {
		e.setTime(seen, t.SeenAt)
	}
	if t.ExpiresAt.After(e.time(expires)) {
		e.setTime(expires, t.ExpiresAt)
	}
	if t.Client != nil {
		e.client = string(t.Client)
	}
	return nil
}

// List implements [Store].
func (m *Memory) List(ctx context.Context, user string) ([]Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s := m.shard(user)
	s.mu.RLock()
	defer s.mu.RUnlock()

	var list []Record
	for _, e := range s.users[user].others("", time.Now()) {
		list = append(list, e.listed())
	}
	return list, nil
}

// Revoke implements [Store].
func (m *Memory) Revoke(ctx context.Context, user, id string, why Revocation) (Record, error) {
	if err := ctx.Err(); err != nil {
		return Record{}, err
	}
	s, now := m.write(user)
	defer s.mu.Unlock()

	if !s.mayAct(user, why.By, now) {
		return Record{}, ErrActorRevoked
	}
	e, err := s.live(user, id, now)
	if err != nil {
		return Record{}, ErrNotFound
	}
	return m.bury(s, []*entry{e}, why, now)[0], nil
}

// RevokeAll implements [Store].
func (m *Memory) RevokeAll(ctx context.Context, user, keep string, why Revocation) ([]Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s, now := m.write(user)
	defer s.mu.Unlock()

	if !s.mayAct(user, why.By, now) {
		return nil, ErrActorRevoked
	}
	return m.bury(s, s.users[user].others(keep, now), why, now), nil
}

// RevokeEveryone implements [Store]. It takes no longer with a million sessions
// than with one: what they occupied is left to the garbage collector.
func (m *Memory) RevokeEveryone(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.Lock()
		s.users, s.queue = nil, queue{}
		s.mu.Unlock()
	}
	m.notices.publish("")
	return nil
}

// Subscribe implements [Subscriber].
func (m *Memory) Subscribe(ctx context.Context, ended func(user string)) {
	m.notices.subscribe(ctx, ended)
}

// bury turns live sessions of one user into tombstones, and tells of it.
func (m *Memory) bury(s *shard, sessions []*entry, why Revocation, now time.Time) []Record {
	were := s.bury(sessions, why, now)
	if len(were) > 0 {
		m.notices.publish(were[0].User)
	}
	return were
}

const (
	shardCount  = 256
	retireSteps = 4 // a write; it adds one session at most, so that retiring keeps up
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

// write locks the user's shard, retires a few of the sessions that have expired
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
	case e.revoked != nil:
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

func (s *shard) add(key string, e *entry) {
	u := s.users[key]
	if u == nil {
		if s.users == nil {
			s.users = make(map[string]*user)
		}
		u = &user{key: strings.Clone(key)}
		s.users[u.key] = u
	}
	e.user = u
	u.add(e)
	heap.Push(&s.queue, e)
}

func (s *shard) remove(e *entry) {
	heap.Remove(&s.queue, e.place)
	if e.user.remove(e); e.user.empty() {
		delete(s.users, e.user.key)
	}
}

// bury turns live sessions of one user into tombstones; it returns what they were.
func (s *shard) bury(sessions []*entry, why Revocation, now time.Time) []Record {
	if len(sessions) == 0 {
		return nil
	}
	if why.At.IsZero() {
		why.At = now
	}
	why.At, why.By = why.At.UTC(), strings.Clone(why.By)
	u := sessions[0].user
	if len(u.tombstones)+len(sessions) > MaxTombstones {
		for _, e := range slices.Clone(u.tombstones) {
			if e.expired(now) {
				s.remove(e)
			}
		}
	}
	were := make([]Record, len(sessions))
	for i, e := range sessions {
		were[i] = e.listed()
		stays := e.record().tombstone(why)
		e.body, e.revoked = pack(stays), stays.Revoked
		s.queue.advance(e)
		if u.bury(e); len(u.tombstones) > MaxTombstones {
			s.remove(u.tombstones[0])
		}
	}
	return were
}

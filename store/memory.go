package store

import (
	"context"
	"hash/maphash"
	"iter"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// Memory is a [Store] in the memory of one process. It is for a server that runs as one
// process and may sign everybody out when it restarts, and for tests.
//
// It starts no goroutine and needs no closing. When a session has expired, it is
// invisible at once. Later writes free its memory, a few sessions at a time. So no call
// waits for a sweep, however many sessions there are. The cost of a call does not depend on
// how many sessions there are. The cost of Find, Update, Touch and Create without a limit
// does not even depend on how many the user has.
type Memory struct {
	shards   [shardCount]shard
	seed     maphash.Seed
	everyone atomic.Pointer[time.Time] // when all were revoked
	notices  notices
}

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{seed: maphash.MakeSeed()}
}

// Create implements [Store].
func (m *Memory) Create(ctx context.Context, r Record, limit Limit) ([]Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	added := &entry{id: strings.Clone(r.ID), body: pack(r)}
	s, now := m.write(r.User)
	defer s.mu.Unlock()

	if err := s.mayCreate(r, now); err != nil {
		return nil, err
	}
	if old := s.users[r.User].find(r.ID); old != nil { // expired, but not retired
		s.remove(old)
	}
	u := s.user(r.User)
	u.add(added)
	s.queue.add(added)
	if r.Once.After(now) {
		s.once(u, added.id, r.Once)
	}
	if limit.Max <= 0 || u.sessions() <= limit.Max {
		return nil, nil
	}
	others := u.others(r.ID, now)
	beyond := max(0, len(others)+1-limit.Max)
	if beyond > 0 {
		slices.SortFunc(others, bySeen)
	}
	return m.bury(s, others[:beyond], Revocation{At: now, Reason: Evicted, By: added.id}, now), nil
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
	found := *e // what it leads to never changes, and is copied without the lock
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
	if next.secret == e.secret {
		next.rare = e.rare
		next.use(r.UsedAt)
	} else if e.record().Retired(r.Prev) {
		return ErrStale
	}
	if r.Deadline.IsZero() {
		next.setTime(deadline, e.time(deadline))
	}
	next.setTime(expires, r.ExpiresAt)
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
	if t.Secret.Equal(e.secret) {
		e.use(t.SeenAt)
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
	others := s.users[user].others("", time.Now())
	found := make([]entry, len(others))
	for i, e := range others {
		found[i] = *e
	}
	s.mu.RUnlock()

	list := make([]Record, len(found))
	for i := range found {
		list[i] = found[i].listed()
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
	return m.bury(s, []*entry{e}, why.dated(now), now)[0], nil
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
	why = why.dated(now)
	u := s.user(user)
	s.mark(u, why, now)
	return m.bury(s, u.others(keep, now), why, now), nil
}

// RevokeEveryone implements [Store]. It takes no longer with a million sessions
// than with one: what they occupied is left to the garbage collector.
func (m *Memory) RevokeEveryone(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	now := time.Now().UTC()
	for {
		last := m.everyone.Load()
		if last != nil && last.After(now) || m.everyone.CompareAndSwap(last, &now) {
			break
		}
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

// RevokedEveryone implements [Store].
func (m *Memory) RevokedEveryone(ctx context.Context) (time.Time, error) {
	if err := ctx.Err(); err != nil {
		return time.Time{}, err
	}
	if at := m.everyone.Load(); at != nil {
		return *at, nil
	}
	return time.Time{}, nil
}

// All implements [Store].
func (m *Memory) All(ctx context.Context) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for i := range m.shards {
			for e := range m.shards[i].all() {
				if err := ctx.Err(); err != nil {
					yield(Record{}, err)
					return
				}
				r := e.record()
				r.Client, r.Data = copied(e.client, e.data)
				if !yield(r, nil) {
					return
				}
			}
		}
		if err := ctx.Err(); err != nil {
			yield(Record{}, err)
		}
	}
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

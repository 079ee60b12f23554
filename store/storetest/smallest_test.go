package storetest

import (
	"bytes"
	"context"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// Smallest is a store of a map and a mutex.
type Smallest struct {
	mu       sync.Mutex
	users    map[string]*user
	everyone time.Time
}

// A user is all that is kept under one key.
type user struct {
	records map[string]store.Record // sessions and tombstones, by id
	onces   map[string]time.Time    // until when an id cannot be created again
	mark    store.Revocation
}

// lock begins a step, which the caller ends with s.mu.Unlock.
func (s *Smallest) lock(ctx context.Context, key string) (*user, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	if s.users[key] == nil {
		s.users[key] = &user{records: make(map[string]store.Record), onces: make(map[string]time.Time)}
	}
	return s.users[key], nil
}

func live(r store.Record) bool { return r.Revoked == nil && time.Now().Before(r.ExpiresAt) }

// find returns a live session, or the error that says why there is none.
func (u *user) find(id string) (store.Record, error) {
	switch r := u.records[id]; {
	case live(r):
		return r, nil
	case time.Now().Before(r.ExpiresAt):
		return r, store.ErrRevoked
	}
	return store.Record{}, store.ErrNotFound
}

// put keeps a session.
func (u *user) put(r store.Record) {
	if !r.Deadline.IsZero() && r.Deadline.Before(r.ExpiresAt) {
		r.ExpiresAt = r.Deadline
	}
	r.Once = time.Time{}
	u.records[r.ID] = copied(r)
}

// copied returns r without what it shares with the caller.
func copied(r store.Record) store.Record {
	r.Client, r.Data = bytes.Clone(r.Client), bytes.Clone(r.Data)
	if r.Revoked != nil {
		why := *r.Revoked
		r.Revoked = &why
	}
	return r
}

func listed(r store.Record) store.Record {
	r.Data = nil
	return copied(r)
}

func (s *Smallest) Find(ctx context.Context, key, id string) (store.Record, error) {
	u, err := s.lock(ctx, key)
	if err != nil {
		return store.Record{}, err
	}
	defer s.mu.Unlock()
	r, err := u.find(id)
	return copied(r), err
}

func (s *Smallest) Create(ctx context.Context, r store.Record, limit store.Limit) ([]store.Record, error) {
	u, err := s.lock(ctx, r.User)
	if err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	now := time.Now()
	_, err = u.find(r.ID)
	switch {
	case err == nil:
		return nil, store.ErrExists
	case err == store.ErrRevoked, now.Before(u.onces[r.ID]):
		return nil, store.ErrRevoked
	case now.Before(u.mark.Until) && (!r.Once.IsZero() || !r.CreatedAt.After(u.mark.At)):
		return nil, &store.MarkedError{Mark: u.mark}
	}
	if !r.Once.IsZero() {
		u.onces[r.ID] = r.Once
	}
	u.put(r)
	if limit.Max <= 0 {
		return nil, nil
	}
	others := slices.SortedFunc(u.live(r.ID), bySeen)
	return u.bury(others[:max(0, len(others)+1-limit.Max)], store.Revocation{At: now, Reason: store.Evicted, By: r.ID}), nil
}

func (s *Smallest) List(ctx context.Context, key string) (list []store.Record, err error) {
	u, err := s.lock(ctx, key)
	if err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	for r := range u.live("") {
		list = append(list, listed(r))
	}
	return list, nil
}

// live returns the live sessions but one.
func (u *user) live(but string) iter.Seq[store.Record] {
	return func(yield func(store.Record) bool) {
		for id, r := range u.records {
			if id != but && live(r) && !yield(r) {
				return
			}
		}
	}
}

func (s *Smallest) Revoke(ctx context.Context, key, id string, why store.Revocation) (store.Record, error) {
	u, err := s.lock(ctx, key)
	if err != nil {
		return store.Record{}, err
	}
	defer s.mu.Unlock()
	if !u.mayAct(why.By) {
		return store.Record{}, store.ErrActorRevoked
	}
	r, err := u.find(id)
	if err != nil {
		return store.Record{}, store.ErrNotFound
	}
	return u.bury([]store.Record{r}, dated(why))[0], nil
}

// mayAct reports whether the session that acts is live, or none acts.
func (u *user) mayAct(by string) bool { return by == "" || live(u.records[by]) }

// dated returns why with its times.
func dated(why store.Revocation) store.Revocation {
	if why.At.IsZero() {
		why.At = time.Now()
	}
	if why.Until.IsZero() {
		why.Until = why.At.Add(store.TombstoneLifetime)
	}
	return why
}

// bury turns live sessions into tombstones, and returns what they were.
func (u *user) bury(sessions []store.Record, why store.Revocation) (were []store.Record) {
	why.Until = time.Time{}
	for _, r := range sessions {
		were = append(were, listed(r))
		t := store.Record{User: r.User, ID: r.ID, Secret: r.Secret, CreatedAt: r.CreatedAt, Revoked: &why}
		if r.UsedAt.IsZero() {
			t.Prev = r.Prev
		}
		t.ExpiresAt = why.At.Add(store.TombstoneLifetime)
		if r.ExpiresAt.Before(t.ExpiresAt) {
			t.ExpiresAt = r.ExpiresAt
		}
		u.records[r.ID] = t
	}
	u.forget()
	return were
}

// forget lets go of what has expired, and of the oldest tombstones beyond the limit.
func (u *user) forget() {
	maps.DeleteFunc(u.records, func(_ string, r store.Record) bool { return !time.Now().Before(r.ExpiresAt) })
	var tombstones []store.Record
	for _, r := range u.records {
		if r.Revoked != nil {
			tombstones = append(tombstones, r)
		}
	}
	slices.SortFunc(tombstones, func(a, b store.Record) int { return a.Revoked.At.Compare(b.Revoked.At) })
	for _, r := range tombstones[:max(0, len(tombstones)-store.MaxTombstones)] {
		delete(u.records, r.ID)
	}
}

func (s *Smallest) Update(ctx context.Context, r store.Record, was store.Hash) error {
	u, err := s.lock(ctx, r.User)
	if err != nil {
		return err
	}
	defer s.mu.Unlock()
	old, err := u.find(r.ID)
	switch {
	case err != nil:
		return err
	case !old.Secret.Equal(was):
		return store.ErrStale
	case r.Secret == was:
		if old.Prev == (store.Hash{}) || !old.UsedAt.IsZero() {
			r.UsedAt = old.UsedAt
		}
		r.Prev, r.RenewedAt = old.Prev, old.RenewedAt
	case old.Retired(r.Prev):
		return store.ErrStale
	}
	if r.Deadline.IsZero() {
		r.Deadline = old.Deadline
	}
	u.put(r)
	return nil
}

func (s *Smallest) Touch(ctx context.Context, key, id string, t store.Touch) error {
	u, err := s.lock(ctx, key)
	if err != nil {
		return err
	}
	defer s.mu.Unlock()
	r, err := u.find(id)
	if err != nil {
		return err
	}
	if t.SeenAt.After(r.SeenAt) {
		r.SeenAt = t.SeenAt
	}
	if t.ExpiresAt.After(r.ExpiresAt) {
		r.ExpiresAt = t.ExpiresAt
	}
	if t.Secret.Equal(r.Secret) && r.Prev != (store.Hash{}) && r.UsedAt.IsZero() {
		r.UsedAt = t.SeenAt
	}
	if t.Client != nil {
		r.Client = t.Client
	}
	u.put(r)
	return nil
}

func (s *Smallest) RevokeAll(ctx context.Context, key, keep string, why store.Revocation) ([]store.Record, error) {
	u, err := s.lock(ctx, key)
	if err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	if !u.mayAct(why.By) {
		return nil, store.ErrActorRevoked
	}
	why = dated(why)
	u.leave(why)
	return u.bury(slices.Collect(u.live(keep)), why), nil
}

// leave leaves a mark: of two, the later one until the later of their ends.
func (u *user) leave(mark store.Revocation) {
	if last := u.mark; time.Now().Before(last.Until) {
		until := mark.Until
		if last.At.After(mark.At) {
			mark = last
		}
		if mark.Until = last.Until; until.After(last.Until) {
			mark.Until = until
		}
	}
	u.mark = mark
}

// bySeen puts the least recently seen first, and what was not seen yet last.
func bySeen(a, b store.Record) int {
	if a.SeenAt.IsZero() != b.SeenAt.IsZero() {
		return -a.SeenAt.Compare(b.SeenAt)
	}
	return a.SeenAt.Compare(b.SeenAt)
}

func (s *Smallest) RevokeEveryone(ctx context.Context) error {
	if _, err := s.lock(ctx, ""); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if now := time.Now(); now.After(s.everyone) {
		s.everyone = now
	}
	clear(s.users)
	return nil
}

func (s *Smallest) RevokedEveryone(ctx context.Context) (time.Time, error) {
	if _, err := s.lock(ctx, ""); err != nil {
		return time.Time{}, err
	}
	defer s.mu.Unlock()
	return s.everyone, nil
}

func (s *Smallest) All(ctx context.Context) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		s.mu.Lock()
		keys := slices.Collect(maps.Keys(s.users))
		s.mu.Unlock()
		for _, key := range keys {
			for _, r := range s.sessions(key) {
				if ctx.Err() != nil {
					break
				}
				if !yield(r, nil) {
					return
				}
			}
		}
		if err := ctx.Err(); err != nil {
			yield(store.Record{}, err)
		}
	}
}

// sessions returns the live sessions of a user, with their data.
func (s *Smallest) sessions(key string) (list []store.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u := s.users[key]; u != nil {
		for r := range u.live("") {
			list = append(list, copied(r))
		}
	}
	return list
}

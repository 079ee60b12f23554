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
	mu          sync.Mutex
	users       map[string]*user
	everyone    time.Time
	subscribers map[*subscriber]bool
}

func NewSmallest() *Smallest {
	return &Smallest{users: make(map[string]*user), subscribers: make(map[*subscriber]bool)}
}

// A user is all that is kept under one key.
type user struct {
	kept   map[string]store.Record // sessions and tombstones, by id
	until  map[string]time.Time    // until when an id cannot be created again
	marked store.Revocation
}

func (u *user) record(id string) store.Record       { return copied(u.kept[id]) }
func (u *user) records() iter.Seq[store.Record]     { return maps.Values(u.kept) }
func (u *user) set(r store.Record)                  { u.kept[r.ID] = copied(r) }
func (u *user) remove(id string)                    { delete(u.kept, id) }
func (u *user) once(id string) time.Time            { return u.until[id] }
func (u *user) onces() iter.Seq2[string, time.Time] { return maps.All(u.until) }
func (u *user) setOnce(id string, until time.Time)  { u.until[id] = until }
func (u *user) removeOnce(id string)                { delete(u.until, id) }
func (u *user) mark() store.Revocation              { return u.marked }
func (u *user) setMark(mark store.Revocation)       { u.marked = mark }

func (u *user) isEmpty() bool { return len(u.kept)+len(u.until) == 0 && u.marked == store.Revocation{} }

// copied returns r without what it shares with the caller.
func copied(r store.Record) store.Record {
	r.Client, r.Data = bytes.Clone(r.Client), bytes.Clone(r.Data)
	if r.Revoked != nil {
		why := *r.Revoked
		r.Revoked = &why
	}
	return r
}

// write runs a step that may change a user, and returns the sessions that it ended.
func (s *Smallest) write(ctx context.Context, key string, step func(*user) ([]store.Record, error)) ([]store.Record, error) {
	var ended []store.Record
	err := s.read(ctx, key, func(u *user) (err error) {
		ended, err = step(u)
		if s.users[key] = u; u.isEmpty() {
			delete(s.users, key)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(ended) > 0 {
		s.tell(key)
	}
	return ended, nil
}

// read runs a step that changes nothing.
func (s *Smallest) read(ctx context.Context, key string, step func(*user) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.users[key]
	if u == nil {
		u = &user{kept: make(map[string]store.Record), until: make(map[string]time.Time)}
	}
	return step(u)
}

// find returns a live session, or the error that says why there is none.
func (u *user) find(id string) (store.Record, error) {
	switch r := u.record(id); {
	case live(r):
		return r, nil
	case time.Now().Before(r.ExpiresAt):
		return r, store.ErrRevoked
	}
	return store.Record{}, store.ErrNotFound
}

func live(r store.Record) bool { return r.Revoked == nil && time.Now().Before(r.ExpiresAt) }

func (s *Smallest) Find(ctx context.Context, key, id string) (r store.Record, err error) {
	err = s.read(ctx, key, func(u *user) (err error) {
		r, err = u.find(id)
		return err
	})
	return r, err
}

func (s *Smallest) Create(ctx context.Context, r store.Record, limit store.Limit) ([]store.Record, error) {
	s.sweep()
	return s.write(ctx, r.User, func(u *user) ([]store.Record, error) {
		switch _, err := u.find(r.ID); {
		case err == nil:
			return nil, store.ErrExists
		case err != store.ErrNotFound:
			return nil, err // of a tombstone, or of the database
		}
		now, mark := time.Now(), u.mark()
		switch {
		case now.Before(u.once(r.ID)):
			return nil, store.ErrRevoked
		case now.Before(mark.Until) && (!r.Once.IsZero() || !r.CreatedAt.After(mark.At)):
			return nil, &store.MarkedError{Mark: mark}
		}
		if !r.Once.IsZero() {
			u.setOnce(r.ID, r.Once)
		}
		u.put(r)
		var beyond []store.Record
		if limit.Max > 0 {
			others := slices.SortedFunc(slices.Values(u.others(r.ID)), bySeen)
			beyond = others[:max(0, len(others)+1-limit.Max)]
		}
		return u.bury(beyond, store.Revocation{At: now, Reason: store.Evicted, By: r.ID}), nil
	})
}

// put keeps a session.
func (u *user) put(r store.Record) {
	if !r.Deadline.IsZero() && r.Deadline.Before(r.ExpiresAt) {
		r.ExpiresAt = r.Deadline
	}
	r.Once = time.Time{}
	u.set(r)
}

func (s *Smallest) List(ctx context.Context, key string) (list []store.Record, err error) {
	err = s.read(ctx, key, func(u *user) error {
		list = u.others("")
		return nil
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// others returns the live sessions but one, without their data.
func (u *user) others(but string) (list []store.Record) {
	for r := range u.records() {
		if r.ID != but && live(r) {
			r.Data = nil
			list = append(list, copied(r))
		}
	}
	return list
}

func (s *Smallest) Revoke(ctx context.Context, key, id string, why store.Revocation) (store.Record, error) {
	ended, err := s.write(ctx, key, func(u *user) ([]store.Record, error) {
		if err := u.mayAct(why.By); err != nil {
			return nil, err
		}
		r, err := u.find(id)
		switch {
		case err == store.ErrRevoked:
			return nil, store.ErrNotFound
		case err != nil:
			return nil, err
		}
		r.Data = nil
		return u.bury([]store.Record{r}, dated(why)), nil
	})
	if err != nil {
		return store.Record{}, err
	}
	return ended[0], nil
}

// mayAct returns an error unless the session that acts is live, or none acts.
func (u *user) mayAct(by string) error {
	if by == "" {
		return nil
	}
	_, err := u.find(by)
	if err == store.ErrNotFound || err == store.ErrRevoked {
		return store.ErrActorRevoked
	}
	return err
}

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
func (u *user) bury(sessions []store.Record, why store.Revocation) []store.Record {
	why.Until = time.Time{}
	for _, r := range sessions {
		t := store.Record{User: r.User, ID: r.ID, Secret: r.Secret, CreatedAt: r.CreatedAt, Revoked: &why}
		if r.UsedAt.IsZero() {
			t.Prev = r.Prev
		}
		t.ExpiresAt = why.At.Add(store.TombstoneLifetime)
		if r.ExpiresAt.Before(t.ExpiresAt) {
			t.ExpiresAt = r.ExpiresAt
		}
		u.set(t)
	}
	u.forget()
	return sessions
}

// forget deletes what has expired, and the oldest tombstones beyond the limit.
func (u *user) forget() {
	now := time.Now()
	var gone, tombstones []store.Record
	for r := range u.records() {
		if !now.Before(r.ExpiresAt) {
			gone = append(gone, r)
		} else if r.Revoked != nil {
			tombstones = append(tombstones, r)
		}
	}
	slices.SortFunc(tombstones, func(a, b store.Record) int { return a.Revoked.At.Compare(b.Revoked.At) })
	gone = append(gone, tombstones[:max(0, len(tombstones)-store.MaxTombstones)]...)
	for _, r := range gone {
		u.remove(r.ID)
	}
	for id, until := range u.onces() {
		if !now.Before(until) {
			u.removeOnce(id)
		}
	}
	if !now.Before(u.mark().Until) {
		u.setMark(store.Revocation{})
	}
}

// sweep does so for one user, whichever that is.
func (s *Smallest) sweep() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, u := range s.users {
		if u.forget(); u.isEmpty() {
			delete(s.users, key)
		}
		return
	}
}

func (s *Smallest) Update(ctx context.Context, r store.Record, was store.Hash) error {
	_, err := s.write(ctx, r.User, func(u *user) ([]store.Record, error) {
		next := r
		old, err := u.find(r.ID)
		switch {
		case err != nil:
			return nil, err
		case !old.Secret.Equal(was):
			return nil, store.ErrStale
		case r.Secret == was:
			if old.Prev == (store.Hash{}) || !old.UsedAt.IsZero() {
				next.UsedAt = old.UsedAt
			}
			next.Prev, next.RenewedAt = old.Prev, old.RenewedAt
		case old.Retired(r.Prev):
			return nil, store.ErrStale
		}
		if r.Deadline.IsZero() {
			next.Deadline = old.Deadline
		}
		u.put(next)
		return nil, nil
	})
	return err
}

func (s *Smallest) Touch(ctx context.Context, key, id string, t store.Touch) error {
	_, err := s.write(ctx, key, func(u *user) ([]store.Record, error) {
		r, err := u.find(id)
		if err != nil {
			return nil, err
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
		return nil, nil
	})
	return err
}

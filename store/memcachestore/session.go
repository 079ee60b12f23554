package memcachestore

import (
	"context"
	"slices"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// Create implements [store.Store].
func (s *Store) Create(ctx context.Context, r store.Record, limit store.Limit) (evicted []store.Record, err error) {
	err = s.change(ctx, "create session", r.User, func(a *account, now time.Time) error {
		if err := a.mayCreate(r); err != nil {
			return err
		}
		evicted = nil
		if beyond := len(a.sessions) + 1 - limit.Max; limit.Max > 0 && beyond > 0 {
			slices.SortFunc(a.sessions, bySeen)
			why := store.Revocation{At: now, Reason: store.Evicted, By: r.ID}
			evicted = a.bury(a.idsBut("")[:beyond], why)
		}
		if r.Once.After(now) {
			a.onces = append(a.onces, once{r.ID, r.Once})
		}
		added := r
		added.ExpiresAt = bounded(r.ExpiresAt, r.Deadline)
		a.sessions = append(a.sessions, added)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return evicted, nil
}

// bySeen puts the least recently seen first, and what was not seen yet last.
func bySeen(a, b store.Record) int {
	switch {
	case a.SeenAt.IsZero() && b.SeenAt.IsZero():
		return 0
	case a.SeenAt.IsZero():
		return 1
	case b.SeenAt.IsZero():
		return -1
	}
	return a.SeenAt.Compare(b.SeenAt)
}

// Find implements [store.Store].
func (s *Store) Find(ctx context.Context, user, id string) (store.Record, error) {
	a, err := s.load(ctx, user)
	if err != nil {
		return store.Record{}, failed("find session", err)
	}
	if r, err := a.live(id); err == nil {
		return *r, nil
	}
	if i := index(a.tombstones, id); i >= 0 {
		return a.tombstones[i], store.ErrRevoked
	}
	return store.Record{}, store.ErrNotFound
}

// Update implements [store.Store].
func (s *Store) Update(ctx context.Context, r store.Record, was store.Hash) error {
	return s.change(ctx, "update session", r.User, func(a *account, _ time.Time) error {
		old, err := a.live(r.ID)
		if err != nil {
			return err
		}
		if !old.Secret.Equal(was) {
			return store.ErrStale
		}
		next := r
		if next.Secret == old.Secret {
			next.Prev, next.RenewedAt, next.UsedAt = old.Prev, old.RenewedAt, old.UsedAt
			use(&next, r.UsedAt)
		} else if old.Retired(r.Prev) {
			return store.ErrStale
		}
		if next.Deadline.IsZero() {
			next.Deadline = old.Deadline
		}
		next.ExpiresAt = bounded(next.ExpiresAt, next.Deadline)
		*old = next
		return nil
	})
}

// use notes when the secret was presented, if it is the first time since a renewal.
func use(r *store.Record, at time.Time) {
	if r.Prev != (store.Hash{}) && r.UsedAt.IsZero() {
		r.UsedAt = at
	}
}

// Touch implements [store.Store].
func (s *Store) Touch(ctx context.Context, user, id string, t store.Touch) error {
	return s.change(ctx, "touch session", user, func(a *account, _ time.Time) error {
		r, err := a.live(id)
		if err != nil {
			return err
		}
		if t.SeenAt.After(r.SeenAt) {
			r.SeenAt = t.SeenAt
		}
		if expires := bounded(t.ExpiresAt, r.Deadline); expires.After(r.ExpiresAt) {
			r.ExpiresAt = expires
		}
		if t.Secret.Equal(r.Secret) {
			use(r, t.SeenAt)
		}
		if t.Client != nil {
			r.Client = t.Client
		}
		return nil
	})
}

// List implements [store.Store].
func (s *Store) List(ctx context.Context, user string) ([]store.Record, error) {
	a, err := s.load(ctx, user)
	if err != nil {
		return nil, failed("list sessions", err)
	}
	for i, r := range a.sessions {
		a.sessions[i] = listed(r)
	}
	return a.sessions, nil
}

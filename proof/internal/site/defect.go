package site

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// Defects are faults that a store can be given, each one that is easily made, to
// show that they are found.
var Defects = map[string]string{
	"recreate": "an update of a revoked session creates it anew",
	"miss":     "revoking all misses one session, and says that it was revoked",
	"stepwise": "revoking all goes from session to session, instead of being one step",
	"cached":   "a process remembers for a moment what it has found",
	"unmarked": "revoking all leaves no mark, so that sessions from before are adopted",
	"unused":   "the use of a new token is not noted, so that the one before goes on opening the session",
}

func withDefect(name string, b *backend) (store.Store, error) {
	st := b.sessions
	switch name {
	case "":
		return st, nil
	case "recreate":
		return recreating{st, b.erase}, nil
	case "miss":
		return missing{st}, nil
	case "stepwise":
		return stepwise{st}, nil
	case "cached":
		return &cached{Store: st, found: make(map[string]finding)}, nil
	case "unmarked":
		return unmarked{st}, nil
	case "unused":
		return unused{st}, nil
	case "unaccepted":
		return unaccepted{st}, nil
	case "overwrite":
		return overwriting{st}, nil
	case "unended":
		return unending{st}, nil
	case "hurried", "hasty": // not the store's: see leased
		return st, nil
	}
	return nil, fmt.Errorf("no defect %q", name)
}

type recreating struct {
	store.Store
	erase func(user, id string) error
}

func (s recreating) Update(ctx context.Context, r store.Record, was store.Hash) error {
	err := s.Store.Update(ctx, r, was)
	if !errors.Is(err, store.ErrRevoked) {
		return err
	}
	if err := s.erase(r.User, r.ID); err != nil {
		return err
	}
	_, err = s.Store.Create(ctx, r, store.Limit{})
	return err
}

type missing struct{ store.Store }

func (s missing) RevokeAll(ctx context.Context, user, keep string, why store.Revocation) ([]store.Record, error) {
	live, err := s.List(ctx, user)
	if err != nil || keep != "" || why.By != "" || len(live) < 2 {
		return s.Store.RevokeAll(ctx, user, keep, why)
	}
	missed := live[len(live)-1]
	ended, err := s.Store.RevokeAll(ctx, user, missed.ID, why)
	return append(ended, missed), err
}

type stepwise struct{ store.Store }

func (s stepwise) RevokeAll(ctx context.Context, user, keep string, why store.Revocation) ([]store.Record, error) {
	live, err := s.List(ctx, user)
	if err != nil {
		return nil, err
	}
	var ended []store.Record
	for _, r := range live {
		if r.ID == keep || r.ID == why.By {
			continue
		}
		time.Sleep(time.Millisecond)
		switch r, err := s.Revoke(ctx, user, r.ID, why); {
		case err == nil:
			ended = append(ended, r)
		case !errors.Is(err, store.ErrNotFound):
			return nil, err
		}
	}
	if keep != why.By {
		r, err := s.Revoke(ctx, user, why.By, why)
		if err != nil {
			return nil, err
		}
		ended = append(ended, r)
	}
	return ended, nil
}

type unmarked struct{ store.Store }

func (s unmarked) Create(ctx context.Context, r store.Record, limit store.Limit) ([]store.Record, error) {
	r.Once, r.CreatedAt = time.Time{}, time.Now().Add(time.Hour)
	return s.Store.Create(ctx, r, limit)
}

type unused struct{ store.Store }

func (s unused) Update(ctx context.Context, r store.Record, was store.Hash) error {
	r.UsedAt = time.Time{}
	return s.Store.Update(ctx, r, was)
}

func (s unused) Touch(ctx context.Context, user, id string, t store.Touch) error {
	t.Secret = store.Hash{}
	return s.Store.Touch(ctx, user, id, t)
}

type cached struct {
	store.Store
	mu    sync.Mutex
	found map[string]finding
}

type finding struct {
	record store.Record
	at     time.Time
}

func (s *cached) Find(ctx context.Context, user, id string) (store.Record, error) {
	s.mu.Lock()
	f, ok := s.found[user+id]
	s.mu.Unlock()
	if ok && time.Since(f.at) < 100*time.Millisecond {
		return f.record, nil
	}
	record, err := s.Store.Find(ctx, user, id)
	if err == nil {
		s.mu.Lock()
		s.found[user+id] = finding{record, time.Now()}
		s.mu.Unlock()
	}
	return record, err
}

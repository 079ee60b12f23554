package storetest

import (
	"context"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

func (s *Smallest) RevokeAll(ctx context.Context, key, keep string, why store.Revocation) ([]store.Record, error) {
	return s.write(ctx, key, func(u *user) ([]store.Record, error) {
		if err := u.mayAct(why.By); err != nil {
			return nil, err
		}
		why := dated(why)
		u.leave(why)
		return u.bury(u.others(keep), why), nil
	})
}

// leave leaves a mark: of two, the later one until the later of their ends.
func (u *user) leave(mark store.Revocation) {
	if last := u.mark(); time.Now().Before(last.Until) {
		until := mark.Until
		if last.At.After(mark.At) {
			mark = last
		}
		if mark.Until = last.Until; until.After(last.Until) {
			mark.Until = until
		}
	}
	u.setMark(mark)
}

// bySeen puts the least recently seen first, and what was not seen yet last.
func bySeen(a, b store.Record) int {
	if a.SeenAt.IsZero() != b.SeenAt.IsZero() {
		return -a.SeenAt.Compare(b.SeenAt)
	}
	return a.SeenAt.Compare(b.SeenAt)
}

func (s *Smallest) RevokeEveryone(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	if now := time.Now(); now.After(s.everyone) {
		s.everyone = now
	}
	clear(s.users)
	s.mu.Unlock()
	s.tell("")
	return nil
}

func (s *Smallest) RevokedEveryone(ctx context.Context) (time.Time, error) {
	if err := ctx.Err(); err != nil {
		return time.Time{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.everyone, nil
}

func (s *Smallest) All(ctx context.Context) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		s.mu.Lock()
		keys := slices.Collect(maps.Keys(s.users))
		s.mu.Unlock()
		for _, key := range keys {
			sessions, err := s.sessions(ctx, key)
			for _, r := range sessions {
				if err = ctx.Err(); err != nil {
					break
				}
				if !yield(r, nil) {
					return
				}
			}
			if err != nil {
				yield(store.Record{}, err)
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(store.Record{}, err)
		}
	}
}

// sessions returns the live sessions of a user, with their data.
func (s *Smallest) sessions(ctx context.Context, key string) (list []store.Record, err error) {
	err = s.read(ctx, key, func(u *user) error {
		list = nil
		for r := range u.records() {
			if live(r) {
				list = append(list, copied(r))
			}
		}
		return nil
	})
	return list, err
}

// A subscriber has not been told yet of these keys.
type subscriber struct {
	keys map[string]bool
	wake chan bool // has room for one
}

// tell says that sessions of a user have ended, or with the empty key those of anybody.
func (s *Smallest) tell(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for sub := range s.subscribers {
		sub.keys[key] = true
		select {
		case sub.wake <- true:
		default: // it has yet to wake, and will see this key as well
		}
	}
}

func (s *Smallest) Subscribe(ctx context.Context, ended func(user string)) {
	sub := &subscriber{keys: map[string]bool{"": true}, wake: make(chan bool, 1)}
	sub.wake <- true
	s.mu.Lock()
	s.subscribers[sub] = true
	s.mu.Unlock()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-sub.wake:
		}
		s.mu.Lock()
		keys := slices.Collect(maps.Keys(sub.keys))
		clear(sub.keys)
		s.mu.Unlock()
		for _, key := range keys {
			ended(key)
		}
	}
	s.mu.Lock()
	delete(s.subscribers, sub)
	s.mu.Unlock()
}

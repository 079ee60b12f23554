package storetest

import (
	"context"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// A twist is something that can be wrong with a store, in one or two of its methods.
type twist struct {
	twist   func(s *twisted)
	finders []string // the cases that find it out
}

// remembers returns a store that knows sessions as they were created.
func remembers(s *twisted) (first func(r store.Record) store.Record) {
	var mu sync.Mutex
	created := make(map[[2]string]store.Record)
	s.create = func(ctx context.Context, r store.Record, limit store.Limit) ([]store.Record, error) {
		evicted, err := s.flawed.Create(ctx, r, limit)
		if err == nil {
			mu.Lock()
			defer mu.Unlock()
			created[[2]string{r.User, r.ID}] = clone(r)
		}
		return evicted, err
	}
	return func(r store.Record) store.Record {
		mu.Lock()
		defer mu.Unlock()
		was, data := clone(created[[2]string{r.User, r.ID}]), r.Data
		was.ExpiresAt, was.Once = bounded(was.ExpiresAt, was.Deadline), time.Time{}
		if data == nil {
			was.Data = nil
		}
		return was
	}
}

// twists are all of them, by name.
var twists = func() map[string]twist {
	all := make(map[string]twist)
	for _, some := range []map[string]twist{someTwists, limitTwists, everyoneTwists} {
		maps.Copy(all, some)
	}
	return all
}()

var someTwists = map[string]twist{
	"Revoke returns the session as it was created": {func(s *twisted) {
		first := remembers(s)
		s.revoke = func(ctx context.Context, user, id string, why store.Revocation) (store.Record, error) {
			r, err := s.flawed.Revoke(ctx, user, id, why)
			if err == nil {
				r = first(r)
			}
			return r, err
		}
	}, []string{"Revoke/gives the session as it has become"}},
	"evictions return sessions as they were created": {func(s *twisted) {
		first := remembers(s)
		create := s.create
		s.create = func(ctx context.Context, r store.Record, limit store.Limit) ([]store.Record, error) {
			evicted, err := create(ctx, r, limit)
			for i := range evicted {
				evicted[i] = first(evicted[i])
			}
			return evicted, err
		}
	}, []string{"Limit/evicts what it has become"}},
	"All has sessions as they were created": {func(s *twisted) {
		first := remembers(s)
		s.all = func(ctx context.Context) iter.Seq2[store.Record, error] {
			return func(yield func(store.Record, error) bool) {
				for r, err := range s.flawed.All(ctx) {
					if err == nil {
						r = first(r)
					}
					if !yield(r, err) {
						return
					}
				}
			}
		}
	}, []string{"All/of what has changed"}},
	"All reads the data later": {func(s *twisted) {
		s.all = func(ctx context.Context) iter.Seq2[store.Record, error] {
			return func(yield func(store.Record, error) bool) {
				for r, err := range s.flawed.All(ctx) {
					if err == nil {
						gap()
						if now, err := s.flawed.Find(ctx, r.User, r.ID); err == nil {
							r.Data = now.Data
						}
					}
					if !yield(r, err) {
						return
					}
				}
			}
		}
	}, []string{"All/of sessions that are updated"}},

	"acting sessions fold case": {func(s *twisted) {
		s.revoke = func(ctx context.Context, user, id string, why store.Revocation) (store.Record, error) {
			why.By = s.folded(user, why.By)
			return s.flawed.Revoke(ctx, user, id, why)
		}
	}, []string{"Actor/whose name is like another"}},
	"acting sessions may be named by a beginning": {func(s *twisted) {
		s.revokeAll = func(ctx context.Context, user, keep string, why store.Revocation) ([]store.Record, error) {
			list, _ := s.flawed.List(ctx, user)
			for _, r := range list {
				if why.By != "" && strings.HasPrefix(r.ID, why.By) {
					why.By = r.ID
				}
			}
			return s.flawed.RevokeAll(ctx, user, keep, why)
		}
	}, []string{"Actor/whose name is like another"}},
	"keep folds case": {func(s *twisted) {
		s.revokeAll = func(ctx context.Context, user, keep string, why store.Revocation) ([]store.Record, error) {
			return s.flawed.RevokeAll(ctx, user, s.folded(user, keep), why)
		}
	}, []string{"Actor/whose name is like another"}},

	"Update ignores an expiry that has come": {func(s *twisted) {
		s.update = func(ctx context.Context, r store.Record, was store.Hash) error {
			if old, err := s.flawed.Find(ctx, r.User, r.ID); err == nil && r.ExpiresAt.Before(time.Now()) {
				r.ExpiresAt = old.ExpiresAt
			}
			return s.flawed.Update(ctx, r, was)
		}
	}, []string{"Update/ends what is to have expired"}},
	"Update ignores a deadline that has come": {func(s *twisted) {
		s.update = func(ctx context.Context, r store.Record, was store.Hash) error {
			if r.Deadline.Before(time.Now()) {
				r.Deadline = time.Time{}
			}
			return s.flawed.Update(ctx, r, was)
		}
	}, []string{"Update/ends what is to have expired"}},

	"tombstones of Revoke last until Until": {func(s *twisted) {
		s.revoke = func(ctx context.Context, user, id string, why store.Revocation) (store.Record, error) {
			return outlasts(s, why, func() (store.Record, error) { return s.flawed.Revoke(ctx, user, id, why) })
		}
	}, []string{"Tombstone/does not last until Until"}},
	"tombstones of RevokeAll last until Until": {func(s *twisted) {
		s.revokeAll = func(ctx context.Context, user, keep string, why store.Revocation) ([]store.Record, error) {
			return outlasts(s, why, func() ([]store.Record, error) { return s.flawed.RevokeAll(ctx, user, keep, why) })
		}
	}, []string{"Tombstone/does not last until Until"}},

	"marks are not ahead": {func(s *twisted) {
		s.revokeAll = func(ctx context.Context, user, keep string, why store.Revocation) ([]store.Record, error) {
			if why.At.After(time.Now()) {
				why.At = time.Now()
			}
			return s.flawed.RevokeAll(ctx, user, keep, why)
		}
	}, []string{"Mark/may be ahead of the clock"}},
	"RevokeAll asks for the last mark first": {func(s *twisted) {
		s.revokeAll = func(ctx context.Context, user, keep string, why store.Revocation) ([]store.Record, error) {
			s.mu.Lock()
			last, ok := s.marks[user]
			s.mu.Unlock()
			gap()
			s.mu.Lock()
			if delete(s.marks, user); ok {
				s.marks[user] = last
			}
			s.mu.Unlock()
			return s.flawed.RevokeAll(ctx, user, keep, why)
		}
	}, []string{"UnderWay/of RevokeAll with others of its kind"}},
	"Revoke counts the tombstones first": {func(s *twisted) {
		s.flaw = "any number of tombstones" // which this store counts itself
		s.revoke = func(ctx context.Context, user, id string, why store.Revocation) (store.Record, error) {
			s.mu.Lock()
			before := len(s.stones(user))
			s.mu.Unlock()
			gap()
			r, err := s.flawed.Revoke(ctx, user, id, why)
			s.mu.Lock()
			defer s.mu.Unlock()
			for _, key := range s.stones(user)[:max(0, before+1-store.MaxTombstones)] {
				delete(s.kept, key)
			}
			return r, err
		}
	}, []string{"RevokeRace/of revocations with the bound on tombstones"}},

	"Subscribe tells of a user once": {func(s *twisted) {
		s.subscribe = func(ctx context.Context, ended func(user string)) {
			told := make(map[string]bool)
			s.flawed.Subscribe(ctx, func(user string) {
				if user == "" || !told[user] {
					ended(user)
				}
				told[user] = true
			})
		}
	}, []string{"Subscribe/tells again"}},
	"Subscribe tells of everyone once": {func(s *twisted) {
		s.subscribe = func(ctx context.Context, ended func(user string)) {
			n := 0
			s.flawed.Subscribe(ctx, func(user string) {
				if user == "" {
					if n++; n > 2 { // one says that the subscription stands
						return
					}
				}
				ended(user)
			})
		}
	}, []string{"Subscribe/tells again"}},
	"Subscribe drops what comes while it is busy": {func(s *twisted) {
		s.subscribe = func(ctx context.Context, ended func(user string)) {
			var busy sync.Mutex
			s.flawed.Subscribe(ctx, func(user string) {
				if busy.TryLock() {
					go func() {
						defer busy.Unlock()
						ended(user)
					}()
				}
			})
		}
	}, []string{"Subscribe/tells later what came while it was busy"}},
	"the end of a subscription ends the others": {func(s *twisted) {
		s.subscribe = func(ctx context.Context, ended func(user string)) {
			s.flawed.Subscribe(ctx, ended)
			s.mu.Lock()
			defer s.mu.Unlock()
			s.tell = nil
		}
	}, []string{"Subscribe/tells again"}},
}

// folded returns the id of a live session that is the same but for case.
func (s *twisted) folded(user, id string) string {
	list, _ := s.flawed.List(context.Background(), user)
	for _, r := range list {
		if strings.EqualFold(r.ID, id) {
			return r.ID
		}
	}
	return id
}

// stones returns the keys of the user's tombstones, the oldest revocation first.
func (s *twisted) stones(user string) (keys [][2]string) {
	for key, k := range s.kept {
		if k.User == user && k.Revoked != nil {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, func(a, b [2]string) int { return s.kept[a].Revoked.At.Compare(s.kept[b].Revoked.At) })
	return keys
}

// outlasts revokes, and has the tombstones expire at why.Until.
func outlasts[T any](s *twisted, why store.Revocation, revoke func() (T, error)) (T, error) {
	began := s.arrivals()
	were, err := revoke()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.kept {
		if k.Revoked != nil && k.arrived > began && !why.Until.IsZero() {
			k.ExpiresAt = why.Until
		}
	}
	return were, err
}

func (s *twisted) arrivals() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.arrived
}

package theatre

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/revoke-sessions/revoke/internal/racedetector"
	"github.com/revoke-sessions/revoke/store"
)

// FindDefects shows that the enumeration rejects each of these stores, and tells why.
func FindDefects(t *testing.T) {
	if racedetector.On {
		t.Skip("takes long under the race detector, and needs none")
	}
	for _, defect := range defects {
		t.Run(defect.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, defect.setting, inMemory, defect.spoilStore)
			orders := 0
			for _, p := range programs {
				if !slices.Contains(p.settings, defect.setting) {
					continue
				}
				for _, cast := range p.casts {
					result := p.run(s, cast)
					if orders += result.Orders; result.Failure != nil {
						t.Logf("found within %d orders, where %s:\n%v", orders, does(cast), result.Failure)
						return
					}
				}
			}
			t.Errorf("not found in %d orders", orders)
		})
	}
}

// A defect is one that a store may have.
type defect struct {
	name    string
	setting setting
	spoil   func(*scene, *spoiledStore)
}

var defects = []defect{
	{"Find answers from a cache", always, func(_ *scene, st *spoiledStore) {
		cache := make(map[string]store.Record)
		st.find = func(ctx context.Context, user, id string) (store.Record, error) {
			if r, ok := cache[id]; ok {
				return r, nil
			}
			r, err := st.Store.Find(ctx, user, id)
			if err == nil {
				cache[id] = r
			}
			return r, err
		}
	}},
	{"Update creates", always, func(_ *scene, st *spoiledStore) {
		st.update = func(ctx context.Context, r store.Record, was store.Hash) error {
			return st.bringBack(r, st.Store.Update(ctx, r, was))
		}
	}},
	{"Update ignores was", always, func(_ *scene, st *spoiledStore) {
		st.update = func(ctx context.Context, r store.Record, _ store.Hash) error { return st.overwrite(ctx, r) }
	}},
	{"Update looks at was in one step and writes in another", always, func(sc *scene, st *spoiledStore) {
		st.update = func(ctx context.Context, r store.Record, was store.Hash) error {
			before, err := st.Store.Find(ctx, r.User, r.ID)
			if err != nil {
				return err
			}
			if !before.Secret.Equal(was) {
				return store.ErrStale
			}
			sc.run.Step("overwrites the session")
			return st.overwrite(ctx, r)
		}
	}},
	{"Update puts Prev back", rare, func(_ *scene, st *spoiledStore) {
		st.update = func(ctx context.Context, r store.Record, was store.Hash) error {
			if r.Secret == was && r.Prev != (store.Hash{}) {
				between := r
				between.Secret = store.HashSecret("another")
				if err := st.Store.Update(ctx, between, was); err != nil {
					return err
				}
				was = between.Secret
			}
			return st.Store.Update(ctx, r, was)
		}
	}},
	{"Update keeps UsedAt", rare, func(_ *scene, st *spoiledStore) {
		st.update = func(ctx context.Context, r store.Record, was store.Hash) error {
			if r.Secret != was {
				r.UsedAt = time.Now()
			}
			return st.Store.Update(ctx, r, was)
		}
	}},
	{"Update never sets UsedAt", rare, func(_ *scene, st *spoiledStore) {
		st.update = func(ctx context.Context, r store.Record, was store.Hash) error {
			r.UsedAt = time.Time{}
			return st.Store.Update(ctx, r, was)
		}
	}},
	{"Touch never sets UsedAt", rare, func(_ *scene, st *spoiledStore) {
		st.touch = func(ctx context.Context, user, id string, t store.Touch) error {
			t.Secret = store.Hash{}
			return st.Store.Touch(ctx, user, id, t)
		}
	}},
	{"Touch creates", always, func(_ *scene, st *spoiledStore) {
		st.touch = func(ctx context.Context, user, id string, t store.Touch) error {
			return st.bringBack(st.seen[id], st.Store.Touch(ctx, user, id, t))
		}
	}},
	{"Create ignores Once", forgetful, func(_ *scene, st *spoiledStore) {
		st.create = func(ctx context.Context, r store.Record, limit store.Limit) ([]store.Record, error) {
			r.Once = time.Time{}
			return st.Store.Create(ctx, r, limit)
		}
	}},
	{"Create ignores the mark when a sign-in is under way", always, func(_ *scene, st *spoiledStore) {
		st.create = func(ctx context.Context, r store.Record, limit store.Limit) ([]store.Record, error) {
			r.CreatedAt = time.Now().Add(time.Hour)
			return st.Store.Create(ctx, r, limit)
		}
	}},
	{"Create ignores the mark when a session is adopted", always, func(_ *scene, st *spoiledStore) {
		st.create = func(ctx context.Context, r store.Record, limit store.Limit) ([]store.Record, error) {
			if !r.Once.IsZero() {
				r.Once, r.CreatedAt = time.Time{}, time.Now().Add(time.Hour)
			}
			return st.Store.Create(ctx, r, limit)
		}
	}},
	{"Create evicts nobody", limited, func(_ *scene, st *spoiledStore) {
		st.create = func(ctx context.Context, r store.Record, _ store.Limit) ([]store.Record, error) {
			return st.Store.Create(ctx, r, store.Limit{})
		}
	}},
	{"Create evicts one too many", limited, func(_ *scene, st *spoiledStore) {
		st.create = func(ctx context.Context, r store.Record, limit store.Limit) ([]store.Record, error) {
			return st.Store.Create(ctx, r, store.Limit{Max: limit.Max - 1})
		}
	}},
	{"Revoke ignores the acting session", always, func(_ *scene, st *spoiledStore) {
		st.revoke = func(ctx context.Context, user, id string, why store.Revocation) (store.Record, error) {
			why.By = ""
			return st.Store.Revoke(ctx, user, id, why)
		}
	}},
	{"Revoke looks in one step and writes in another", always, func(sc *scene, st *spoiledStore) {
		st.revoke = func(ctx context.Context, user, id string, why store.Revocation) (store.Record, error) {
			r, err := st.Store.Find(ctx, user, id)
			if err != nil {
				return st.Store.Revoke(ctx, user, id, why)
			}
			sc.run.Step("writes the tombstone")
			st.Store.Revoke(ctx, user, id, why)
			return r, nil
		}
	}},
	{"Revoke answers that there was no session", always, func(_ *scene, st *spoiledStore) {
		st.revoke = func(ctx context.Context, user, id string, why store.Revocation) (store.Record, error) {
			_, err := st.Store.Revoke(ctx, user, id, why)
			if err == nil {
				err = store.ErrNotFound
			}
			return store.Record{}, err
		}
	}},
	{"RevokeAll misses one", always, func(_ *scene, st *spoiledStore) {
		st.revokeAll = func(ctx context.Context, user, keep string, why store.Revocation) ([]store.Record, error) {
			list, err := st.others(ctx, user, keep)
			for i, r := range list {
				if i > 0 {
					st.Store.Revoke(ctx, user, r.ID, why)
				}
			}
			return list, err
		}
	}},
	{"RevokeAll takes one step for each session", always, func(sc *scene, st *spoiledStore) {
		st.revokeAll = func(ctx context.Context, user, keep string, why store.Revocation) ([]store.Record, error) {
			list, err := st.others(ctx, user, keep)
			why.By = ""
			for _, r := range list {
				sc.run.Step("revokes one of them")
				st.Store.Revoke(ctx, user, r.ID, why)
			}
			return list, err
		}
	}},
	{"RevokeAll leaves no mark", always, func(_ *scene, st *spoiledStore) {
		st.revokeAll = func(ctx context.Context, user, keep string, why store.Revocation) ([]store.Record, error) {
			list, err := st.others(ctx, user, keep)
			if err == nil && why.By != "" {
				_, err = st.Store.Find(ctx, user, why.By)
			}
			if err != nil {
				return nil, store.ErrActorRevoked
			}
			why.By = ""
			for _, r := range list {
				st.Store.Revoke(ctx, user, r.ID, why)
			}
			return list, nil
		}
	}},
	{"RevokedEveryone says never", always, func(_ *scene, st *spoiledStore) {
		st.revokedEveryone = func(context.Context) (time.Time, error) { return time.Time{}, nil }
	}},
	{"RevokeEveryone leaves its mark when it is done", always, func(sc *scene, st *spoiledStore) {
		var at time.Time
		st.revokeEveryone = func(ctx context.Context) error {
			err := st.Store.RevokeEveryone(ctx)
			sc.run.Step("leaves its mark")
			at = time.Now()
			return err
		}
		st.revokedEveryone = func(context.Context) (time.Time, error) { return at, nil }
	}},
	{"RevokeAll keeps none", always, func(_ *scene, st *spoiledStore) {
		st.revokeAll = func(ctx context.Context, user, _ string, why store.Revocation) ([]store.Record, error) {
			return st.Store.RevokeAll(ctx, user, "", why)
		}
	}},
	{"RevokeAll ends other users' sessions", always, func(_ *scene, st *spoiledStore) {
		st.revokeAll = func(ctx context.Context, user, keep string, why store.Revocation) ([]store.Record, error) {
			list, err := st.Store.RevokeAll(ctx, user, keep, why)
			if err == nil && keep == "" {
				err = st.Store.RevokeEveryone(ctx)
			}
			return list, err
		}
	}},
}

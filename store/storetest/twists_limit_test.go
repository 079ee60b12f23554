package storetest

import (
	"context"
	"math"

	"github.com/revoke-sessions/revoke/store"
)

// These twists are of what counts towards a limit.
var limitTwists = map[string]twist{
	"evictions stop at 1000": {func(s *twisted) {
		s.create = func(ctx context.Context, r store.Record, limit store.Limit) ([]store.Record, error) {
			list, _ := s.flawed.List(ctx, r.User)
			if limit.Max > 0 {
				limit.Max = max(limit.Max, len(list)+1-1000)
			}
			return s.flawed.Create(ctx, r, limit)
		}
	}, []string{"Limit/of many"}},
	"the limit counts 1000 at most": {func(s *twisted) {
		s.create = func(ctx context.Context, r store.Record, limit store.Limit) ([]store.Record, error) {
			if list, _ := s.flawed.List(ctx, r.User); len(list) > 1000 && limit.Max > 0 {
				limit.Max += len(list) - 1000
			}
			return s.flawed.Create(ctx, r, limit)
		}
	}, []string{"Limit/of many"}},
	"a limit has 8 bits": {func(s *twisted) {
		s.create = func(ctx context.Context, r store.Record, limit store.Limit) ([]store.Record, error) {
			if limit.Max > 0 {
				limit.Max &= math.MaxUint8
			}
			return s.flawed.Create(ctx, r, limit)
		}
	}, []string{"Limit/of any size"}},
	"a limit has 32 bits": {func(s *twisted) {
		s.create = func(ctx context.Context, r store.Record, limit store.Limit) ([]store.Record, error) {
			if limit.Max > 0 {
				limit.Max &= math.MaxUint32
			}
			return s.flawed.Create(ctx, r, limit)
		}
	}, []string{"Limit/of any size"}},
	"a limit is a number of thousands at most": {func(s *twisted) {
		s.create = func(ctx context.Context, r store.Record, limit store.Limit) ([]store.Record, error) {
			limit.Max = min(limit.Max, 1000)
			return s.flawed.Create(ctx, r, limit)
		}
	}, []string{"Limit/of many"}},

	"a refused Create counts towards the limit": {miscounts(func(s *twisted, count map[string]int) {
		count["a refused Create"] = 1
	}), []string{"Limit/counts what is live"}},
	"what RevokeAll ended counts towards the limit": {miscounts(func(s *twisted, count map[string]int) {
		s.revokeAll = func(ctx context.Context, user, keep string, why store.Revocation) ([]store.Record, error) {
			were, err := s.flawed.RevokeAll(ctx, user, keep, why)
			s.mu.Lock()
			defer s.mu.Unlock()
			count[user] += len(were)
			return were, err
		}
	}), []string{"Limit/counts what is live"}},
	"what RevokeEveryone ended counts towards the limit": {miscounts(func(s *twisted, count map[string]int) {
		s.revokeEveryone = func(ctx context.Context) error {
			s.mu.Lock()
			for _, k := range s.kept {
				if k.Revoked == nil {
					count[k.User]++
				}
			}
			s.mu.Unlock()
			return s.flawed.RevokeEveryone(ctx)
		}
	}), []string{"RevokeEveryone/leaves nothing that counts"}},
	"updates count towards the limit": {miscounts(func(s *twisted, count map[string]int) {
		s.update = func(ctx context.Context, r store.Record, was store.Hash) error {
			err := s.flawed.Update(ctx, r, was)
			s.mu.Lock()
			defer s.mu.Unlock()
			count[r.User]++
			return err
		}
	}), []string{"Limit/counts what is live"}},
}

// miscounts returns a store whose limit counts some sessions of a user that are not live.
func miscounts(more func(s *twisted, count map[string]int)) func(*twisted) {
	return func(s *twisted) {
		count := make(map[string]int) // sessions of a user that are counted too many
		s.create = func(ctx context.Context, r store.Record, limit store.Limit) ([]store.Record, error) {
			s.mu.Lock()
			if limit.Max > 0 {
				limit.Max = max(1, limit.Max-count[r.User])
			}
			s.mu.Unlock()
			evicted, err := s.flawed.Create(ctx, r, limit)
			if err != nil {
				s.mu.Lock()
				count[r.User] += count["a refused Create"]
				s.mu.Unlock()
			}
			return evicted, err
		}
		more(s, count)
	}
}

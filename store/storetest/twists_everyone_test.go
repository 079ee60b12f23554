package storetest

import (
	"context"
	"maps"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// These twists are of RevokeEveryone.
var everyoneTwists = map[string]twist{
	"RevokeEveryone passes over those who have a tombstone": {passesOver(func(s *twisted, k *kept) bool {
		return len(s.stones(k.User)) > 0
	}), []string{"RevokeEveryone/of whatever they have"}},
	"RevokeEveryone passes over those who have a mark": {passesOver(func(s *twisted, k *kept) bool {
		_, ok := s.marks[k.User]
		return ok
	}), []string{"RevokeEveryone/of whatever they have"}},
	"RevokeEveryone passes over what was renewed": {passesOver(func(_ *twisted, k *kept) bool {
		return k.Prev != store.Hash{}
	}), []string{"RevokeEveryone/of whatever they have"}},
	"RevokeEveryone passes over what has a deadline": {passesOver(func(_ *twisted, k *kept) bool {
		return !k.Deadline.IsZero()
	}), []string{"RevokeEveryone/of whatever they have"}},
	"RevokeEveryone passes over what was not seen yet": {passesOver(func(_ *twisted, k *kept) bool {
		return k.SeenAt.IsZero()
	}), []string{"RevokeEveryone/of whatever they have"}},
	"RevokeEveryone passes over what expires within a minute": {passesOver(func(_ *twisted, k *kept) bool {
		return time.Until(k.ExpiresAt) < time.Minute
	}), []string{"RevokeEveryone/of whatever they have"}},
	"RevokeEveryone passes over what has no data": {passesOver(func(_ *twisted, k *kept) bool {
		return len(k.Data) == 0
	}), []string{"RevokeEveryone/of whatever they have"}},
	"RevokeEveryone notes its time at the end": {func(s *twisted) {
		s.revokeEveryone = func(ctx context.Context) error {
			called := time.Now()
			err := s.flawed.RevokeEveryone(ctx)
			gap()
			s.mu.Lock()
			defer s.mu.Unlock()
			if err == nil {
				s.everyone = called
			}
			return err
		}
	}, []string{"RevokeEveryone/never moves its time back"}},
}

// passesOver returns a store whose RevokeEveryone leaves some sessions alone.
func passesOver(spared func(s *twisted, k *kept) bool) func(*twisted) {
	return func(s *twisted) {
		s.revokeEveryone = func(ctx context.Context) error {
			s.mu.Lock()
			left := make(map[[2]string]*kept)
			for key, k := range s.kept {
				if k.Revoked == nil && spared(s, k) {
					left[key] = k
				}
			}
			s.mu.Unlock()
			err := s.flawed.RevokeEveryone(ctx)
			s.mu.Lock()
			defer s.mu.Unlock()
			maps.Copy(s.kept, left)
			return err
		}
	}
}

package storetest

import (
	"context"
	"iter"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// A twisted store keeps the contract but for the methods that are given here.
type twisted struct {
	*flawed
	create          func(ctx context.Context, r store.Record, limit store.Limit) ([]store.Record, error)
	update          func(ctx context.Context, r store.Record, was store.Hash) error
	touch           func(ctx context.Context, user, id string, t store.Touch) error
	revoke          func(ctx context.Context, user, id string, why store.Revocation) (store.Record, error)
	revokeAll       func(ctx context.Context, user, keep string, why store.Revocation) ([]store.Record, error)
	revokeEveryone  func(ctx context.Context) error
	revokedEveryone func(ctx context.Context) (time.Time, error)
	all             func(ctx context.Context) iter.Seq2[store.Record, error]
	subscribe       func(ctx context.Context, ended func(user string))
}

func (s *twisted) Create(ctx context.Context, r store.Record, limit store.Limit) ([]store.Record, error) {
	if s.create != nil {
		return s.create(ctx, r, limit)
	}
	return s.flawed.Create(ctx, r, limit)
}

func (s *twisted) Update(ctx context.Context, r store.Record, was store.Hash) error {
	if s.update != nil {
		return s.update(ctx, r, was)
	}
	return s.flawed.Update(ctx, r, was)
}

func (s *twisted) Touch(ctx context.Context, user, id string, t store.Touch) error {
	if s.touch != nil {
		return s.touch(ctx, user, id, t)
	}
	return s.flawed.Touch(ctx, user, id, t)
}

func (s *twisted) Revoke(ctx context.Context, user, id string, why store.Revocation) (store.Record, error) {
	if s.revoke != nil {
		return s.revoke(ctx, user, id, why)
	}
	return s.flawed.Revoke(ctx, user, id, why)
}

func (s *twisted) RevokeAll(ctx context.Context, user, keep string, why store.Revocation) ([]store.Record, error) {
	if s.revokeAll != nil {
		return s.revokeAll(ctx, user, keep, why)
	}
	return s.flawed.RevokeAll(ctx, user, keep, why)
}

func (s *twisted) RevokeEveryone(ctx context.Context) error {
	if s.revokeEveryone != nil {
		return s.revokeEveryone(ctx)
	}
	return s.flawed.RevokeEveryone(ctx)
}

func (s *twisted) RevokedEveryone(ctx context.Context) (time.Time, error) {
	if s.revokedEveryone != nil {
		return s.revokedEveryone(ctx)
	}
	return s.flawed.RevokedEveryone(ctx)
}

func (s *twisted) All(ctx context.Context) iter.Seq2[store.Record, error] {
	if s.all != nil {
		return s.all(ctx)
	}
	return s.flawed.All(ctx)
}

func (s *twisted) Subscribe(ctx context.Context, ended func(user string)) {
	if s.subscribe != nil {
		s.subscribe(ctx, ended)
		return
	}
	s.flawed.Subscribe(ctx, ended)
}

// newTwisted returns a store that keeps the contract until it is twisted.
func newTwisted(twist func(*twisted)) *twisted {
	s := &twisted{flawed: newFlawed("")}
	twist(s)
	return s
}

// gap lets others in between two steps.
func gap() { time.Sleep(20 * time.Microsecond) }

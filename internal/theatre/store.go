package theatre

import (
	"context"
	"errors"
	"time"

	"github.com/alexedwards/scs/v2/memstore"

	"github.com/revoke-sessions/revoke/store"
)

// step begins the next step of whoever calls a store.
func (s *stage) step(doing string) {
	s.run.Step(doing)
	if s.setting.maxPerUser > 0 && s.scene != nil {
		s.scene.tick() // who was seen least recently must not hang on how fast this machine is
	}
}

// A steppedStore is a store of which each call is a step.
type steppedStore struct {
	stage *stage
	store.Store
}

func (s *steppedStore) Create(ctx context.Context, r store.Record, limit store.Limit) (evicted []store.Record, _ error) {
	return answer(s.stage, ctx, "stores a new session", func() ([]store.Record, error) { return s.Store.Create(ctx, r, limit) })
}

func (s *steppedStore) Find(ctx context.Context, user, id string) (store.Record, error) {
	return answer(s.stage, ctx, "loads the session", func() (store.Record, error) { return s.Store.Find(ctx, user, id) })
}

func (s *steppedStore) Update(ctx context.Context, r store.Record, was store.Hash) error {
	return s.stage.call(ctx, "", func() error { return s.Store.Update(ctx, r, was) })
}

func (s *steppedStore) Touch(ctx context.Context, user, id string, t store.Touch) error {
	return s.stage.call(ctx, "notes the use", func() error { return s.Store.Touch(ctx, user, id, t) })
}

func (s *steppedStore) List(ctx context.Context, user string) ([]store.Record, error) {
	return answer(s.stage, ctx, "lists the sessions", func() ([]store.Record, error) { return s.Store.List(ctx, user) })
}

func (s *steppedStore) Revoke(ctx context.Context, user, id string, why store.Revocation) (store.Record, error) {
	return answer(s.stage, ctx, "", func() (store.Record, error) { return s.Store.Revoke(ctx, user, id, why) })
}

func (s *steppedStore) RevokeAll(ctx context.Context, user, keep string, why store.Revocation) ([]store.Record, error) {
	return answer(s.stage, ctx, "", func() ([]store.Record, error) { return s.Store.RevokeAll(ctx, user, keep, why) })
}

func (s *steppedStore) RevokeEveryone(ctx context.Context) error {
	return s.stage.call(ctx, "", func() error { return s.Store.RevokeEveryone(ctx) })
}

func (s *steppedStore) RevokedEveryone(ctx context.Context) (time.Time, error) {
	return answer(s.stage, ctx, "asks whether everyone was revoked", func() (time.Time, error) { return s.Store.RevokedEveryone(ctx) })
}

// answer makes a call that has an answer.
func answer[A any](s *stage, ctx context.Context, doing string, do func() (A, error)) (a A, err error) {
	err = s.call(ctx, doing, func() (err error) {
		a, err = do()
		return err
	})
	if errors.Is(err, errFault) {
		return *new(A), err
	}
	return a, err
}

// A steppedVisitors is scs's own store, of which each call is a step. Over plain
// scs it is that of all sessions.
type steppedVisitors struct {
	stage *stage
	*memstore.MemStore
}

func (s *steppedVisitors) call(ctx context.Context, visitors, plain string, do func() error) error {
	if x, ok := ctx.Value(exchangeKey{}).(*exchange); ok && x.byPlainSCS() {
		visitors = plain
	}
	return s.stage.call(ctx, visitors, do)
}

func (s *steppedVisitors) FindCtx(ctx context.Context, token string) (b []byte, found bool, err error) {
	err = s.call(ctx, "loads the visitor's session", "loads the session", func() (err error) {
		b, found, err = s.Find(token)
		return err
	})
	return b, found, err
}

func (s *steppedVisitors) CommitCtx(ctx context.Context, token string, b []byte, expiry time.Time) error {
	return s.call(ctx, "stores the visitor's session", "", func() error { return s.Commit(token, b, expiry) })
}

// What is deleted after AllCtx is deleted in that step: the order is that of a map.
func (s *steppedVisitors) DeleteCtx(ctx context.Context, token string) error {
	if x, ok := ctx.Value(exchangeKey{}).(*exchange); ok && x.act.does == toRevokeEveryone.does {
		return s.Delete(token)
	}
	return s.call(ctx, "deletes the visitor's session", "deletes the token", func() error { return s.Delete(token) })
}

func (s *steppedVisitors) AllCtx(ctx context.Context) (all map[string][]byte, err error) {
	err = s.call(ctx, "looks through the visitors' sessions", "looks through the sessions", func() (err error) {
		all, err = s.All()
		return err
	})
	return all, err
}

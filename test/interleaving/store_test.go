package interleaving

import (
	"context"
	"time"

	"github.com/alexedwards/scs/v2/memstore"

	"github.com/revoke-sessions/revoke/store"
)

// step begins the next step of whoever calls a store. It is told as doing, or
// else as what the request is for.
func (s *stage) step(ctx context.Context, doing string) {
	if x, ok := ctx.Value(exchangeKey{}).(*exchange); ok && doing == "" {
		doing = x.act.does
	}
	s.run.Step(doing)
	if s.setting.maxPerUser > 0 {
		// Who was seen least recently must not hang on how fast this machine is.
		for now := time.Now().UnixMicro(); now == time.Now().UnixMicro(); {
		}
	}
}

// A steppedStore is a store of which each call is a step.
type steppedStore struct {
	stage *stage
	store.Store
}

func (s *steppedStore) Create(ctx context.Context, r store.Record, limit int) ([]store.Record, error) {
	s.stage.step(ctx, "stores a new session")
	return s.Store.Create(ctx, r, limit)
}

func (s *steppedStore) Find(ctx context.Context, user, id string) (store.Record, error) {
	s.stage.step(ctx, "loads the session")
	return s.Store.Find(ctx, user, id)
}

func (s *steppedStore) Update(ctx context.Context, r store.Record, was store.Hash) error {
	s.stage.step(ctx, "")
	return s.Store.Update(ctx, r, was)
}

func (s *steppedStore) Touch(ctx context.Context, user, id string, t store.Touch) error {
	s.stage.step(ctx, "notes the use")
	return s.Store.Touch(ctx, user, id, t)
}

func (s *steppedStore) List(ctx context.Context, user string) ([]store.Record, error) {
	s.stage.step(ctx, "lists the sessions")
	return s.Store.List(ctx, user)
}

func (s *steppedStore) Revoke(ctx context.Context, user, id string, why store.Revocation) (store.Record, error) {
	s.stage.step(ctx, "")
	return s.Store.Revoke(ctx, user, id, why)
}

func (s *steppedStore) RevokeAll(ctx context.Context, user, keep string, why store.Revocation) ([]store.Record, error) {
	s.stage.step(ctx, "")
	return s.Store.RevokeAll(ctx, user, keep, why)
}

func (s *steppedStore) RevokeEveryone(ctx context.Context) error {
	s.stage.step(ctx, "")
	return s.Store.RevokeEveryone(ctx)
}

// A steppedVisitors is scs's own store, of which each call is a step. Over plain
// scs it is that of all sessions.
type steppedVisitors struct {
	stage *stage
	*memstore.MemStore
}

func (s *steppedVisitors) step(ctx context.Context, visitors, plain string) {
	if s.stage.sessions == nil {
		visitors = plain
	}
	s.stage.step(ctx, visitors)
}

func (s *steppedVisitors) FindCtx(ctx context.Context, token string) ([]byte, bool, error) {
	s.step(ctx, "loads the visitor's session", "loads the session")
	return s.Find(token)
}

func (s *steppedVisitors) CommitCtx(ctx context.Context, token string, b []byte, expiry time.Time) error {
	s.step(ctx, "stores the visitor's session", "")
	return s.Commit(token, b, expiry)
}

func (s *steppedVisitors) DeleteCtx(ctx context.Context, token string) error {
	s.step(ctx, "deletes the visitor's session", "deletes the token")
	return s.Delete(token)
}

func (s *steppedVisitors) AllCtx(ctx context.Context) (map[string][]byte, error) {
	s.step(ctx, "looks through the visitors' sessions", "looks through the sessions")
	return s.All()
}

package theatre

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// A spoiledStore has some methods that are not the store's.
type spoiledStore struct {
	store.Store
	seen map[string]store.Record // by id, sessions as they were found last
	back map[string]store.Record // by id, sessions that have ended and come back

	create    func(ctx context.Context, r store.Record, limit store.Limit) ([]store.Record, error)
	find      func(ctx context.Context, user, id string) (store.Record, error)
	update    func(ctx context.Context, r store.Record, was store.Hash) error
	touch     func(ctx context.Context, user, id string, t store.Touch) error
	revoke    func(ctx context.Context, user, id string, why store.Revocation) (store.Record, error)
	revokeAll func(ctx context.Context, user, keep string, why store.Revocation) ([]store.Record, error)

	revokeEveryone  func(ctx context.Context) error
	revokedEveryone func(ctx context.Context) (time.Time, error)
}

func (d defect) spoilStore(sc *scene, st store.Store) store.Store {
	spoiled := &spoiledStore{
		Store: st, seen: make(map[string]store.Record), back: make(map[string]store.Record),
		create: st.Create, find: st.Find, update: st.Update, touch: st.Touch, revoke: st.Revoke, revokeAll: st.RevokeAll,
		revokeEveryone: st.RevokeEveryone, revokedEveryone: st.RevokedEveryone,
	}
	d.spoil(sc, spoiled)
	return spoiled
}

// bringBack makes a session live again that err says has ended.
func (st *spoiledStore) bringBack(r store.Record, err error) error {
	if !errors.Is(err, store.ErrRevoked) && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	st.back[r.ID] = r
	return nil
}

// overwrite replaces a live session, whatever its secret is.
func (st *spoiledStore) overwrite(ctx context.Context, r store.Record) error {
	now, err := st.Store.Find(ctx, r.User, r.ID)
	if err != nil {
		return err
	}
	return st.Store.Update(ctx, r, now.Secret)
}

func (st *spoiledStore) others(ctx context.Context, user, keep string) ([]store.Record, error) {
	list, err := st.List(ctx, user)
	return slices.DeleteFunc(list, func(r store.Record) bool { return r.ID == keep }), err
}

func (st *spoiledStore) Create(ctx context.Context, r store.Record, limit store.Limit) ([]store.Record, error) {
	return st.create(ctx, r, limit)
}

func (st *spoiledStore) Find(ctx context.Context, user, id string) (store.Record, error) {
	if r, ok := st.back[id]; ok {
		return r, nil
	}
	r, err := st.find(ctx, user, id)
	if err == nil {
		st.seen[id] = r
	}
	return r, err
}

func (st *spoiledStore) Update(ctx context.Context, r store.Record, was store.Hash) error {
	return st.update(ctx, r, was)
}

func (st *spoiledStore) Touch(ctx context.Context, user, id string, t store.Touch) error {
	return st.touch(ctx, user, id, t)
}

func (st *spoiledStore) Revoke(ctx context.Context, user, id string, why store.Revocation) (store.Record, error) {
	return st.revoke(ctx, user, id, why)
}

func (st *spoiledStore) RevokeAll(ctx context.Context, user, keep string, why store.Revocation) ([]store.Record, error) {
	return st.revokeAll(ctx, user, keep, why)
}

func (st *spoiledStore) RevokeEveryone(ctx context.Context) error { return st.revokeEveryone(ctx) }

func (st *spoiledStore) RevokedEveryone(ctx context.Context) (time.Time, error) {
	return st.revokedEveryone(ctx)
}

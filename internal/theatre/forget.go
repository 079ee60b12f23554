package theatre

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// A forgetfulStore forgets each tombstone at once, as a store may do. What it keeps is
// what Create was told to do once. To the store behind it each life of a session has
// another id.
type forgetfulStore struct {
	store.Store
	lives map[string]int // by id, how many of its sessions have ended
	onces map[string]bool
}

func newForgetfulStore(st store.Store) *forgetfulStore {
	return &forgetfulStore{Store: st, lives: make(map[string]int), onces: make(map[string]bool)}
}

func (st *forgetfulStore) inner(id string) string {
	if st.lives[id] == 0 {
		return id
	}
	return fmt.Sprintf("%s/%d", id, st.lives[id])
}

// outer gives records the ids by which they are known.
func outer(records []store.Record) []store.Record {
	for i := range records {
		records[i].ID, _, _ = strings.Cut(records[i].ID, "/")
	}
	return records
}

// forget forgets those that have ended.
func (st *forgetfulStore) forget(ended []store.Record) []store.Record {
	for _, r := range outer(ended) {
		st.lives[r.ID]++
	}
	return ended
}

func (st *forgetfulStore) Create(ctx context.Context, r store.Record, limit store.Limit) ([]store.Record, error) {
	id, once := r.ID, !r.Once.IsZero()
	r.ID = st.inner(id)
	_, err := st.Store.Find(ctx, r.User, r.ID)
	if errors.Is(err, store.ErrNotFound) && once && st.onces[id] {
		return nil, store.ErrRevoked
	}
	evicted, err := st.Store.Create(ctx, r, limit)
	if err == nil && once {
		st.onces[id] = true
	}
	return st.forget(evicted), err
}

func (st *forgetfulStore) Find(ctx context.Context, user, id string) (store.Record, error) {
	r, err := st.Store.Find(ctx, user, st.inner(id))
	return outer([]store.Record{r})[0], err
}

func (st *forgetfulStore) Update(ctx context.Context, r store.Record, was store.Hash) error {
	r.ID = st.inner(r.ID)
	return st.Store.Update(ctx, r, was)
}

func (st *forgetfulStore) Touch(ctx context.Context, user, id string, t store.Touch) error {
	return st.Store.Touch(ctx, user, st.inner(id), t)
}

func (st *forgetfulStore) List(ctx context.Context, user string) ([]store.Record, error) {
	records, err := st.Store.List(ctx, user)
	return outer(records), err
}

func (st *forgetfulStore) Revoke(ctx context.Context, user, id string, why store.Revocation) (store.Record, error) {
	if why.By != "" {
		why.By = st.inner(why.By)
	}
	r, err := st.Store.Revoke(ctx, user, st.inner(id), why)
	if err != nil {
		return r, err
	}
	return st.forget([]store.Record{r})[0], nil
}

func (st *forgetfulStore) RevokeAll(ctx context.Context, user, keep string, why store.Revocation) ([]store.Record, error) {
	if why.By != "" {
		why.By = st.inner(why.By)
	}
	if keep != "" {
		keep = st.inner(keep)
	}
	records, err := st.Store.RevokeAll(ctx, user, keep, why)
	return st.forget(records), err
}

func (st *forgetfulStore) RevokeEveryone(ctx context.Context) error {
	st.onces = make(map[string]bool)
	return st.Store.RevokeEveryone(ctx)
}

// everyoneInTwoSteps is a store of which RevokeEveryone is not one step, as it need not
// be: first it says that it was called, and then it ends what is there.
type everyoneInTwoSteps struct {
	store.Store
	sc *scene
	at time.Time
}

func (st *everyoneInTwoSteps) RevokeEveryone(ctx context.Context) error {
	st.at = time.Now()
	st.sc.run.Step("ends what is there")
	return st.Store.RevokeEveryone(ctx)
}

func (st *everyoneInTwoSteps) RevokedEveryone(context.Context) (time.Time, error) { return st.at, nil }

package site

import (
	"context"
	"time"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/store"
)

// TokenDefects are faults that a store can have with tokens. The proof must find each.
var TokenDefects = map[string]string{
	"recreate":   Defects["recreate"],
	"stepwise":   Defects["stepwise"],
	"cached":     Defects["cached"],
	"unaccepted": "the first use of a token is not noted, so that the one before goes on opening the session",
	"overwrite":  "an update does not look whether the token was renewed meanwhile, so that an old one comes back",
	"unended":    "the use of an old token ends nothing",
}

// LeaseDefects are mistakes in the use of leases. The proof must find each.
var LeaseDefects = map[string]string{
	"hurried": "a revocation is answered while others may still say yes",
	"hasty":   "that there is nothing to revoke is answered at once",
}

type unaccepted struct{ store.Store }

func (s unaccepted) Update(ctx context.Context, r store.Record, was store.Hash) error {
	if r.Secret != was {
		_, err := s.Find(ctx, r.User, r.ID)
		return err
	}
	return s.Store.Update(ctx, r, was)
}

type overwriting struct{ store.Store }

func (s overwriting) Update(ctx context.Context, r store.Record, _ store.Hash) error {
	time.Sleep(time.Millisecond)
	now, err := s.Find(ctx, r.User, r.ID)
	if err != nil {
		return err
	}
	return s.Store.Update(ctx, r, now.Secret)
}

type unending struct{ store.Store }

func (s unending) Revoke(ctx context.Context, user, id string, why store.Revocation) (store.Record, error) {
	if why.Reason == revoke.ReasonReused {
		return s.Find(ctx, user, id)
	}
	return s.Store.Revoke(ctx, user, id, why)
}

// hurried does not wait for what others remember.
type hurried struct{ *store.Leased }

func (h hurried) Revoke(ctx context.Context, user, id string, why store.Revocation) (store.Record, error) {
	return h.Unwrap().Revoke(ctx, user, id, why)
}

func (h hurried) RevokeAll(ctx context.Context, user, keep string, why store.Revocation) ([]store.Record, error) {
	return h.Unwrap().RevokeAll(ctx, user, keep, why)
}

// hasty does not wait for what another ends.
type hasty struct{ *store.Leased }

func (h hasty) Revoke(ctx context.Context, user, id string, why store.Revocation) (store.Record, error) {
	r, err := h.Unwrap().Revoke(ctx, user, id, why)
	if err == nil {
		_, _ = h.Leased.Revoke(ctx, user, id, why) // waits
	}
	return r, err
}

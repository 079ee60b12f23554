package storetest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// A call is one of the store's that has one answer, whenever it is made.
type call struct {
	name string
	want error // or a failure of the store
	do   func(ctx context.Context) (records int, err error)
}

const interruptions = 20

// interrupt makes a call a few times, with a context that ends when the call starts, or
// a while later. It does so more often if that takes no more than a moment: many
// databases need a new connection then.
func (t *trial) interrupt(c call) {
	t.Helper()
	start := time.Now()
	_, err := c.do(t.ctx)
	t.wantError(c.name, err, c.want)
	took := time.Since(start)
	start = time.Now()
	for i := 0; i < interruptions && (i < 3 || time.Since(start) < 100*time.Millisecond); i++ {
		ctx, cancel := context.WithCancel(t.ctx)
		after := time.Duration(i*7%interruptions) * took / interruptions
		timer := time.AfterFunc(after, cancel)
		n, err := c.do(ctx)
		timer.Stop()
		cancel()
		if (err == nil || isAnswer(err)) && !errors.Is(err, c.want) {
			t.Fatalf("%s, whose context ended meanwhile, returned the error %v, want %v or that of the context", c.name, err, c.want)
		}
		if err != nil && n > 0 {
			t.Fatalf("%s returned %d records with the error %v", c.name, n, err)
		}
	}
}

// isAnswer reports whether an error says something of a session.
func isAnswer(err error) bool {
	for _, answer := range []error{store.ErrNotFound, store.ErrRevoked, store.ErrStale, store.ErrExists, store.ErrActorRevoked} {
		if errors.Is(err, answer) {
			return true
		}
	}
	return false
}

// calls returns calls of most methods. The user has the live session "live", the
// tombstone "revoked", and the id "once", which cannot be created again; and what
// began before now is marked.
func (t *trial) calls(live store.Record) []call {
	create := func(r store.Record) func(context.Context) (int, error) {
		return func(ctx context.Context) (int, error) {
			evicted, err := t.Create(ctx, r, store.Limit{Max: 1})
			return len(evicted), err
		}
	}
	revoke := func(id, by string) func(context.Context) (int, error) {
		return func(ctx context.Context) (int, error) {
			r, err := t.Revoke(ctx, t.user, id, store.Revocation{By: by})
			return len(r.ID), err
		}
	}
	var others []store.Record // of another user
	for i := range interruptions + 1 {
		r := t.record(fmt.Sprint(i))
		r.User += "'s other"
		others = append(others, r)
	}
	t.create(others...)
	return []call{
		{"Find of a live session", nil, func(ctx context.Context) (int, error) {
			r, err := t.Find(ctx, t.user, "live")
			return len(r.ID), err
		}},
		{"Find of an unknown session", store.ErrNotFound, func(ctx context.Context) (int, error) {
			r, err := t.Find(ctx, t.user, "unknown")
			return len(r.ID), err
		}},
		{"List", nil, func(ctx context.Context) (int, error) {
			list, err := t.List(ctx, t.user)
			if err == nil && len(list) != 1 {
				t.Fatalf("List, whose context ended meanwhile, returned %d sessions and no error, want one", len(list))
			}
			return len(list), err
		}},
		{"Create of a tombstone's id", store.ErrRevoked, create(t.record("revoked"))},
		{"Create of an id that was created once", store.ErrRevoked, create(t.record("once"))},
		{"Create of what began before the mark", store.ErrRevoked, create(t.began("late", time.Time{}))},
		{"Create of a live session's id", store.ErrExists, create(live)},
		{"Revoke by a live session", store.ErrNotFound, revoke("unknown", "live")},
		{"Revoke by an unknown session", store.ErrActorRevoked, revoke("live", "unknown")},
		{"Revoke of a live session", nil, func(ctx context.Context) (int, error) {
			next := others[0]
			others = others[1:]
			r, err := t.Revoke(ctx, next.User, next.ID, store.Revocation{})
			return len(r.ID), err
		}},
		{"RevokeAll by a live session", nil, func(ctx context.Context) (int, error) {
			were, err := t.RevokeAll(ctx, t.user, "live", store.Revocation{By: "live"})
			return len(were), err
		}},
		{"Touch of a live session", nil, func(ctx context.Context) (int, error) {
			return 0, t.Touch(ctx, t.user, "live", store.Touch{SeenAt: live.SeenAt, ExpiresAt: live.ExpiresAt})
		}},
		{"Update of a live session", nil, func(ctx context.Context) (int, error) {
			return 0, t.Update(ctx, live, live.Secret)
		}},
	}
}

var contextEndCases = []testCase{
	{
		name: "that ends meanwhile",
		rule: "A call whose context ends while it is under way returns what it would have returned, or an error that is none of the store's, and no records with that. A look-up that has failed never passes for one that has found nothing.",
		run: func(t *trial) {
			live := t.have("live", "revoked")[0]
			once := t.once("once")
			t.create(once)
			once.ExpiresAt = time.Now().Add(-time.Second)
			t.update(once, once.Secret)
			t.revoke("revoked")
			t.markAll("live", store.Revocation{})
			for _, c := range t.calls(live) {
				t.interrupt(c)
			}
			t.wantLive(live)
			t.wantNotFound("late", "unknown", "once")
			t.ended(store.ErrRevoked, t.record("revoked"))
		},
	},
}

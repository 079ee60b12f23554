package storetest

import (
	"context"
	"errors"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// spoil changes every byte of a slice.
func spoil(b []byte) {
	for i := range b {
		b[i] ^= 0xff
	}
}

// spoilAll changes what the caller was given.
func spoilAll(records ...store.Record) {
	for _, r := range records {
		spoil(r.Client)
		spoil(r.Data)
		if r.Revoked != nil {
			*r.Revoked = store.Revocation{Reason: "spoiled"}
		}
	}
}

var callerCases = []testCase{
	{
		name: "may reuse what it gave",
		rule: "A store does not keep the slices that it is given: what the caller does to them afterwards changes no session.",
		run: func(t *trial) {
			given := t.record("a")
			t.create(given)
			spoilAll(given)
			want := t.record("a")
			want.CreatedAt, want.SeenAt, want.ProvedAt, want.ExpiresAt = given.CreatedAt, given.SeenAt, given.ProvedAt, given.ExpiresAt
			t.wantLive(want)

			given = renewed(given)
			if err := t.Update(t.ctx, given, want.Secret); err != nil {
				t.Fatalf("Update of a live session: %v", err)
			}
			spoilAll(given)
			want = renewed(want)
			t.wantLive(want)

			client := []byte("elsewhere")
			t.touch("a", store.Touch{SeenAt: want.SeenAt, ExpiresAt: want.ExpiresAt, Client: client})
			spoil(client)
			want.Client = []byte("elsewhere")
			t.wantLive(want)
			t.wantList(want)
		},
	},
	{
		name: "gets back unchanged what it gave",
		rule: "A store does not change the slices that it is given.",
		run: func(t *trial) {
			const beyond = "what follows in the caller's array"
			given := t.record("a")
			client, data := string(given.Client), string(given.Data)
			full := append(given.Data, beyond...)
			given.Data = full[:len(data)]
			unchanged := func(call string) {
				t.Helper()
				if string(given.Client) != client || string(full) != data+beyond {
					t.Fatalf("after %s the caller's slices are %q and %q", call, given.Client, full)
				}
			}
			t.create(given)
			unchanged("Create")
			if err := t.Update(t.ctx, given, given.Secret); err != nil {
				t.Fatalf("Update of a live session: %v", err)
			}
			unchanged("Update")
			t.touch("a", store.Touch{Client: given.Client})
			unchanged("Touch")
			t.revokeAll("", store.Revocation{}, given)
			unchanged("RevokeAll")
		},
	},
	{
		name: "may change what it got",
		rule: "What a store returns belongs to the caller, who may change it without changing a session or a tombstone.",
		run: func(t *trial) {
			a, b, c := t.seen("a", 3), t.seen("b", 2), t.seen("c", 1)
			all := []store.Record{a, b, c}
			t.create(all...)
			for range 2 {
				for _, want := range all {
					got, _ := t.Find(t.ctx, t.user, want.ID)
					_ = append(got.Client, "beyond the client"...)
					t.wantSame("Find", got, want)
					spoilAll(got)
				}
				list, _ := t.List(t.ctx, t.user)
				spoilAll(list...)
				if !lacksAll(t.ctx, t.Store) {
					spoilAll(t.all(t.user)...)
				}
			}
			t.wantLive(all...)
			t.wantList(all...)

			d := t.seen("d", 0)
			evicted, _ := t.Create(t.ctx, d, store.Limit{Max: 3})
			spoilAll(evicted...)
			revoked, _ := t.Revoke(t.ctx, t.user, "b", store.Revocation{Reason: "one"})
			spoilAll(revoked)
			ended, _ := t.RevokeAll(t.ctx, t.user, "d", store.Revocation{Reason: "all"})
			spoilAll(ended...)
			for range 2 {
				t.wantRevoked(store.Revocation{Reason: store.Evicted, By: "d"}, a)
				t.wantRevoked(store.Revocation{Reason: "one"}, b)
				t.wantRevoked(store.Revocation{Reason: "all"}, c)
				for _, id := range []string{"a", "b", "c"} {
					tombstone, _ := t.Find(t.ctx, t.user, id)
					spoilAll(tombstone)
				}
			}
			t.wantLive(d)

			t.user = newUser()
			why := store.Revocation{Reason: "a reason"}
			t.markAll("", why)
			for range 2 {
				_, err := t.Create(t.ctx, t.began("e", time.Time{}), store.Limit{})
				var marked *store.MarkedError
				if !errors.As(err, &marked) || marked.Mark.Reason != why.Reason {
					t.Fatalf("Create of a session that began before the mark returned the error %v, want one for %q", err, why.Reason)
				}
				marked.Mark = store.Revocation{Reason: "spoiled"}
			}
		},
	},
}

// refuses calls every method with a context that is done, and checks that each
// returns its error and has done nothing.
func (t *trial) refuses(done context.Context) {
	t.Helper()
	records := []store.Record{t.seen("a", 2), t.seen("b", 1), t.seen("revoked", 1)}
	t.create(records...)
	t.revoke("revoked")
	live, gone := records[:2], records[2]

	for _, r := range []store.Record{t.record("new"), live[0], gone} {
		_, err := t.Create(done, r, store.Limit{Max: 1})
		t.wantError("Create", err, done.Err())
		_, err = t.Find(done, t.user, r.ID)
		t.wantError("Find", err, done.Err())
		t.wantError("Update", t.Update(done, renewed(r), r.Secret), done.Err())
		touch := store.Touch{SeenAt: time.Now(), ExpiresAt: r.ExpiresAt.Add(time.Hour), Client: []byte("elsewhere")}
		t.wantError("Touch", t.Touch(done, t.user, r.ID, touch), done.Err())
		_, err = t.Revoke(done, t.user, r.ID, store.Revocation{})
		t.wantError("Revoke", err, done.Err())
		_, err = t.Revoke(done, t.user, r.ID, store.Revocation{By: "stranger"})
		t.wantError("Revoke by an unknown session", err, done.Err())
		_, err = t.RevokeAll(done, t.user, r.ID, store.Revocation{})
		t.wantError("RevokeAll", err, done.Err())
	}
	_, err := t.List(done, t.user)
	t.wantError("List", err, done.Err())
	before := t.revokedEveryone()
	t.wantError("RevokeEveryone", t.RevokeEveryone(done), done.Err())
	_, err = t.RevokedEveryone(done)
	t.wantError("RevokedEveryone", err, done.Err())
	for _, err := range t.All(done) {
		if !errors.Is(err, errors.ErrUnsupported) {
			t.wantError("All", err, done.Err())
		}
	}
	if at := t.revokedEveryone(); !at.Equal(before) {
		t.Fatalf("RevokeEveryone that did nothing has changed what RevokedEveryone returns from %v to %v", before, at)
	}

	t.wantList(live...)
	t.wantLive(live...)
	t.wantNotFound("new")
	t.wantRevoked(store.Revocation{Reason: "reason of revoked"}, gone)
	t.create(t.began("no mark", time.Time{}))
}

var contextCases = []testCase{
	{
		name: "that is cancelled",
		rule: "A call whose context is done before it starts returns the context's error, and does nothing.",
		run: func(t *trial) {
			ctx, cancel := context.WithCancel(t.ctx)
			cancel()
			t.refuses(ctx)
		},
	},
	{
		name: "that is out of time",
		rule: "A call whose context's deadline is over before it starts returns context.DeadlineExceeded, and does nothing.",
		run: func(t *trial) {
			ctx, cancel := context.WithDeadline(t.ctx, time.Now().Add(-time.Second))
			defer cancel()
			t.refuses(ctx)
		},
	},
}

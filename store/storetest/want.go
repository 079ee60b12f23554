package storetest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// within fails the case if do takes too long.
func (t *trial) within(what string, do func() error) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- do() }()
	select {
	case err := <-done:
		t.wantError(what, err, nil)
	case <-time.After(patience):
		t.Fatalf("%s did not return", what)
	}
}

// wantError checks the error that a call returned.
func (t *trial) wantError(call string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Fatalf("%s returned the error %v, want %v", call, got, want)
	}
}

// wantLive checks that Find returns these sessions.
func (t *trial) wantLive(records ...store.Record) {
	t.Helper()
	for _, want := range records {
		got, err := t.Find(t.ctx, want.User, want.ID)
		if err != nil {
			t.Fatalf("Find of %q, which is live, returned the error %v", want.ID, err)
		}
		t.wantSame("Find of "+fmt.Sprintf("%q", want.ID), got, want)
	}
}

// wantNotFound checks that the user has nothing under these ids.
func (t *trial) wantNotFound(ids ...string) {
	t.Helper()
	for _, id := range ids {
		_, err := t.Find(t.ctx, t.user, id)
		t.wantError(fmt.Sprintf("Find of %q", id), err, store.ErrNotFound)
	}
}

// wantRevoked checks that Find returns the tombstones of these sessions, which
// say why. If why.At is zero, the tombstones are to be some seconds old.
func (t *trial) wantRevoked(why store.Revocation, records ...store.Record) {
	t.Helper()
	for _, was := range records {
		call := fmt.Sprintf("Find of the tombstone %q", was.ID)
		got, err := t.Find(t.ctx, was.User, was.ID)
		t.wantError(call, err, store.ErrRevoked)
		if got.Revoked == nil {
			t.Fatalf("%s: Revoked is nil", call)
		}
		want := store.Record{User: was.User, ID: was.ID, Secret: was.Secret, CreatedAt: was.CreatedAt}
		if was.UsedAt.IsZero() {
			want.Prev = was.Prev
		}
		want.Revoked = &why
		if why.At.IsZero() {
			if age := time.Since(got.Revoked.At).Abs(); age > time.Minute {
				t.Fatalf("%s: it was revoked at %v, which is not now", call, got.Revoked.At)
			}
			want.Revoked = &store.Revocation{At: got.Revoked.At, Reason: why.Reason, By: why.By}
		}
		want.ExpiresAt = want.Revoked.At.Add(store.TombstoneLifetime)
		if was.ExpiresAt.Before(want.ExpiresAt) {
			want.ExpiresAt = was.ExpiresAt
		}
		t.wantSame(call, got, want)
		if got.Client != nil || got.Data != nil {
			t.Fatalf("%s: Client is %q and Data %q, want nil", call, got.Client, got.Data)
		}
	}
}

// wantList checks that List returns these sessions without their data.
func (t *trial) wantList(want ...store.Record) {
	t.Helper()
	got, err := t.List(t.ctx, t.user)
	if err != nil {
		t.Fatalf("List returned the error %v", err)
	}
	t.wantListed("List", got, want...)
}

// wantListed checks that got are these sessions as List returns them.
func (t *trial) wantListed(call string, got []store.Record, want ...store.Record) {
	t.Helper()
	if g, w := ids(got), ids(want); !slices.Equal(g, w) {
		t.Fatalf("%s returned the sessions %q, want %q", call, g, w)
	}
	byID := make(map[string]store.Record)
	for _, r := range want {
		r.Data = nil
		byID[r.ID] = r
	}
	for _, r := range got {
		t.wantSame(fmt.Sprintf("%s, session %q", call, r.ID), r, byID[r.ID])
	}
}

// wantIDs checks that got are the sessions of these ids.
func (t *trial) wantIDs(call string, got []store.Record, want ...string) {
	t.Helper()
	if g := ids(got); !slices.Equal(g, want) {
		t.Fatalf("%s returned the sessions %q, want %q", call, g, want)
	}
}

// ids returns the sorted ids of records.
func ids(records []store.Record) []string {
	var ids []string
	for _, r := range records {
		ids = append(ids, r.ID)
	}
	slices.Sort(ids)
	return ids
}

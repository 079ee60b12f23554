// Package storetest is the conformance suite for implementations of
// [store.Store]. Whoever writes one proves it with a test of this form:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func() store.Store { return mystore.New(pool) })
//	}
//
// Run it under the race detector as well.
package storetest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// Run tests a store against the whole contract of [store.Store]. Every case is a
// subtest, and where it fails it says which rule the store has broken.
//
// Run calls open once for each case. What open returns may be a new store or one
// that other cases use as well, and may hold other sessions: a case uses users
// of its own with random keys, and leaves what it created behind, to expire
// within a day or two. Only the cases of RevokeEveryone touch the sessions of
// others: they end them all.
//
// Cases that wait for sessions to expire take the store's clock to be within
// 100 ms of that of the test.
func Run(t *testing.T, open func() store.Store) {
	for _, s := range subjects {
		t.Run(s.name, func(t *testing.T) {
			for _, c := range s.cases {
				t.Run(c.name, func(t *testing.T) {
					st := open()
					if s.waits {
						t.Parallel()
					}
					c.try(t, st)
				})
			}
		})
	}
}

// A subject is what a group of cases is about.
type subject struct {
	name  string
	waits bool // its cases mostly sleep, and do so at the same time
	cases []testCase
}

var subjects = []subject{
	{name: "Create", cases: createCases},
	{name: "Limit", cases: limitCases},
	{name: "Find", cases: findCases},
	{name: "Update", cases: updateCases},
	{name: "Touch", cases: touchCases},
	{name: "List", cases: listCases},
	{name: "Revoke", cases: revokeCases},
	{name: "RevokeAll", cases: revokeAllCases},
	{name: "RevokeEveryone", cases: revokeEveryoneCases},
	{name: "Mark", cases: markCases},
	{name: "Once", cases: onceCases},
	{name: "Renewal", cases: renewalCases},
	{name: "Deadline", cases: deadlineCases},
	{name: "All", cases: allCases},
	{name: "Actor", cases: actorCases},
	{name: "Tombstone", cases: tombstoneCases},
	{name: "Value", cases: valueCases},
	{name: "Caller", cases: callerCases},
	{name: "Context", cases: contextCases},
	{name: "Expiry", cases: slices.Concat(expiryCases, laterExpiryCases), waits: true},
	{name: "Race", cases: raceCases},
	{name: "RevokeRace", cases: revokeRaceCases},
	{name: "UnderWay", cases: underWayCases},
	{name: "Subscribe", cases: subscribeCases},
}

type testCase struct {
	name string
	rule string // what a store that fails has broken
	run  func(*trial)
}

func (c testCase) try(tb testing.TB, st store.Store) {
	c.run(&trial{TB: tb, Store: st, ctx: tb.Context(), rule: c.rule, user: newUser()})
}

// A trial is one case at work on a store.
type trial struct {
	testing.TB
	store.Store
	ctx  context.Context
	rule string
	user string // of this trial only
}

func newUser() string { return "storetest-" + rand.Text() }

// Fatalf fails the case with the rule that was broken.
func (t *trial) Fatalf(format string, args ...any) {
	t.Helper()
	t.TB.Fatalf("%s\n\tthe rule: %s", fmt.Sprintf(format, args...), t.rule)
}

// record returns a session of the trial's user in which no two fields are alike.
func (t *trial) record(id string) store.Record {
	now := time.Now().Truncate(time.Microsecond)
	return store.Record{
		User: t.user, ID: id, Secret: store.HashSecret("secret of " + id),
		CreatedAt: now.Add(3 * time.Hour), // after each mark that a case leaves by the way
		ProvedAt:  now.Add(-2 * time.Hour), SeenAt: now.Add(-time.Hour), ExpiresAt: now.Add(time.Hour),
		Client: []byte("client of " + id), Data: []byte("data of " + id),
	}
}

// create adds sessions as they are.
func (t *trial) create(records ...store.Record) {
	t.Helper()
	for _, r := range records {
		if evicted, err := t.Create(t.ctx, r, store.Limit{}); err != nil || len(evicted) > 0 {
			t.Fatalf("Create of %q without a limit returned %d records and the error %v, want none", r.ID, len(evicted), err)
		}
	}
}

// have adds the trial's sessions of these ids, and returns them.
func (t *trial) have(ids ...string) []store.Record {
	t.Helper()
	var records []store.Record
	for _, id := range ids {
		records = append(records, t.record(id))
	}
	t.create(records...)
	return records
}

// revoke ends live sessions, with no session acting.
func (t *trial) revoke(ids ...string) {
	t.Helper()
	for _, id := range ids {
		if _, err := t.Revoke(t.ctx, t.user, id, store.Revocation{Reason: "reason of " + id}); err != nil {
			t.Fatalf("Revoke of %q, which is live: %v", id, err)
		}
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
// say why. Where why.At is zero, the tombstones are to be some seconds old.
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

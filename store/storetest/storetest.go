// Package storetest is the conformance suite for implementations of
// [store.Store]. Whoever writes one proves it with a test of this form:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func() store.Store { return mystore.New(pool) })
//	}
//
// Run it under the race detector as well. It takes some ten seconds on the memory
// store, and about twenty-five more for each millisecond that a call takes; under the
// race detector up to four times that, which may need a -timeout. If it takes much
// longer, the store is slow with 1,500 sessions of one user.
//
// docs/write-a-store.md has the methods in the order in which to write them, the
// cases that each of them satisfies, and the smallest store that passes.
package storetest

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// Run tests a store against the whole contract of [store.Store]. Every case is a
// subtest, and if it fails it says which rule the store has broken.
//
// Run calls open once for each case, and twice for those of Reopen. Let it return a new
// store each time, over one database: the cases of Reopen then find what is kept in
// the process only, and are left out if there is no such database. A case uses users of
// its own with random keys, and leaves what it created behind, to expire within a
// day or two. Only cases that call RevokeEveryone touch the sessions of others: they end
// them all.
//
// Cases that wait for sessions to expire take the store's clock to be within
// 100 ms of that of the test.
//
// The cases of All are left out if the store answers [errors.ErrUnsupported], and
// those of Subscribe if it is no [store.Subscriber]. What else a store says that it
// cannot do is left out if its name is in without: a subject, such as "Expiry", or
// one of its cases, such as "Value/much data". What is left out is skipped, by name.
func Run(t *testing.T, open func() store.Store, without ...string) {
	for _, name := range without {
		if !known(name) {
			t.Fatalf("there is no case %q to leave out", name)
		}
	}
	for _, s := range subjects {
		t.Run(s.name, func(t *testing.T) {
			switch {
			case slices.Contains(without, s.name):
				t.Skip("left out, because the store says that it cannot do this")
			case s.lacks != nil && s.lacks(t.Context(), open()):
				t.Skip("the store does not support it")
			}
			for _, c := range s.cases {
				t.Run(c.name, func(t *testing.T) {
					if slices.Contains(without, s.name+"/"+c.name) {
						t.Skip("left out, because the store says that it cannot do this")
					}
					st := open()
					if s.waits {
						t.Parallel()
					}
					c.try(t, st, open)
				})
			}
		})
	}
}

// known reports whether a subject or a case has that name.
func known(name string) bool {
	return slices.ContainsFunc(subjects, func(s subject) bool {
		return s.name == name || slices.ContainsFunc(s.cases, func(c testCase) bool { return s.name+"/"+c.name == name })
	})
}

// A subject is what a group of cases is about.
type subject struct {
	name  string
	waits bool // its cases mostly sleep, and do so at the same time
	cases []testCase
	lacks func(context.Context, store.Store) bool // reports that a store does not have it
}

var subjects = []subject{
	{name: "Create", cases: createCases},
	{name: "Limit", cases: slices.Concat(limitCases, countCases)},
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
	{name: "Reopen", cases: reopenCases},
	{name: "All", cases: allCases, lacks: lacksAll},
	{name: "Actor", cases: actorCases},
	{name: "Tombstone", cases: tombstoneCases},
	{name: "Value", cases: valueCases},
	{name: "Caller", cases: slices.Concat(callerCases, callerKeepsCases)},
	{name: "Context", cases: slices.Concat(contextCases, contextEndCases)},
	{name: "Expiry", cases: slices.Concat(expiryCases, laterExpiryCases), waits: true},
	{name: "Race", cases: slices.Concat(raceCases, renewalRaceCases, writeRaceCases)},
	{name: "RevokeRace", cases: slices.Concat(revokeRaceCases, tornRevokeCases)},
	{name: "UnderWay", cases: underWayCases},
	{name: "Subscribe", cases: subscribeCases, lacks: lacksSubscribe},
}

type testCase struct {
	name string
	rule string // what a store that fails has broken
	run  func(*trial)
}

func (c testCase) try(tb testing.TB, st store.Store, open func() store.Store) {
	c.run(&trial{TB: tb, Store: st, open: open, ctx: tb.Context(), rule: c.rule, user: newUser()})
}

// A trial is one case at work on a store.
type trial struct {
	testing.TB
	store.Store
	open func() store.Store // another one
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

// createAtOnce adds sessions as they are, in any order.
func (t *trial) createAtOnce(records ...store.Record) {
	t.Helper()
	const writers = 10
	for _, err := range together(writers, func(i int) error {
		for n := i; n < len(records); n += writers {
			if _, err := t.Create(t.ctx, records[n], store.Limit{}); err != nil {
				return err
			}
		}
		return nil
	}) {
		t.wantError("Create", err, nil)
	}
}

// many adds so many sessions of the trial's user, and returns them.
func (t *trial) many(n int) []store.Record {
	t.Helper()
	var records []store.Record
	for i := range n {
		records = append(records, t.record(fmt.Sprint(i)))
	}
	t.createAtOnce(records...)
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

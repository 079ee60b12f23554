package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// lacksAll reports that the store has no way to list all sessions.
func lacksAll(ctx context.Context, st store.Store) bool {
	for _, err := range st.All(ctx) {
		return errors.Is(err, errors.ErrUnsupported)
	}
	return false
}

// all returns what All has of these users, who may come more than once.
func (t *trial) all(users ...string) []store.Record {
	t.Helper()
	mine := make(map[string]bool)
	for _, user := range users {
		mine[user] = true
	}
	found := make(map[[2]string]store.Record)
	for r, err := range t.All(t.ctx) {
		t.wantError("All", err, nil)
		if mine[r.User] {
			found[[2]string{r.User, r.ID}] = r
		}
	}
	var list []store.Record
	for _, r := range found {
		list = append(list, r)
	}
	return list
}

// wantAll checks that All has these sessions of their users, with their data.
func (t *trial) wantAll(want ...store.Record) {
	t.Helper()
	users := []string{t.user}
	byName := make(map[[2]string]store.Record)
	for _, r := range want {
		users = append(users, r.User)
		byName[[2]string{r.User, r.ID}] = r
	}
	got := t.all(users...)
	for _, r := range got {
		w, ok := byName[[2]string{r.User, r.ID}]
		if !ok {
			t.Fatalf("All has the session %q of %q, which is not live", r.ID, r.User)
		}
		t.wantSame(fmt.Sprintf("All, session %q", r.ID), r, w)
	}
	if len(got) != len(byName) {
		t.Fatalf("All has %d sessions of %d", len(got), len(byName))
	}
}

var allCases = []testCase{
	{
		name: "of several users",
		rule: "All returns every live session of every user, with every field and its data.",
		run: func(t *trial) {
			var records []store.Record
			for range 5 {
				t.user = newUser()
				records = append(records, t.have("a", "b")...)
				r := pending(t.deadline("c", 2*time.Hour, time.Hour))
				t.create(r)
				records = append(records, r)
			}
			t.wantAll(records...)
			for range t.All(t.ctx) {
				break // and the store has let go of everything
			}
			t.wantAll(append(records, t.have("d")...)...)
		},
	},
	{
		name: "of what has changed",
		rule: "All returns sessions as they are now, after updates and touches.",
		run: func(t *trial) {
			t.wantAll(t.changed("a"), t.changed("b"))
		},
	},
	{
		name: "of sessions that are updated",
		rule: "All returns a session as it was at some moment: its client and its data are of the same update.",
		run: func(t *trial) {
			for range 5 { // each reads all that there is
				t.user = newUser()
				r := t.have("a")[0]
				r.Client = r.Data
				t.update(r, r.Secret)
				t.meanwhile(func() error {
					for i := range 10 {
						r.Data = fmt.Append(nil, i)
						r.Client = r.Data
						if err := t.Update(t.ctx, r, r.Secret); err != nil {
							return err
						}
						linger()
					}
					return nil
				}, func() error {
					for r, err := range t.All(t.ctx) {
						if err != nil || r.User == t.user && string(r.Client) != string(r.Data) {
							return fmt.Errorf("a session of All has the client %q and the data %q, with the error %v", r.Client, r.Data, err)
						}
					}
					return nil
				})
				t.revoke("a")
			}
		},
	},
	{
		name: "of many sessions",
		rule: "All returns every live session, however many there are of one user, and of users.",
		run: func(t *trial) {
			records := t.many(1200)
			for _, r := range records {
				r.User += r.ID
				records = append(records, r)
			}
			t.createAtOnce(records[1200:]...)
			t.wantAll(records...)
		},
	},
	{
		name: "of what is live",
		rule: "All returns neither tombstones nor marks nor ids that cannot be created again.",
		run: func(t *trial) {
			t.wantAll()
			records := t.have("a", "b", "c")
			t.create(t.once("once"))
			t.revoke("a", "once")
			t.markAll("c", store.Revocation{}, records[1])
			t.wantAll(records[2])
		},
	},
	{
		name: "whose caller goes on using the store",
		rule: "Whoever ranges over All may call the store's other methods meanwhile: All holds nothing that they wait for.",
		run: func(t *trial) {
			t.have("a", "b", "c")
			t.within("a loop over All that revokes what it finds", func() error {
				for r, err := range t.All(t.ctx) {
					if err != nil {
						return err
					}
					if r.User != t.user {
						continue
					}
					if _, err := t.Revoke(t.ctx, r.User, r.ID, store.Revocation{}); err != nil && !errors.Is(err, store.ErrNotFound) {
						return err
					}
					if _, err := t.List(t.ctx, r.User); err != nil {
						return err
					}
				}
				return nil
			})
			t.wantList()
		},
	},
	{
		name: "that is cancelled",
		rule: "An error comes last, with no session, and a context that is done is one, before All starts and while it runs.",
		run: func(t *trial) {
			var records []store.Record
			for i := range 600 {
				records = append(records, t.record(fmt.Sprint(i)))
			}
			t.create(records...)
			for _, after := range []int{0, 1} {
				ctx, cancel := context.WithCancel(t.ctx)
				defer cancel()
				if after == 0 {
					cancel()
				}
				seen, failed := 0, false
				for r, err := range t.All(ctx) {
					if failed {
						t.Fatalf("after an error All went on")
					}
					if failed = err != nil; failed {
						t.wantError("All", err, context.Canceled)
						if r.ID != "" {
							t.Fatalf("All returned the session %q with an error", r.ID)
						}
						continue
					}
					if seen++; seen == after {
						cancel()
					}
				}
				if !failed {
					t.Fatalf("All with a context that was cancelled after %d sessions returned %d and no error", after, seen)
				}
				if after == 0 && seen > 0 {
					t.Fatalf("All with a context that is done returned %d sessions", seen)
				}
			}
		},
	},
	{
		name: "while others come and go",
		rule: "What is live throughout All comes at least once, and what has ended before does not, whatever is created, changed and revoked meanwhile.",
		run: func(t *trial) {
			var stay []store.Record
			for i := range 60 {
				r := t.record(fmt.Sprint("stays ", i))
				if i%2 == 0 {
					r.User += fmt.Sprint(i / 10)
				}
				stay = append(stay, r)
			}
			t.create(stay...)
			var done atomic.Bool
			errs := together(3, func(i int) error {
				for n := 0; i > 0 && (n == 0 || !done.Load()) && n < 2000; n++ {
					r := t.record(fmt.Sprint("goes ", i, n))
					r.User = stay[n%len(stay)].User
					if _, err := t.Create(t.ctx, r, store.Limit{}); err != nil {
						return err
					}
					if _, err := t.Revoke(t.ctx, r.User, r.ID, store.Revocation{}); err != nil {
						return err
					}
				}
				if i > 0 {
					return nil
				}
				defer done.Store(true)
				for n, start := 0, time.Now(); n < 5 || n < 200 && time.Since(start) < 300*time.Millisecond; n++ {
					missing := make(map[string]bool)
					for _, r := range stay {
						missing[r.ID] = true
					}
					for r, err := range t.All(t.ctx) {
						if err != nil {
							return err
						}
						delete(missing, r.ID)
					}
					if len(missing) > 0 {
						return fmt.Errorf("of %d sessions %d were missing from All", len(stay), len(missing))
					}
				}
				return nil
			})
			for _, err := range errs {
				t.wantError("one of the parties", err, nil)
			}
		},
	},
}

package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// RunLeases tests [store.Lease] over a store, with several processes, so to speak, that
// each have a [store.Leased] of their own: what one of them remembers is over when a
// revocation by another is answered. It calls open once for each case, takes some two
// seconds, and ends the sessions of others.
//
// The case of notices is left out if the store is no [store.Subscriber].
func RunLeases(t *testing.T, open func() store.Store) {
	for _, c := range leases.cases {
		t.Run(c.name, func(t *testing.T) { c.try(t, open(), open) })
	}
}

// leases are no subject of Run: most stores are used without.
var leases = subject{name: "Lease", cases: leaseCases}

// lease is how long an answer is remembered. It is longer than a call takes.
const lease = 200 * time.Millisecond

// leased returns the store as a process has it.
func (t *trial) leased(d time.Duration) *store.Leased { return store.Lease(t.Store, d) }

// asking has a process ask for a session all the time, and returns when it has said yes.
func (t *trial) asking(process *store.Leased, id string) (stop func()) {
	t.Helper()
	over, said := make(chan struct{}), make(chan struct{})
	var once sync.Once
	var asks sync.WaitGroup
	user := t.user
	asks.Go(func() {
		for {
			select {
			case <-over:
				return
			default:
			}
			if _, err := process.Live(t.ctx, user, id); err == nil {
				once.Do(func() { close(said) })
			}
		}
	})
	t.within("Live of a session that is live", func() error { <-said; return nil })
	return func() { close(over); asks.Wait() }
}

// hears asks for a session until it was revoked.
func (t *trial) hears(ask func(ctx context.Context, user, id string) (store.Record, error), id string) error {
	for {
		switch _, err := ask(t.ctx, t.user, id); {
		case errors.Is(err, store.ErrRevoked):
			return nil
		case err != nil:
			return err
		}
		time.Sleep(time.Millisecond)
	}
}

var leaseCases = []testCase{
	{
		name: "gives what Find gives",
		rule: "Live returns the session as Find does, without its data, and from memory until the lease is over.",
		run: func(t *trial) {
			want := t.have("a")[0]
			want.Data = nil
			process := t.leased(time.Hour)
			got, err := process.Live(t.ctx, t.user, "a")
			t.wantError("Live", err, nil)
			t.wantSame("Live", got, want)
			t.revoke("a") // by a process that has no leases
			got, err = process.Live(t.ctx, t.user, "a")
			t.wantError("Live from memory", err, nil)
			t.wantSame("Live from memory", got, want)
			_, err = process.Find(t.ctx, t.user, "a")
			t.wantError("Find, which always asks,", err, store.ErrRevoked)
			_, err = process.Live(t.ctx, t.user, "a")
			t.wantError("Live after Find has heard of it", err, store.ErrRevoked)
			_, err = process.Live(t.ctx, t.user, "none")
			t.wantError("Live of none", err, store.ErrNotFound)
		},
	},
	{
		name: "is over when a revocation is answered",
		rule: "Once a revocation is answered, no process says yes, whatever it remembers.",
		run: func(t *trial) {
			for name, end := range map[string]func(st store.Store) error{
				"Revoke": func(st store.Store) error {
					_, err := st.Revoke(t.ctx, t.user, "a", store.Revocation{})
					return err
				},
				"Revoke of what another is revoking": func(st store.Store) error {
					go st.Revoke(t.ctx, t.user, "a", store.Revocation{})
					t.within("Revoke by another", func() error { return t.hears(t.Find, "a") })
					if _, err := st.Revoke(t.ctx, t.user, "a", store.Revocation{}); !errors.Is(err, store.ErrNotFound) {
						return fmt.Errorf("the second: %w", err)
					}
					return nil
				},
				"RevokeAll": func(st store.Store) error {
					_, err := st.RevokeAll(t.ctx, t.user, "", store.Revocation{})
					return err
				},
				"RevokeEveryone": func(st store.Store) error { return st.RevokeEveryone(t.ctx) },
				"Create that evicts": func(st store.Store) error {
					_, err := st.Create(t.ctx, t.record("b"), store.Limit{Max: 1})
					return err
				},
			} {
				t.user = newUser()
				t.have("a")
				other := t.leased(lease)
				stop := t.asking(other, "a")
				err := end(t.leased(lease))
				_, after := other.Live(t.ctx, t.user, "a")
				stop()
				t.wantError(name, err, nil)
				if after == nil {
					t.Fatalf("another process says yes after the answer to %s", name)
				}
			}
		},
	},
	{
		name: "is over sooner with notices",
		rule: "A process that listens forgets what it remembers of a user as soon as the store tells of the user.",
		run: func(t *trial) {
			if lacksSubscribe(t.ctx, t.Store) {
				t.Skip("the store does not support it")
			}
			process := t.leased(time.Hour)
			ctx, cancel := context.WithCancel(t.ctx)
			var listens sync.WaitGroup
			defer listens.Wait()
			defer cancel()
			listens.Go(func() { process.Listen(ctx) })
			t.have("a")
			t.asking(process, "a")()
			t.revoke("a") // by a process that has no leases
			t.within("Live of a session whose end was told", func() error { return t.hears(process.Live, "a") })
		},
	},
}

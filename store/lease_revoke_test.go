package store_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

const lease = time.Second

// TestRevocationOutlastsLeases shows that nobody says yes once a revocation is answered,
// and which answers wait for that.
func TestRevocationOutlastsLeases(t *testing.T) {
	failed := errors.New("down")
	for _, test := range []struct {
		name  string
		end   func(ctx context.Context, a store.Store) error
		want  error
		waits bool
		live  bool // the session lives on
	}{
		{"Revoke", func(ctx context.Context, a store.Store) error {
			_, err := a.Revoke(ctx, "ann", "1", store.Revocation{})
			return err
		}, nil, true, false},
		{"Revoke by two", func(ctx context.Context, a store.Store) error {
			go a.Revoke(ctx, "ann", "1", store.Revocation{})
			synctest.Wait()
			_, err := a.Revoke(ctx, "ann", "1", store.Revocation{})
			return err
		}, store.ErrNotFound, true, false},
		{"Revoke, not replicated", func(ctx context.Context, a store.Store) error {
			_, err := a.Revoke(ctx, "ann", "unsure", store.Revocation{})
			return err
		}, store.ErrNotReplicated, true, false},
		{"RevokeAll", func(ctx context.Context, a store.Store) error {
			_, err := a.RevokeAll(ctx, "ann", "", store.Revocation{})
			return err
		}, nil, true, false},
		{"RevokeEveryone", func(ctx context.Context, a store.Store) error { return a.RevokeEveryone(ctx) }, nil, true, false},
		{"Create that evicts", func(ctx context.Context, a store.Store) error {
			_, err := a.Create(ctx, session("ann", "2", time.Hour), store.Limit{Max: 1})
			return err
		}, nil, true, false},
		{"Create", func(ctx context.Context, a store.Store) error {
			_, err := a.Create(ctx, session("ann", "2", time.Hour), store.Limit{Max: 2})
			return err
		}, nil, false, true},
		{"a session that has ended revokes", func(ctx context.Context, a store.Store) error {
			_, err := a.Revoke(ctx, "ann", "1", store.Revocation{By: "2"})
			return err
		}, store.ErrActorRevoked, true, true},
		{"Revoke by itself, by two", func(ctx context.Context, a store.Store) error {
			go a.Revoke(ctx, "ann", "1", store.Revocation{By: "1"})
			synctest.Wait()
			_, err := a.Revoke(ctx, "ann", "1", store.Revocation{By: "1"})
			return err
		}, store.ErrActorRevoked, true, false},
		{"a store that fails", func(ctx context.Context, a store.Store) error {
			_, err := a.Revoke(ctx, "ann", "down", store.Revocation{})
			return err
		}, failed, false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				st, _, b := leased(t)
				a := store.Lease(unsure{st, failed}, lease)
				begun := time.Now()
				answered := make(chan struct{})
				go func() { // says yes as often as it may, and asks just before the end
					for {
						select {
						case <-answered:
							return
						case <-time.After(lease / 100):
							b.Live(t.Context(), "ann", "1")
						}
					}
				}()
				b.Live(t.Context(), "ann", "1")
				if err := test.end(t.Context(), a); !errors.Is(err, test.want) {
					t.Errorf("%v, want %v", err, test.want)
				}
				if waited := time.Since(begun); waited < lease == test.waits {
					t.Errorf("answered after %v", waited)
				}
				if _, err := b.Live(t.Context(), "ann", "1"); (err == nil) != test.live {
					t.Errorf("after the answer: %v", err)
				}
				close(answered)
				time.Sleep(2 * lease)
			})
		})
	}
}

// An unsure store cannot replicate the end of one session, and fails for another.
type unsure struct {
	store.Store
	err error
}

func (u unsure) Revoke(ctx context.Context, user, id string, why store.Revocation) (store.Record, error) {
	switch id {
	case "unsure":
		r, _ := u.Store.Revoke(ctx, user, "1", why)
		return r, store.ErrNotReplicated
	case "down":
		return store.Record{}, u.err
	}
	return u.Store.Revoke(ctx, user, id, why)
}

// TestOldAnswerIsNotGiven shows that a process which is stopped between the store's
// answer and its use does not say yes when it goes on, nor do those who waited for the
// same answer.
func TestOldAnswerIsNotGiven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, a, b := leased(t)
		stopped := make(chan struct{})
		st.act(func() {
			st.act(nil)
			<-stopped
		})
		answers := make(chan error, 3)
		for range cap(answers) {
			go func() {
				_, err := b.Live(t.Context(), "ann", "1")
				answers <- err
			}()
			synctest.Wait()
		}
		if _, err := a.Revoke(t.Context(), "ann", "1", store.Revocation{}); err != nil {
			t.Fatal(err)
		}
		close(stopped)
		for range cap(answers) {
			if err := <-answers; !errors.Is(err, store.ErrRevoked) {
				t.Errorf("said after the revocation was answered: %v", err)
			}
		}
	})
}

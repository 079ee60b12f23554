package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/revoke-sessions/revoke/internal/redistest"
	"github.com/revoke-sessions/revoke/store"
)

// TestRevokedStaysRevoked shows that a primary which dies in the moment in which
// it has answered takes no revocation with it. The ways back that do not come from
// Redis are shown in package revoke.
func TestRevokedStaysRevoked(t *testing.T) {
	t.Parallel()
	t.Run("R12", func(t *testing.T) {
		for name, end := range endings {
			t.Run(name, func(t *testing.T) {
				for range 3 {
					primary, replica, link := severed(t)
					time.AfterFunc(20*time.Millisecond, link.Heal)
					check(end(t.Context(), replicated(primary.Pool(), 1)))
					primary.Kill()
					replica.Promote()
					if left := must(patient(replica.Pool()).List(t.Context(), "user")); slices.ContainsFunc(left, func(r store.Record) bool { return r.ID == "7" }) {
						t.Fatal("a session that was revoked is live on the replica")
					}
					replica.Kill()
				}
			})
		}
	})
}

// endings end the user's session 7, each with a method of its own.
var endings = map[string]func(ctx context.Context, st store.Store) error{
	"Revoke": func(ctx context.Context, st store.Store) error {
		_, err := st.Revoke(ctx, "user", "7", store.Revocation{By: "1"})
		return err
	},
	"RevokeAll": func(ctx context.Context, st store.Store) error {
		_, err := st.RevokeAll(ctx, "user", "1", store.Revocation{By: "1"})
		return err
	},
	"RevokeEveryone": func(ctx context.Context, st store.Store) error {
		return st.RevokeEveryone(ctx)
	},
}

// replicated returns a store that waits for n replicas.
func replicated(pool store.Pool, n int) *store.Redis {
	st := patient(pool)
	st.Replicas = n
	return st
}

// severed is a primary with a replica that hears of nothing any more.
func severed(t *testing.T) (primary, replica *redistest.Server, link *redistest.Proxy) {
	primary = redistest.Start(t)
	primary.NeedReal(t)
	link = redistest.NewProxy(t, primary)
	replica = primary.StartReplica(t, link)
	st := replicated(primary.Pool(), 1)
	for i := range 10 {
		must(st.Create(t.Context(), record("user", fmt.Sprint(i)), store.Limit{}))
	}
	must(st.Revoke(t.Context(), "user", "9", store.Revocation{})) // and the replica has heard of all ten
	link.Stall()
	return primary, replica, link
}

// This is the way back that Replicas is there to close.
func TestRedisRevocationIsLostWithItsPrimary(t *testing.T) {
	t.Parallel()
	for name, end := range endings {
		t.Run(name, func(t *testing.T) {
			primary, replica, _ := severed(t)
			if err := end(t.Context(), patient(primary.Pool())); err != nil {
				t.Fatalf("a revocation that does not wait for replicas: %v", err)
			}
			primary.Kill()
			replica.Promote()
			if r, err := patient(replica.Pool()).Find(t.Context(), "user", "7"); err != nil {
				t.Fatalf("Find on the replica: %v, %v; the test shows nothing", r, err)
			}
		})
	}
}

// Under appendfsync everysec this fails now and then: while Redis syncs what it wrote
// before, it answers first and writes later.
func TestRedisIsKilledAndRestartsFromItsDisk(t *testing.T) {
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	server.NeedReal(t)
	for i := range 10 {
		st := patient(server.Pool())
		for id := range 10 {
			must(st.Create(t.Context(), record(fmt.Sprint(i), fmt.Sprint(id)), store.Limit{}))
		}
		must(st.Revoke(t.Context(), fmt.Sprint(i), "7", store.Revocation{}))
		server.Kill()
		server.Restart()
		st = patient(server.Pool())
		if _, err := st.Find(t.Context(), fmt.Sprint(i), "7"); !errors.Is(err, store.ErrRevoked) {
			t.Fatalf("Find of a session revoked before the restart: %v", err)
		}
		if _, err := st.Find(t.Context(), fmt.Sprint(i), "8"); err != nil {
			t.Fatalf("Find of a session: %v", err)
		}
	}
}

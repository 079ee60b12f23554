package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// TestLeaseOfReplicas shows what leases make of a revocation that not all replicas have:
// nobody says yes when that is answered, nor after a failover once it was repeated.
func TestLeaseOfReplicas(t *testing.T) {
	t.Parallel()
	primary, replica, link := severed(t)
	onPrimary := replicated(primary.Pool(), 1)
	onPrimary.Timeout = time.Second
	a, b := store.Lease(onPrimary, lease), store.Lease(onPrimary, lease)
	must(b.Live(t.Context(), "user", "7"))
	over, asks := make(chan struct{}), make(chan struct{})
	go func() { // there is always a fresh lease
		defer close(asks)
		for {
			select {
			case <-over:
				return
			default:
				_, _ = b.Live(t.Context(), "user", "7")
			}
		}
	}()
	if _, err := a.Revoke(t.Context(), "user", "7", store.Revocation{}); !errors.Is(err, store.ErrNotReplicated) {
		t.Errorf("a revocation that the replica has not heard of: %v", err)
	}
	if _, err := b.Live(t.Context(), "user", "7"); err == nil {
		t.Error("another process says yes after that was answered")
	}
	close(over)
	<-asks
	link.Heal()
	onPrimary.Timeout = time.Minute
	if _, err := a.Revoke(t.Context(), "user", "7", store.Revocation{}); err != store.ErrNotFound {
		t.Errorf("when the replica is back: %v", err)
	}
	primary.Kill()
	replica.Promote()
	if _, err := store.Lease(patient(replica.Pool()), lease).Live(t.Context(), "user", "7"); !errors.Is(err, store.ErrRevoked) {
		t.Errorf("after the failover: %v", err)
	}
}

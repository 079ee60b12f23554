package storetest

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// What the smallest store keeps of users who never come back goes with the sign-ins of
// others.
func TestSmallestForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSmallest()
		create := func(user string, n int) {
			now := time.Now()
			r := store.Record{User: user, ID: fmt.Sprint(n), CreatedAt: now, ExpiresAt: now.Add(time.Hour), Once: now.Add(2 * time.Hour)}
			if _, err := s.Create(t.Context(), r, store.Limit{}); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 20 {
			user := fmt.Sprint("gone ", i)
			create(user, 0)
			create(user, 1)
			s.Revoke(t.Context(), user, "1", store.Revocation{})
			s.RevokeAll(t.Context(), fmt.Sprint("marked ", i), "", store.Revocation{})
		}
		time.Sleep(25 * time.Hour)
		for n := 0; len(s.users) > 1; n++ {
			if n == 10_000 {
				t.Fatalf("of 40 users who are gone %d are left", len(s.users)-1)
			}
			create("stays", n)
			time.Sleep(time.Minute)
		}
		if stays := s.users["stays"]; len(stays.kept) > 60 || len(stays.until) > 120 {
			t.Fatalf("a user has %d records and %d ids that cannot be created again, want 60 and 120", len(stays.kept), len(stays.until))
		}
	})
}

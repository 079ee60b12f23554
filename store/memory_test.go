package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/metrics"
	"testing"
	"testing/synctest"
	"time"

	"github.com/revoke-sessions/revoke/store"
	"github.com/revoke-sessions/revoke/store/storetest"
)

func TestMemory(t *testing.T) {
	storetest.Run(t, func() store.Store { return store.NewMemory() })
}

// session returns a session that lives for so long.
func session(user, id string, lives time.Duration) store.Record {
	now := time.Now()
	return store.Record{
		User: user, ID: id, Secret: store.HashSecret(id),
		CreatedAt: now, SeenAt: now, ProvedAt: now, ExpiresAt: now.Add(lives),
		Client: []byte("client"), Data: []byte("data"),
	}
}

func mustCreate(t testing.TB, m store.Store, records ...store.Record) {
	t.Helper()
	for _, r := range records {
		if _, err := m.Create(t.Context(), r, store.Limit{}); err != nil {
			t.Fatal(err)
		}
	}
}

// write makes so many writes for as many users, which change nothing.
func write(t testing.TB, m *store.Memory, n int) {
	t.Helper()
	for i := range n {
		if err := m.Touch(t.Context(), fmt.Sprint("nobody ", i), "none", store.Touch{}); !errors.Is(err, store.ErrNotFound) {
			t.Fatal(err)
		}
	}
}

func wantKept(t testing.TB, m *store.Memory, wantUsers, wantEntries int) {
	t.Helper()
	if users, entries := m.Kept(); users != wantUsers || entries != wantEntries {
		t.Fatalf("%d users with %d sessions and tombstones take up memory, want %d with %d", users, entries, wantUsers, wantEntries)
	}
}

// What later writes are enough to give back: each shard has several.
const plenty = 20_000

func TestMemoryGivesBackExpiredSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := store.NewMemory()
		for i := range 1000 {
			mustCreate(t, m, session(fmt.Sprint("user ", i), "a", time.Hour), session("one user", fmt.Sprint(i), time.Hour))
		}
		mustCreate(t, m, session("user 7", "b", 3*time.Hour))
		wantKept(t, m, 1001, 2001)
		time.Sleep(time.Hour)
		write(t, m, plenty)
		for i := range 300 { // 1000 sessions of one user are in one shard
			m.Touch(t.Context(), "one user", fmt.Sprint(i), store.Touch{})
		}
		wantKept(t, m, 1, 1)
		time.Sleep(2 * time.Hour)
		write(t, m, plenty)
		wantKept(t, m, 0, 0)
	})
}

func TestMemoryKeepsWhatWasExtended(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := store.NewMemory()
		mustCreate(t, m, session("user", "touched", time.Hour), session("user", "updated", time.Hour), session("user", "neither", time.Hour))
		later := session("user", "updated", 3*time.Hour)
		if err := m.Touch(t.Context(), "user", "touched", store.Touch{ExpiresAt: later.ExpiresAt}); err != nil {
			t.Fatal(err)
		}
		if err := m.Update(t.Context(), later, later.Secret); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Hour)
		write(t, m, plenty)
		wantKept(t, m, 1, 2)
		for _, id := range []string{"touched", "updated"} {
			if _, err := m.Find(t.Context(), "user", id); err != nil {
				t.Fatalf("session %q: %v", id, err)
			}
		}
		time.Sleep(time.Hour)
		write(t, m, plenty)
		wantKept(t, m, 0, 0)
	})
}

// A mark and an id that is created once are given back when their time has come,
// also that of a user who has nothing else.
func TestMemoryGivesBackThePast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := store.NewMemory()
		for i := range 100 {
			user := fmt.Sprint("user ", i)
			r := session(user, "a", time.Hour)
			r.Once = time.Now().Add(2 * time.Hour)
			mustCreate(t, m, r)
			if _, err := m.RevokeAll(t.Context(), user, "", store.Revocation{Until: time.Now().Add(3 * time.Hour)}); err != nil {
				t.Fatal(err)
			}
		}
		wantKept(t, m, 100, 300)
		for left := 2; left >= 0; left-- {
			time.Sleep(time.Hour)
			write(t, m, plenty)
			wantKept(t, m, min(left, 1)*100, left*100)
		}
	})
}

func TestMemoryGivesBackTombstonesAfterADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := store.NewMemory()
		for i := range 300 {
			mustCreate(t, m, session("user", fmt.Sprint(i), 30*24*time.Hour))
		}
		if _, err := m.RevokeAll(t.Context(), "user", "7", store.Revocation{}); err != nil {
			t.Fatal(err)
		}
		wantKept(t, m, 1, 1+store.MaxTombstones+1) // and the mark
		time.Sleep(store.TombstoneLifetime)
		write(t, m, plenty)
		for range 30 {
			m.Touch(t.Context(), "user", "unknown", store.Touch{})
		}
		wantKept(t, m, 1, 1)
		if _, err := m.Revoke(t.Context(), "user", "7", store.Revocation{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(store.TombstoneLifetime)
		write(t, m, plenty)
		wantKept(t, m, 0, 0)
	})
}

// With sign-ins going on, retiring keeps up with them.
func TestMemoryStaysSmall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := store.NewMemory()
		for i := range 50_000 {
			mustCreate(t, m, session(fmt.Sprint(i), "a", time.Minute))
			time.Sleep(time.Second)
		}
		if _, entries := m.Kept(); entries > 1000 {
			t.Errorf("%d sessions take up memory where 60 are live", entries)
		}
	})
}

func TestMemoryRevokeEveryone(t *testing.T) {
	m := store.NewMemory()
	for i := range 1000 {
		mustCreate(t, m, session(fmt.Sprint("user ", i), "a", time.Hour), session("one user", fmt.Sprint(i), time.Hour))
	}
	if err := m.RevokeEveryone(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantKept(t, m, 0, 0)
}

// Whatever is done, in whatever order, the parts of the store agree with each
// other, and in the end nothing takes up memory.
func TestMemoryInAnyOrder(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { anyOrder(t, rand.New(rand.NewPCG(seed, 1))) })
		})
	}
}

func anyOrder(t *testing.T, rng *rand.Rand) {
	m, ctx := store.NewMemory(), t.Context()
	for i := range 5000 {
		user, id := fmt.Sprint("user ", rng.IntN(3)), fmt.Sprint(rng.IntN(400))
		r := session(user, id, time.Duration(rng.IntN(100))*time.Hour)
		if rng.IntN(10) == 0 {
			r.Once = time.Now().Add(time.Duration(rng.IntN(100)) * time.Hour)
		}
		if rng.IntN(10) == 0 {
			r.Prev, r.Deadline = store.HashSecret("before"), time.Now().Add(time.Duration(rng.IntN(50))*time.Hour)
		}
		why := store.Revocation{}
		if rng.IntN(2) == 0 {
			why.Until = time.Now().Add(time.Duration(rng.IntN(90)) * time.Hour)
		}
		if rng.IntN(2) == 0 {
			why.At = time.Now().Add(-time.Duration(rng.IntN(30)) * time.Hour)
		}
		switch p := rng.IntN(100); {
		case p < 1:
			m.Create(ctx, r, store.Limit{Max: 200})
		case p < 2:
			m.RevokeAll(ctx, user, id, why)
		case p < 5:
			time.Sleep(time.Duration(rng.IntN(60)) * time.Minute)
		case p < 15:
			m.Revoke(ctx, user, id, why)
		case p < 30:
			m.Update(ctx, r, r.Secret)
		case p < 45:
			m.Touch(ctx, user, id, store.Touch{SeenAt: r.SeenAt, ExpiresAt: r.ExpiresAt})
		default:
			m.Create(ctx, r, store.Limit{})
		}
		if i%50 == 0 {
			m.Kept() // panics if something is wrong
		}
	}
	time.Sleep(100 * time.Hour)
	for i := range 1000 {
		m.Touch(ctx, fmt.Sprint("user ", i%3), "none", store.Touch{})
	}
	wantKept(t, m, 0, 0)
}

// A read copies the bytes once, and does nothing else that takes memory.
func TestMemoryFindAllocatesOnce(t *testing.T) {
	m := store.NewMemory()
	mustCreate(t, m, session("user", "a", time.Hour))
	allocs := testing.AllocsPerRun(100, func() {
		if _, err := m.Find(context.Background(), "user", "a"); err != nil {
			t.Fatal(err)
		}
	})
	if allocs > 1 {
		t.Errorf("Find allocates %v times, want once, for what it returns", allocs)
	}
}

// No write makes others wait while something grows: however many sessions there
// are, none copies more than a small part of what is kept of them.
func TestMemoryGrowsBySmallSteps(t *testing.T) {
	const sessions, atMost = 100_000, 256 << 10
	// What the rest of the process allocates counts too, so that it takes three
	// tries to tell; what the store did would be there in each.
	var largest uint64
	for range 3 {
		if largest = largestStep(t, sessions); largest <= atMost {
			return
		}
	}
	t.Errorf("a sign-in allocated %d bytes", largest)
}

// largestStep returns the most that one of so many sign-ins has allocated.
func largestStep(t *testing.T, sessions int) (largest uint64) {
	allocated := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	m := store.NewMemory()
	for i := range sessions {
		r := session("user", fmt.Sprint(i), time.Hour)
		metrics.Read(allocated)
		before := allocated[0].Value.Uint64()
		mustCreate(t, m, r)
		metrics.Read(allocated)
		largest = max(largest, allocated[0].Value.Uint64()-before)
	}
	return largest
}

package store_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// benchmarkRecord returns a session with names, client and data as long as those
// of a real one.
func benchmarkRecord(user, id int) store.Record {
	now := time.Now()
	return store.Record{
		User: fmt.Sprintf("%022d", user), ID: fmt.Sprintf("%022d", id), Secret: store.HashSecret(fmt.Sprint(id)),
		CreatedAt: now, SeenAt: now, ProvedAt: now, ExpiresAt: now.Add(24 * time.Hour),
		Client: make([]byte, 128), Data: make([]byte, 192),
	}
}

// The cost of one call, if the user has one session and if they have
// 100,000: it should be the same.
func BenchmarkMemory(b *testing.B) {
	ctx := context.Background()
	for _, n := range []int{1, 100_000} {
		filled := func(b *testing.B) *store.Memory {
			m := store.NewMemory()
			for i := range n {
				mustCreate(b, m, benchmarkRecord(0, i))
			}
			runtime.GC()
			b.ReportAllocs()
			return m
		}
		b.Run(fmt.Sprintf("Find/%d", n), func(b *testing.B) {
			m, r := filled(b), benchmarkRecord(0, n/2)
			for b.Loop() {
				if _, err := m.Find(ctx, r.User, r.ID); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("FindParallel/%d", n), func(b *testing.B) {
			m, r := filled(b), benchmarkRecord(0, n/2)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := m.Find(ctx, r.User, r.ID); err != nil {
						b.Error(err)
					}
				}
			})
		})
		b.Run(fmt.Sprintf("Update/%d", n), func(b *testing.B) {
			m, r := filled(b), benchmarkRecord(0, n/2)
			for b.Loop() {
				r.ExpiresAt = r.ExpiresAt.Add(time.Second)
				if err := m.Update(ctx, r, r.Secret); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("Touch/%d", n), func(b *testing.B) {
			m, r := filled(b), benchmarkRecord(0, n/2)
			for b.Loop() {
				r.ExpiresAt = r.ExpiresAt.Add(time.Second)
				if err := m.Touch(ctx, r.User, r.ID, store.Touch{SeenAt: r.SeenAt, ExpiresAt: r.ExpiresAt}); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("Create/%d", n), func(b *testing.B) {
			m, r := filled(b), benchmarkRecord(0, 0)
			ids := make([]string, 10_000)
			for i := range ids {
				ids[i] = fmt.Sprintf("new %018d", i)
			}
			for i := 0; b.Loop(); i++ {
				if r.ID = ids[i%len(ids)]; i%len(ids) == 0 && i > 0 {
					b.StopTimer()
					m = filled(b)
					b.StartTimer()
				}
				if _, err := m.Create(ctx, r, store.Limit{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// Memory and the longest time that a single write takes, while the store grows
// to a million sessions, and when all of them have expired.
func BenchmarkMemoryMillion(b *testing.B) {
	if testing.Short() {
		b.Skip("takes a gigabyte")
	}
	const million = 1_000_000
	for name, key := range map[string]func(i int) (user, id int){
		"users":    func(i int) (int, int) { return i, i },
		"one user": func(i int) (int, int) { return 0, i },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				var before, after runtime.MemStats
				took := make([]time.Duration, 0, million)
				runtime.GC()
				runtime.ReadMemStats(&before)
				m := store.NewMemory()
				for i := range million {
					r := benchmarkRecord(key(i))
					start := time.Now()
					m.Create(context.Background(), r, store.Limit{})
					took = append(took, time.Since(start))
				}
				runtime.GC()
				runtime.ReadMemStats(&after)
				slices.Sort(took)
				r := benchmarkRecord(0, 0)
				payload := len(r.User) + len(r.ID) + len(r.Client) + len(r.Data)
				each := float64(after.HeapAlloc-before.HeapAlloc) / million
				b.ReportMetric(each, "B/session")
				b.ReportMetric(each-float64(payload), "overhead-B/session")
				b.ReportMetric(float64(took[million/2].Nanoseconds()), "median-ns/write")
				b.ReportMetric(float64(took[million-million/10_000].Microseconds()), "p99.99-µs/write")
				b.ReportMetric(float64(took[million-1].Microseconds()), "longest-µs/write")
				runtime.KeepAlive(m)
			}
		})
	}
}

package store_test

import (
	"fmt"
	"regexp"
	"strconv"
	"testing"

	"github.com/revoke-sessions/revoke/internal/redistest"
	"github.com/revoke-sessions/revoke/store"
)

// BenchmarkInsideRedis has how long Redis itself is busy with a call, by its own
// clock, which is how long all other clients wait: neither the network nor this
// process is in it. It is the least of several runs, for a machine that does other
// things as well only makes it longer.
//
//	go test -run '^$' -bench InsideRedis -benchtime 200x ./store
func BenchmarkInsideRedis(b *testing.B) {
	server := redistest.Start(b)
	server.NeedReal(b)
	st := patient(server.Pool())
	fill := func(b *testing.B, user, n int) {
		for i := range n {
			mustCreate(b, st, benchmarkRecord(user, i))
		}
	}
	fresh := 0 // a user who has nothing yet
	for _, bench := range []struct {
		name string
		has  int // sessions of the user
		call func(b *testing.B, user, n int) error
	}{
		{"Find", 1, func(b *testing.B, user, n int) error {
			r := benchmarkRecord(user, 0)
			_, err := st.Find(b.Context(), r.User, r.ID)
			return err
		}},
		{"Update", 1, func(b *testing.B, user, n int) error {
			r := benchmarkRecord(user, 0)
			return st.Update(b.Context(), r, r.Secret)
		}},
		{"Touch", 1, func(b *testing.B, user, n int) error {
			r := benchmarkRecord(user, 0)
			return st.Touch(b.Context(), r.User, r.ID, store.Touch{SeenAt: r.SeenAt, ExpiresAt: r.ExpiresAt})
		}},
		{"Create/first", 0, func(b *testing.B, user, n int) error { return create(b, st, user, n, 100) }},
		{"Create/hundredth", 99, func(b *testing.B, user, n int) error { return create(b, st, user, n, 100) }},
		{"Create/beyond", 100, func(b *testing.B, user, n int) error { return create(b, st, user, n, 100) }},
		{"List/100", 100, func(b *testing.B, user, n int) error {
			_, err := st.List(b.Context(), benchmarkRecord(user, 0).User)
			return err
		}},
		{"RevokeAll/100", 101, func(b *testing.B, user, n int) error { return revokeOthers(b, st, user) }},
		{"RevokeAll/1000", 1001, func(b *testing.B, user, n int) error { return revokeOthers(b, st, user) }},
	} {
		b.Run(bench.name, func(b *testing.B) {
			least := 0
			for i := range b.N {
				fresh++
				fill(b, fresh, bench.has)
				server.Do("CONFIG", "RESETSTAT")
				if err := bench.call(b, fresh, bench.has); err != nil {
					b.Fatal(err)
				}
				if took := busy(server); i == 0 || took < least {
					least = took
				}
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(least), "µs-inside")
		})
	}
}

func create(b *testing.B, st store.Store, user, id, limit int) error {
	_, err := st.Create(b.Context(), benchmarkRecord(user, id), store.Limit{Max: limit})
	return err
}

func revokeOthers(b *testing.B, st store.Store, user int) error {
	r := benchmarkRecord(user, 0)
	_, err := st.RevokeAll(b.Context(), r.User, r.ID, store.Revocation{By: r.ID, Reason: "revoked"})
	return err
}

// busy returns the microseconds that the last call of a store took: that of a
// script, which has those of the commands in it, or else that of one command.
func busy(server *redistest.Server) (took int) {
	stats := fmt.Sprintf("%s", server.Do("INFO", "commandstats"))
	for _, stat := range regexp.MustCompile(`cmdstat_(evalsha|eval|hmget|hscan):calls=\d+,usec=(\d+)`).FindAllStringSubmatch(stats, -1) {
		usec, _ := strconv.Atoi(stat[2])
		took = max(took, usec)
	}
	return took
}

// BenchmarkRedisBytes has what a session takes up in Redis, its share of the user's
// key included.
//
//	go test -run '^$' -bench RedisBytes ./store
func BenchmarkRedisBytes(b *testing.B) {
	server := redistest.Start(b)
	server.NeedReal(b)
	st := store.NewRedis(server.Pool())
	user := 0
	for _, n := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("%d a user", n), func(b *testing.B) {
			user++
			for id := range n {
				mustCreate(b, st, benchmarkRecord(user, id))
			}
			key := server.Do("KEYS", fmt.Sprintf("*%022d", user)).([]any)[0]
			used := server.Do("MEMORY", "USAGE", key, "SAMPLES", 0).(int64)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(used)/float64(n), "B/session")
		})
	}
}

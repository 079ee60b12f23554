package bench

import (
	"fmt"
	"testing"
	"time"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/internal/redistest"
)

// each benchmarks a request of each contender over each kind of store.
func each(b *testing.B, idle time.Duration, request func(c *contender) func()) {
	withoutLog(b)
	for _, k := range []kind{{name: "memory"}, {"redis", redistest.Start(b)}} {
		for _, c := range contenders(k, idle) {
			b.Run(k.name+"/"+c.name, func(b *testing.B) {
				run := request(c)
				b.ReportAllocs()
				for b.Loop() {
					run()
				}
			})
		}
	}
}

func BenchmarkRead(b *testing.B) { each(b, 0, (*contender).read) }

func BenchmarkReadIdleTimeout(b *testing.B) { each(b, 20*time.Minute, (*contender).read) }

func BenchmarkWrite(b *testing.B) { each(b, 0, (*contender).write) }

func BenchmarkSignIn(b *testing.B) {
	each(b, 0, func(c *contender) func() { return c.signIn(newUsers(), nil) })
}

func BenchmarkReadParallel(b *testing.B) {
	withoutLog(b)
	for _, k := range []kind{{name: "memory"}, {"redis", redistest.Start(b)}} {
		for _, c := range contenders(k, 0) {
			b.Run(k.name+"/"+c.name, func(b *testing.B) {
				run := c.read()
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						run()
					}
				})
			})
		}
	}
}

// managed runs a benchmark of what plain scs cannot do, with n sessions of a user.
func managed(b *testing.B, n int, fill bool, call func(m *revoke.Manager, user string) error) {
	withoutLog(b)
	for _, k := range []kind{{name: "memory"}, {"redis", redistest.Start(b)}} {
		b.Run(fmt.Sprint(k.name, "/", n), func(b *testing.B) {
			c := contenders(k, 0)[2]
			populate(b, c.m, c.store, "ann", n)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				user := "ann"
				if fill {
					b.StopTimer()
					user = fmt.Sprint("user ", i)
					populate(b, c.m, c.store, user, n)
					b.StartTimer()
				}
				if err := call(c.m, user); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkList(b *testing.B) {
	for _, n := range []int{1, 10, 100, 1000} {
		managed(b, n, false, func(m *revoke.Manager, user string) error {
			_, err := m.List(b.Context(), user)
			return err
		})
	}
}

func BenchmarkRevokeOne(b *testing.B) {
	managed(b, 5, true, func(m *revoke.Manager, user string) error {
		return m.Revoke(b.Context(), user, fmt.Sprintf("%022d", 4))
	})
}

func BenchmarkRevokeAll(b *testing.B) {
	for _, n := range []int{1, 10, 100, 1000} {
		managed(b, n, true, func(m *revoke.Manager, user string) error {
			_, err := m.RevokeAll(b.Context(), user)
			return err
		})
	}
}

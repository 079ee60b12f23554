package pooltest

import (
	"testing"

	"github.com/revoke-sessions/revoke/internal/redistest"
	"github.com/revoke-sessions/revoke/store"
)

// Bench compares the pool with redigo's, with 64 clients.
func (c Client) Bench(b *testing.B) {
	server := redistest.Start(b)
	redigo := server.Pool()
	redigo.MaxIdle = 64
	for _, rival := range []struct {
		name string
		pool store.Pool
	}{{"redigo", redigo}, {"this", c.Single(b, server.Addr)}} {
		st := patient(rival.pool)
		r := Record("user", rival.name)
		must(st.Create(b.Context(), r, store.Limit{}))
		for _, op := range []struct {
			name string
			call func()
		}{
			{"Find", func() { must(st.Find(b.Context(), r.User, r.ID)) }},
			{"Update", func() { check(st.Update(b.Context(), r, r.Secret)) }},
		} {
			b.Run(rival.name+"/"+op.name+"/1", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					op.call()
				}
			})
			b.Run(rival.name+"/"+op.name+"/64", func(b *testing.B) {
				b.ReportAllocs()
				b.SetParallelism(32) // times two processors
				b.RunParallel(func(p *testing.PB) {
					for p.Next() {
						op.call()
					}
				})
			})
		}
	}
}

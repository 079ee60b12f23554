package accesstoken_test

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/accesstoken"
	"github.com/revoke-sessions/revoke/internal/redistest"
	"github.com/revoke-sessions/revoke/store"
)

// A contender is something whose cost is measured beside that of the others.
type contender struct {
	name  string
	batch int // how often it is done between two looks at the clock
	do    func() error
	took  []time.Duration // of each batch
}

func (c *contender) run(b *testing.B) {
	begun := time.Now()
	for range c.batch {
		if err := c.do(); err != nil {
			b.Fatalf("%s: %v", c.name, err)
		}
	}
	c.took = append(c.took, time.Since(begun))
}

// us returns how many microseconds it takes once, in a batch that only so many in a hundred
// are faster than.
func (c *contender) us(percent int) float64 {
	slices.Sort(c.took)
	return float64(c.took[len(c.took)*percent/100].Nanoseconds()) / 1000 / float64(c.batch)
}

// BenchmarkInTurn tells what it costs to verify a token, by its signature or remembered, to
// ask a lease or Redis whether its session is live, and to serve whole requests. All take
// turns, in batches, so that whatever else the machine does disturbs all of them alike; p10
// is what a batch takes that was not disturbed.
//
//	go test -run '^$' -bench InTurn .
func BenchmarkInTurn(b *testing.B) {
	redis := store.NewRedis(redistest.Start(b).Pool())
	var all []*contender
	add := func(name string, batch int, do func() error) *contender {
		c := &contender{name: name, batch: batch, do: do}
		all = append(all, c)
		return c
	}
	for _, k := range []struct {
		name string
		key  crypto.Signer
	}{{"EdDSA", edKey()}, {"ES256", ecKey()}, {"RS256", rsaKey(2048)}} {
		s := newSite(b, redis, k.key).serve()
		token := s.access("ann")
		// A token for others is not remembered, however good its signature is.
		others := accesstoken.NewVerifier(issuer, "https://other.example", s.url+"/jwks", revoke.LiveIn(redis))
		add("signature/"+k.name, 5, func() error {
			if _, err := others.Verify(b.Context(), token); !errors.Is(err, accesstoken.ErrInvalid) {
				return fmt.Errorf("a token for others: %w", err)
			}
			return nil
		})
	}
	leased := store.Lease(redis, time.Hour)
	s := newSite(b, redis, edKey()).serve()
	onLease := newSite(b, leased, edKey()).serve()
	token := s.access("ann")
	header := bearer(token)
	verifier := func(st store.Store) *accesstoken.Verifier {
		return accesstoken.NewVerifier(issuer, audience, s.url+"/jwks", revoke.LiveIn(st))
	}
	remembers := verifier(redis)
	remembers.InsecureSkipLive = true
	c, err := remembers.Verify(b.Context(), token)
	if err != nil {
		b.Fatal(err)
	}
	serve := func(h http.Handler, header http.Header) func() error {
		return func() error {
			if status := request(h, header); status != http.StatusOK {
				return errors.New(http.StatusText(status))
			}
			return nil
		}
	}
	add("remembered signature", 50, func() error { _, err := remembers.Verify(b.Context(), token); return err })
	add("live/lease", 50, func() error { return revoke.LiveIn(leased)(b.Context(), c.SID) })
	add("live/round trip", 5, func() error { return revoke.LiveIn(redis)(b.Context(), c.SID) })
	add("request/bare", 50, serve(ok, header))
	fromLease := add("request/middleware, lease", 50, serve(verifier(leased).Middleware(ok), header))
	fromRedis := add("request/middleware, Redis", 5, serve(verifier(redis).Middleware(ok), header))
	add("request/Track, lease", 20, serve(onLease.sessions.Track(ok), bearer(onLease.access("ann"))))
	add("request/Track, Redis", 5, serve(s.sessions.Track(ok), header))
	add("request/Track, token of Issue", 5, serve(s.sessions.Track(ok), bearer(s.issue("ann"))))

	for range 1500 {
		for _, c := range all {
			c.run(b)
		}
	}
	for _, c := range all {
		report(b, c.name, map[string]float64{"p10-µs": c.us(10), "p50-µs": c.us(50), "allocs": testing.AllocsPerRun(100, func() { _ = c.do() })})
	}
	report(b, "a request from a lease, by one that asks Redis", map[string]float64{"p10-ratio": fromLease.us(10) / fromRedis.us(10)})
}

// report prints a line of figures.
func report(b *testing.B, name string, figures map[string]float64) {
	b.Run(name, func(b *testing.B) {
		b.ReportMetric(0, "ns/op")
		for unit, figure := range figures {
			b.ReportMetric(figure, unit)
		}
	})
}

// BenchmarkRevocation tells when a revocation is answered, for leases of some lengths.
func BenchmarkRevocation(b *testing.B) {
	redis := store.NewRedis(redistest.Start(b).Pool())
	for _, lease := range []time.Duration{0, 50 * time.Millisecond, 100 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second} {
		b.Run(lease.String(), func(b *testing.B) {
			sessions := revoke.New(newSite(b, redis, edKey()).sm, store.Lease(redis, lease))
			var took []time.Duration
			for range 4 {
				if _, err := sessions.Issue(b.Context(), "ann"); err != nil {
					b.Fatal(err)
				}
				list, err := sessions.List(b.Context(), "ann")
				if err != nil {
					b.Fatal(err)
				}
				begun := time.Now()
				if err := sessions.Revoke(context.Background(), "ann", list[0].ID); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(begun))
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(slices.Min(took).Microseconds())/1000, "min-ms")
			b.ReportMetric(float64(slices.Max(took).Microseconds())/1000, "max-ms")
		})
	}
}

// BenchmarkMint tells what it costs to make a token.
func BenchmarkMint(b *testing.B) {
	for name, key := range map[string]crypto.Signer{"EdDSA": edKey(), "ES256": ecKey(), "RS256": rsaKey(2048)} {
		s := newSite(b, store.NewMemory(), key)
		s.sessions.Track(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if _, err := s.sessions.Issue(r.Context(), "ann"); err != nil {
				b.Fatal(err)
			}
			b.Run(name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, _, err := s.tokens.Mint(r.Context()); err != nil {
						b.Fatal(err)
					}
				}
			})
		})).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/", nil))
	}
}

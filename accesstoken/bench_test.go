package accesstoken_test

import (
	"crypto"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/accesstoken"
	"github.com/revoke-sessions/revoke/internal/redistest"
	"github.com/revoke-sessions/revoke/store"
)

// BenchmarkVerify tells what it costs to verify a token: with its signature, with one that
// is remembered, and with the question to a lease or to Redis.
func BenchmarkVerify(b *testing.B) {
	redis := store.NewRedis(redistest.Start(b).Pool())
	for name, key := range map[string]crypto.Signer{"EdDSA": edKey(), "ES256": ecKey(), "RS256": rsaKey(2048)} {
		s := newSite(b, redis, key).serve()
		token := s.access("ann")
		run := func(step string, verify func() error) {
			b.Run(name+"/"+step, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := verify(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		// A token for others is not remembered, however good its signature is.
		others := accesstoken.NewVerifier(issuer, "https://other.example", s.url+"/jwks", revoke.LiveIn(redis))
		run("signature", func() error {
			if _, err := others.Verify(b.Context(), token); !errors.Is(err, accesstoken.ErrInvalid) {
				return err
			}
			return nil
		})
		skips := s.tokens.Verifier()
		skips.InsecureSkipLive = true
		run("remembered", func() error { _, err := skips.Verify(b.Context(), token); return err })
		for where, live := range map[string]store.Store{"lease": store.Lease(redis, time.Second), "redis": redis} {
			v := accesstoken.NewVerifier(issuer, audience, s.url+"/jwks", revoke.LiveIn(live))
			run("remembered+"+where, func() error { _, err := v.Verify(b.Context(), token); return err })
		}
	}
}

// BenchmarkRequest compares whole requests.
func BenchmarkRequest(b *testing.B) {
	redis := store.NewRedis(redistest.Start(b).Pool())
	s := newSite(b, redis, edKey()).serve()
	token := s.access("ann")
	ok := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("ok")) })
	under := func(st store.Store) http.Handler {
		return accesstoken.NewVerifier(issuer, audience, s.url+"/jwks", revoke.LiveIn(st)).Middleware(ok)
	}
	for name, h := range map[string]http.Handler{
		"bare":             ok,
		"middleware/lease": under(store.Lease(redis, time.Second)),
		"middleware/redis": under(redis),
		"track/redis":      s.sessions.Track(ok),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequest("GET", "/", nil)
				r.Header = bearer(token)
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				if w.Code != http.StatusOK {
					b.Fatal(w.Code)
				}
			}
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

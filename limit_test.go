package revoke_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/store"
)

func TestRateLimit(t *testing.T) {
	s := newServer(t, store.NewMemory(), func(s *server) { s.sessions.Limiter = revoke.NewLimiter(3, time.Hour) })
	ann, phone, bob := s.signedIn(t, "ann"), s.signedIn(t, "ann"), s.signedIn(t, "bob")
	for range 3 {
		if got := ann.delete(apiPath + "/unknown"); got.status != http.StatusNotFound {
			t.Fatalf("within the limit: %d", got.status)
		}
	}
	for _, b := range []*browser{ann, phone} { // the limit is the user's, not the session's
		for range 5 {
			got := b.delete(apiPath)
			if got.status != http.StatusTooManyRequests || problemCode(t, got) != "rate_limited" || got.header.Get("Retry-After") != "1200" {
				t.Errorf("over the limit: %d, Retry-After %q", got.status, got.header.Get("Retry-After"))
			}
		}
	}
	if n := s.log.count(revoke.RateLimited); n != 1 {
		t.Errorf("%d events for one burst", n)
	}
	if phone.get("/me").status != http.StatusOK {
		t.Error("a request over the limit revoked")
	}
	if got := ann.get(apiPath); got.status != http.StatusOK {
		t.Errorf("listing is limited: %d", got.status)
	}
	if got := bob.delete(apiPath); got.status != http.StatusOK {
		t.Errorf("another user is limited: %d", got.status)
	}
}

// TestRateLimitOfStrangers shows that a flood of requests without a session is
// limited by address, with an IPv6 /64 for one address, and costs no look-up.
func TestRateLimitOfStrangers(t *testing.T) {
	counting := &countingStore{Store: store.NewMemory()}
	counting.reset()
	m := revoke.New(scs.New(), counting)
	h := m.Track(m.Handler(""))
	status := func(peer string) int {
		r := httptest.NewRequest("DELETE", "/", nil)
		r.RemoteAddr = peer
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	codes := map[int]int{}
	for i := range 1000 {
		codes[status(fmt.Sprintf("[2001:db8::%x]:443", i))]++
	}
	if codes[http.StatusUnauthorized] != 10 || codes[http.StatusTooManyRequests] != 990 {
		t.Errorf("one network: %v", codes)
	}
	if got := status("[2001:db8:0:1::1]:443"); got != http.StatusUnauthorized {
		t.Errorf("another network: %d", got)
	}
	if n := counting.finds.Load() + counting.lists.Load() + counting.revokes.Load(); n != 0 {
		t.Errorf("%d look-ups", n)
	}
}

func TestLimiterRefills(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := revoke.NewLimiter(10, time.Minute)
		allowed := func() (n int) {
			for range 100 {
				if wait, err := l.Allow(t.Context(), "ann"); err != nil {
					t.Fatal(err)
				} else if wait == 0 {
					n++
				} else if wait > 6*time.Second {
					t.Errorf("to wait %v", wait)
				}
			}
			return n
		}
		if n := allowed(); n != 10 {
			t.Errorf("at once: %d allowed", n)
		}
		time.Sleep(6 * time.Second)
		if n := allowed(); n != 1 {
			t.Errorf("six seconds later: %d allowed", n)
		}
		time.Sleep(time.Hour)
		if n := allowed(); n != 10 {
			t.Errorf("an hour later: %d allowed", n)
		}
	})
}

// TestLimiterIsBounded shows that each of 10,000 users has a limit of their own,
// and that a flood of keys does not take memory without bound.
func TestLimiterIsBounded(t *testing.T) {
	l := revoke.NewLimiter(1, time.Hour)
	for round := range 2 {
		for i := range 10_000 {
			if wait, _ := l.Allow(t.Context(), fmt.Sprint("user", i)); (wait > 0) != (round == 1) {
				t.Fatalf("round %d, user %d: wait %v", round, i, wait)
			}
		}
	}
	for i := range 200_000 {
		l.Allow(t.Context(), fmt.Sprint("flood", i))
	}
	if n := revoke.LimiterKeys(l); n > 20_000 {
		t.Errorf("%d keys remembered", n)
	}
}

type brokenLimiter struct{}

func (brokenLimiter) Allow(context.Context, string) (time.Duration, error) {
	return 0, errors.New("the limiter is down")
}

func TestLimiterFails(t *testing.T) {
	s := newServer(t, store.NewMemory(), func(s *server) { s.sessions.Limiter = brokenLimiter{} })
	b := s.signedIn(t, "ann")
	if got := b.delete(apiPath); got.status != http.StatusOK || s.log.count(revoke.StoreFailed) != 1 {
		t.Errorf("open: %d, log %s", got.status, s.log)
	}
	s.sessions.LimiterFailsClosed = true
	if got := b.delete(apiPath); got.status != http.StatusServiceUnavailable || problemCode(t, got) != "store_unavailable" {
		t.Errorf("closed: %d %s", got.status, got.body)
	}
}

func TestAnonymize(t *testing.T) {
	for peer, want := range map[string]string{"198.51.100.77": "198.51.100.0", "2001:db8:1:2::3": "2001:db8:1::", "::ffff:192.0.2.9": "192.0.2.0"} {
		s := newServer(t, store.NewMemory(), func(s *server) {
			s.sessions.Anonymize = true
			s.sessions.ClientIP = func(*http.Request) netip.Addr { return netip.MustParseAddr(peer) }
		})
		s.signedIn(t, "ann")
		if got := list(t, s, "ann")[0].IP.String(); got != want {
			t.Errorf("%s is kept as %s, want %s", peer, got, want)
		}
	}
}

package revoke_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/internal/testapp"
	"github.com/revoke-sessions/revoke/store"
)

func TestRateLimit(t *testing.T) {
	app := testapp.New(t, store.NewMemory())
	app.Sessions.Limiter = revoke.NewLimiter(3, time.Hour)
	thief, victim := app.SignedIn(t, "ann"), app.SignedIn(t, "ann")
	for range 3 {
		if got := thief.Delete(testapp.APIPath + "/unknown"); got.Status != http.StatusNotFound {
			t.Fatalf("within the limit: %d", got.Status)
		}
	}
	for range 5 {
		got := thief.Delete(testapp.APIPath)
		if got.Status != http.StatusTooManyRequests || got.Code(t) != "rate_limited" || got.Header.Get("Retry-After") != "1200" {
			t.Errorf("over the limit: %d, Retry-After %q", got.Status, got.Header.Get("Retry-After"))
		}
	}
	if n := app.Log.Count(revoke.RateLimited); n != 1 {
		t.Errorf("%d events for one burst", n)
	}
	if victim.Get("/me").Status != http.StatusOK {
		t.Error("a request over the limit revoked")
	}
	if got := thief.Get(testapp.APIPath); got.Status != http.StatusOK {
		t.Errorf("listing is limited: %d", got.Status)
	}
	if got := victim.Delete(testapp.APIPath + "/" + thief.ID()); got.Status != http.StatusOK {
		t.Errorf("a thief has used up the victim's limit: %d", got.Status)
	}
}

// TestSigningOneselfOutIsNotLimited shows that a session that has used up its limit
// can end itself, and that to do so does not count.
func TestSigningOneselfOutIsNotLimited(t *testing.T) {
	app := testapp.New(t, store.NewMemory())
	app.Sessions.Limiter = revoke.NewLimiter(1, time.Hour)
	b := app.SignedIn(t, "ann")
	b.Delete(testapp.APIPath)
	if got := b.Delete(testapp.APIPath); got.Status != http.StatusTooManyRequests {
		t.Fatalf("over the limit: %d", got.Status)
	}
	if got := b.Delete(testapp.APIPath + "/" + b.ID()); got.Status != http.StatusOK {
		t.Errorf("signing oneself out: %d %s", got.Status, got.Body)
	}
}

// TestRateLimitOfStrangers shows that a flood of requests without a session is
// limited by address, with an IPv6 /64 for one address, and costs no look-up.
func TestRateLimitOfStrangers(t *testing.T) {
	tap := testapp.NewTap(store.NewMemory())
	m := revoke.New(scs.New(), tap)
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
	if calls := tap.Calls(); len(calls) != 0 {
		t.Errorf("%d look-ups", len(calls))
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
// and that a flood of keys does not take memory without bound: what is not asked
// for while 20,000 others are is forgotten.
func TestLimiterIsBounded(t *testing.T) {
	l := revoke.NewLimiter(1, time.Hour)
	for round := range 2 {
		for i := range 10_000 {
			if wait, _ := l.Allow(t.Context(), fmt.Sprint("user", i)); (wait > 0) != (round == 1) {
				t.Fatalf("round %d, user %d: wait %v", round, i, wait)
			}
		}
	}
	for _, before := range []int{0, 1, 5_000, 9_999, 10_000, 15_000} {
		l := revoke.NewLimiter(1, time.Hour)
		flood := func(name string, n int) {
			for i := range n {
				l.Allow(t.Context(), fmt.Sprint(name, i))
			}
		}
		flood("before", before)
		l.Allow(t.Context(), "ann")
		flood("others", 9_999)
		if wait, _ := l.Allow(t.Context(), "ann"); wait == 0 {
			t.Errorf("after %d keys: forgotten while 9,999 others were asked for", before)
		}
		flood("flood", 20_000)
		if wait, _ := l.Allow(t.Context(), "ann"); wait > 0 {
			t.Errorf("after %d keys: remembered while 20,000 others were asked for", before)
		}
	}
}

type brokenLimiter struct{}

func (brokenLimiter) Allow(context.Context, string) (time.Duration, error) {
	return 0, errors.New("the limiter is down")
}

func TestLimiterFails(t *testing.T) {
	app := testapp.New(t, store.NewMemory())
	app.Sessions.Limiter = brokenLimiter{}
	b := app.SignedIn(t, "ann")
	if got := b.Delete(testapp.APIPath); got.Status != http.StatusOK || app.Log.Count(revoke.StoreFailed) != 1 {
		t.Errorf("open: %d, log %s", got.Status, app.Log)
	}
	app.Sessions.LimiterFailsClosed = true
	if got := b.Delete(testapp.APIPath); got.Status != http.StatusServiceUnavailable || got.Code(t) != "store_unavailable" {
		t.Errorf("closed: %d %s", got.Status, got.Body)
	}
}

// TestTenThousandUsersAtOnce shows that under a flood of requests each user has a
// limit of their own, exact to the request, and that nobody's costs another's.
func TestTenThousandUsersAtOnce(t *testing.T) {
	const users, limit, requests, atOnce = 10_000, 2, 3, 500
	app := testapp.Over(scs.New(), store.NewMemory())
	app.Sessions.Logger = slog.New(slog.DiscardHandler)
	app.Sessions.Limiter = revoke.NewLimiter(limit, time.Hour)
	browsers := make([]*testapp.Browser, users)
	for i := range browsers {
		browsers[i] = app.SignedIn(t, fmt.Sprint("u", i))
	}
	var allowed [users]atomic.Int32
	var wrong atomic.Int32
	var done sync.WaitGroup
	start := make(chan struct{})
	for first := range atOnce {
		done.Go(func() {
			<-start
			for range requests { // of each user, all users in turn
				for user := first; user < users; user += atOnce {
					got := browsers[user].Send("DELETE", testapp.APIPath)
					wait, _ := strconv.Atoi(got.Header.Get("Retry-After"))
					switch {
					case got.Status == http.StatusOK:
						allowed[user].Add(1)
					case got.Status != http.StatusTooManyRequests || wait < 600 || wait > 1800:
						wrong.Add(1)
					}
				}
			}
		})
	}
	close(start)
	done.Wait()
	for user := range allowed {
		if n := allowed[user].Load(); n != limit {
			t.Fatalf("user %d had %d requests let through, want %d", user, n, limit)
		}
	}
	if n := wrong.Load(); n != 0 {
		t.Errorf("%d answers are neither a revocation nor a wait of half an hour", n)
	}
}

// TestStrangersDoNotFillTheLog shows that requests from another site are raised once a
// minute for each network and each session.
func TestStrangersDoNotFillTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := testapp.InBubble(store.NewMemory())
		user, stranger := app.SignedIn(t, "ann"), app.Browser(t)
		app.Log.Take(t)
		for _, b := range []*testapp.Browser{user, stranger} {
			b.Header.Set("Sec-Fetch-Site", "cross-site")
		}
		for range 100 {
			user.Delete(testapp.APIPath)
			stranger.Delete(testapp.APIPath)
		}
		if got := app.Log.Take(t); len(got) != 2 {
			t.Errorf("%d events, want one of the session and one of the network", len(got))
		}
		time.Sleep(time.Minute)
		stranger.Delete(testapp.APIPath)
		if got := app.Log.Take(t); len(got) != 1 {
			t.Errorf("%d events a minute later, want one", len(got))
		}
	})
}

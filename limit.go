package revoke

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"time"

	"golang.org/x/time/rate"

	"github.com/revoke-sessions/revoke/internal/recent"
)

// A Limiter bounds how often requests may change anything. It counts by key: that of a
// session, or of the network of a client who is not signed in. Keys of networks are
// hashed.
type Limiter interface {
	// Allow counts a request under key. It returns zero if the request is within
	// the limit, and otherwise how long to wait before the next.
	Allow(ctx context.Context, key string) (wait time.Duration, err error)
}

// maxKeys is how many keys are remembered at least, and half of the most.
const maxKeys = 10_000

// NewLimiter returns a Limiter in memory that allows n requests at once, and n
// more, evenly spread, in each period. It remembers the keys that
// were used last, 20,000 at most. It is for one process; store.NewRedisLimiter is for several.
func NewLimiter(n int, per time.Duration) Limiter {
	return &memoryLimiter{n: n, every: rate.Every(per / time.Duration(max(n, 1))), buckets: recent.New[bucket](maxKeys)}
}

type memoryLimiter struct {
	n       int
	every   rate.Limit
	buckets *recent.Map[bucket]
}

type bucket struct{ *rate.Limiter }

func (l *memoryLimiter) Allow(_ context.Context, key string) (wait time.Duration, _ error) {
	l.buckets.With(key, func(b *bucket) {
		if b.Limiter == nil {
			b.Limiter = rate.NewLimiter(l.every, l.n)
		}
		r := b.Reserve()
		if !r.OK() {
			wait = time.Duration(math.MaxInt64)
			return
		}
		if wait = r.Delay(); wait > 0 {
			r.Cancel()
		}
	})
	return wait, nil
}

// limit asks the Limiter once for a request that would change something. It
// raises one event from the first request over the limit to the next within.
func (m *Manager) limit(r *http.Request) error {
	if m.Limiter == nil {
		return nil
	}
	ctx := r.Context()
	_, userID := m.current(ctx)
	return m.allow(ctx, m.limiterKey(r), Event{Kind: RateLimited, UserID: userID, SessionID: m.actorID(ctx)})
}

// limitRefresh asks the Limiter once for a token that came in a body: by its session, or
// by the network of a client whose token opens nothing.
func (m *Manager) limitRefresh(r *http.Request, sessionID string) error {
	key := "refresh:" + sessionID
	if sessionID == "" {
		key = "refresh:network:" + shortHash(network(m.peer(r)).String())
	}
	if m.Limiter == nil {
		return nil
	}
	return m.allow(r.Context(), key, Event{Kind: RateLimited, SessionID: sessionID, Token: sessionID != ""})
}

func (m *Manager) allow(ctx context.Context, key string, limited Event) error {
	wait, err := m.Limiter.Allow(ctx, key)
	if err != nil {
		err = fmt.Errorf("revoke: rate limit: %w", err)
		m.storeFailed(ctx, err)
		if m.LimiterFailsClosed {
			return err
		}
		return nil
	}
	var first bool
	m.limited.With(key, func(over *bool) {
		first = wait > 0 && !*over
		*over = wait > 0
	})
	if first {
		m.emit(ctx, limited)
	}
	if wait > 0 {
		return &RateLimitedError{RetryAfter: wait}
	}
	return nil
}

// limiterKey returns the key under which a request counts.
func (m *Manager) limiterKey(r *http.Request) string {
	if record, _ := m.current(r.Context()); record != nil {
		return "session:" + record.ID
	}
	return "network:" + shortHash(network(m.peer(r)).String())
}

// network returns what one client can be expected to have to itself: an IPv4
// address, or an IPv6 /64.
func network(ip netip.Addr) netip.Addr {
	if !ip.Is6() {
		return ip
	}
	return netip.PrefixFrom(ip, 64).Masked().Addr()
}

package bench

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alexedwards/scs/redisstore"
	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"
	"github.com/gomodule/redigo/redis"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/internal/redistest"
	"github.com/revoke-sessions/revoke/store"
)

// A contender is a way to keep sessions.
type contender struct {
	name  string
	sm    *scs.SessionManager
	m     *revoke.Manager // nil under plain scs
	store store.Store
	track func(http.Handler) http.Handler
}

const (
	plainGob  = "scs, gob"
	plainCBOR = "scs, revoke.Codec"
	tracked   = "revoke"
	bare      = "bare" // no sessions at all
)

// A kind is where sessions are kept.
type kind struct {
	name   string
	server *redistest.Server // nil for memory
}

func (k kind) pool() *redis.Pool {
	pool := k.server.Pool()
	pool.MaxIdle = clients
	return pool
}

func (k kind) visitors() scs.Store {
	if k.server == nil {
		return memstore.NewWithCleanupInterval(0)
	}
	return redisstore.New(k.pool())
}

func (k kind) sessions() store.Store {
	if k.server == nil {
		return store.NewMemory()
	}
	return store.NewRedis(k.pool())
}

// contenders returns plain scs under both codecs, revoke, and no sessions at all, over
// empty stores of the same kind.
func contenders(k kind, idle time.Duration) (all []*contender) {
	if k.server != nil {
		k.server.Do("FLUSHALL")
	}
	for _, name := range []string{plainGob, plainCBOR, tracked} {
		sm := scs.New()
		sm.Store = k.visitors()
		sm.IdleTimeout = idle
		c := &contender{name: name, sm: sm, track: sm.LoadAndSave}
		switch name {
		case plainCBOR:
			sm.Codec = revoke.Codec{}
		case tracked:
			c.store = k.sessions()
			c.m = revoke.New(sm, c.store)
			c.track = c.m.Track
		}
		all = append(all, c)
	}
	return append(all, &contender{name: bare})
}

// signIn returns a request that signs a user in, whose name comes from user, and gives
// the session three values. It reports the Set-Cookie header.
func (c *contender) signIn(user func() string, report func(setCookie string)) func() {
	if c.name == bare {
		return serve(nothing, "")
	}
	h := c.track(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.sm.RenewToken(r.Context())
		c.sm.Put(r.Context(), "userID", user())
		c.sm.Put(r.Context(), "visits", 7)
		c.sm.Put(r.Context(), "theme", "dark")
	}))
	return func() {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, request(""))
		if report != nil {
			report(w.Header()["Set-Cookie"][0])
		}
	}
}

// cookie signs a user in, and returns the session's cookie.
func (c *contender) cookie() (cookie string) {
	c.signIn(func() string { return "ann" }, func(setCookie string) { cookie = valueOf(setCookie) })()
	return cookie
}

func valueOf(setCookie string) string {
	value, _, _ := strings.Cut(strings.TrimPrefix(setCookie, "session="), ";")
	return value
}

// read returns a request that reads the session.
func (c *contender) read() func() {
	if c.name == bare {
		return serve(nothing, anyToken)
	}
	return serve(c.track(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c.sm.GetString(r.Context(), "userID") == "" {
			w.WriteHeader(http.StatusUnauthorized)
		}
	})), c.cookie())
}

// write returns a request that changes the session.
func (c *contender) write() func() {
	if c.name == bare {
		return serve(nothing, anyToken)
	}
	var visits atomic.Int32
	return serve(c.track(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.sm.Put(r.Context(), "visits", int(visits.Add(1)))
	})), c.cookie())
}

var nothing = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {})

// anyToken is as long as revoke's.
const anyToken = "GzLCjLOMBUgOzMG9YP-XAg.GzLCjLOMBUgOzMG9YP-XAg.0123456789012345678901234567890123456789012"

const userAgent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"

// request returns a request as a browser sends it.
func request(cookie string) *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header["User-Agent"] = userAgents
	if cookie != "" {
		r.Header["Cookie"] = []string{"session=" + cookie}
	}
	return r
}

var userAgents = []string{userAgent}

func serve(h http.Handler, cookie string) func() {
	return func() {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, request(cookie))
		if w.Code != http.StatusOK {
			panic(w.Code)
		}
	}
}

// newUsers names a user who has no session yet, again and again.
func newUsers() func() string {
	n := 0
	return func() string {
		n++
		return fmt.Sprint("user ", n)
	}
}

// userKey returns the name under which a store keeps a user's sessions.
func userKey(m *revoke.Manager, userID string) string {
	return m.SID(revoke.Session{UserID: userID})[:22]
}

// populate gives a user n sessions.
func populate(t testing.TB, m *revoke.Manager, st store.Store, userID string, n int) {
	t.Helper()
	now := time.Now()
	for i := range n {
		_, err := st.Create(t.Context(), store.Record{
			User: userKey(m, userID), ID: fmt.Sprintf("%022d", i), Secret: store.HashSecret(fmt.Sprint(i)),
			CreatedAt: now, SeenAt: now, ProvedAt: now, ExpiresAt: now.Add(24 * time.Hour),
			Client: []byte(`{"ip":"192.0.2.1","user_agent":"` + userAgent + `"}`),
			Data:   make([]byte, 60),
		}, store.Limit{})
		if err != nil {
			t.Fatal(err)
		}
	}
}

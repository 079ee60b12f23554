package revoke

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"reflect"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/alexedwards/scs/v2"
	"golang.org/x/time/rate"

	"github.com/revoke-sessions/revoke/internal/queue"
	"github.com/revoke-sessions/revoke/internal/recent"
	"github.com/revoke-sessions/revoke/internal/watch"
	"github.com/revoke-sessions/revoke/store"
)

// A Manager tracks the signed-in sessions of an [scs.SessionManager], so that
// users can list and end them.
//
// With plain scs, a session that was deleted can come back: a request that was under
// way writes its copy of it again. A Manager keeps signed-in sessions in a
// [store.Store], and each of its writes has a condition: the session must still be
// live. If the write changes the session's data, the secret in its token must also be the
// one that the writer read. The store checks this in the same atomic step.
//
// Make one with [New], and set its fields before it serves requests. Its methods are
// safe for concurrent use.
type Manager struct {
	// UserIDKey is the key of the scs value that says who is signed in. A session is
	// signed in as long as its data has such a value that is not empty and not the zero
	// value of its type. New sets UserIDKey to "userID".
	//
	// The value is a string, an integer, a [fmt.Stringer], or bytes, as a slice or an
	// array. Elsewhere a user ID is the text of that value: String of a Stringer, the
	// digits of an integer, a slice of bytes as it is, and an array of bytes in
	// hexadecimal. So 7 and "7" are the same user.
	//
	// Two managers can share a store if their UserIDKey or the names of their cookies
	// differ. [Manager.RevokeEveryone] ends the sessions of both.
	UserIDKey string

	// UserID, if not nil, says who is signed in, in the place of UserIDKey. Set it if
	// the user ID is inside a struct, in JSON, or elsewhere. It is called with a function
	// that returns the session's value for a key, and returns "" for nobody. Put the
	// value into the session before you call Login: Login then puts nothing, and
	// returns an error if UserID does not name that user.
	UserID func(get func(key string) any) string

	// AdoptUntil is when sessions from before revoke came are no longer taken over. Set
	// it to a time at which the last node of plain scs is gone and its sessions have
	// expired. Until then visitors' sessions are stored as plain scs reads them, which
	// is slower. Zero means no end.
	//
	// There is one exception: over a store that encrypts, see [store.Encrypt], zero means
	// that none are taken over. Otherwise whoever can write to the visitors' store could
	// sign anyone in.
	AdoptUntil time.Time

	// ClientIP says which address a request came from. If nil, it is the address of
	// the connection's peer, and headers such as X-Forwarded-For are ignored. Behind a
	// proxy, set ClientIP to a function that knows the proxy.
	ClientIP func(*http.Request) netip.Addr

	// Logger takes the audit log. If nil, it is [slog.Default].
	Logger *slog.Logger

	// OnEvent, if not nil, is called with each event after it was logged. The calls
	// come from one goroutine at a time, never from that of a request. Suspicious
	// events go first.
	//
	// While OnEvent blocks, up to 1,024 Suspicious events and 1,024 others wait for it.
	// More are dropped, and their number is logged. A panic in OnEvent is logged. If
	// events still wait when the process exits, they are lost, unless FlushEvents was
	// called; the audit log has them.
	OnEvent func(Event)

	// Burst is how many revocations by one user are too many, or refusals on how many
	// ids: more raise a Suspicious event. The zero value means more than 5 in 10 minutes.
	Burst Burst

	// MaxPerUser limits how many sessions a user can have at once. A sign-in
	// beyond it evicts the session that was seen longest ago. Zero means no limit. New
	// sets it to 100.
	MaxPerUser int

	// TouchInterval is how often, at most, the time of last use is written. The first
	// use from another network is written at once. Zero means at every request. New sets
	// it to one minute.
	//
	// Under [scs.SessionManager.IdleTimeout] a session ends between IdleTimeout and
	// IdleTimeout + TouchInterval after its last use, never before. If TouchInterval is
	// more than half the IdleTimeout, that half takes its place.
	TouchInterval time.Duration

	// Authorize, if not nil, is called before a session ends others of its user
	// by Revoke or RevokeOthers. If it returns an error, nothing ends: see [RecentLogin]
	// and [Seasoned].
	Authorize func(context.Context, Action) error

	// Confirm makes the API ask before it revokes all others: the answer to a request
	// without ?confirm=true is how many sessions would end.
	Confirm bool

	// Limiter bounds how often a session may ask for a revocation, or the network of a
	// client who is not signed in. It counts by session, so nobody who has another
	// session of a user can use up that user's own limit. Signing oneself out is never
	// limited.
	//
	// It is called once a request, before anything is done. Refresh calls it too,
	// under keys of its own. Nil means no limit. New sets it to
	// NewLimiter(10, time.Minute).
	Limiter Limiter

	// LimiterFailsClosed refuses requests while the Limiter fails. By default
	// they are let through, and the failure is logged: a user in trouble must be
	// able to sign out.
	LimiterFailsClosed bool

	// CrossOrigin guards the handlers that revoke. If nil, it is the zero
	// [http.CrossOriginProtection], which trusts no other origin.
	CrossOrigin *http.CrossOriginProtection

	// Anonymize cuts addresses to their /24, or /48 if they are IPv6, before they are
	// stored, listed or logged.
	Anonymize bool

	// Device describes a user agent in a few words, as "Firefox on Linux". If nil, it
	// is the function [Device].
	Device func(userAgent string) string

	// Describe, if not nil, adds up to 8 labels to a session, as {"place": "Lisbon"}.
	// They are stored with the session, and shown in lists. Describe gets a request
	// that uses the session. It is called if the session is written, at most once a
	// request.
	Describe func(*http.Request) map[string]string

	// Bearer lets clients prove their session by a token of [Manager.Issue] in an
	// Authorization header, as "Bearer <token>" (RFC 6750). If a request has such a
	// header, the header alone counts, even if its token opens nothing: the cookie is
	// not read, set or cleared.
	Bearer bool

	// Authenticate, if not nil, reads bearer tokens that Issue has not made, such as JSON
	// Web Tokens. It returns the user ID and the [Manager.SID] of the session that the
	// token names. If the token opens no session, it returns [ErrUnauthenticated]. Any
	// other error means that Authenticate cannot tell: the answer is 503. If there is no
	// error, Track asks the store whether the session is live.
	//
	// A request with such a token has the session without its data. scs has the user ID,
	// as a string, and nothing else. What the handler puts into scs is not saved.
	Authenticate func(*http.Request) (userID, sid string, err error)

	// ReuseGrace is how long an old token is no alarm, after the client has first used
	// the next one of [Manager.Rotate]: a request with the old one may still be on its
	// way. The old token opens nothing any more. If it is used after ReuseGrace,
	// somebody has a copy of it: TokenReused is raised, and the session ends. If a token
	// from before the old one is used, that happens at once: Rotate offers no two within
	// this time.
	//
	// Zero means one minute. If ReuseGrace is negative, the alarm is raised at once, and
	// the session goes on.
	ReuseGrace time.Duration

	sm         *scs.SessionManager
	first      atomic.Pointer[settings] // those of the first request
	router     *router
	sessions   store.Store
	hook       *queue.Queue[Event]
	patterns   patterns
	watch      *watch.Watch
	limited    *recent.Map[bool]      // by the limiter's key: whether it is over the limit
	crossings  *recent.Map[time.Time] // by the limiter's key: when a request from another site was raised
	deadTokens *recent.Map[networks]  // by session: whence tokens came that open it no more
	moves      *recent.Map[bool]      // by session and network: whether the change was raised
	mistakes   rate.Sometimes         // when one is logged
}

// New returns a Manager that keeps the signed-in sessions of sm in st. Sessions
// of visitors who have not signed in stay in the store that sm has.
//
// New replaces sm.Store. Set sm.Store first.
//
// New also replaces two defaults of [scs.New], unless you have set your own:
//
//   - Codec, by one that writes signed-in sessions as [Codec] does. It writes visitors'
//     sessions as scs's default does until AdoptUntil has passed.
//   - ErrorFunc, by one that answers as the API does: see [ProblemOf]. The answer has
//     nothing of the error's text.
func New(sm *scs.SessionManager, st store.Store) *Manager {
	m := &Manager{
		UserIDKey:     defaultUserIDKey,
		MaxPerUser:    100,
		TouchInterval: time.Minute,
		Limiter:       NewLimiter(10, time.Minute),
		sm:            sm,
		sessions:      st,
		watch:         watch.New(st),
		patterns:      patterns{windows: recent.New[window](maxKeys)},
		limited:       recent.New[bool](maxKeys),
		crossings:     recent.New[time.Time](maxKeys),
		deadTokens:    recent.New[networks](maxKeys),
		moves:         recent.New[bool](maxKeys),
		mistakes:      rate.Sometimes{First: 20, Interval: time.Minute},
	}
	m.hook = newHook(m)
	m.router = &router{m: m, visitors: sm.Store}
	sm.Store = m.router
	if sm.Codec == (scs.GobCodec{}) {
		sm.Codec = visitorCodec{m}
	}
	if isDefaultErrorFunc(sm.ErrorFunc) {
		sm.ErrorFunc = m.unavailable
	}
	return m
}

// isDefaultErrorFunc goes by the name, as functions do not compare: should scs
// rename it, an application keeps scs's own answer, 500.
func isDefaultErrorFunc(f func(http.ResponseWriter, *http.Request, error)) bool {
	if f == nil {
		return true
	}
	name := runtime.FuncForPC(reflect.ValueOf(f).Pointer()).Name()
	return name == "github.com/alexedwards/scs/v2.defaultErrorFunc"
}

// Secure sets the session cookie of sm to what a server in production should
// use: Secure, HttpOnly, SameSite=Lax, Path=/, no Domain, and a name that begins
// with __Host-, under which browsers accept it from this very host over HTTPS
// only (RFC 6265bis, section 4.1.3.2).
//
// The new name signs out those who hold a cookie under the old one.
func Secure(sm *scs.SessionManager) {
	c := &sm.Cookie
	if !strings.HasPrefix(c.Name, "__Host-") {
		c.Name = "__Host-" + c.Name
	}
	c.Secure, c.HttpOnly, c.SameSite = true, true, http.SameSiteLaxMode
	c.Path, c.Domain = "/", ""
}

// SessionManager returns the scs.SessionManager that was given to [New]. A package that
// gets only a Manager can keep values in the session's data with it, as package page does.
func (m *Manager) SessionManager() *scs.SessionManager { return m.sm }

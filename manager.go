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
// Its fields are to be set before it serves requests. Its methods are safe for
// concurrent use.
type Manager struct {
	// UserIDKey is the key of the scs value that says who is signed in: a
	// string, an integer, a [fmt.Stringer], or bytes, as a slice or an array. A
	// session is signed in exactly as long as its data has such a value that is not
	// empty and not the zero value of its type. New sets it to "userID".
	//
	// Elsewhere a user ID is the text of that value: String of a Stringer, the digits of
	// an integer, a slice of bytes as it is, and an array of bytes in hexadecimal. So 7
	// and "7" are the same user.
	//
	// Two managers over one store are told apart by it and by the name of their
	// cookies; [Manager.RevokeEveryone] ends the sessions of both.
	UserIDKey string

	// UserID, if not nil, says in the place of UserIDKey who is signed in: for a user
	// ID that is inside a struct, in JSON, or elsewhere. It is called with a function
	// that returns the session's value for a key, and returns "" for nobody. Put the
	// value into the session before you call Login: Login then puts nothing, and
	// returns an error unless UserID names that user.
	UserID func(get func(key string) any) string

	// AdoptUntil ends the time in which sessions from before revoke came are taken
	// over. Set it to when the last node of plain scs is gone and their sessions have
	// expired. Until then visitors' sessions are stored as plain scs reads them, which
	// is slower. Zero means no end; but over a store that encrypts, see
	// [store.Encrypt], zero means that none are taken over: whoever can write to the
	// visitors' store could sign anyone in.
	AdoptUntil time.Time

	// MaxPerUser limits how many sessions a user can have at once: a sign-in
	// beyond it evicts the least recently seen. Zero means no limit. New sets it
	// to 100.
	MaxPerUser int

	// TouchInterval is how often the time of last use is written, at the most; the
	// first use from another network is written at once. Under
	// [scs.SessionManager.IdleTimeout] a session ends between IdleTimeout and
	// IdleTimeout + TouchInterval after its last use, never before; of
	// TouchInterval at most half the IdleTimeout counts. New sets it to one
	// minute; zero means every request.
	TouchInterval time.Duration

	// ClientIP says which address a request came from. Nil stands for the
	// peer's address: headers such as X-Forwarded-For are believed from nobody.
	// Behind a proxy, set it to a function that knows the proxy.
	ClientIP func(*http.Request) netip.Addr

	// Device describes a user agent in a few words, as "Firefox on Linux". Nil
	// stands for [Device].
	Device func(userAgent string) string

	// Describe, if not nil, adds up to 8 labels to a session from a request that
	// uses it, as {"place": "Lisbon"}: they are stored with it, and shown in lists
	// with the address. It is asked when the session is written, at most once a
	// request.
	Describe func(*http.Request) map[string]string

	// Bearer has Track take the tokens of [Manager.Issue] in an Authorization header,
	// as "Bearer <token>" (RFC 6750). Such a header alone counts, also if its token
	// opens nothing: the cookie is not read, set or cleared.
	Bearer bool

	// Authenticate, if not nil, knows the bearer tokens that Issue has not made, as JSON
	// Web Tokens. It returns the user ID and the [Manager.SID] of the session that the
	// token of a request names, and [ErrUnauthenticated] if there is none; any
	// other error means that nobody knows, and is answered with 503. Whether that session
	// is live is asked after it. The request has the session without its data: scs has
	// the user ID, as a string, and nothing that is put there is saved.
	Authenticate func(*http.Request) (userID, sid string, err error)

	// ReuseGrace is for how long after the first use of a token of [Manager.Rotate] the
	// one before may still be on its way: it opens nothing any more, and that is no
	// alarm. After that its use raises TokenReused and ends the session, as somebody has
	// an old copy of it. The use of any other from before does so at once: Rotate offers
	// no two within this time. Zero stands for one minute. If it is negative, the alarm is
	// raised at once, and the session goes on.
	ReuseGrace time.Duration

	// CrossOrigin guards the handlers that revoke. Nil stands for the zero
	// [http.CrossOriginProtection], which trusts no other origin.
	CrossOrigin *http.CrossOriginProtection

	// Anonymize keeps of an address only its /24, or the /48 of an IPv6 one: in
	// the store, in lists, and in events.
	Anonymize bool

	// Limiter bounds how often a session, or the network of a client who is not
	// signed in, may ask for a revocation: so whoever else has a session of a user
	// does not use up the user's own. To sign oneself out is never limited. It is
	// asked once a request, before anything else is done. Refresh asks it too, under
	// keys of its own. Nil means no limit. New
	// sets it to NewLimiter(10, time.Minute).
	Limiter Limiter

	// LimiterFailsClosed refuses requests while the Limiter fails. By default
	// they are let through, and the failure is logged: a user in trouble must be
	// able to sign out.
	LimiterFailsClosed bool

	// Authorize, if not nil, is asked before a session ends others of its user
	// by Revoke or RevokeOthers. An error refuses: see RecentLogin and Seasoned.
	Authorize func(context.Context, Action) error

	// Confirm makes the API ask before it revokes all others: a request without
	// ?confirm=true is told how many sessions would end.
	Confirm bool

	// Logger takes the audit log. Nil stands for [slog.Default].
	Logger *slog.Logger

	// OnEvent, if not nil, is called with each event after it was logged, from
	// one goroutine at a time and none of a request. Suspicious events go first.
	// While it blocks, up to 1,024 of them and 1,024 others wait for it; more are
	// dropped, and their number is logged. A panic in it is logged. Events that
	// still wait when the process exits are lost, unless FlushEvents was called;
	// the audit log has them.
	OnEvent func(Event)

	// Burst is how many revocations by one user, or refusals on how many ids,
	// are too many, and raise a Suspicious event. The zero value stands for more
	// than 5 in 10 minutes.
	Burst Burst

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
// It puts a router in the place of sm.Store, so set sm.Store before. If sm
// still has the defaults of [scs.New], it installs two things: a codec that writes
// sessions as [Codec] does, and those of visitors as the default does until
// AdoptUntil has passed; and an ErrorFunc that answers as the API does, see
// [ProblemOf], with nothing of the error.
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

// SessionManager returns the scs.SessionManager that m was made for, for packages
// that are given a Manager alone and keep something in a session's data, as the
// page keeps what it has yet to say.
func (m *Manager) SessionManager() *scs.SessionManager { return m.sm }

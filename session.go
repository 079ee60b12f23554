package revoke

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"reflect"
	"runtime"
	"slices"
	"time"

	"github.com/alexedwards/scs/v2"

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
	// string, an integer, or a [fmt.Stringer]. A session is signed in exactly as
	// long as its data has such a value that is neither the empty string nor the
	// integer zero. New sets it to "userID".
	UserIDKey string

	// MaxPerUser limits how many sessions a user can have at once: a sign-in
	// beyond it evicts the least recently seen. Zero means no limit. New sets it
	// to 100.
	MaxPerUser int

	// TouchInterval is how often the time of last use is written, at the most;
	// a change of the client's address is written at once. Under
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

	// CrossOrigin guards the handlers that revoke. Nil stands for the zero
	// [http.CrossOriginProtection], which trusts no other origin.
	CrossOrigin *http.CrossOriginProtection

	// Anonymize keeps of an address only its /24, or the /48 of an IPv6 one: in
	// the store, in lists, and in events.
	Anonymize bool

	// Limiter bounds how often a user, or the address of a client who is not
	// signed in, may ask for a revocation. It is asked once a request, before
	// anything else is done. Nil means no limit. New sets it to
	// NewLimiter(10, time.Minute).
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

	sm       *scs.SessionManager
	router   *router
	sessions store.Store
	hook     *queue.Queue[Event]
	patterns patterns
	watch    *watch.Watch
	limited  *recent.Map[bool] // by the limiter's key: whether it is over the limit
	reuses   *recent.Map[bool] // by session and address: whether the use of its token was raised
}

// New returns a Manager that keeps the signed-in sessions of sm in st. Sessions
// of visitors who have not signed in stay in the store that sm has.
//
// It puts a router in the place of sm.Store, so set sm.Store before. Where sm
// still has the defaults of [scs.New], it installs [Codec], which is faster and
// reads what was stored by the default, and an ErrorFunc that answers 503
// Service Unavailable, with nothing of the error, when a store fails.
func New(sm *scs.SessionManager, st store.Store) *Manager {
	m := &Manager{
		UserIDKey:     "userID",
		MaxPerUser:    100,
		TouchInterval: time.Minute,
		Limiter:       NewLimiter(10, time.Minute),
		sm:            sm,
		sessions:      st,
		watch:         watch.New(st),
		patterns:      patterns{windows: recent.New[window](maxKeys)},
		limited:       recent.New[bool](maxKeys),
		reuses:        recent.New[bool](maxKeys),
	}
	m.hook = newHook(m)
	m.router = &router{m: m, visitors: sm.Store}
	sm.Store = m.router
	if sm.Codec == (scs.GobCodec{}) {
		sm.Codec = Codec{}
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

// A Session is one signed-in device of a user, from sign-in to its end, through
// any number of token renewals. It holds nothing that opens the session.
type Session struct {
	ID         string            `json:"id"` // public: for lists, URLs and logs
	UserID     string            `json:"-"`
	Current    bool              `json:"current"` // the session of the request at hand
	Device     string            `json:"device"`
	UserAgent  string            `json:"user_agent"` // at most 512 bytes
	IP         netip.Addr        `json:"ip"`
	Labels     map[string]string `json:"labels,omitempty"` // from Manager.Describe
	CreatedAt  time.Time         `json:"created_at"`
	LastSeenAt time.Time         `json:"last_seen_at"`
	ExpiresAt  time.Time         `json:"expires_at"`

	// ProvedAt is when the user last proved who they are in this session, by
	// signing in or by Reauthenticated; zero where that is not known.
	ProvedAt time.Time `json:"-"`
}

// Errors, to be tested with [errors.Is]. Any other error means that the store
// failed, and claims nothing about the outcome.
var (
	// ErrNotFound stands for an unknown, expired, malformed or revoked id, and
	// for somebody else's.
	ErrNotFound = store.ErrNotFound

	// ErrUnauthenticated means that the request has no session.
	ErrUnauthenticated = errors.New("unauthenticated")

	// ErrRevoked means that the request's session was revoked. It comes as a
	// [*RevokedError].
	ErrRevoked = store.ErrRevoked
)

// A RevokedError tells the holder of a revoked session's token when and why it
// was revoked. It is both [ErrRevoked] and [ErrUnauthenticated].
type RevokedError struct {
	SessionID string    // the session that was revoked
	At        time.Time // when
	Reason    string    // why: one of the Reason constants
	By        string    // the id of the session that did it; may be empty
}

func (e *RevokedError) Error() string { return "session revoked: " + e.Reason }

// Is makes the error match [ErrRevoked] and [ErrUnauthenticated].
func (e *RevokedError) Is(target error) bool {
	return target == ErrRevoked || target == ErrUnauthenticated
}

// Login signs the user in: it gives the session a fresh token and puts userID
// into its data. The session is created when the response begins; should the
// store fail then, the response is an error instead, and the visitor's session
// is as it was.
//
// For the user who is signed in already it counts as a renewed proof of who
// they are.
func (m *Manager) Login(ctx context.Context, userID string) error {
	if userID == "" {
		return errors.New("revoke: log in: empty user ID")
	}
	s := m.request(ctx)
	if s == nil || s.begun() {
		return errors.New("revoke: log in: not in a tracked request, or its response has begun")
	}
	if err := m.sm.RenewToken(ctx); err != nil {
		return fmt.Errorf("revoke: log in: %w", err)
	}
	m.sm.Put(ctx, m.UserIDKey, userID)
	s.prove()
	return nil
}

// Logout ends the request's session, at once and for good, and drops its data.
// Without a session it drops the visitor's data and returns nil. On an error
// the session may still be live, but for [ErrNotReplicated], with which it has
// ended and the cookie goes.
func (m *Manager) Logout(ctx context.Context) error {
	if s := m.request(ctx); s != nil {
		s.leave()
	}
	if record, userID := m.current(ctx); record != nil {
		ended, err := m.end(ctx, userID, ReasonLoggedOut, one(record.ID))
		if len(ended) > 0 {
			m.emit(ctx, Event{Kind: LoggedOut, UserID: userID, SessionID: record.ID, ActorID: record.ID, Reason: ReasonLoggedOut, Count: 1})
		}
		if err != nil && !errors.Is(err, ErrUnauthenticated) {
			_ = m.sm.Destroy(ctx) // so that the save step tries again, and answers for it
			return fmt.Errorf("revoke: log out: %w", err)
		}
	}
	if err := m.sm.Destroy(ctx); err != nil {
		return fmt.Errorf("revoke: log out: %w", err)
	}
	return nil
}

// Current returns the session of a request under Track, as it was loaded. It
// reports false where there is none, where it was ended in this request, and
// where this request has just signed in and not yet begun its response.
func (m *Manager) Current(ctx context.Context) (Session, bool) {
	record, userID := m.current(ctx)
	if record == nil {
		return Session{}, false
	}
	return m.session(*record, userID, record.ID), true
}

func (m *Manager) current(ctx context.Context) (*store.Record, string) {
	s := m.request(ctx)
	if s == nil {
		return nil, ""
	}
	record, userID := s.live()
	if record == nil || m.userID(ctx) != userID {
		return nil, ""
	}
	return record, userID
}

// Err says why a request under Track has no session: nil where it has one, a
// [*RevokedError] where the session of its token was revoked, and otherwise
// [ErrUnauthenticated].
func (m *Manager) Err(ctx context.Context) error {
	if record, _ := m.current(ctx); record != nil {
		return nil
	}
	if s := m.request(ctx); s != nil {
		if err := s.revoked(); err != nil {
			return err
		}
	}
	return ErrUnauthenticated
}

// List returns the user's sessions: the request's own first, then the most
// recently seen. It never returns nil without an error.
func (m *Manager) List(ctx context.Context, userID string) ([]Session, error) {
	records, err := m.sessions.List(ctx, userKey(userID))
	if err != nil {
		err = fmt.Errorf("revoke: list sessions: %w", err)
		m.storeFailed(ctx, err)
		return nil, err
	}
	current := m.actorID(ctx)
	sessions := make([]Session, len(records))
	for i, r := range records {
		sessions[i] = m.session(r, userID, current)
	}
	slices.SortFunc(sessions, func(a, b Session) int {
		switch {
		case a.Current:
			return -1
		case b.Current:
			return 1
		}
		return cmp.Or(b.LastSeenAt.Compare(a.LastSeenAt), cmp.Compare(a.ID, b.ID))
	})
	return sessions, nil
}

func (m *Manager) session(r store.Record, userID, currentID string) Session {
	c := decodeClient(r.Client)
	return Session{
		ID:         r.ID,
		UserID:     userID,
		Current:    r.ID == currentID,
		Device:     m.device(c.UserAgent),
		UserAgent:  c.UserAgent,
		IP:         c.IP,
		Labels:     c.Labels,
		CreatedAt:  r.CreatedAt.UTC(),
		LastSeenAt: r.SeenAt.UTC(),
		ExpiresAt:  expressible(r.ExpiresAt.UTC()),
		ProvedAt:   r.ProvedAt.UTC(),
	}
}

// expressible returns the latest time that RFC 3339 can express in the place of
// any later one: an application may set any deadline.
func expressible(t time.Time) time.Time {
	if t.Year() > 9999 {
		return time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	}
	return t
}
